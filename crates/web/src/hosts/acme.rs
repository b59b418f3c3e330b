//! Certificates by ACME (RFC 8555): one order at a time, proven by http-01.
//!
//! Invariants: an order is made for a name that is in force and has an address; what the authority will ask for is in
//! the store before it is told to ask, so that every node answers; a certificate that is not for the name, or not for
//! its key, is not taken; an order ends within [`ORDER_MAX`].
//! Never: a key on disk but in the vault; an answer of the authority in a log.

mod client;
mod validity;

use client::Way;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use model::Timestamp;
use mta::Names;
use mta::names::Found;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::permission::HostToOrder;

use super::certificates::certified;
pub use validity::validity;

/// A whole order.
pub(super) const ORDER_MAX: Duration = Duration::from_secs(180);
/// The first question whether an order is ready.
const ASK_FIRST: Duration = Duration::from_millis(250);
/// An order is asked about for so long.
const ASK_MAX: Duration = Duration::from_secs(60);
/// Letters of what an authority says that are kept.
const WORDS_MAX: usize = 300;
/// The problem of an account that is not known (RFC 8555 §6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Whom to ask for certificates.
#[derive(Clone, Debug)]
pub struct AcmeSettings {
    /// The address of his directory.
    pub directory: String,
    /// Where he reaches the operator: `mailto:` addresses.
    pub contact: Vec<String>,
    /// Authorities for the connection to him, beside the usual ones.
    pub roots: Vec<CertificateDer<'static>>,
}

/// An authority.
pub struct Acme {
    settings: AcmeSettings,
    way: Way,
    store: Arc<Store>,
    names: Names,
}

/// A certificate.
pub(super) struct Issued {
    pub(super) chain: String,
    pub(super) key: String,
    pub(super) starts: Timestamp,
    pub(super) ends: Timestamp,
}

/// Why there is no certificate, in words for the controller.
pub(super) struct NotIssued(pub(super) String);

impl From<store::Error> for NotIssued {
    fn from(error: store::Error) -> Self {
        tracing::warn!(%error, "an order of a certificate could not be kept");
        Self("a fault of this node; it is tried again".to_owned())
    }
}

impl From<Error> for NotIssued {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::Api(problem) => {
                let details = problem.subproblems.iter().filter_map(|sub| sub.detail.as_deref());
                let said: Vec<&str> = problem.detail.as_deref().into_iter().chain(details).collect();
                refused(&said.join("; "), problem.r#type.as_deref())
            }
            Error::Timeout(_) => "the certificate authority did not come to an end in time".to_owned(),
            Error::Other(_) | Error::Str(_) => "the certificate authority cannot be reached".to_owned(),
            _ => "the certificate authority gave an answer that is not understood".to_owned(),
        })
    }
}

/// What an authority said, as one line of bounded length.
fn refused(said: &str, kind: Option<&str>) -> String {
    let kind = kind.map_or("", |kind| kind.rsplit(':').next().unwrap_or_default());
    let line: String =
        said.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(WORDS_MAX).collect();
    format!("the certificate authority refused it ({kind}): {line}")
}

impl Acme {
    /// Over a store's names. `names` asks DNS.
    ///
    /// # Errors
    /// A root that is no certificate.
    pub fn new(settings: AcmeSettings, store: Arc<Store>, names: Names) -> Result<Self, rustls::Error> {
        Ok(Self { way: Way::new(&settings.roots)?, settings, store, names })
    }

    /// Orders a certificate.
    pub(super) async fn order(&self, host: &HostToOrder) -> Result<Issued, NotIssued> {
        // The authority would say the same, and count it.
        match self.names.address(&host.name).await {
            Found::Some(()) => {}
            Found::None => return Err(NotIssued(format!("{} has no address in DNS; publish its CNAME", host.name))),
            Found::NoAnswer => return Err(NotIssued(format!("DNS did not answer for {}", host.name))),
        }
        let ordered = tokio::time::timeout(ORDER_MAX, self.ordered(host)).await;
        ordered.unwrap_or_else(|_| Err(NotIssued("the certificate authority did not come to an end in time".into())))
    }

    async fn ordered(&self, host: &HostToOrder) -> Result<Issued, NotIssued> {
        let account = self.account().await?;
        let identifiers = [Identifier::Dns(host.name.clone())];
        let mut order = match account.new_order(&NewOrder::new(&identifiers)).await {
            Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => {
                self.store.forget_certificate_account(&self.settings.directory).await?;
                return Err(NotIssued("the certificate authority forgot this node; a new account is made".into()));
            }
            order => order?,
        };
        self.prove(host, &mut order).await?;
        let patience = RetryPolicy::new().initial_delay(ASK_FIRST).timeout(ASK_MAX);
        match order.poll_ready(&patience).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(self.why_not(&mut order).await),
            Err(error) => return Err(error.into()),
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&patience).await?;
        checked(host, chain, key)
    }

    /// The account, made with the first order.
    async fn account(&self) -> Result<Account, NotIssued> {
        let directory = &self.settings.directory;
        loop {
            let builder = Account::builder_with_http(Box::new(self.way.clone()));
            if let Some(kept) = self.store.certificate_account(directory).await? {
                let credentials: AccountCredentials = serde_json::from_slice(&kept).map_err(Error::Json)?;
                return Ok(builder.from_credentials(credentials).await?);
            }
            let contact: Vec<&str> = self.settings.contact.iter().map(String::as_str).collect();
            let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
            let (account, credentials) = builder.create(&new, directory.clone(), None).await?;
            let kept = serde_json::to_vec(&credentials).map_err(Error::Json)?;
            if self.store.keep_certificate_account(directory, &kept).await? {
                return Ok(account);
            }
            // Another node was quicker: its account is everybody's.
        }
    }

    /// Puts the answer where the authority will look (RFC 8555 §8.3), and tells it to.
    async fn prove(&self, host: &HostToOrder, order: &mut Order) -> Result<(), NotIssued> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Valid => continue,
                _ => return Err(NotIssued("the certificate authority takes no proof for this name now".to_owned())),
            }
            let no_way = || NotIssued("the certificate authority does not offer http-01 for this name".to_owned());
            let mut challenge = authorization.challenge(ChallengeType::Http01).ok_or_else(no_way)?;
            let (token, answer) = (challenge.token.clone(), challenge.key_authorization());
            if !self.store.keep_challenge(host, &token, answer.as_str()).await? {
                return Err(NotIssued("the name was given up meanwhile".to_owned()));
            }
            challenge.set_ready().await?;
        }
        Ok(())
    }

    /// Why an order came to nothing: what the authority found when it looked.
    async fn why_not(&self, order: &mut Order) -> NotIssued {
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            let Ok(state) = authorization.refresh().await else { continue };
            let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
            if let Some(problem) = problem {
                return NotIssued(refused(problem.detail.as_deref().unwrap_or_default(), problem.r#type.as_deref()));
            }
        }
        NotIssued(refused("it gave no reason", None))
    }
}

/// Is what was issued what was ordered?
fn checked(host: &HostToOrder, chain: String, key: String) -> Result<Issued, NotIssued> {
    let useless = |what: &str| NotIssued(format!("the certificate authority issued something of no use: {what}"));
    let certified = certified(chain.as_bytes(), key.as_bytes()).map_err(|error| useless(&error))?;
    let leaf = certified.end_entity_cert().map_err(|_| useless("there is no certificate in it"))?;
    let name = ServerName::try_from(host.name.as_str()).map_err(|_| useless("the name is none"))?;
    ParsedCertificate::try_from(leaf)
        .and_then(|leaf| verify_server_name(&leaf, &name))
        .map_err(|_| useless("it is not for this name"))?;
    let (starts, ends) = validity(leaf).filter(|(starts, ends)| starts < ends).ok_or_else(|| useless("its dates"))?;
    Ok(Issued { chain, key, starts, ends })
}
