//! Envelope encryption (decision 5): master key → controller keys → epoch keys and subject secrets.
//!
//! Keys lie in the `keys` database, sealed, and are durable there **before** the main database refers
//! to them. A message's content key lies beside its body, wrapped under the recipient's subject secret
//! or, for a body shared by several recipients, under the controller's epoch key. Destroying a secret
//! makes everything under it noise, in backups too (GDPR Art. 17, 32(1)(a)).
//!
//! Where several nodes share the keys, each makes keys of its own and learns those of the others when it needs one
//! that it does not have. Whoever writes a key first has made it; the others take that one.

pub(crate) mod base64url;
mod blocks;
pub(crate) mod crypto;
mod keyring;
mod master;
mod public_id;
mod tags;

#[cfg(test)]
mod tests;

pub(crate) use blocks::{Lease, Secret};
pub(crate) use crypto::Key;
pub(crate) use keyring::Keyring;
pub(crate) use master::MasterKey;
pub(crate) use public_id::{base32, unbase32};
pub(crate) use tags::nest;

use crate::engine::{Engine, KeyRow, SlotRef};
use crate::error::{Error, Result};
use blocks::Blocks;
use model::ids::PublicKind;
use model::{ControllerId, RecipientTag, Timestamp};
use parking_lot::{Mutex, RwLock};
use public_id::PublicIds;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How long one epoch key wraps new shared bodies.
const EPOCH_LIFE: Duration = Duration::from_secs(3_600);
/// An epoch key is looked at after this long (longest expiry 72 h, and a margin) and destroyed when no body needs it.
const EPOCH_KEPT: Duration = Duration::from_secs(80 * 3_600);

/// Keys remembered that nobody has; then it is looked again.
const ABSENT_MAX: usize = 4_096;
/// A body is older than the end of its epoch by less than this, whatever the clock did meanwhile.
const EPOCH_MARGIN: Duration = Duration::from_secs(24 * 3_600);

/// Kinds of keys in the `keys` database. Numbers are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub(crate) enum KeyKind {
    /// Seals this controller's other keys and accounts' secrets.
    Wrap = 1,
    /// Makes keyed tags: number 0 of addresses, each later one of the tags before it.
    Tag = 2,
    /// Seed of the log's signing key.
    LogSigning = 3,
    /// Wraps content keys of shared bodies.
    Epoch = 4,
    /// Enciphers public ids (operator's only).
    PublicIds = 5,
    /// Keys the hashes of passwords and API keys (operator's only).
    Pepper = 6,
    /// A known text, to tell a wrong master key.
    Check = 7,
    /// Seals the tokens of links (operator's only). The newest seals; all of them open.
    Link = 8,
}

/// What a first start makes, in this order, before any other key.
const FIRST: [KeyKind; 4] = [KeyKind::Check, KeyKind::Wrap, KeyKind::PublicIds, KeyKind::Pepper];

/// The vault.
pub(crate) struct Vault {
    engine: Arc<dyn Engine>,
    master: MasterKey,
    keys: Arc<Keyring>,
    epochs: RwLock<HashMap<i64, (i64, Timestamp)>>,
    blocks: Blocks,
    ids: PublicIds,
    pepper: Arc<Key>,
    /// Looked for and not found: destroyed, or never there. A key is written before anything refers to it, so what
    /// was not there when it was needed does not come.
    absent: Mutex<HashSet<(i64, u8, i64)>>,
    /// Whoever reads all keys holds it: of many that miss one, one reads.
    refreshing: tokio::sync::Mutex<()>,
}

impl Vault {
    /// Seals what is sealed under the master key under another one. What was opened stays open.
    pub(crate) async fn rewrap(&self, next: &MasterKey) -> Result<()> {
        let mut rows: Vec<KeyRow> = self.engine.keys().await?.into_iter().filter(|row| is_root(row.kind)).collect();
        for row in &mut rows {
            let context = context(row.controller, row.kind, row.epoch);
            let plain = Key::new(*open_key(&self.master.key, row)?);
            row.sealed = crypto::seal(&next.key, &context, plain.as_slice())?;
        }
        self.engine.rewrap_keys(rows).await
    }

    /// The one that comes after the master key in use, durable beside it.
    pub(crate) fn next_master(&self) -> Result<MasterKey> {
        self.master.next()
    }

    /// Does the master key open these keys? Any of them says so.
    pub(crate) fn fits(master: &MasterKey, rows: &[KeyRow]) -> Result<()> {
        let check = rows.iter().find(|row| row.kind == KeyKind::Check as u8).ok_or_else(|| master.wrong())?;
        crypto::open(&master.key, &context(check.controller, check.kind, check.epoch), &check.sealed, "key")
            .map_err(|_| master.wrong())
            .map(drop)
    }

    pub(crate) async fn open(engine: Arc<dyn Engine>, master: MasterKey, now: Timestamp) -> Result<Self> {
        let mut epochs = HashMap::new();
        let rows = engine.keys().await?;
        // The check key first: a wrong master key is told before anything is written.
        if !rows.is_empty() {
            Self::fits(&master, &rows)?;
        }
        let used = rows.iter().any(|row| !FIRST.iter().any(|kind| row.kind == *kind as u8));
        let keys = Keyring::default();
        // Controller keys are sealed under the master key, all others under their controller's.
        let (wrapping, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_root(row.kind));
        for row in wrapping {
            keys.put((row.controller, row.kind, row.epoch), Arc::new(open_key(&master.key, &row)?));
        }
        for row in others {
            let wrap = keys.get(row.controller, KeyKind::Wrap, 0)?;
            keys.put((row.controller, row.kind, row.epoch), Arc::new(open_key(&wrap, &row)?));
            if row.kind == KeyKind::Epoch as u8 {
                let entry = epochs.entry(row.controller).or_insert((row.epoch, row.created));
                if entry.1 < row.created {
                    *entry = (row.epoch, row.created);
                }
            }
        }
        let vault = Self {
            blocks: Blocks::default(),
            ids: PublicIds::new(&[0; 16])?,
            pepper: Arc::new(Key::default()),
            absent: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            keys: Arc::new(keys),
            epochs: RwLock::new(epochs),
            engine,
            master,
        };
        vault.make_first_keys(used, now).await?;
        let operator = ControllerId::OPERATOR.0;
        let ids_key = vault.key(operator, KeyKind::PublicIds, 0)?;
        let (half, _) = ids_key.split_at(16);
        let ids = PublicIds::new(half.try_into().map_err(|_| Error::Sealed { what: "id key" })?)?;
        let pepper = vault.key(operator, KeyKind::Pepper, 0)?;
        if vault.link_key().is_err() {
            vault.make_link_key(now).await?;
        }
        Ok(Self { ids, pepper, ..vault })
    }

    /// Makes what a first start makes, or what one that was cut short had not made yet.
    async fn make_first_keys(&self, used: bool, now: Timestamp) -> Result<()> {
        let operator = ControllerId::OPERATOR.0;
        for kind in FIRST {
            if self.key(operator, kind, 0).is_ok() {
                continue;
            }
            // Once other keys exist, a missing one was lost, and a new one in its place would hide that.
            if used {
                return Err(Error::Sealed { what: "key" });
            }
            self.make_key(operator, kind, 0, now).await?;
        }
        Ok(())
    }

    /// The keys in memory.
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keys)
    }

    /// Makes the keys that a new controller needs; durable when it returns.
    pub(crate) async fn admit(&self, controller: ControllerId, now: Timestamp) -> Result<()> {
        for kind in [KeyKind::Wrap, KeyKind::Tag, KeyKind::LogSigning] {
            if self.key(controller.0, kind, 0).is_err() {
                self.make_key(controller.0, kind, 0, now).await?;
            }
        }
        Ok(())
    }

    async fn make_key(&self, controller: i64, kind: KeyKind, epoch: i64, now: Timestamp) -> Result<Arc<Key>> {
        let key = Arc::new(crypto::new_key()?);
        let root = if is_root(kind as u8) { None } else { Some(self.key(controller, KeyKind::Wrap, 0)?) };
        let under = root.as_deref().unwrap_or(&self.master.key);
        let sealed = crypto::seal(under, &context(controller, kind as u8, epoch), key.as_slice())?;
        // Written ahead: crash here ⇒ a key that nothing refers to.
        match self.engine.put_key(KeyRow { controller, kind: kind as u8, epoch, sealed, created: now }).await {
            Ok(()) => self.keys.put((controller, kind as u8, epoch), Arc::clone(&key)),
            // Another node was first.
            Err(Error::Exists { .. }) => {
                self.refresh().await?;
                let theirs = self.key(controller, kind, epoch);
                return if kind == KeyKind::Check { theirs.map_err(|_| self.master.wrong()) } else { theirs };
            }
            Err(error) => return Err(error),
        }
        Ok(key)
    }

    /// Learns the keys that other nodes made, and forgets those that they destroyed.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let _turn = self.refreshing.lock().await;
        self.read_keys().await
    }

    /// Are a controller's keys known here?
    pub(crate) fn knows(&self, controller: i64) -> bool {
        [KeyKind::Wrap, KeyKind::Tag, KeyKind::LogSigning].iter().all(|kind| self.key(controller, *kind, 0).is_ok())
    }

    /// A key, looked for among those of other nodes when it is not known here.
    pub(crate) async fn sought(&self, controller: i64, kind: KeyKind, epoch: i64) -> Result<Arc<Key>> {
        let place = (controller, kind as u8, epoch);
        let known = self.key(controller, kind, epoch);
        if known.is_ok() || self.engine.sharing().is_none() || self.absent.lock().contains(&place) {
            return known;
        }
        let turn = self.refreshing.lock().await;
        // Another may have read them while this one waited.
        if let known @ Ok(_) = self.key(controller, kind, epoch) {
            return known;
        }
        self.read_keys().await?;
        drop(turn);
        let known = self.key(controller, kind, epoch);
        if known.is_err() {
            let mut absent = self.absent.lock();
            if absent.len() >= ABSENT_MAX {
                absent.clear();
            }
            absent.insert(place);
        }
        known
    }

    async fn read_keys(&self) -> Result<()> {
        // What was known before the keys were read and is not among them was destroyed; what was made meanwhile
        // was not.
        let before = self.keys.places();
        let rows = self.engine.keys().await?;
        let there: HashSet<_> = rows.iter().map(|row| (row.controller, row.kind, row.epoch)).collect();
        let (wrapping, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_root(row.kind));
        for row in wrapping.into_iter().chain(others) {
            let place = (row.controller, row.kind, row.epoch);
            if self.keys.has(place) {
                continue;
            }
            let opened = if is_root(row.kind) {
                open_key(&self.master.key, &row)
            } else {
                self.keys.get(row.controller, KeyKind::Wrap, 0).and_then(|wrap| open_key(&wrap, &row))
            };
            match opened {
                Ok(key) => self.keys.put(place, Arc::new(key)),
                Err(error) => {
                    let (controller, kind) = (row.controller, row.kind);
                    tracing::error!(controller, kind, %error, "a key of another node does not open");
                }
            }
        }
        before.into_iter().filter(|place| !there.contains(place)).for_each(|place| self.keys.remove(place));
        self.absent.lock().clear();
        Ok(())
    }

    pub(crate) fn key(&self, controller: i64, kind: KeyKind, epoch: i64) -> Result<Arc<Key>> {
        self.keys.get(controller, kind, epoch)
    }

    /// The current epoch key of a controller, made anew when the last is older than an hour.
    pub(crate) async fn epoch(&self, controller: i64, now: Timestamp) -> Result<(i64, Arc<Key>)> {
        let current = self.epochs.read().get(&controller).copied();
        if let Some((epoch, created)) = current
            && now.since(created) < EPOCH_LIFE
        {
            return Ok((epoch, self.key(controller, KeyKind::Epoch, epoch)?));
        }
        let epoch = now.micros();
        let key = self.make_key(controller, KeyKind::Epoch, epoch, now).await?;
        self.epochs.write().insert(controller, (epoch, now));
        Ok((epoch, key))
    }

    /// Destroys epoch keys under which nothing waits any more. A body that outlived its time (a message that nobody
    /// could settle) keeps its key. Several nodes may do it at once.
    pub(crate) async fn retire_epochs(&self, now: Timestamp) -> Result<()> {
        if self.engine.sharing().is_some() {
            // Those of nodes that are gone are anybody's to retire.
            self.refresh().await?;
        }
        let old: Vec<_> = self
            .keys
            .places()
            .into_iter()
            .filter(|(_, kind, epoch)| {
                *kind == KeyKind::Epoch as u8 && now.since(Timestamp::from_micros(*epoch)) > EPOCH_KEPT
            })
            .collect();
        let Some(newest) = old.iter().map(|(_, _, epoch)| *epoch).max() else { return Ok(()) };
        let bound = Timestamp::from_micros(newest).plus(EPOCH_LIFE).plus(EPOCH_MARGIN);
        // Ids carry microseconds in their upper bits.
        let used = self.engine.epochs_used(bound.micros().saturating_mul(1_024)).await?;
        for (controller, kind, epoch) in old.into_iter().filter(|(_, _, epoch)| !used.contains(epoch)) {
            self.engine.destroy_key(controller, kind, epoch).await?;
            self.keys.remove((controller, kind, epoch));
        }
        Ok(())
    }

    /// Seals something of the controller's own (DKIM keys, stored answers).
    pub(crate) fn seal_for_controller(&self, controller: i64, label: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let key = crypto::derive(&*self.key(controller, KeyKind::Wrap, 0)?, label);
        crypto::seal(&key, label.as_bytes(), plain)
    }

    /// Opens what [`Self::seal_for_controller`] sealed.
    pub(crate) fn open_for_controller(&self, controller: i64, label: &'static str, sealed: &[u8]) -> Result<Vec<u8>> {
        self.keys.open_for_controller(controller, label, sealed)
    }

    /// The newest key of links, and its number.
    pub(crate) fn link_key(&self) -> Result<(u8, Arc<Key>)> {
        let newest = self.link_keys().max().ok_or(Error::Sealed { what: "key" })?;
        self.link_key_of(newest).map(|key| (newest, key)).ok_or(Error::Sealed { what: "key" })
    }

    /// A key of links by its number.
    pub(crate) fn link_key_of(&self, number: u8) -> Option<Arc<Key>> {
        self.key(ControllerId::OPERATOR.0, KeyKind::Link, i64::from(number)).ok()
    }

    fn link_keys(&self) -> impl Iterator<Item = u8> {
        let places = self.keys.places().into_iter();
        let of_links = |(controller, kind, number): (i64, u8, i64)| {
            (controller == ControllerId::OPERATOR.0 && kind == KeyKind::Link as u8).then_some(number)
        };
        places.filter_map(of_links).filter_map(|number| u8::try_from(number).ok())
    }

    /// Makes the next key of links, and says which it is.
    pub(crate) async fn make_link_key(&self, now: Timestamp) -> Result<u8> {
        let next = self.link_keys().max().map_or(Some(1), |newest| newest.checked_add(1));
        let next = next.ok_or(Error::Exists { what: "key" })?;
        self.make_key(ControllerId::OPERATOR.0, KeyKind::Link, i64::from(next), now).await?;
        Ok(next)
    }

    /// Destroys persons' secrets: overwritten in place, forgotten in memory.
    pub(crate) async fn destroy_secrets(&self, slots: Vec<SlotRef>) -> Result<()> {
        self.engine.destroy_slots(slots.clone()).await?;
        slots.into_iter().for_each(|slot| self.blocks.forget(slot));
        Ok(())
    }

    /// A secret was destroyed by another node, whichever it was: none is remembered.
    pub(crate) fn forget_secrets(&self) {
        self.blocks.forget_all();
    }

    /// Secrets of persons, in order; `None` where destroyed or damaged.
    pub(crate) async fn secrets(&self, slots: &[(i64, SlotRef)]) -> Result<Vec<Option<Secret>>> {
        self.blocks.secrets(self, slots).await
    }

    /// A slot for a person who has none yet. The same person asked twice before his first commit gets
    /// the same slot, as long as the lease is held.
    pub(crate) async fn new_slot(
        &self,
        controller: i64,
        tag: RecipientTag,
        block_id: i64,
    ) -> Result<(SlotRef, Secret, Lease)> {
        self.blocks.allocate(self, controller, tag, block_id).await
    }

    /// Slots for many persons who have none yet, written ahead together.
    pub(crate) async fn new_slots(
        &self,
        controller: i64,
        count: usize,
        block_id: impl FnMut() -> i64 + Send,
    ) -> Result<Vec<(SlotRef, Secret)>> {
        Blocks::many(self, controller, count, block_id).await
    }

    /// Hash of a password or API key for comparison. The secrets are random and long, so a keyed hash
    /// is enough; a slow one would only slow the door.
    pub(crate) fn secret_hash(&self, label: &str, secret: &str) -> [u8; 32] {
        crypto::mac(self.pepper.as_slice(), &[label.as_bytes(), &[0], secret.as_bytes()])
    }

    /// The log's signing key: 32 bytes of seed.
    pub(crate) fn log_seed(&self, controller: i64) -> Result<Arc<Key>> {
        self.key(controller, KeyKind::LogSigning, 0)
    }

    pub(crate) fn show<K: PublicKind>(&self, id: K) -> String {
        self.ids.show(id)
    }

    pub(crate) fn read<K: PublicKind>(&self, text: &str) -> Option<K> {
        self.ids.read(text)
    }
}

const fn is_root(kind: u8) -> bool {
    kind == KeyKind::Wrap as u8 || kind == KeyKind::Check as u8
}

fn context(controller: i64, kind: u8, epoch: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    out.extend_from_slice(b"key");
    out.push(kind);
    out.extend_from_slice(&controller.to_be_bytes());
    out.extend_from_slice(&epoch.to_be_bytes());
    out
}

fn open_key(under: &Key, row: &KeyRow) -> Result<Key> {
    let plain = crypto::open(under, &context(row.controller, row.kind, row.epoch), &row.sealed, "key")?;
    let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| Error::Sealed { what: "key" })?;
    Ok(Key::new(bytes))
}
