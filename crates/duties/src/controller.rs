//! Admission of a controller: agreement, streams, instruction, domain keys, credential, in this order, so
//! that at no moment mail could be sent without what comes before it (GDPR Art. 28(3)).

use crate::error::Error;
use mail::address::Domain;
use mail::dkim::SigningKey;
use model::basis::BasisKind;
use model::instruction::Operation;
use model::purpose::PurposeText;
use model::stream::Terms;
use model::{ControllerId, DomainId, StreamId, StreamKind};
use std::collections::BTreeMap;
use store::{Created, DomainKeys, NewCredential, NewPurpose, NewStream, Store, Verified};

/// A preset for instructions: the common cases in one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preset {
    /// Receipts, passwords, notices.
    Transactional,
    /// A newsletter with confirmed consent.
    Newsletter,
    /// Both.
    Both,
}

/// What is asked of a new controller.
pub struct Admission<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its sending domain.
    pub domain: &'a Domain,
    /// Was the domain shown to be its own?
    pub verified: Verified,
    /// What it wants to send.
    pub preset: Preset,
    /// SMTP name of its first credential.
    pub username: &'a str,
    /// Messages a UTC day that the instruction allows.
    pub messages_per_day_max: u64,
}

/// What a new controller has.
pub struct Admitted {
    /// Its id.
    pub controller: ControllerId,
    /// The stream `transactional`, if the preset has it.
    pub transactional: Option<StreamId>,
    /// The stream `newsletter`, if the preset has it.
    pub newsletter: Option<StreamId>,
    /// Its domain.
    pub domain: DomainId,
    /// Its first credential, with the secrets that are shown once.
    pub credential: Created,
    /// The DNS records to publish: name and TXT value.
    pub dns: Vec<(String, String)>,
}

/// Selectors of a new domain.
const RSA_SELECTOR: &str = "p1";
const ED25519_SELECTOR: &str = "p2";

/// Admits a controller.
///
/// # Errors
/// Those of the store; a name that is taken. What was written before stays: nothing in it can send.
pub async fn admit(store: &Store, admission: &Admission<'_>) -> Result<Admitted, Error> {
    let controller = store.create_controller(admission.name).await?;
    store.sign_agreement(controller, None).await?;
    let (mut transactional, mut newsletter) = (None, None);
    if admission.preset != Preset::Newsletter {
        let purpose = "messages about the recipient's own transactions";
        transactional =
            Some(store.create_stream(controller, "transactional", StreamKind::Transactional, purpose).await?);
    }
    if admission.preset != Preset::Transactional {
        let purpose = "the controller's newsletter";
        newsletter = Some(store.create_stream(controller, "newsletter", StreamKind::Marketing, purpose).await?);
    }
    let streams: Vec<StreamId> = transactional.into_iter().chain(newsletter).collect();
    let service = service_stream(store, controller).await?;
    let instructed: Vec<StreamId> = streams.iter().copied().chain([service]).collect();
    store.issue_instruction(controller, &Operation::ALL, &instructed, admission.messages_per_day_max).await?;
    let keys = DomainKeys {
        rsa_selector: RSA_SELECTOR.into(),
        rsa: SigningKey::generate_rsa()?,
        ed25519_selector: ED25519_SELECTOR.into(),
        ed25519: SigningKey::generate_ed25519()?,
    };
    let name = admission.domain.as_str();
    let dns = vec![
        (format!("{RSA_SELECTOR}._domainkey.{name}"), keys.rsa.public_dns_value()?),
        (format!("{ED25519_SELECTOR}._domainkey.{name}"), keys.ed25519.public_dns_value()?),
    ];
    let domain = store.add_domain(controller, admission.domain, &keys, admission.verified).await?;
    let default_stream = streams.first().copied().ok_or(store::Error::NotFound { what: "stream" })?;
    let new = NewCredential { username: admission.username, default_stream, streams: &streams, expires: None };
    let credential = store.create_credential(controller, new).await?;
    // The platform's own messages to recipients speak with a credential that nobody was shown.
    let username = store.system_username(controller);
    let new = NewCredential { username: &username, default_stream: service, streams: &[service], expires: None };
    drop(store.create_credential(controller, new).await?);
    Ok(Admitted { controller, transactional, newsletter, domain, credential, dns })
}

/// The stream of the platform's own messages to recipients: what they asked for on a page, and answers to it
/// (`architecture.md` §10). Their basis is the interest in confirming who asked, which the person started himself.
async fn service_stream(store: &Store, controller: ControllerId) -> Result<StreamId, Error> {
    let text = PurposeText {
        title: "Confirmations".to_owned(),
        description: "Confirming what you asked for on a page".to_owned(),
    };
    let purpose = NewPurpose {
        name: "confirmations",
        kind: StreamKind::Service,
        bases: vec![BasisKind::LegitimateInterest],
        reference: "confirming that a request came from the holder of the mailbox, asked for by himself",
        texts: BTreeMap::from([("en".to_owned(), text)]),
    };
    let purpose = store.create_purpose(controller, &purpose).await?;
    let stream = NewStream {
        name: "service",
        kind: StreamKind::Service,
        about: "the platform's own messages to recipients",
        purposes: &[purpose],
        terms: Terms::default(),
    };
    Ok(store.create_stream_for(controller, &stream).await?)
}
