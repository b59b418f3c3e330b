//! Checking a copied log folder, offline: signature, every entry, every tile, the root, and earlier checkpoints.
//!
//! Streams: one bundle and one unfinished tile per level are in memory, whatever the size of the log. The whole tree is
//! computed from the entries, so nothing in the folder but the entries and the signed root is believed. An earlier
//! checkpoint, kept by a controller or a witness, is compared with the root that the same entries had at that size:
//! this is what finds history that was rewritten and signed again with the log's own key.

use std::path::Path;

use super::{read, read_checkpoint};
use crate::checkpoint::{Checkpoint, Cosignature};
use crate::error::Error;
use crate::growth::Growth;
use crate::key::VerifierKey;
use crate::tile::{BundleEntries, Kind, Tile};
use crate::tree::{Hash, empty_root, leaf_hash};

/// Against what a folder is checked.
#[derive(Clone, Copy, Debug)]
pub struct Audit<'a> {
    /// The log's key, got from a place other than the folder.
    pub log: &'a VerifierKey,
    /// Witnesses whose cosignatures are checked when present.
    pub witnesses: &'a [VerifierKey],
    /// Checkpoints of this log from earlier, already verified; in any order.
    pub earlier: &'a [Checkpoint],
}

/// What was checked and found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The log.
    pub origin: String,
    /// Entries in the log.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// Entries that were hashed: equal to `size`.
    pub entries_checked: u64,
    /// Hash tiles that were compared.
    pub tiles_checked: u64,
    /// Earlier checkpoints that the log extends.
    pub earlier_checked: usize,
    /// Known witnesses that cosigned the checkpoint.
    pub cosignatures: Vec<Cosignature>,
}

/// Checks a folder from end to end. The error names the first bad index or file.
pub fn verify(dir: &Path, audit: &Audit<'_>) -> Result<Report, Error> {
    let signed = read_checkpoint(dir)?.ok_or(Error::NoCheckpoint)?;
    let checkpoint = signed.verify(audit.log)?;
    let cosignatures = signed.cosignatures(audit.witnesses)?;
    let mut walk = Walk::new(dir, checkpoint.size(), Earlier::sorted(checkpoint, audit.earlier)?);
    for index in 0..checkpoint.size().div_ceil(256) {
        walk.bundle(index)?;
    }
    walk.finish()?;
    let found = walk.growth.frontier().root();
    if found != *checkpoint.root() {
        return Err(Error::WrongRoot { size: checkpoint.size() });
    }
    Ok(Report {
        origin: checkpoint.origin().to_owned(),
        size: checkpoint.size(),
        root: found,
        entries_checked: walk.growth.frontier().size(),
        tiles_checked: walk.tiles_checked,
        earlier_checked: audit.earlier.len(),
        cosignatures,
    })
}

// Earlier checkpoints still to be reached, the nearest last.
struct Earlier(Vec<(u64, Hash)>);

impl Earlier {
    fn sorted(now: &Checkpoint, earlier: &[Checkpoint]) -> Result<Self, Error> {
        let mut waiting = Vec::with_capacity(earlier.len());
        for checkpoint in earlier {
            if checkpoint.origin() != now.origin() {
                let (expected, found) = (now.origin().to_owned(), checkpoint.origin().to_owned());
                return Err(Error::OtherLog { expected, found });
            }
            if checkpoint.size() > now.size() {
                return Err(Error::Shrunk { earlier: checkpoint.size(), now: now.size() });
            }
            if checkpoint.size() == 0 && *checkpoint.root() != empty_root() {
                return Err(Error::HistoryRewritten { size: 0 });
            }
            if checkpoint.size() > 0 {
                waiting.push((checkpoint.size(), *checkpoint.root()));
            }
        }
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Self(waiting))
    }

    fn reached(&mut self, growth: &Growth) -> Result<(), Error> {
        let size = growth.frontier().size();
        while let Some((_, root)) = self.0.pop_if(|(next, _)| *next == size) {
            if growth.frontier().root() != root {
                return Err(Error::HistoryRewritten { size });
            }
        }
        Ok(())
    }
}

struct Walk<'a> {
    dir: &'a Path,
    size: u64,
    earlier: Earlier,
    growth: Growth,
    bundle: Vec<u8>,
    tile: Vec<u8>,
    tiles_checked: u64,
}

impl<'a> Walk<'a> {
    fn new(dir: &'a Path, size: u64, earlier: Earlier) -> Self {
        let (growth, bundle, tile) = (Growth::new(), Vec::new(), Vec::new());
        Self { dir, size, earlier, growth, bundle, tile, tiles_checked: 0 }
    }

    fn bundle(&mut self, index: u64) -> Result<(), Error> {
        let outside = Error::OutsideTree { index: index * 256, size: self.size };
        let tile = Tile::at(Kind::Entries, index, self.size).ok_or(outside)?;
        read::bundle_into(self.dir, tile, &mut self.bundle)?;
        for entry in BundleEntries::new(&self.bundle) {
            let leaf = leaf_hash(entry?);
            self.growth.push(leaf, |tile, computed| {
                self.tiles_checked += 1;
                compare(self.dir, tile, computed, &mut self.tile)
            })?;
            self.earlier.reached(&self.growth)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.growth.finish(|tile, computed| {
            self.tiles_checked += 1;
            compare(self.dir, tile, computed, &mut self.tile)
        })?;
        Ok(())
    }
}

fn compare(dir: &Path, tile: Tile, computed: &[u8], stored: &mut Vec<u8>) -> Result<(), Error> {
    read::tile_into(dir, tile, stored)?;
    if stored == computed {
        return Ok(());
    }
    let (stored, computed) = (stored.as_chunks::<32>().0, computed.as_chunks::<32>().0);
    let position = stored.iter().zip(computed).position(|(a, b)| a != b).unwrap_or_default();
    let path = tile.path();
    if tile.kind() == (Kind::Hashes { level: 0 }) {
        let index = tile.first() + u64::try_from(position).unwrap_or_default();
        return Err(Error::EntryMismatch { index, path });
    }
    Err(Error::TileMismatch { path, position })
}
