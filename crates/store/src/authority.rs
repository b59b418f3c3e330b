//! Who speaks, proven: only the store makes an [`Authority`], and only out of a right secret, or the proof of one.

use crate::accounts::Scope;
use crate::engine::{Reach, Step, Writes};
use crate::error::Result;
use crate::open::Store;
use crate::policy::{CredentialPolicy, before};
use crate::statement as sql;
use crate::vault::crypto;
use mail::scram::{Keys, Proven};
use model::event::EventType;
use model::ids::hex;
use model::instruction::InstructionState;
use model::{ControllerId, CredentialId, PurposeId, Stream, StreamId};
use std::sync::Arc;

/// A credential that was shown to be held by the caller, with the stream it speaks for (GDPR Art. 29).
/// Every verb that touches a controller's rows asks for one or for a [`ControllerId`] taken from one.
#[derive(Clone)]
pub struct Authority {
    pub(crate) credential: Arc<CredentialPolicy>,
    stream: Arc<Stream>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("credential", &self.credential.id).finish_non_exhaustive()
    }
}

impl Authority {
    /// Whose system speaks.
    #[must_use]
    pub fn controller(&self) -> ControllerId {
        self.credential.controller
    }

    /// With which credential.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        self.credential.id
    }

    /// For which stream: the one selected, or the credential's default.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The same credential for another stream of its controller. `None` when there is no such stream;
    /// whether the credential may use it is the gate's to say.
    #[must_use]
    pub fn with_stream(&self, name: &str, store: &Store) -> Option<Self> {
        let policy = store.policy.current();
        let stream = policy.stream_named(self.controller(), name)?;
        Some(Self { credential: Arc::clone(&self.credential), stream: Arc::clone(stream) })
    }
}

/// What a client's proof is asked for against.
#[derive(Debug)]
pub struct ScramChallenge {
    /// The keys; those of nobody where there is no such name.
    pub keys: Keys,
    /// This node's half of the nonce: random, 48 hexadecimal digits.
    pub nonce: String,
}

impl Store {
    /// SMTP: `username` or `username+stream`, and the password. `None` for anything wrong, without saying what.
    #[must_use]
    pub fn authenticate_smtp(&self, username: &str, password: &str) -> Option<Authority> {
        let (name, stream) = match username.split_once('+') {
            Some((name, stream)) => (name, Some(stream)),
            None => (username, None),
        };
        let shown = self.vault.secret_hash("smtp", password);
        let policy = self.policy.current();
        let credential = policy.credential_by_username(name)?;
        let authority = self.proven(credential, &shown, &credential.row.password).filter(|by| by.has(Scope::Smtp))?;
        match stream {
            Some(stream) => authority.with_stream(stream, self),
            None => Some(authority),
        }
    }

    /// SCRAM: what a login with this name is to be proven against. A name that nobody has, and one whose keys were
    /// never made, has keys that nothing proves, and cannot be told apart from others.
    ///
    /// # Errors
    /// When the system gives no random octets.
    pub fn scram_challenge(&self, username: &str) -> Result<ScramChallenge> {
        let (name, _) = username.split_once('+').unwrap_or((username, ""));
        let policy = self.policy.current();
        let kept = policy.credential_by_username(name).and_then(|known| known.row.scram.as_deref());
        let seed = self.vault.secret_hash("scram", name);
        let keys = kept.and_then(Keys::from_octets).unwrap_or_else(|| Keys::of_nobody(&seed));
        Ok(ScramChallenge { keys, nonce: hex(&crypto::random::<24>()?) })
    }

    /// SCRAM: who has proven that he knows the password of a name. `username+stream` as for
    /// [`Self::authenticate_smtp`].
    #[must_use]
    pub fn scram_proven(&self, proven: &Proven) -> Option<Authority> {
        let username = proven.username();
        let (name, stream) = match username.split_once('+') {
            Some((name, stream)) => (name, Some(stream)),
            None => (username, None),
        };
        let policy = self.policy.current();
        let authority = self.standing(policy.credential_by_username(name)?)?;
        match stream {
            Some(stream) => authority.with_stream(stream, self),
            None => Some(authority),
        }
    }

    /// Whether the credential behind an authority has no keys for SCRAM yet: it was made before there were any.
    #[must_use]
    pub fn lacks_scram(&self, authority: &Authority) -> bool {
        authority.credential.row.scram.is_none()
    }

    /// Makes the keys for SCRAM of a credential that has none, of the password that has just been shown and believed.
    ///
    /// # Errors
    /// Those of the engine; the login goes on without.
    pub async fn keep_scram(&self, authority: &Authority, password: &str) -> Result<()> {
        let Some(keys) = Keys::derive(password, crypto::random()?) else { return Ok(()) };
        let (controller, id) = (authority.controller().0, authority.credential().0);
        let keys = keys.to_octets();
        let writes = Writes {
            controller,
            person: None,
            reach: Reach::Accounts,
            what: "credential",
            event: None,
            detail: self.vault.secret_hash("scram-keys", &id.to_string()),
            steps: vec![Step::new(&sql::CREDENTIAL_SCRAM, vec![controller.into(), id.into(), keys.into()])],
        };
        self.act(EventType::CredentialChanged, writes).await.map(drop)
    }

    /// HTTP: the API key, 20 characters of name, a dot, 40 of secret.
    #[must_use]
    pub fn authenticate_key(&self, api_key: &str) -> Option<Authority> {
        let (name, secret) = api_key.split_once('.')?;
        let shown = self.vault.secret_hash("api", secret);
        let policy = self.policy.current();
        let credential = policy.credential_by_key_name(name)?;
        self.proven(credential, &shown, &credential.row.key).filter(|by| by.has(Scope::Api))
    }

    /// For a listener that the operator bound to a credential and to trusted networks.
    #[must_use]
    pub fn authority_of(&self, credential: CredentialId) -> Option<Authority> {
        let policy = self.policy.current();
        let credential = policy.credential(credential)?;
        self.standing(credential)
    }

    fn proven(&self, credential: &Arc<CredentialPolicy>, shown: &[u8], kept: &[u8]) -> Option<Authority> {
        // Constant time: the answer's delay says nothing about how much of a guess was right.
        aws_lc_rs::constant_time::verify_slices_are_equal(shown, kept).ok()?;
        self.standing(credential)
    }

    fn standing(&self, credential: &Arc<CredentialPolicy>) -> Option<Authority> {
        let now = self.now();
        if credential.row.revoked.is_some() || !before(now, credential.row.expires) {
            return None;
        }
        Some(Authority { credential: Arc::clone(credential), stream: Arc::clone(&credential.default_stream) })
    }

    /// For which purposes people may be recorded: those of the streams that the instruction in force covers (GDPR
    /// Art. 28(3)(a)), and that the credential may use, where one speaks (Art. 29).
    #[must_use]
    pub fn purposes_within(&self, controller: ControllerId, speaker: Option<&Authority>) -> Vec<PurposeId> {
        let (policy, now) = (self.policy.current(), self.now());
        let known = policy.controller(controller);
        let instruction = known.and_then(|known| known.instruction.as_ref());
        let Some(instruction) = instruction.filter(|one| one.state == InstructionState::InForce && one.from <= now)
        else {
            return Vec::new();
        };
        let is_within = |stream: &&Arc<Stream>| {
            instruction.streams.contains(&stream.id) && speaker.is_none_or(|speaker| speaker.credential.may_use(stream))
        };
        let streams = known.into_iter().flat_map(|known| &known.streams).filter(is_within);
        streams.flat_map(|stream| stream.purposes.iter().copied()).collect()
    }

    /// A stream of a controller by name.
    #[must_use]
    pub fn stream_named(&self, controller: ControllerId, name: &str) -> Option<Stream> {
        self.policy.current().stream_named(controller, name).map(|stream| Stream::clone(stream))
    }

    /// A stream of a controller by id, with the terms that are in force.
    #[must_use]
    pub fn stream(&self, controller: ControllerId, id: StreamId) -> Option<Arc<Stream>> {
        self.policy.current().stream(controller, id).map(Arc::clone)
    }

    /// What people know a controller by: the name it gave itself for them, or that of its account.
    #[must_use]
    pub fn controller_shown(&self, id: ControllerId) -> Option<String> {
        let policy = self.policy.current();
        let known = policy.controller(id)?;
        Some(known.shown.clone().unwrap_or_else(|| known.name.clone()))
    }

    /// All controllers, the operator among them.
    #[must_use]
    pub fn controllers(&self) -> Vec<ControllerId> {
        self.policy.current().controllers().map(|known| known.id).collect()
    }

    /// What a controller is called.
    #[must_use]
    pub fn controller_name(&self, id: ControllerId) -> Option<String> {
        self.policy.current().controller(id).map(|known| known.name.clone())
    }
}
