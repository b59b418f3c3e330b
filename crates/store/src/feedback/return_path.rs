//! Return paths: which message a failure is about, said by an address that nobody else can make.
//!
//! `b+` public id of the message, then the number of a key and a MAC over message, controller and that number, all in
//! base32: 54 octets, whose case may be lost on the way. Nothing can be learnt from it, and whoever has only the
//! public id (the client has, and may have shown it) cannot make it. Keys that were replaced still hold.
//! Standards: RFC 5321 §4.5.3.1.1 (64 octets); protocols-and-scale A12 V1.

use super::*;
use crate::vault::{KeyKind, base32, unbase32};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use mail::address::Domain;
use model::DomainId;

/// What stands before the token.
const MARK: &str = "b+";
/// Characters of 16 octets in base32.
const BLOCK: usize = 26;
const LABEL: &str = "return path";

/// A message that left with a return path of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Whose.
    pub controller: ControllerId,
    /// Which.
    pub message: MessageId,
}

impl Store {
    /// Failures of a domain's mail return to this name from now on, or, without one, to its senders. `name`: the
    /// domain itself or one below it, and somebody has seen that DNS leads it here.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the domain is not a verified one of this controller, or the name not within it.
    pub async fn name_return_path(
        &self,
        controller: ControllerId,
        domain: &Domain,
        name: Option<&Domain>,
    ) -> Result<()> {
        self.catch_up().await?;
        let (_, id) = self.from_domain(controller, domain);
        let within = name.is_none_or(|name| name.is_within(domain));
        let Some(id) = id.filter(|_| within) else { return Err(Error::NotFound { what: "domain" }) };
        let value = name.map_or(Value::Null, |name| name.as_str().into());
        let detail = name.map_or("", Domain::as_str);
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Accounts,
            what: "return path",
            event: None,
            detail: crypto::sha256_of_fields(&[LABEL.as_bytes(), &id.0.to_be_bytes(), detail.as_bytes()]),
            steps: vec![Step::new(&sql::DOMAIN_RETURN_PATH, vec![controller.0.into(), id.0.into(), value])],
        };
        if self.act(EventType::DomainChanged, writes).await? { Ok(()) } else { Err(Error::NotFound { what: "domain" }) }
    }

    /// The name to which failures of a domain's mail return.
    #[must_use]
    pub fn return_path_name(&self, controller: ControllerId, domain: DomainId) -> Option<Domain> {
        let policy = self.policy.current();
        let known = policy.domain_by_id(domain).filter(|known| known.controller == controller)?;
        known.return_path.clone()
    }

    /// Is this a name to which failures of somebody's mail return?
    #[must_use]
    pub fn is_return_path_name(&self, name: &Domain) -> bool {
        !self.policy.current().returning_to(name).is_empty()
    }

    /// The local part of a message's return path.
    ///
    /// # Errors
    /// When no key is there.
    pub fn return_path(&self, sent: Sent) -> Result<String> {
        let (number, key) = self.vault.link_key()?;
        let public = self.public_id(sent.message);
        let id = public.strip_prefix(MessageId::PREFIX).and_then(|rest| rest.strip_prefix('_')).unwrap_or_default();
        Ok(format!("{MARK}{id}{}", base32(&proof(number, &crypto::derive(&key, LABEL), sent))))
    }

    /// The message that an address is the return path of. Nothing when it is none of ours, was altered, or stands at a
    /// name to which another controller's failures return.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn open_return_path(&self, address: &Address) -> Result<Option<Sent>> {
        let whose = self.policy.current().returning_to(address.domain());
        let local = address.local().to_ascii_lowercase();
        let Some(token) = local.strip_prefix(MARK).filter(|token| token.len() == 2 * BLOCK && token.is_ascii()) else {
            return Ok(None);
        };
        let (id, told) = token.split_at(BLOCK);
        let message = self.parse_public::<MessageId>(&format!("{}_{id}", MessageId::PREFIX));
        let (Some(message), Some(told)) = (message, unbase32(told)) else { return Ok(None) };
        let operator = ControllerId::OPERATOR.0;
        let [number, ..] = told;
        // Another node may have made it.
        let key = match self.vault.sought(operator, KeyKind::Link, i64::from(number)).await {
            Ok(key) => crypto::derive(&key, LABEL),
            Err(Error::Sealed { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let candidates = whose.into_iter().map(|controller| Sent { controller, message });
        let holds = |sent: &Sent| verify_slices_are_equal(&proof(number, &key, *sent), &told).is_ok();
        Ok(candidates.into_iter().find(holds))
    }
}

/// The key's number, and the first 15 octets of the MAC.
fn proof(number: u8, key: &crypto::Key, sent: Sent) -> [u8; 16] {
    let (message, controller) = (sent.message.0.to_be_bytes(), sent.controller.0.to_be_bytes());
    let whole = crypto::mac(key.as_slice(), &[LABEL.as_bytes(), &[number], &message, &controller]);
    let mut proof = [number; 16];
    for (to, from) in proof.iter_mut().skip(1).zip(whole) {
        *to = from;
    }
    proof
}
