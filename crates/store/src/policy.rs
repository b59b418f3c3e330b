//! Accounts in memory: agreements, instructions, streams, domains, credentials, and each controller's
//! permission generation. Read at start; afterwards the engine tells what each commit made of them. Few rows, asked
//! for every message.
//!
//! Invariants: pictures follow one another in the order of the commits. After the commit of a change and before its
//! answer, the picture is swapped and then the generation is bumped: a decision that read older facts is then seen to
//! be stale (`architecture.md` §2). Both happen also when whoever asked for the change has gone away. A row that is
//! not understood lets nothing pass, and hurts nobody else. Where several nodes share the data, an older picture never
//! replaces a newer one, and a generation that moved in the database moves here (`cluster/follower.rs`).

use crate::accounts::{ALL_STREAMS, Mode, Scopes, scopes_from};
use crate::engine::{
    AgreementRow, Changed, ControllerRow, CredentialRow, DomainRow, Engine, InstructionRow, PolicyRows, PurposeRow,
    StreamRow,
};
use crate::error::{Error, Result};
use crate::vault::{Keyring, crypto};
use crate::waiting::OrderPolicy;
use mail::address::Domain;
use mail::dkim::{Signer, SigningKey};
use model::agreement::{Agreement, AgreementState};
use model::basis::BasisKind;
use model::instruction::{Instruction, InstructionState, Operation};
use model::{
    AgreementId, ControllerId, CredentialId, DomainId, InstructionId, ListId, Purpose, PurposeId, Stream, StreamId,
    StreamKind, Timestamp,
};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One controller's accounts.
pub(crate) struct ControllerPolicy {
    pub(crate) id: ControllerId,
    pub(crate) name: String,
    /// As people know it, where it said so.
    pub(crate) shown: Option<String>,
    pub(crate) agreement: Option<Agreement>,
    pub(crate) instruction: Option<Instruction>,
    pub(crate) streams: Vec<Arc<Stream>>,
    pub(crate) purposes: Vec<PurposePolicy>,
    /// What is ordered for what waits of its mail.
    pub(crate) orders: Vec<OrderPolicy>,
}

/// A purpose, or a list below one.
pub(crate) struct PurposePolicy {
    pub(crate) parent: Option<PurposeId>,
    pub(crate) purpose: Arc<Purpose>,
}

/// For what a message is sent: a purpose, and the list below it if it is for one.
#[derive(Clone)]
pub(crate) struct SentFor {
    pub(crate) purpose: Arc<Purpose>,
    pub(crate) list: Option<ListId>,
}

/// A sending domain with its signers ready.
pub(crate) struct DomainPolicy {
    pub(crate) id: DomainId,
    pub(crate) controller: ControllerId,
    pub(crate) verified: bool,
    /// Where failures return.
    pub(crate) return_path: Option<Domain>,
    pub(crate) signers: Arc<Vec<Signer>>,
    /// Of what the signers were made.
    made_of: [u8; 32],
}

/// A credential.
pub(crate) struct CredentialPolicy {
    pub(crate) id: CredentialId,
    pub(crate) controller: ControllerId,
    pub(crate) row: CredentialRow,
    pub(crate) default_stream: Arc<Stream>,
    pub(crate) streams: CredentialStreams,
    pub(crate) scopes: Scopes,
    pub(crate) mode: Mode,
}

/// Streams that a credential may use.
pub(crate) enum CredentialStreams {
    /// These.
    Named(Vec<StreamId>),
    /// Every one but the platform's own, also one that comes later.
    All,
}

/// A consistent picture of all accounts.
#[derive(Default)]
pub(crate) struct Policy {
    controllers: HashMap<ControllerId, ControllerPolicy>,
    domains: HashMap<(ControllerId, String), Arc<DomainPolicy>>,
    domains_by_id: HashMap<DomainId, Arc<DomainPolicy>>,
    credentials: HashMap<CredentialId, Arc<CredentialPolicy>>,
    by_username: HashMap<String, CredentialId>,
    by_key_name: HashMap<String, CredentialId>,
    /// Of the rows it was made of.
    version: i64,
    /// A row was left out because a key was not known here yet.
    lacks_keys: bool,
}

impl Policy {
    pub(crate) fn controller(&self, id: ControllerId) -> Option<&ControllerPolicy> {
        self.controllers.get(&id)
    }
    pub(crate) fn controllers(&self) -> impl Iterator<Item = &ControllerPolicy> {
        self.controllers.values()
    }
    pub(crate) fn stream(&self, controller: ControllerId, id: StreamId) -> Option<&Arc<Stream>> {
        self.controller(controller)?.streams.iter().find(|stream| stream.id == id)
    }
    pub(crate) fn stream_named(&self, controller: ControllerId, name: &str) -> Option<&Arc<Stream>> {
        self.controller(controller)?.streams.iter().find(|stream| stream.name == name)
    }
    /// What mail under this id is for; nothing when it is unknown or over.
    pub(crate) fn sent_for(&self, controller: ControllerId, id: PurposeId) -> Option<SentFor> {
        let known = &self.controller(controller)?.purposes;
        let find = |id: PurposeId| known.iter().find(|one| one.purpose.id == id && one.purpose.ended.is_none());
        let found = find(id)?;
        match found.parent {
            None => Some(SentFor { purpose: Arc::clone(&found.purpose), list: None }),
            Some(above) => {
                let above = find(above).filter(|above| above.parent.is_none())?;
                Some(SentFor { purpose: Arc::clone(&above.purpose), list: Some(ListId(id.0)) })
            }
        }
    }
    pub(crate) fn purpose_named(&self, controller: ControllerId, name: &str) -> Option<&Arc<Purpose>> {
        let known = &self.controller(controller)?.purposes;
        known.iter().map(|one| &one.purpose).find(|one| one.name == name)
    }
    pub(crate) fn domain(&self, controller: ControllerId, domain: &Domain) -> Option<&Arc<DomainPolicy>> {
        self.domains.get(&(controller, domain.as_str().to_owned()))
    }
    pub(crate) fn first_verified_domain(&self, controller: ControllerId) -> Option<String> {
        let own = self.domains.iter().filter(|((owner, _), known)| *owner == controller && known.verified);
        own.min_by_key(|(_, known)| known.id).map(|((_, name), _)| name.clone())
    }
    /// Whose failures return to a name. Few: as many as send from the domain above it.
    pub(crate) fn returning_to(&self, name: &Domain) -> Vec<ControllerId> {
        let there = |known: &&Arc<DomainPolicy>| known.return_path.as_ref() == Some(name);
        let mut whose: Vec<_> = self.domains_by_id.values().filter(there).map(|known| known.controller).collect();
        whose.sort_unstable();
        whose.dedup();
        whose
    }
    pub(crate) fn domain_by_id(&self, id: DomainId) -> Option<&Arc<DomainPolicy>> {
        self.domains_by_id.get(&id)
    }
    pub(crate) fn credential(&self, id: CredentialId) -> Option<&Arc<CredentialPolicy>> {
        self.credentials.get(&id)
    }
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &Arc<CredentialPolicy>> {
        self.credentials.values()
    }
    pub(crate) fn credentials_of(&self, controller: ControllerId) -> impl Iterator<Item = &Arc<CredentialPolicy>> {
        self.credentials().filter(move |known| known.controller == controller)
    }
    pub(crate) fn credential_by_username(&self, username: &str) -> Option<&Arc<CredentialPolicy>> {
        self.by_username.get(username).and_then(|id| self.credentials.get(id))
    }
    pub(crate) fn credential_by_key_name(&self, name: &str) -> Option<&Arc<CredentialPolicy>> {
        self.by_key_name.get(name).and_then(|id| self.credentials.get(id))
    }
}

/// The picture in force, swapped whole.
pub(crate) struct PolicyCache {
    keys: Arc<Keyring>,
    current: RwLock<Arc<Policy>>,
    /// Whoever swaps the picture holds it.
    swapping: Mutex<()>,
    generations: RwLock<HashMap<ControllerId, Arc<AtomicU64>>>,
    /// Generations as the database has them, where several nodes count them there.
    counted: Mutex<HashMap<ControllerId, i64>>,
}

impl PolicyCache {
    /// Reads all accounts, and follows what the engine tells from now on. Nobody changes anything meanwhile.
    pub(crate) async fn open(engine: &dyn Engine, keys: Arc<Keyring>) -> Result<Arc<Self>> {
        let cache = Arc::new(Self {
            keys,
            current: RwLock::default(),
            swapping: Mutex::default(),
            generations: RwLock::default(),
            counted: Mutex::default(),
        });
        cache.swap(engine.policy().await?);
        // The engine holds the cache, and the cache only the keys: nothing here keeps the engine alive.
        let follower = Arc::clone(&cache);
        engine.on_change(Arc::new(move |changed| follower.follow(changed)));
        Ok(cache)
    }

    pub(crate) fn current(&self) -> Arc<Policy> {
        Arc::clone(&self.current.read())
    }

    /// One commit's changes; the engine calls in the order of its commits.
    fn follow(&self, changed: Changed) {
        if let Some(rows) = changed.policy {
            self.swap(rows);
        }
        for controller in changed.controllers {
            self.bump(ControllerId(controller));
        }
    }

    /// Puts a picture in force, unless a newer one is.
    pub(crate) fn swap(&self, rows: PolicyRows) {
        let _one_at_a_time = self.swapping.lock();
        let before = self.current();
        if rows.version < before.version {
            return;
        }
        self.keys.set_tag_numbers(rows.controllers.iter().map(|row| (row.id, row.tag_number)));
        let built = Policy::build(rows, &self.keys, &before);
        for controller in built.controllers.keys() {
            self.counter(*controller);
        }
        *self.current.write() = Arc::new(built);
    }

    /// Does the picture in force show everything up to this version of the accounts?
    pub(crate) fn is_whole_as_of(&self, version: i64) -> bool {
        let current = self.current();
        current.version >= version && !current.lacks_keys
    }

    /// The counter of a controller; the same object for the life of the process.
    fn counter(&self, controller: ControllerId) -> Arc<AtomicU64> {
        if let Some(counter) = self.generations.read().get(&controller) {
            return Arc::clone(counter);
        }
        Arc::clone(self.generations.write().entry(controller).or_default())
    }

    pub(crate) fn generation(&self, controller: ControllerId) -> u64 {
        self.generations.read().get(&controller).map_or(0, |counter| counter.load(Ordering::Acquire))
    }

    pub(crate) fn bump(&self, controller: ControllerId) {
        self.counter(controller).fetch_add(1, Ordering::AcqRel);
    }

    /// Nothing that was decided so far stands.
    pub(crate) fn bump_all(&self) {
        for counter in self.generations.read().values() {
            counter.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// All generations as the database has them. One that is another than before moves here, also when it is lower:
    /// a database that lost its last commits has other facts.
    pub(crate) fn follow_generations(&self, generations: &[(i64, i64)]) {
        let mut moved = Vec::new();
        {
            let mut counted = self.counted.lock();
            for (controller, generation) in generations {
                let controller = ControllerId(*controller);
                if counted.insert(controller, *generation) != Some(*generation) {
                    moved.push(controller);
                }
            }
        }
        moved.into_iter().for_each(|controller| self.bump(controller));
    }

    /// A controller's generation as a commit saw it, perhaps before the latest news were asked for. Did it move?
    pub(crate) fn saw_generation(&self, controller: ControllerId, generation: i64) -> bool {
        let mut counted = self.counted.lock();
        let known = counted.entry(controller).or_insert(i64::MIN);
        let has_moved = *known < generation;
        if has_moved {
            *known = generation;
        }
        drop(counted);
        if has_moved {
            self.bump(controller);
        }
        has_moved
    }
}

impl Policy {
    /// A row that is not understood is left out with a word in the log. Of agreements and instructions the newest
    /// counts, so one that is not understood leaves its controller with none: an older one must not come back.
    fn build(rows: PolicyRows, keys: &Keyring, before: &Self) -> Self {
        let mut policy = Self { version: rows.version, ..Self::default() };
        for ControllerRow { id, name, shown, .. } in rows.controllers {
            let id = ControllerId(id);
            let entry = ControllerPolicy {
                id,
                name,
                shown,
                agreement: None,
                instruction: None,
                streams: Vec::new(),
                purposes: Vec::new(),
                orders: Vec::new(),
            };
            policy.controllers.insert(id, entry);
        }
        for row in rows.streams {
            let (id, stream) = (row.id, stream(row));
            if let Some(stream) = understood(id, stream)
                && let Some(entry) = policy.controllers.get_mut(&stream.controller)
            {
                entry.streams.push(Arc::new(stream));
            }
        }
        for row in rows.purposes {
            let (id, parent) = (row.id, row.parent.map(PurposeId));
            if let Some(purpose) = understood(id, purpose(row))
                && let Some(entry) = policy.controllers.get_mut(&purpose.controller)
            {
                entry.purposes.push(PurposePolicy { parent, purpose: Arc::new(purpose) });
            }
        }
        // Oldest version first.
        for row in rows.agreements {
            let read = understood(row.id, agreement(&row));
            // One whose day has not come replaces nothing yet.
            if read.as_ref().is_some_and(|read| read.state == AgreementState::Signed) {
                continue;
            }
            if let Some(entry) = policy.controllers.get_mut(&ControllerId(row.controller)) {
                entry.agreement = read;
            }
        }
        for row in rows.instructions {
            let read = understood(row.id, instruction(&row));
            if let Some(entry) = policy.controllers.get_mut(&ControllerId(row.controller)) {
                // GDPR Art. 28(3), last subparagraph: one that is held is not obeyed; what was said before is.
                let waits = read.as_ref().is_some_and(|read| read.state != InstructionState::InForce);
                let obeyed = entry.instruction.as_ref().is_some_and(|known| known.state == InstructionState::InForce);
                if !(waits && obeyed) {
                    entry.instruction = read;
                }
            }
        }
        for row in rows.domains {
            let read = domain(&row, keys, before);
            policy.lacks_keys |= matches!(read, Err(Error::Sealed { what: "key" }));
            if let Some(domain) = understood(row.id, read) {
                let domain = Arc::new(domain);
                policy.domains_by_id.insert(domain.id, Arc::clone(&domain));
                policy.domains.insert((domain.controller, row.name), domain);
            }
        }
        for row in rows.credentials {
            let id = row.id;
            understood(id, policy.add_credential(row));
        }
        for row in rows.orders {
            let controller = ControllerId(row.controller);
            // One that is not understood holds: nobody knows what it says.
            if let Some(entry) = policy.controllers.get_mut(&controller) {
                entry.orders.push(OrderPolicy::of(row));
            }
        }
        policy
    }

    fn add_credential(&mut self, row: CredentialRow) -> Result<()> {
        let controller = ControllerId(row.controller);
        let default_stream = self
            .stream(controller, StreamId(row.default_stream))
            .cloned()
            .ok_or(Error::Row { column: "credential.default_stream" })?;
        let streams = match row.streams.as_str() {
            ALL_STREAMS => CredentialStreams::All,
            list => {
                let ids = numbers(list, "credential.streams")?;
                CredentialStreams::Named(ids.into_iter().map(StreamId).collect())
            }
        };
        let (scopes, mode) = scopes_from(&row.scopes)?;
        let id = CredentialId(row.id);
        self.by_username.insert(row.username.clone(), id);
        self.by_key_name.insert(row.key_name.clone(), id);
        let known = CredentialPolicy { id, controller, row, default_stream, streams, scopes, mode };
        self.credentials.insert(id, Arc::new(known));
        Ok(())
    }
}

fn understood<T>(id: i64, read: Result<T>) -> Option<T> {
    read.inspect_err(
        |error| tracing::error!(id, %error, "a row of the accounts is not understood and lets nothing pass"),
    )
    .ok()
}

fn stream(row: StreamRow) -> Result<Stream> {
    let kind = StreamKind::from_word(&row.kind).ok_or(Error::Row { column: "stream.kind" })?;
    let (id, controller) = (StreamId(row.id), ControllerId(row.controller));
    let purposes = numbers(&row.purposes, "stream.purposes")?.into_iter().map(PurposeId).collect();
    let terms = serde_json::from_str(&row.terms).map_err(|_| Error::Row { column: "stream.terms" })?;
    Ok(Stream { id, controller, name: row.name, kind, purpose: row.purpose, purposes, terms })
}

fn purpose(row: PurposeRow) -> Result<Purpose> {
    let kind = |word: &str| BasisKind::from_word(word).ok_or(Error::Row { column: "purpose.bases" });
    Ok(Purpose {
        id: PurposeId(row.id),
        controller: ControllerId(row.controller),
        name: row.name,
        kind: StreamKind::from_word(&row.kind).ok_or(Error::Row { column: "purpose.kind" })?,
        bases: row.bases.split(',').filter(|word| !word.is_empty()).map(kind).collect::<Result<_>>()?,
        reference: row.reference,
        texts: serde_json::from_str(&row.texts).map_err(|_| Error::Row { column: "purpose.texts" })?,
        ended: row.ended,
    })
}

fn agreement(row: &AgreementRow) -> Result<Agreement> {
    Ok(Agreement {
        id: AgreementId(row.id),
        controller: ControllerId(row.controller),
        version: row.version,
        state: AgreementState::from_word(&row.state).ok_or(Error::Row { column: "agreement.state" })?,
        from: row.from,
        until: row.until,
    })
}

fn instruction(row: &InstructionRow) -> Result<Instruction> {
    let state = InstructionState::from_word(&row.state).ok_or(Error::Row { column: "instruction.state" })?;
    let operations = row
        .operations
        .split(',')
        .filter(|word| !word.is_empty())
        .map(|word| Operation::from_word(word).ok_or(Error::Row { column: "instruction.operations" }))
        .collect::<Result<_>>()?;
    Ok(Instruction {
        id: InstructionId(row.id),
        controller: ControllerId(row.controller),
        version: row.version,
        state,
        from: row.from,
        operations,
        streams: numbers(&row.streams, "instruction.streams")?.into_iter().map(StreamId).collect(),
        messages_per_day_max: row.messages_per_day_max,
    })
}

fn domain(row: &DomainRow, keys: &Keyring, before: &Policy) -> Result<DomainPolicy> {
    let id = DomainId(row.id);
    let parts: [&[u8]; 5] = [
        row.name.as_bytes(),
        row.rsa_selector.as_bytes(),
        &row.rsa_key,
        row.ed25519_selector.as_bytes(),
        &row.ed25519_key,
    ];
    let made_of = crypto::sha256_of_fields(&parts);
    let signers = match before.domain_by_id(id) {
        // Opening an RSA key is dear, and the writer waits for this.
        Some(known) if known.made_of == made_of => Arc::clone(&known.signers),
        _ => Arc::new(signers(row, keys)?),
    };
    let (controller, verified) = (ControllerId(row.controller), row.verified.is_some());
    let return_path = row.return_path.as_deref().map(Domain::parse).transpose();
    let return_path = return_path.map_err(|_| Error::Row { column: "domain.return_path" })?;
    Ok(DomainPolicy { id, controller, verified, return_path, signers, made_of })
}

fn signers(row: &DomainRow, keys: &Keyring) -> Result<Vec<Signer>> {
    let open = |sealed: &[u8]| keys.open_for_controller(row.controller, "dkim key", sealed);
    let signer = |selector: &str, sealed: &[u8]| -> Result<Signer> {
        let key = SigningKey::from_pkcs8(&open(sealed)?).map_err(|_| Error::Row { column: "domain.key" })?;
        Signer::new(&row.name, selector, Arc::new(key)).map_err(|_| Error::Row { column: "domain.name" })
    };
    Ok(vec![signer(&row.rsa_selector, &row.rsa_key)?, signer(&row.ed25519_selector, &row.ed25519_key)?])
}

pub(crate) fn numbers(text: &str, column: &'static str) -> Result<Vec<i64>> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|_| Error::Row { column }))
        .collect()
}

pub(crate) fn number_list(ids: impl IntoIterator<Item = i64>) -> String {
    let words: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    words.join(",")
}

/// Is a moment before an optional end?
pub(crate) fn before(now: Timestamp, end: Option<Timestamp>) -> bool {
    end.is_none_or(|end| now < end)
}
