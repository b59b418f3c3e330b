//! Accounts and wishes: controllers, agreements, instructions, streams, domains, credentials; bases,
//! suppressions, restrictions. Every verb is one commit with its ledger entry; then the engine tells the policy in
//! memory, which bumps the permission generation, and only then it answers. A caller who goes away while he waits
//! changes nothing of that: what was asked of the engine is done and takes effect.

mod credentials;
mod keepable;
mod purposes;
mod terms;
#[cfg(test)]
mod tests;

use crate::authority::Authority;
use crate::engine::{
    AgreementRow, Change, DomainRow, EntryRow, InstructionRow, PersonQuery, SlotRef, StreamRow, SuppressionRow,
};
use crate::error::{Error, Result};
use crate::facts::write_restriction;
use crate::journal::SystemEvent;
use crate::open::Store;
use crate::policy::number_list;
use crate::vault::{Secret, base32, crypto};
pub(crate) use credentials::{ALL_STREAMS, scopes_from};
pub use credentials::{CredentialPlan, CredentialView, ForStreams, Mode, NotMade, Scope, Scopes, to_send};
pub(crate) use keepable::{BOUNCES, EVIDENCE, TIMELINE, TIMELINE_DAYS_MAX, is_kept};
pub use keepable::{NotKeepable, Place};
use mail::address::{Address, Domain};
use mail::dkim::SigningKey;
use model::agreement::AgreementState;
use model::basis::{BasisKind, Evidence};
use model::event::EventType;
use model::instruction::{InstructionState, Operation};
use model::person::Restriction;
use model::stream::Terms;
use model::{
    AgreementId, ControllerId, CredentialId, DomainId, InstructionId, PurposeId, RecipientTag, StreamId, StreamKind,
    Timestamp,
};
use purposes::terms_json;
pub use purposes::{List, NewPurpose, NewStream};

/// How the names of the credentials begin with which the platform itself speaks.
pub(crate) const SYSTEM_USERNAME: &str = "system-";

/// The signing keys of a domain.
pub struct DomainKeys {
    /// Selector of the RSA key.
    pub rsa_selector: String,
    /// The RSA key.
    pub rsa: SigningKey,
    /// Selector of the Ed25519 key.
    pub ed25519_selector: String,
    /// The Ed25519 key.
    pub ed25519: SigningKey,
}

/// Was a domain shown to be the controller's?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verified {
    /// Yes.
    Yes,
    /// Not yet.
    No,
}

/// A credential to be made.
pub struct NewCredential<'a> {
    /// SMTP name: letters, digits and hyphens.
    pub username: &'a str,
    /// Used when the client names no stream.
    pub default_stream: StreamId,
    /// All it may use.
    pub streams: &'a [StreamId],
    /// Until when.
    pub expires: Option<Timestamp>,
}

/// A credential that was made. The secrets are shown once and kept only as hashes.
pub struct Created {
    /// Its id.
    pub id: CredentialId,
    /// SMTP name.
    pub username: String,
    /// SMTP password.
    pub password: String,
    /// API key: 20 characters, a dot, 40 characters.
    pub api_key: String,
}

/// A basis to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewBasis {
    /// Its kind.
    pub kind: BasisKind,
    /// Did the person confirm it?
    pub confirmed: Verified,
    /// Is every fact of it known?
    pub evidence: Evidence,
    /// Runs out.
    pub expires: Option<Timestamp>,
}

impl Store {
    /// A new controller with keys and a log of its own.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn create_controller(&self, name: &str) -> Result<ControllerId> {
        let id = ControllerId(self.next_id());
        self.admit_controller(id, name).await?;
        Ok(id)
    }

    pub(crate) async fn admit_controller(&self, id: ControllerId, name: &str) -> Result<()> {
        let now = self.now();
        // Keys first: crash here ⇒ keys that nobody uses.
        self.vault.admit(id, now).await?;
        let change = Change::Controller { id: id.0, name: name.to_owned(), at: now };
        self.write(EventType::ControllerCreated, change).await?;
        Ok(())
    }

    /// The operator's and the controller's signatures are given: the agreement is in force from now.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn sign_agreement(&self, controller: ControllerId, until: Option<Timestamp>) -> Result<AgreementId> {
        let id = AgreementId(self.next_id());
        let known = self.agreements(controller).await?;
        let version = known.last().map_or(1, |newest| newest.version + 1);
        let from = self.now();
        let row = AgreementRow {
            id: id.0,
            controller: controller.0,
            version,
            state: AgreementState::InForce.as_str().into(),
            from,
            until,
            document: terms::agreement(controller, version, from, until),
        };
        self.write(EventType::AgreementChanged, Change::Agreement(row)).await?;
        Ok(id)
    }

    /// The agreement of a controller changes its state (GDPR Art. 28(3)).
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn set_agreement_state(&self, controller: ControllerId, state: AgreementState) -> Result<()> {
        let until = (state == AgreementState::Ended).then(|| self.now());
        let change = Change::AgreementState { controller: controller.0, state: state.as_str(), until };
        found(self.write(EventType::AgreementChanged, change).await?, "agreement")
    }

    /// A new stream with a purpose of its own, under the same name and id, and the usual terms.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken.
    pub async fn create_stream(
        &self,
        controller: ControllerId,
        name: &str,
        kind: StreamKind,
        purpose: &str,
    ) -> Result<StreamId> {
        self.catch_up().await?;
        if self.policy.current().stream_named(controller, name).is_some() {
            return Err(Error::Exists { what: "stream" });
        }
        let id = StreamId(self.next_id());
        let own = NewPurpose::usual(name, kind, purpose);
        let purpose_change = Change::Purpose { row: own.row(PurposeId::of_stream(id), controller)?, at: self.now() };
        let row = StreamRow {
            id: id.0,
            controller: controller.0,
            name: name.to_owned(),
            kind: kind.as_str().into(),
            purpose: purpose.to_owned(),
            purposes: id.0.to_string(),
            terms: terms_json(&Terms::default())?,
        };
        let stream_change = Change::Stream(row);
        let entry = self.entry_of(EventType::InstructionChanged, &stream_change).await?;
        // One leaf: the stream's says what its purpose is.
        self.engine.change(vec![(purpose_change, None), (stream_change, Some(entry))]).await?;
        Ok(id)
    }

    /// A new version of the controller's instruction, in force from now (GDPR Art. 28(3)(a)).
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn issue_instruction(
        &self,
        controller: ControllerId,
        operations: &[Operation],
        streams: &[StreamId],
        messages_per_day_max: u64,
    ) -> Result<InstructionId> {
        let id = InstructionId(self.next_id());
        let words: Vec<&str> = operations.iter().map(|operation| operation.as_str()).collect();
        let known = self.instructions(controller).await?;
        let version = known.last().map_or(1, |newest| newest.version + 1);
        let row = InstructionRow {
            id: id.0,
            controller: controller.0,
            version,
            state: InstructionState::InForce.as_str().into(),
            from: self.now(),
            operations: words.join(","),
            streams: number_list(streams.iter().map(|stream| stream.0)),
            messages_per_day_max,
        };
        self.write(EventType::InstructionChanged, Change::Instruction(row)).await?;
        Ok(id)
    }

    /// The current instruction changes its state.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn set_instruction_state(&self, controller: ControllerId, state: InstructionState) -> Result<()> {
        let change = Change::InstructionState { controller: controller.0, state: state.as_str() };
        found(self.write(EventType::InstructionChanged, change).await?, "instruction")
    }

    /// A sending domain with its signing keys, which are sealed under the controller's key.
    ///
    /// # Errors
    /// [`Error::Exists`] when the controller has it already.
    pub async fn add_domain(
        &self,
        controller: ControllerId,
        domain: &Domain,
        keys: &DomainKeys,
        verified: Verified,
    ) -> Result<DomainId> {
        self.catch_up().await?;
        if self.policy.current().domain(controller, domain).is_some() {
            return Err(Error::Exists { what: "domain" });
        }
        let seal = |key: &SigningKey| -> Result<Vec<u8>> {
            let der = key.to_pkcs8().map_err(|_| Error::Sealed { what: "dkim key" })?;
            self.vault.seal_for_controller(controller.0, "dkim key", &der)
        };
        let id = DomainId(self.next_id());
        let row = DomainRow {
            id: id.0,
            controller: controller.0,
            name: domain.as_str().to_owned(),
            verified: (verified == Verified::Yes).then(|| self.now()),
            rsa_selector: keys.rsa_selector.clone(),
            rsa_key: seal(&keys.rsa)?,
            ed25519_selector: keys.ed25519_selector.clone(),
            ed25519_key: seal(&keys.ed25519)?,
            return_path: None,
        };
        self.write(EventType::DomainChanged, Change::Domain(row)).await?;
        Ok(id)
    }

    /// A new credential. Its secrets are random and shown only here.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken; [`Error::NotFound`] when a stream is not the controller's own.
    pub async fn create_credential(&self, controller: ControllerId, new: NewCredential<'_>) -> Result<Created> {
        self.catch_up().await?;
        let policy = self.policy.current();
        if policy.credential_by_username(new.username).is_some() {
            return Err(Error::Exists { what: "credential" });
        }
        // GDPR Art. 29, 32(4): nobody gets a key to what is another controller's.
        let mut streams = new.streams.iter().chain([&new.default_stream]);
        if !streams.all(|stream| policy.stream(controller, *stream).is_some()) {
            return Err(Error::NotFound { what: "stream" });
        }
        let streams = number_list(new.streams.iter().map(|stream| stream.0));
        let (name, all) = (new.username.to_owned(), credentials::of_admission());
        self.add_credential(controller, name, (new.default_stream, streams), (&all, Mode::Live, None), new.expires)
            .await
    }

    /// Restricts a person (GDPR Art. 18). With [`Restriction::Erased`] his secret is destroyed as well: what is
    /// sealed under it (envelopes, headers, bodies, transcripts) is noise from then on, in backups too.
    ///
    /// Crash between the two ⇒ the person is refused already; doing it again destroys the secret.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn restrict(&self, controller: ControllerId, address: &Address, kind: Restriction) -> Result<()> {
        let tag = self.vault.tag(controller, address)?;
        let word = write_restriction(kind);
        let change = Change::Restrict { controller: controller.0, tag: tag.0, kind: word, at: self.now() };
        self.write(EventType::Restricted, change).await?;
        if kind == Restriction::Erased {
            self.destroy_what_is_left(controller, tag).await?;
        }
        Ok(())
    }

    /// Of a person who was erased: his secret, and what was refused him.
    pub(crate) async fn destroy_what_is_left(&self, controller: ControllerId, tag: RecipientTag) -> Result<()> {
        self.destroy_secret(controller, tag).await?;
        self.erase_refusals(controller, tag).await
    }

    /// The leaf of a suppression that follows from an outcome.
    pub(crate) fn suppression_entry(&self, row: &SuppressionRow, secret: Option<&Secret>) -> Result<Vec<u8>> {
        self.system_entry(&SystemEvent {
            event: None,
            kind: EventType::Suppressed,
            controller: ControllerId(row.controller),
            agreement: None,
            instruction: None,
            counts: &[],
            detail: &terms::of(&Change::Suppress(row.clone())),
            commitment: None,
            secret,
        })
    }

    async fn destroy_secret(&self, controller: ControllerId, tag: RecipientTag) -> Result<()> {
        match self.slot_of(controller, tag).await? {
            Some(slot) => self.vault.destroy_secrets(vec![slot]).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn slot_of(&self, controller: ControllerId, tag: RecipientTag) -> Result<Option<SlotRef>> {
        let query = PersonQuery { controller: controller.0, purpose: 0, tag: tag.0 };
        Ok(self.engine.persons(vec![query]).await?.pop().and_then(|person| person.slot))
    }

    /// What blinds the leaf of a change that is about a person; `None` when he has no secret, or no longer.
    async fn blinding(&self, change: &Change) -> Result<Option<Secret>> {
        let Some(tag) = change.person() else { return Ok(None) };
        let controller = change.controller();
        let Some(slot) = self.slot_of(ControllerId(controller), RecipientTag(tag)).await? else { return Ok(None) };
        Ok(self.vault.secrets(&[(controller, slot)]).await?.pop().flatten())
    }

    /// The first credential of a controller by SMTP name.
    #[must_use]
    pub fn authority_named(&self, username: &str) -> Option<Authority> {
        let id = self.policy.current().credential_by_username(username)?.id;
        self.authority_of(id)
    }

    /// The name of the credential with which the platform itself speaks for a controller.
    #[must_use]
    pub fn system_username(&self, id: ControllerId) -> String {
        format!("{SYSTEM_USERNAME}{}", self.public_id(id))
    }

    /// The platform itself, speaking for a controller: only on the stream of its own messages.
    #[must_use]
    pub fn system_authority(&self, id: ControllerId) -> Option<Authority> {
        self.authority_named(&self.system_username(id))
    }

    /// The instruction in force, as it is named outside.
    #[must_use]
    pub fn instruction_in_force(&self, id: ControllerId) -> Option<String> {
        let policy = self.policy.current();
        policy.controller(id)?.instruction.as_ref().map(|known| self.public_id(known.id))
    }

    /// The domain that a controller's own messages come from: the first that was verified.
    #[must_use]
    pub fn first_domain(&self, id: ControllerId) -> Option<String> {
        let policy = self.policy.current();
        policy.first_verified_domain(id)
    }

    /// A controller by its name.
    #[must_use]
    pub fn controller_named(&self, name: &str) -> Option<ControllerId> {
        self.policy.current().controllers().find(|known| known.name == name).map(|known| known.id)
    }

    /// One change and its leaf, in one commit. When it returns, whoever decides anew knows of it.
    pub(crate) async fn write(&self, kind: EventType, change: Change) -> Result<usize> {
        self.write_all(vec![(kind, change)]).await
    }

    /// Changes and their leaves, in one commit.
    pub(crate) async fn write_all(&self, changes: Vec<(EventType, Change)>) -> Result<usize> {
        let (mut rows, mut marks) = (Vec::with_capacity(changes.len()), Vec::new());
        for (kind, change) in changes {
            let entry = self.entry_of(kind, &change).await?;
            marks.extend(self.mark_of(kind, &change).map(|mark| (mark, None)));
            rows.push((change, Some(entry)));
        }
        let asked = rows.len();
        rows.extend(marks);
        Ok(self.engine.change(rows).await?.into_iter().take(asked).sum())
    }

    pub(crate) async fn entry_of(&self, kind: EventType, change: &Change) -> Result<EntryRow> {
        let controller = ControllerId(change.controller());
        let secret = self.blinding(change).await?;
        // The leaf of something new names the new, and not what it replaces.
        let (agreement, instruction) = match change {
            Change::Agreement(row) => (Some(AgreementId(row.id)), None),
            Change::Instruction(row) => (None, Some(InstructionId(row.id))),
            _ => (None, None),
        };
        let bytes = self.system_entry(&SystemEvent {
            event: change.event(),
            kind,
            controller,
            agreement,
            instruction,
            counts: &[],
            detail: &terms::of(change),
            commitment: None,
            secret: secret.as_ref(),
        })?;
        Ok(EntryRow { controller: controller.0, bytes })
    }
}

fn found(touched: usize, what: &'static str) -> Result<()> {
    if touched == 0 { Err(Error::NotFound { what }) } else { Ok(()) }
}

/// Random letters and digits, 5 bits each.
fn secret_text(length: usize) -> Result<String> {
    let mut bytes = vec![0; length];
    crypto::fill_random(&mut bytes)?;
    let mut text = base32(&bytes);
    text.truncate(length);
    Ok(text)
}
