//! Which addresses a file has named before, in bounded memory.
//!
//! A table of keyed 64-bit hashes of normalised addresses and the line of each: twelve octets a slot. The table is in
//! shards that grow by half, one after the other, so that growing never needs a second copy of the whole. At the limit
//! of 20 million addresses the chance that any two of them share a hash is about one in 90,000; the key keeps a file
//! from being made to collide.
//! Never: an address. What is remembered dies with the import.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::REMEMBERED_MAX;

const SHARDS: usize = 64;
const SLOTS_AT_FIRST: usize = 16;

/// How addresses are remembered while a file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Remember {
    /// Key of the hashes: drawn at random for each import by the caller.
    pub key: [u8; 16],
    /// Addresses at most; [`REMEMBERED_MAX`] is the most that is believed.
    pub most: u32,
}

impl Remember {
    /// As many as may be.
    #[must_use]
    pub const fn keyed(key: [u8; 16]) -> Self {
        Self { key, most: REMEMBERED_MAX }
    }
}

impl std::fmt::Debug for Remember {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Remember").field("most", &self.most).finish_non_exhaustive()
    }
}

/// What the table says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not before; it is remembered now.
    First,
    /// Before, on this line.
    Before(u32),
    /// Not among those remembered, and there is no room.
    Full,
}

pub(super) struct Table {
    key: SipHasher13,
    left: u32,
    shards: Vec<Shard>,
}

#[derive(Default)]
struct Shard {
    used: usize,
    /// 0 is an empty slot.
    hashes: Vec<u64>,
    lines: Vec<u32>,
}

impl Table {
    pub(super) fn new(remember: Remember) -> Self {
        Self {
            key: SipHasher13::new_with_key(&remember.key),
            left: remember.most.min(REMEMBERED_MAX),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }
    }

    /// Looks for a normalised address, and remembers it.
    pub(super) fn see(&mut self, normalised: &str, line: u64) -> Seen {
        let mut hasher = self.key;
        hasher.write(normalised.as_bytes());
        let hash = hasher.finish().max(1);
        // The shard by the lowest bits, the slot by the highest.
        let shard = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get_mut(shard) else { return Seen::Full };
        if let Some(line) = shard.find(hash) {
            return Seen::Before(line);
        }
        if self.left == 0 {
            return Seen::Full;
        }
        self.left -= 1;
        shard.insert(hash, u32::try_from(line).unwrap_or(u32::MAX));
        Seen::First
    }

    /// Octets that the table takes.
    #[cfg(test)]
    pub(super) fn octets(&self) -> usize {
        self.shards.iter().map(|shard| shard.hashes.capacity() * 8 + shard.lines.capacity() * 4).sum()
    }
}

impl Shard {
    fn find(&self, hash: u64) -> Option<u32> {
        let mut at = slot(hash, self.hashes.len());
        loop {
            match *self.hashes.get(at)? {
                0 => return None,
                other if other == hash => return self.lines.get(at).copied(),
                _ => at = if at + 1 == self.hashes.len() { 0 } else { at + 1 },
            }
        }
    }

    fn insert(&mut self, hash: u64, line: u32) {
        if (self.used + 1) * 5 > self.hashes.len() * 4 {
            let slots = (self.hashes.len() * 3 / 2).max(SLOTS_AT_FIRST);
            let hashes = std::mem::replace(&mut self.hashes, vec![0; slots]);
            let lines = std::mem::replace(&mut self.lines, vec![0; slots]);
            for (hash, line) in hashes.into_iter().zip(lines).filter(|(hash, _)| *hash != 0) {
                self.place(hash, line);
            }
        }
        self.place(hash, line);
        self.used += 1;
    }

    /// There is always an empty slot: the table is never more than four fifths full.
    fn place(&mut self, hash: u64, line: u32) {
        let mut at = slot(hash, self.hashes.len());
        while self.hashes.get(at).is_some_and(|other| *other != 0) {
            at = if at + 1 == self.hashes.len() { 0 } else { at + 1 };
        }
        if let (Some(slot), Some(of)) = (self.hashes.get_mut(at), self.lines.get_mut(at)) {
            *slot = hash;
            *of = line;
        }
    }
}

/// The place of a hash among `slots`, in order of the hash, without a division.
fn slot(hash: u64, slots: usize) -> usize {
    usize::try_from((u128::from(hash) * slots as u128) >> 64).unwrap_or(0)
}
