//! Accounts in memory: agreements, instructions, streams, domains, credentials, and each controller's
//! permission generation. Read at start and again after each change; few rows, asked for every message.
//!
//! The generation is bumped after the commit of a change and before it is answered: a decision that
//! read older facts is then seen to be stale (`architecture.md` §2).

use crate::engine::{CredentialRow, Engine, PolicyRows};
use crate::error::{Error, Result};
use crate::vault::Vault;
use mail::address::Domain;
use mail::dkim::{Signer, SigningKey};
use model::agreement::{Agreement, AgreementState};
use model::instruction::{Instruction, InstructionState, Operation};
use model::{
    AgreementId, ControllerId, CredentialId, DomainId, InstructionId, Stream, StreamId, StreamKind, Timestamp,
};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One controller's accounts.
pub(crate) struct ControllerPolicy {
    pub(crate) id: ControllerId,
    pub(crate) name: String,
    pub(crate) agreement: Option<Agreement>,
    pub(crate) instruction: Option<Instruction>,
    pub(crate) streams: Vec<Arc<Stream>>,
}

/// A sending domain with its signers ready.
pub(crate) struct DomainPolicy {
    pub(crate) id: DomainId,
    pub(crate) controller: ControllerId,
    pub(crate) verified: bool,
    pub(crate) signers: Arc<Vec<Signer>>,
}

/// A credential.
pub(crate) struct CredentialPolicy {
    pub(crate) id: CredentialId,
    pub(crate) controller: ControllerId,
    pub(crate) row: CredentialRow,
    pub(crate) default_stream: Arc<Stream>,
    pub(crate) streams: Vec<StreamId>,
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
    pub(crate) fn domain(&self, controller: ControllerId, domain: &Domain) -> Option<&Arc<DomainPolicy>> {
        self.domains.get(&(controller, domain.as_str().to_owned()))
    }
    pub(crate) fn domain_by_id(&self, id: DomainId) -> Option<&Arc<DomainPolicy>> {
        self.domains_by_id.get(&id)
    }
    pub(crate) fn credential(&self, id: CredentialId) -> Option<&Arc<CredentialPolicy>> {
        self.credentials.get(&id)
    }
    pub(crate) fn credential_by_username(&self, username: &str) -> Option<&Arc<CredentialPolicy>> {
        self.by_username.get(username).and_then(|id| self.credentials.get(id))
    }
    pub(crate) fn credential_by_key_name(&self, name: &str) -> Option<&Arc<CredentialPolicy>> {
        self.by_key_name.get(name).and_then(|id| self.credentials.get(id))
    }
}

/// The picture in force, swapped whole.
#[derive(Default)]
pub(crate) struct PolicyCache {
    current: RwLock<Arc<Policy>>,
    generations: RwLock<HashMap<ControllerId, Arc<AtomicU64>>>,
}

impl PolicyCache {
    pub(crate) fn current(&self) -> Arc<Policy> {
        Arc::clone(&self.current.read())
    }

    pub(crate) async fn load(&self, engine: &dyn Engine, vault: &Vault) -> Result<()> {
        let rows = engine.policy().await?;
        let built = self.build(rows, vault)?;
        *self.current.write() = Arc::new(built);
        Ok(())
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

    fn build(&self, rows: PolicyRows, vault: &Vault) -> Result<Policy> {
        let mut policy = Policy::default();
        for (id, name) in rows.controllers {
            let id = ControllerId(id);
            self.counter(id);
            policy
                .controllers
                .insert(id, ControllerPolicy { id, name, agreement: None, instruction: None, streams: Vec::new() });
        }
        for row in rows.streams {
            let controller = ControllerId(row.controller);
            let kind = StreamKind::from_word(&row.kind).ok_or(Error::Row { column: "stream.kind" })?;
            let stream = Stream { id: StreamId(row.id), controller, name: row.name, kind, purpose: row.purpose };
            if let Some(entry) = policy.controllers.get_mut(&controller) {
                entry.streams.push(Arc::new(stream));
            }
        }
        for row in rows.agreements {
            let state = AgreementState::from_word(&row.state).ok_or(Error::Row { column: "agreement.state" })?;
            let controller = ControllerId(row.controller);
            let agreement = Agreement {
                id: AgreementId(row.id),
                controller,
                version: row.version,
                state,
                from: row.from,
                until: row.until,
            };
            if let Some(entry) = policy.controllers.get_mut(&controller)
                && entry.agreement.as_ref().is_none_or(|older| older.version <= agreement.version)
            {
                entry.agreement = Some(agreement);
            }
        }
        for row in rows.instructions {
            let instruction = instruction(row)?;
            if let Some(entry) = policy.controllers.get_mut(&instruction.controller)
                && entry.instruction.as_ref().is_none_or(|older| older.version <= instruction.version)
            {
                entry.instruction = Some(instruction);
            }
        }
        for row in rows.domains {
            let domain = Arc::new(domain(&row, vault)?);
            policy.domains_by_id.insert(domain.id, Arc::clone(&domain));
            policy.domains.insert((domain.controller, row.name), domain);
        }
        for row in rows.credentials {
            policy.add_credential(row)?;
        }
        Ok(policy)
    }
}

impl Policy {
    fn add_credential(&mut self, row: CredentialRow) -> Result<()> {
        let controller = ControllerId(row.controller);
        let default_stream = self
            .stream(controller, StreamId(row.default_stream))
            .cloned()
            .ok_or(Error::Row { column: "credential.default_stream" })?;
        let streams = numbers(&row.streams, "credential.streams")?.into_iter().map(StreamId).collect();
        let id = CredentialId(row.id);
        self.by_username.insert(row.username.clone(), id);
        self.by_key_name.insert(row.key_name.clone(), id);
        self.credentials.insert(id, Arc::new(CredentialPolicy { id, controller, row, default_stream, streams }));
        Ok(())
    }
}

fn instruction(row: crate::engine::InstructionRow) -> Result<Instruction> {
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

fn domain(row: &crate::engine::DomainRow, vault: &Vault) -> Result<DomainPolicy> {
    let open = |sealed: &[u8]| vault.open_for_controller(row.controller, "dkim key", sealed);
    let signer = |selector: &str, sealed: &[u8]| -> Result<Signer> {
        let key = SigningKey::from_pkcs8(&open(sealed)?).map_err(|_| Error::Row { column: "domain.key" })?;
        Signer::new(&row.name, selector, Arc::new(key)).map_err(|_| Error::Row { column: "domain.name" })
    };
    let signers = vec![signer(&row.rsa_selector, &row.rsa_key)?, signer(&row.ed25519_selector, &row.ed25519_key)?];
    Ok(DomainPolicy {
        id: DomainId(row.id),
        controller: ControllerId(row.controller),
        verified: row.verified.is_some(),
        signers: Arc::new(signers),
    })
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
