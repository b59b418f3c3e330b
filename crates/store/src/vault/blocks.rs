//! Subject secrets: 32 random bytes a person, generated in blocks of 256 ahead of use.
//!
//! `free` belongs to whoever holds its lock while a block is written ahead; `cache` is bounded and may
//! forget anything at any time.

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

#[derive(Default)]
pub(super) struct Blocks {
    free: tokio::sync::Mutex<HashMap<i64, Vec<(SlotRef, Secret)>>>,
    pending: Mutex<HashMap<(i64, RecipientTag), Pending>>,
    cache: Mutex<HashMap<SlotRef, Secret>>,
}

impl Blocks {
    pub(super) async fn allocate(
        &self,
        vault: &Vault,
        controller: i64,
        tag: RecipientTag,
        block_id: i64,
    ) -> Result<(SlotRef, Secret)> {
        let mut free = self.free.lock().await;
        if let Some((slot, secret, users)) = self.pending.lock().get_mut(&(controller, tag)) {
            *users += 1;
            return Ok((*slot, secret.clone()));
        }
        let slots = free.entry(controller).or_default();
        if slots.is_empty() {
            *slots = Self::generate(vault, controller, block_id).await?;
        }
        let (slot, secret) = slots.pop().ok_or(Error::Sealed { what: "secret" })?;
        self.remember(slot, &secret);
        self.pending.lock().insert((controller, tag), (slot, secret.clone(), 1));
        Ok((slot, secret))
    }

    pub(super) fn settled(&self, controller: i64, tag: RecipientTag) {
        let mut pending = self.pending.lock();
        if let Some((_, _, users)) = pending.get_mut(&(controller, tag)) {
            *users -= 1;
            if *users == 0 {
                pending.remove(&(controller, tag));
            }
        }
    }

    async fn generate(vault: &Vault, controller: i64, block: i64) -> Result<Vec<(SlotRef, Secret)>> {
        let under = crypto::derive(&*vault.key(controller, KeyKind::Wrap, 0)?, "subject block");
        let mut sealed = Vec::with_capacity(BLOCK * (32 + crypto::OVERHEAD));
        let mut slots = Vec::with_capacity(BLOCK);
        for slot in 0..=u8::MAX {
            let secret = crypto::new_key()?;
            let slot = SlotRef { block, slot };
            sealed.extend_from_slice(&crypto::seal(&under, &context(slot), secret.as_slice())?);
            slots.push((slot, Secret::of(&secret)));
        }
        // Durable before any slot of it is given away.
        vault.engine.put_block(block, controller, sealed).await?;
        Ok(slots)
    }

    pub(super) async fn secrets(&self, vault: &Vault, slots: &[(i64, SlotRef)]) -> Result<Vec<Option<Secret>>> {
        let mut out: Vec<Option<Secret>> = {
            let cache = self.cache.lock();
            slots.iter().map(|(_, slot)| cache.get(slot).cloned()).collect()
        };
        let missing: Vec<usize> = (0..slots.len()).filter(|at| out.get(*at).is_some_and(Option::is_none)).collect();
        if missing.is_empty() {
            return Ok(out);
        }
        let wanted: Vec<(i64, SlotRef)> = missing.iter().filter_map(|at| slots.get(*at).copied()).collect();
        let sealed = vault.engine.slots(wanted.iter().map(|(_, slot)| *slot).collect()).await?;
        for ((at, (controller, slot)), sealed) in missing.into_iter().zip(wanted).zip(sealed) {
            let Some(sealed) = sealed else { continue };
            let under = crypto::derive(&*vault.key(controller, KeyKind::Wrap, 0)?, "subject block");
            let plain = crypto::open(&under, &context(slot), &sealed, "secret")?;
            let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| Error::Sealed { what: "secret" })?;
            let secret = Secret::of(&Key::new(bytes));
            self.remember(slot, &secret);
            if let Some(place) = out.get_mut(at) {
                *place = Some(secret);
            }
        }
        Ok(out)
    }

    pub(super) fn forget(&self, slot: SlotRef) {
        self.cache.lock().remove(&slot);
    }

    fn remember(&self, slot: SlotRef, secret: &Secret) {
        let mut cache = self.cache.lock();
        if cache.len() >= CACHED_SECRETS_MAX {
            // Forgetting half at random is cheap and good enough: a miss costs one point read.
            let mut keep = false;
            cache.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        cache.insert(slot, secret.clone());
    }
}

fn context(slot: SlotRef) -> [u8; 9] {
    let mut out = [0; 9];
    out[..8].copy_from_slice(&slot.block.to_be_bytes());
    out[8] = slot.slot;
    out
}
