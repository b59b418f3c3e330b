//! Admission of a controller: agreement, instruction, domain keys, credential, in this order, so that at no moment mail
//! could be sent without what comes before it (GDPR Art. 28(3)).

use crate::agreement::{self, NotAgreed};
use crate::document::instruction::preset;
use crate::document::terms::{Date, Language, Party, Private, Role};
use crate::error::Error;
use crate::instruction::{self, NotInstructed, Outcome};
use crate::operator::Signatory;
use mail::address::Domain;
use mail::dkim::SigningKey;
use model::{ControllerId, DomainId, StreamId};
use store::permission::Side;
use store::{Created, DomainKeys, NewCredential, Store, Verified};

pub use crate::document::Preset;

/// What is asked of a new controller.
pub struct Admission<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its legal name, postal address and contact for data protection, as they stand in the agreement.
    pub identity: [&'a str; 3],
    /// Who signs the agreement and gives the instruction for it.
    pub signatory: &'a Signatory,
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

/// Why a controller was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// Nothing was agreed.
    #[error(transparent)]
    Agreement(#[from] NotAgreed),
    /// Nothing was instructed.
    #[error(transparent)]
    Instruction(#[from] NotInstructed),
    /// The store, or the keys.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<store::Error> for NotAdmitted {
    fn from(error: store::Error) -> Self {
        Self::Other(error.into())
    }
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
/// The stream of the platform's own messages (`architecture.md` §10).
const SERVICE: &str = "service";
/// How the first signatures are given.
const METHOD: &str = "admission";
/// Days until agreement and instruction are looked at again.
const REVIEW_DAYS: u16 = 365;

/// Admits a controller: drafts the agreement from the template, signs it for both sides, and gives the instruction of
/// the preset.
///
/// # Errors
/// [`NotAdmitted`]; a name that is taken. What was written before stays: nothing in it can send.
pub async fn admit(store: &Store, admission: &Admission<'_>) -> Result<Admitted, NotAdmitted> {
    let controller = store.create_controller(admission.name).await?;
    agree(store, controller, admission).await?;
    let streams = store.streams(controller);
    let named = |name: &str| streams.iter().find(|stream| stream.name == name).map(|stream| stream.id);
    let service = named(SERVICE).ok_or(store::Error::NotFound { what: "stream" })?;
    let own: Vec<StreamId> = streams.iter().map(|stream| stream.id).filter(|id| *id != service).collect();
    let (transactional, newsletter) = (named("transactional"), named("newsletter"));
    let keys = DomainKeys {
        rsa_selector: RSA_SELECTOR.into(),
        rsa: SigningKey::generate_rsa().map_err(Error::from)?,
        ed25519_selector: ED25519_SELECTOR.into(),
        ed25519: SigningKey::generate_ed25519().map_err(Error::from)?,
    };
    let name = admission.domain.as_str();
    let dns = vec![
        (format!("{RSA_SELECTOR}._domainkey.{name}"), keys.rsa.public_dns_value().map_err(Error::from)?),
        (format!("{ED25519_SELECTOR}._domainkey.{name}"), keys.ed25519.public_dns_value().map_err(Error::from)?),
    ];
    let domain = store.add_domain(controller, admission.domain, &keys, admission.verified).await?;
    let default_stream = own.first().copied().ok_or(store::Error::NotFound { what: "stream" })?;
    let new = NewCredential { username: admission.username, default_stream, streams: &own, expires: None };
    let credential = store.create_credential(controller, new).await?;
    // The platform's own messages to recipients speak with a credential that nobody was shown.
    let username = store.system_username(controller);
    let new = NewCredential { username: &username, default_stream: service, streams: &[service], expires: None };
    drop(store.create_credential(controller, new).await?);
    Ok(Admitted { controller, transactional, newsletter, domain, credential, dns })
}

async fn agree(store: &Store, controller: ControllerId, admission: &Admission<'_>) -> Result<(), NotAdmitted> {
    let (language, review) = (Language::English, Date::of(store.now()).plus_days(REVIEW_DAYS));
    let [name, address, contact] = admission.identity.map(Private::from);
    let party = Party { role: Role::Controller, name, address, contact };
    let (id, operator) = agreement::draft(store, controller, party, (admission.preset, language), review).await?;
    // Whoever admits a controller is the operator himself.
    agreement::sign(store, controller, id, (Side::Processor, &operator.signatory, METHOD)).await?;
    agreement::sign(store, controller, id, (Side::Controller, admission.signatory, METHOD)).await?;
    let mut content = preset(admission.preset, language, &admission.signatory.name, review);
    content.messages_per_day_max = admission.messages_per_day_max;
    for stream in &mut content.streams {
        stream.messages_per_day_max = admission.messages_per_day_max;
    }
    let paper = instruction::draft(store, controller, content).await?;
    match instruction::give(store, controller, paper, (admission.signatory, METHOD)).await? {
        Outcome::InForce(_) => Ok(()),
        // A preset has no finding; if one had, it would not be in force, and the caller is told so.
        Outcome::Held(_, found) => Err(NotInstructed::MustBeAmended(found).into()),
    }
}
