//! Subject secrets: 32 random bytes a person, generated in blocks of 256 ahead of use.
//!
//! `free` belongs to whoever holds its lock while a block is written ahead; `cache` is bounded and may
//! forget anything at any time. Invariants: what was read before a destruction never enters the cache after it
//! (GDPR Art. 17); a slot that does not open is one person's loss and nobody else's.

#[cfg(test)]
mod tests;

use super::crypto::{self, Key};
use super::{KeyKind, Vault};
use crate::engine::SlotRef;
use crate::error::{Error, Result};
use model::RecipientTag;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Secrets held in memory at most; about 10 MiB.
const CACHED_SECRETS_MAX: usize = 65_536;
/// Secrets in a block.
const BLOCK: usize = 256;

/// A person's secret and what is derived from it.
#[derive(Clone)]
pub(crate) struct Secret {
    /// Seals envelopes, headers and transcripts, and wraps content keys.
    pub(crate) wrap: Arc<Key>,
    /// Blinds ledger leaves: destroyed with the secret, it makes all of them dumb.
    pub(crate) ledger: Arc<Key>,
}

impl Secret {
    fn of(secret: &Key) -> Self {
        Self {
            wrap: Arc::new(crypto::derive(secret, "subject wrap")),
            ledger: Arc::new(crypto::derive(secret, "subject ledger")),
        }
    }
}

/// A slot given to a person whose first commit is not over: the slot, its secret, and how many acceptances use it.
type Pending = (SlotRef, Secret, u32);

type PendingSlots = Mutex<HashMap<(i64, RecipientTag), Pending>>;

/// An acceptance's use of a slot whose first commit is not over. Dropped, however it ends, it gives the use back.
#[must_use = "dropped, another acceptance for the same person takes another slot"]
pub(crate) struct Lease {
    pending: Arc<PendingSlots>,
    who: (i64, RecipientTag),
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pending = self.pending.lock();
        if let Some((_, _, users)) = pending.get_mut(&self.who) {
            *users = users.saturating_sub(1);
            if *users == 0 {
                pending.remove(&self.who);
            }
        }
    }
}

/// A block: its sealed octets, and the secrets in it.
type Made = (Vec<u8>, Vec<(SlotRef, Secret)>);

/// Secrets remembered.
#[derive(Default)]
struct Cache {
    known: HashMap<SlotRef, Secret>,
    /// How many secrets were forgotten because they were destroyed.
    destroyed: u64,
}

#[derive(Default)]
pub(super) struct Blocks {
    free: tokio::sync::Mutex<HashMap<i64, Vec<(SlotRef, Secret)>>>,
    pending: Arc<PendingSlots>,
    cache: Mutex<Cache>,
}

impl Blocks {
    pub(super) async fn allocate(
        &self,
        vault: &Vault,
        controller: i64,
        tag: RecipientTag,
        block_id: i64,
    ) -> Result<(SlotRef, Secret, Lease)> {
        let who = (controller, tag);
        let mut free = self.free.lock().await;
        if let Some((slot, secret, users)) = self.pending.lock().get_mut(&who) {
            *users += 1;
            return Ok((*slot, secret.clone(), Lease { pending: Arc::clone(&self.pending), who }));
        }
        let slots = free.entry(controller).or_default();
        if slots.is_empty() {
            *slots = Self::generate(vault, controller, block_id).await?;
        }
        let (slot, secret) = slots.pop().ok_or(Error::Sealed { what: "secret" })?;
        // Nobody can have destroyed what no commit has given away.
        self.cache.lock().put(slot, &secret);
        self.pending.lock().insert(who, (slot, secret.clone(), 1));
        Ok((slot, secret, Lease { pending: Arc::clone(&self.pending), who }))
    }

    /// So many slots for persons who may have none yet, in as few commits as may be. Those that no commit gives away
    /// are lost: that costs 60 octets each.
    pub(super) async fn many(
        vault: &Vault,
        controller: i64,
        count: usize,
        mut block_id: impl FnMut() -> i64 + Send,
    ) -> Result<Vec<(SlotRef, Secret)>> {
        let mut slots = {
            let mut free = vault.blocks.free.lock().await;
            let free = free.entry(controller).or_default();
            free.split_off(free.len().saturating_sub(count))
        };
        // Made without the lock: an acceptance that needs one slot does not wait for a file.
        let mut blocks = Vec::new();
        while slots.len() < count {
            let block = block_id();
            let (sealed, more) = Self::make(vault, controller, block)?;
            blocks.push((block, sealed));
            slots.extend(more);
        }
        if !blocks.is_empty() {
            vault.engine.put_blocks(controller, blocks).await?;
            vault.blocks.free.lock().await.entry(controller).or_default().extend(slots.drain(count..));
        }
        Ok(slots)
    }

    async fn generate(vault: &Vault, controller: i64, block: i64) -> Result<Vec<(SlotRef, Secret)>> {
        let (sealed, slots) = Self::make(vault, controller, block)?;
        // Durable before any slot of it is given away.
        vault.engine.put_block(block, controller, sealed).await?;
        Ok(slots)
    }

    fn make(vault: &Vault, controller: i64, block: i64) -> Result<Made> {
        let under = crypto::derive(&*vault.key(controller, KeyKind::Wrap, 0)?, "subject block");
        let mut sealed = Vec::with_capacity(BLOCK * (32 + crypto::OVERHEAD));
        let mut slots = Vec::with_capacity(BLOCK);
        for slot in 0..=u8::MAX {
            let secret = crypto::new_key()?;
            let slot = SlotRef { block, slot };
            sealed.extend_from_slice(&crypto::seal(&under, &context(slot), secret.as_slice())?);
            slots.push((slot, Secret::of(&secret)));
        }
        Ok((sealed, slots))
    }

    /// Secrets in the order asked; `None` for one that was destroyed or does not open.
    pub(super) async fn secrets(&self, vault: &Vault, slots: &[(i64, SlotRef)]) -> Result<Vec<Option<Secret>>> {
        let (mut out, as_of): (Vec<Option<Secret>>, u64) = {
            let cache = self.cache.lock();
            (slots.iter().map(|(_, slot)| cache.known.get(slot).cloned()).collect(), cache.destroyed)
        };
        let missing: Vec<usize> = (0..slots.len()).filter(|at| out.get(*at).is_some_and(Option::is_none)).collect();
        if missing.is_empty() {
            return Ok(out);
        }
        let wanted: Vec<(i64, SlotRef)> = missing.iter().filter_map(|at| slots.get(*at).copied()).collect();
        let sealed = vault.engine.slots(wanted.iter().map(|(_, slot)| *slot).collect()).await?;
        for ((at, (controller, slot)), sealed) in missing.into_iter().zip(wanted).zip(sealed) {
            let Some(sealed) = sealed else { continue };
            // The controller may be one that another node has just made; a fault in looking for its key is no word
            // about this person.
            if let Err(error) = vault.sought(controller, KeyKind::Wrap, 0).await
                && !matches!(error, Error::Sealed { .. })
            {
                return Err(error);
            }
            match open(vault, controller, slot, &sealed) {
                Ok(secret) => {
                    self.remember(slot, &secret, as_of);
                    if let Some(place) = out.get_mut(at) {
                        *place = Some(secret);
                    }
                }
                Err(error) => {
                    tracing::warn!(controller, block = slot.block, slot = slot.slot, %error, "a secret does not open");
                }
            }
        }
        Ok(out)
    }

    /// The slot was destroyed.
    pub(super) fn forget(&self, slot: SlotRef) {
        let mut cache = self.cache.lock();
        cache.known.remove(&slot);
        cache.destroyed += 1;
    }

    /// Slots were destroyed, and nobody says which.
    pub(super) fn forget_all(&self) {
        let mut cache = self.cache.lock();
        cache.known.clear();
        cache.destroyed += 1;
    }

    /// Remembers what was read when so many had been destroyed. When one more was meanwhile, it may be this one:
    /// forgetting costs a read, remembering would undo an erasure.
    fn remember(&self, slot: SlotRef, secret: &Secret, as_of: u64) {
        let mut cache = self.cache.lock();
        if cache.destroyed == as_of {
            cache.put(slot, secret);
        }
    }
}

impl Cache {
    fn put(&mut self, slot: SlotRef, secret: &Secret) {
        if self.known.len() >= CACHED_SECRETS_MAX {
            // Forgetting half at random is cheap and good enough: a miss costs one point read.
            let mut keep = false;
            self.known.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        self.known.insert(slot, secret.clone());
    }
}

fn open(vault: &Vault, controller: i64, slot: SlotRef, sealed: &[u8]) -> Result<Secret> {
    let under = crypto::derive(&*vault.key(controller, KeyKind::Wrap, 0)?, "subject block");
    let plain = crypto::open(&under, &context(slot), sealed, "secret")?;
    let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| Error::Sealed { what: "secret" })?;
    Ok(Secret::of(&Key::new(bytes)))
}

fn context(slot: SlotRef) -> [u8; 9] {
    let mut out = [0; 9];
    out[..8].copy_from_slice(&slot.block.to_be_bytes());
    out[8] = slot.slot;
    out
}
