//! Credentials after admission: made for streams that instructions add, listed without their secrets, revoked.
//!
//! Invariants: a secret has at least 160 random bits, is shown once and kept as a keyed hash; what a credential may do
//! is what its row says, and a row with a word that is not understood is no credential; one that is revoked is refused
//! when the verb returns, and on other nodes with their next look at the accounts (GDPR Art. 29, 32(1)(b), 32(4)).
//! Never: a credential that is given more than the one that makes it may do itself; a credential of the platform shown
//! or revoked here.

use super::{Created, found, secret_text};
use crate::authority::Authority;
use crate::engine::{Change, CredentialRow, Reach, Step, Writes};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::policy::{CredentialPolicy, CredentialStreams, number_list};
use crate::statement as sql;
use crate::vault::crypto;
use mail::scram::Keys;
use model::event::EventType;
use model::{ControllerId, CredentialId, Stream, StreamId, StreamKind, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Credentials of one controller, those included that ended lately.
const CREDENTIALS_MAX: usize = 200;
/// Letters of a name that is made here.
const NAME_LETTERS: usize = 12;
/// What a note is sealed as.
const NOTE: &str = "credential note";
/// Stands for every stream of the controller, those included that instructions add later.
pub(crate) const ALL_STREAMS: &str = "*";

/// Something that a credential may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// Submit by SMTP.
    Smtp,
    /// Submit by HTTP, see what became of it, and tell that somebody wishes no more.
    Api,
    /// Tell and see what is recorded of people, by HTTP: consents, lists, imports, forms, rights.
    People,
    /// Speak for the controller, by HTTP: agreements, instructions, its profile, its host names.
    Authority,
    /// Make, list and revoke the controller's credentials, by HTTP.
    Credentials,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Smtp, Self::Api, Self::People, Self::Authority, Self::Credentials];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Api => "api",
            Self::People => "people",
            Self::Authority => "authority",
            Self::Credentials => "credentials",
        }
    }

    /// By its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// What a credential may do.
pub type Scopes = BTreeSet<Scope>;

/// Does what a credential sends leave?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Yes.
    #[default]
    Live,
    /// No: it passes the gate, is queued, signed and told of like any other, and ends as `sandboxed`. No connection is
    /// made for it, and nobody receives anything.
    Sandbox,
}

/// Stands among the scopes in the row. A release that does not know the word takes such a row for no credential, and
/// sends nothing for it.
const SANDBOX: &str = "sandbox";

fn scopes_text(scopes: &Scopes, mode: Mode) -> String {
    let sandbox = (mode == Mode::Sandbox).then_some(SANDBOX);
    scopes.iter().map(|scope| scope.as_str()).chain(sandbox).collect::<Vec<_>>().join(",")
}

pub(crate) fn scopes_from(text: &str) -> Result<(Scopes, Mode)> {
    let mut mode = Mode::Live;
    let mut scopes = Scopes::new();
    for word in text.split(',').filter(|word| !word.is_empty()) {
        if word == SANDBOX {
            mode = Mode::Sandbox;
        } else {
            scopes.insert(Scope::from_word(word).ok_or(Error::Row { column: "credential.scopes" })?);
        }
    }
    Ok((scopes, mode))
}

/// What a controller's first credential may do: everything but make others.
pub(super) fn of_admission() -> Scopes {
    Scope::ALL.into_iter().filter(|scope| *scope != Scope::Credentials).collect()
}

/// What one may do of which nothing else is said: send.
#[must_use]
pub fn to_send() -> Scopes {
    Scopes::from([Scope::Smtp, Scope::Api])
}

/// Streams that a credential is made for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ForStreams {
    /// These, of which the first is the default. Not empty.
    Named(Vec<StreamId>),
    /// Every one of the controller's, those included that instructions add later; not that of the platform's own mail.
    All,
}

/// A credential to be made beside those that are there.
#[derive(Clone, Debug)]
pub struct CredentialPlan {
    /// For which streams.
    pub streams: ForStreams,
    /// What it may do.
    pub scopes: Scopes,
    /// Whether what it sends leaves.
    pub mode: Mode,
    /// What it is for, in words of whoever makes it.
    pub note: String,
}

/// Why a credential was not made.
#[derive(thiserror::Error, Debug)]
pub enum NotMade {
    /// There is no such stream, or it is the platform's own.
    #[error("there is no stream {0:?} that a credential can be made for")]
    NoStream(String),
    /// Nothing to do.
    #[error("a credential needs the scope smtp or api; people, authority and credentials go with api")]
    NoDoor,
    /// Whoever makes it may not do this himself.
    #[error("the key that makes it may not do this itself: {0}")]
    Beyond(String),
    /// The controller has as many as it may.
    #[error("this controller has {CREDENTIALS_MAX} credentials; revoke some, they are forgotten after 30 days")]
    TooMany,
    /// The store.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A credential as it is shown: without its secrets.
#[derive(Clone, Debug)]
pub struct CredentialView {
    /// Its id.
    pub id: CredentialId,
    /// SMTP name.
    pub username: String,
    /// The public half of its API key.
    pub key_name: String,
    /// Names of its streams; nothing for all.
    pub streams: Option<Vec<String>>,
    /// What it may do.
    pub scopes: Scopes,
    /// Whether what it sends leaves.
    pub mode: Mode,
    /// What it is for.
    pub note: String,
    /// When it was made, where that is known.
    pub made: Option<Timestamp>,
    /// Until when.
    pub expires: Option<Timestamp>,
    /// Since when it is revoked.
    pub revoked: Option<Timestamp>,
}

impl Authority {
    /// May it do this?
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.credential.scopes.contains(&scope)
    }

    /// Whether what it sends leaves.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.credential.mode
    }
}

impl Store {
    /// Names of streams, as those that a credential is made for: `*` alone is all of them.
    ///
    /// # Errors
    /// [`NotMade::NoStream`].
    pub fn streams_for(&self, controller: ControllerId, names: &[String]) -> Result<ForStreams, NotMade> {
        if names.len() == 1 && names.iter().all(|name| name == ALL_STREAMS) {
            return Ok(ForStreams::All);
        }
        let policy = self.policy.current();
        let own = |name: &String| {
            let known = policy.stream_named(controller, name).filter(|stream| stream.kind != StreamKind::Service);
            known.map(|stream| stream.id).ok_or_else(|| NotMade::NoStream(name.clone()))
        };
        let mut ids = Vec::new();
        for name in names {
            let id = own(name)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.is_empty() { Err(NotMade::NoStream(String::new())) } else { Ok(ForStreams::Named(ids)) }
    }

    /// Makes a credential, for the operator. Its secrets are random and shown only here.
    ///
    /// # Errors
    /// [`NotMade`].
    pub async fn make_credential(&self, controller: ControllerId, plan: &CredentialPlan) -> Result<Created, NotMade> {
        self.catch_up().await?;
        self.made(controller, plan, None).await
    }

    /// The same for a credential that makes another: which does nothing that the first may not do, and ends with it.
    ///
    /// # Errors
    /// [`NotMade`], and among them [`NotMade::Beyond`].
    pub async fn make_credential_by(&self, by: &Authority, plan: &CredentialPlan) -> Result<Created, NotMade> {
        self.catch_up().await?;
        let holder = &by.credential;
        // GDPR Art. 29, 32(4): rights come from the controller, and no key widens them.
        if !by.has(Scope::Credentials) {
            return Err(NotMade::Beyond("the scope credentials".to_owned()));
        }
        if let Some(scope) = plan.scopes.iter().find(|scope| !by.has(**scope)) {
            return Err(NotMade::Beyond(format!("the scope {}", scope.as_str())));
        }
        if by.mode() == Mode::Sandbox && plan.mode == Mode::Live {
            return Err(NotMade::Beyond("mail that leaves".to_owned()));
        }
        let policy = self.policy.current();
        let named = |id: &StreamId| policy.stream(holder.controller, *id).cloned();
        match (&plan.streams, &holder.streams) {
            (_, CredentialStreams::All) => {}
            (ForStreams::All, CredentialStreams::Named(_)) => {
                return Err(NotMade::Beyond("every stream".to_owned()));
            }
            (ForStreams::Named(ids), CredentialStreams::Named(_)) => {
                for stream in ids.iter().filter_map(named) {
                    if !holder.may_use(&stream) {
                        return Err(NotMade::Beyond(format!("the stream {}", stream.name)));
                    }
                }
            }
        }
        self.made(holder.controller, plan, holder.row.expires).await
    }

    async fn made(
        &self,
        controller: ControllerId,
        plan: &CredentialPlan,
        expires: Option<Timestamp>,
    ) -> Result<Created, NotMade> {
        let by_http = plan.scopes.contains(&Scope::Api);
        let only_by_http = plan.scopes.iter().any(|scope| !matches!(scope, Scope::Smtp | Scope::Api));
        if plan.scopes.is_empty() || (only_by_http && !by_http) {
            return Err(NotMade::NoDoor);
        }
        let policy = self.policy.current();
        if policy.credentials_of(controller).count() >= CREDENTIALS_MAX {
            return Err(NotMade::TooMany);
        }
        let own = self.streams(controller);
        let own = || own.iter().filter(|stream| stream.kind != StreamKind::Service);
        let (default_stream, streams) = match &plan.streams {
            ForStreams::All => (own().map(|stream| stream.id).min(), ALL_STREAMS.to_owned()),
            ForStreams::Named(ids) => {
                if let Some(foreign) = ids.iter().find(|id| own().all(|stream| stream.id != **id)) {
                    return Err(NotMade::NoStream(self.public_id(*foreign)));
                }
                (ids.first().copied(), number_list(ids.iter().map(|stream| stream.0)))
            }
        };
        let default_stream = default_stream.ok_or_else(|| NotMade::NoStream(String::new()))?;
        let username = format!("key-{}", secret_text(NAME_LETTERS)?.to_ascii_lowercase());
        let note = match plan.note.trim() {
            "" => None,
            note => Some(self.vault.seal_for_controller(controller.0, NOTE, note.as_bytes())?),
        };
        let may = (&plan.scopes, plan.mode, note);
        Ok(self.add_credential(controller, username, (default_stream, streams), may, expires).await?)
    }

    /// Writes one with new secrets.
    pub(super) async fn add_credential(
        &self,
        controller: ControllerId,
        username: String,
        (default_stream, streams): (StreamId, String),
        (scopes, mode, note): (&Scopes, Mode, Option<Vec<u8>>),
        expires: Option<Timestamp>,
    ) -> Result<Created> {
        let id = CredentialId(self.next_id());
        let password = secret_text(32)?;
        let (key_name, key_secret) = (secret_text(20)?, secret_text(40)?);
        let row = CredentialRow {
            id: id.0,
            controller: controller.0,
            username: username.clone(),
            password: self.vault.secret_hash("smtp", &password),
            key_name: key_name.clone(),
            key: self.vault.secret_hash("api", &key_secret),
            default_stream: default_stream.0,
            streams,
            expires,
            revoked: None,
            scopes: scopes_text(scopes, mode),
            note,
            made: Some(self.now()),
            scram: Keys::derive(&password, crypto::random()?).map(|keys| keys.to_octets()),
        };
        self.write(EventType::CredentialChanged, Change::Credential(row)).await?;
        Ok(Created { id, username, password, api_key: format!("{key_name}.{key_secret}") })
    }

    /// A controller's credentials, oldest first; not the platform's own.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub async fn credentials_of(&self, controller: ControllerId) -> Result<Vec<CredentialView>> {
        self.catch_up().await?;
        let policy = self.policy.current();
        let system = self.system_username(controller);
        let mut known: Vec<&Arc<CredentialPolicy>> =
            policy.credentials_of(controller).filter(|known| known.row.username != system).collect();
        known.sort_by_key(|known| known.id);
        let name = |id: &StreamId| policy.stream(controller, *id).map(|stream| stream.name.clone());
        let view = |known: &Arc<CredentialPolicy>| {
            let note = match &known.row.note {
                Some(sealed) => self.vault.open_for_controller(controller.0, NOTE, sealed)?,
                None => Vec::new(),
            };
            Ok(CredentialView {
                id: known.id,
                username: known.row.username.clone(),
                key_name: known.row.key_name.clone(),
                streams: match &known.streams {
                    CredentialStreams::Named(ids) => Some(ids.iter().filter_map(name).collect()),
                    CredentialStreams::All => None,
                },
                scopes: known.scopes.clone(),
                mode: known.mode,
                note: String::from_utf8(note).map_err(|_| Error::Sealed { what: NOTE })?,
                made: known.row.made,
                expires: known.row.expires,
                revoked: known.row.revoked,
            })
        };
        known.into_iter().map(view).collect()
    }

    /// A credential ends now.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the controller has no such credential, or it is revoked already, or the platform's own.
    pub async fn revoke_credential(&self, controller: ControllerId, id: CredentialId) -> Result<()> {
        self.catch_up().await?;
        let system = self.system_username(controller);
        if self.policy.current().credential(id).is_some_and(|known| known.row.username == system) {
            return Err(Error::NotFound { what: "credential" });
        }
        let change = Change::Revoke { controller: controller.0, id: id.0, at: self.now() };
        found(self.write(EventType::CredentialChanged, change).await?, "credential")
    }

    /// Takes away what ended before a moment: nothing is decided by it any more.
    pub(crate) async fn forget_credentials(&self, until: Timestamp) -> Result<()> {
        let policy = self.policy.current();
        let is_over = |at: Option<Timestamp>| at.is_some_and(|at| at <= until);
        let over = policy.credentials().filter(|known| is_over(known.row.revoked) || is_over(known.row.expires));
        for known in over {
            let values = vec![known.controller.0.into(), known.id.0.into(), until.into()];
            let writes = Writes {
                controller: known.controller.0,
                person: None,
                reach: Reach::Accounts,
                what: "credential",
                event: None,
                detail: crypto::sha256_of_fields(&[b"forgotten", &known.id.0.to_be_bytes()]),
                steps: vec![Step::new(&sql::CREDENTIAL_FORGET, values)],
            };
            self.act(EventType::CredentialChanged, writes).await?;
        }
        Ok(())
    }
}

impl CredentialPolicy {
    /// May it be used for this stream?
    pub(crate) fn may_use(&self, stream: &Stream) -> bool {
        match &self.streams {
            CredentialStreams::Named(ids) => ids.contains(&stream.id),
            CredentialStreams::All => stream.kind != StreamKind::Service,
        }
    }
}
