//! Who speaks, proven: only the store makes an [`Authority`], and only out of a right secret.

use crate::open::Store;
use crate::policy::{CredentialPolicy, before};
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
        let authority = self.proven(credential, &shown, &credential.row.password)?;
        match stream {
            Some(stream) => authority.with_stream(stream, self),
            None => Some(authority),
        }
    }

    /// HTTP: the API key, 20 characters of name, a dot, 40 of secret.
    #[must_use]
    pub fn authenticate_key(&self, api_key: &str) -> Option<Authority> {
        let (name, secret) = api_key.split_once('.')?;
        let shown = self.vault.secret_hash("api", secret);
        let policy = self.policy.current();
        let credential = policy.credential_by_key_name(name)?;
        self.proven(credential, &shown, &credential.row.key)
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
            instruction.streams.contains(&stream.id)
                && speaker.is_none_or(|speaker| speaker.credential.streams.contains(&stream.id))
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

    /// What a controller is called.
    #[must_use]
    pub fn controller_name(&self, id: ControllerId) -> Option<String> {
        self.policy.current().controller(id).map(|known| known.name.clone())
    }
}
