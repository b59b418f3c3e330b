//! A log as a folder: `checkpoint` and `tile/…`, servable by any static server and copyable by any file copy.
//!
//! The folder is an export: entries and hashes are truth in the store, and [`rebuild`] makes the folder anew from
//! them. Invariants: files appear whole (written beside, synced, renamed); bundles and tiles are durable before the
//! checkpoint that needs them, so at every instant the published checkpoint can be verified; a checkpoint is published
//! only for the tree that the folder holds, and never for one that is inconsistent with the one before; a partial tile
//! is removed only after a checkpoint that has it full is durable. One writer per folder (the store's lease).
//! The only module of the crate that touches files. C2SP tlog-tiles.

mod disk;
mod read;
mod rebuild;
mod verify;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, SignedCheckpoint};
use crate::error::Error;
use crate::growth::Growth;
use crate::proof::LogProof;
use crate::tile::{BUNDLE_BYTES_MAX, Kind, TILE_BYTES_MAX, Tile, TileHashes, push_entry};
use crate::tree::{Frontier, Hash, leaf_hash, prove_consistency, prove_inclusion, verify_consistency};

pub use read::Entries;
pub use rebuild::rebuild;
pub use verify::{Audit, Report, verify};

/// File name of the checkpoint.
pub const CHECKPOINT_FILE: &str = "checkpoint";

/// A log folder that is being written or read.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    frontier: Frontier,
    // Size of the checkpoint on disk: partial tiles up to here may be in use by readers.
    published: u64,
}

impl Folder {
    /// Opens a folder at the size of its checkpoint, or an empty one. Fails if its tiles do not lead to that
    /// checkpoint's root (then [`rebuild`]). Tiles written after the last checkpoint are simply written again.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = dir.into();
        let Some(signed) = read_checkpoint(&dir)? else {
            return Ok(Self { dir, frontier: Frontier::new(), published: 0 });
        };
        let checkpoint = signed.checkpoint();
        let size = checkpoint.size();
        let frontier = Frontier::load(size, &mut TileHashes::new(size, |tile| read_tile(&dir, tile)))?;
        if frontier.root() != *checkpoint.root() {
            return Err(Error::WrongRoot { size });
        }
        Ok(Self { dir, frontier, published: size })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the tree over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The tree's right edge.
    #[must_use]
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The checkpoint on disk, unverified; `None` in a new folder.
    pub fn checkpoint(&self) -> Result<Option<SignedCheckpoint>, Error> {
        read_checkpoint(&self.dir)
    }

    /// Appends entries, the first of which has index `first_index` (must be [`Folder::size`]). Writes every bundle and
    /// hash tile that changes, full or partial, and returns when they are durable. After an error the folder still
    /// stands at its old size and the call can be repeated.
    pub fn extend(&mut self, first_index: u64, entries: &[impl AsRef<[u8]>]) -> Result<(), Error> {
        self.extend_from(first_index, entries.iter().map(Ok::<_, Error>)).map(|_| ())
    }

    /// Publishes a checkpoint, whose size and root must be those of the folder, and removes partial tiles that it
    /// supersedes. May be called again for the same tree with more signatures.
    pub fn write_checkpoint(&mut self, signed: &SignedCheckpoint) -> Result<(), Error> {
        let checkpoint = signed.checkpoint();
        let size = self.frontier.size();
        // C2SP tlog-checkpoint, "Signatures": never one that contradicts the tiles beside it.
        if checkpoint.size() != size || *checkpoint.root() != self.frontier.root() {
            return Err(Error::WrongRoot { size: checkpoint.size() });
        }
        if let Some(before) = self.checkpoint()? {
            self.check_successor(before.checkpoint(), checkpoint)?;
        }
        disk::write_durable(&self.dir, CHECKPOINT_FILE, signed.to_string().as_bytes())?;
        disk::sync_folders(&self.dir, &BTreeSet::from([self.dir.clone()]))?;
        // Crash here: superfluous partial tiles stay; they are right, only not needed.
        self.prune(self.published, size)?;
        self.published = size;
        Ok(())
    }

    /// One entry.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Error> {
        let outside = Error::OutsideTree { index, size: self.size() };
        self.entries(index)?.next().unwrap_or(Err(outside))
    }

    /// All entries from `first` on, one bundle in memory at a time.
    pub fn entries(&self, first: u64) -> Result<Entries<'_>, Error> {
        Entries::new(&self.dir, first, self.size())
    }

    /// The receipt of an entry under the checkpoint on disk, with the entry enclosed.
    pub fn prove(&self, index: u64) -> Result<LogProof, Error> {
        let signed = self.checkpoint()?.ok_or(Error::NoCheckpoint)?;
        let path = prove_inclusion(&mut self.hashes(), index, signed.checkpoint().size())?;
        Ok(LogProof::new(index, path, signed, Some(self.entry(index)?)))
    }

    /// Proof that the first `old` entries are still what they were, for a witness: from `old` to `new`.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        prove_consistency(&mut self.hashes(), old, new)
    }

    fn hashes(&self) -> TileHashes<impl FnMut(Tile) -> Result<Vec<u8>, Error> + '_> {
        TileHashes::new(self.size(), |tile| read_tile(&self.dir, tile))
    }

    // Returns how many entries were appended. An error of the iterator passes through and appends none.
    fn extend_from<B: AsRef<[u8]>, E: From<Error>>(
        &mut self,
        first_index: u64,
        entries: impl Iterator<Item = Result<B, E>>,
    ) -> Result<u64, E> {
        let size = self.size();
        if first_index != size {
            return Err(Error::NotNext { size, offered: first_index }.into());
        }
        let mut growth = Growth::resume(self.frontier.clone(), |tile| read_tile(&self.dir, tile))?;
        let mut writer = Writer { dir: &self.dir, touched: BTreeSet::new() };
        let mut bundle = match Tile::at(Kind::Entries, size / 256, size) {
            Some(tile) => read_bundle(&self.dir, tile)?,
            None => Vec::new(),
        };
        for entry in entries {
            let entry = entry?;
            push_entry(&mut bundle, entry.as_ref())?;
            let reached = growth.frontier().size() + 1;
            if reached.is_multiple_of(256) {
                // Before the tiles: a hash on disk always has its entry beside it.
                writer.put(Tile::at(Kind::Entries, reached / 256 - 1, reached), &bundle)?;
                bundle.clear();
            }
            growth.push(leaf_hash(entry.as_ref()), |tile, bytes| writer.put(Some(tile), bytes))?;
        }
        let reached = growth.frontier().size();
        if reached > size {
            writer.put(Tile::at(Kind::Entries, reached / 256, reached), &bundle)?;
            growth.finish(|tile, bytes| writer.put(Some(tile), bytes))?;
            disk::sync_folders(&self.dir, &writer.touched)?;
        }
        self.frontier = growth.frontier().clone();
        Ok(reached - size)
    }

    // Another writer may have published since this folder was opened (a lease lost and not noticed): never step back.
    fn check_successor(&self, before: &Checkpoint, now: &Checkpoint) -> Result<(), Error> {
        let (old, new) = (before.size(), now.size());
        if before.origin() != now.origin() {
            return Err(Error::OtherLog { expected: before.origin().to_owned(), found: now.origin().to_owned() });
        }
        if old > new {
            return Err(Error::Shrunk { earlier: old, now: new });
        }
        if old > self.published || (old == new && before.root() != now.root()) {
            let path = self.prove_consistency(old, new)?;
            return verify_consistency((old, before.root()), (new, now.root()), &path);
        }
        Ok(())
    }

    // C2SP tlog-tiles, "Partial Tiles": may be deleted once the full tile is available.
    fn prune(&self, old: u64, new: u64) -> Result<(), Error> {
        for tile in crate::tile::tiles_for_growth(old, new).filter(|tile| tile.is_full()) {
            disk::remove_folder(&self.dir, &format!("{tile}.p"))?;
        }
        Ok(())
    }
}

struct Writer<'a> {
    dir: &'a Path,
    touched: BTreeSet<PathBuf>,
}

impl Writer<'_> {
    fn put(&mut self, tile: Option<Tile>, bytes: &[u8]) -> Result<(), Error> {
        let Some(tile) = tile else { return Ok(()) };
        let folder = disk::write_durable(self.dir, &tile.path(), bytes)?;
        self.touched.insert(folder);
        Ok(())
    }
}

fn read_checkpoint(dir: &Path) -> Result<Option<SignedCheckpoint>, Error> {
    let mut bytes = Vec::new();
    if !disk::read(dir, CHECKPOINT_FILE, CHECKPOINT_BYTES_MAX, &mut bytes)? {
        return Ok(None);
    }
    SignedCheckpoint::parse(&bytes).map(Some)
}

fn read_tile(dir: &Path, tile: Tile) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(TILE_BYTES_MAX);
    read::tile_into(dir, tile, &mut bytes)?;
    Ok(bytes)
}

fn read_bundle(dir: &Path, tile: Tile) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(BUNDLE_BYTES_MAX.min(1 << 16));
    read::bundle_into(dir, tile, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
