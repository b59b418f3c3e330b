//! Reading tiles and bundles of a folder at the width they have in a tree of a given size.
//!
//! A partial file may have been superseded by the full one (C2SP tlog-tiles, "Partial Tiles"), so the full one's
//! first items serve instead. Lengths are checked here: what comes out is exactly `width` items.

use std::path::Path;

use super::disk;
use crate::error::Error;
use crate::tile::{BUNDLE_BYTES_MAX, BundleEntries, Kind, TILE_BYTES_MAX, Tile};

/// Reads a hash tile into `bytes`: exactly `width` hashes.
pub(super) fn tile_into(dir: &Path, tile: Tile, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let found = load(dir, tile, TILE_BYTES_MAX, bytes)?;
    if found.is_full() && !tile.is_full() && bytes.len() == TILE_BYTES_MAX {
        bytes.truncate(usize::from(tile.width()) * 32);
    }
    let whole = u64::try_from(bytes.len() / 32).unwrap_or(u64::MAX);
    if bytes.len() != usize::from(tile.width()) * 32 {
        let index = tile.first() + whole.min(tile.width().into());
        return Err(Error::WrongLength { path: found.path(), width: found.width(), index });
    }
    Ok(())
}

/// Reads a bundle into `bytes`: exactly `width` entries.
pub(super) fn bundle_into(dir: &Path, tile: Tile, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let found = load(dir, tile, BUNDLE_BYTES_MAX, bytes)?;
    let mut entries = BundleEntries::new(bytes);
    for position in 0..tile.width() {
        if !matches!(entries.next(), Some(Ok(_))) {
            let index = tile.first() + u64::from(position);
            return Err(Error::WrongLength { path: found.path(), width: found.width(), index });
        }
    }
    let rest = entries.rest().len();
    if rest > 0 && found == tile {
        let index = tile.first() + u64::from(tile.width());
        return Err(Error::WrongLength { path: found.path(), width: found.width(), index });
    }
    bytes.truncate(bytes.len() - rest);
    Ok(())
}

// Which file was read: the tile itself or the full one in its place.
fn load(dir: &Path, tile: Tile, limit: usize, bytes: &mut Vec<u8>) -> Result<Tile, Error> {
    for candidate in [tile, tile.full()] {
        if disk::read(dir, &candidate.path(), limit, bytes)? {
            return Ok(candidate);
        }
    }
    Err(Error::Missing { path: tile.path() })
}

/// Entries of a folder in order; one bundle in memory at a time.
#[derive(Debug)]
pub struct Entries<'a> {
    dir: &'a Path,
    next: u64,
    size: u64,
    bundle: Vec<u8>,
    // Where the next entry begins; at the end of the bundle, the next bundle is read.
    offset: usize,
}

impl<'a> Entries<'a> {
    pub(super) fn new(dir: &'a Path, first: u64, size: u64) -> Result<Self, Error> {
        if first > size {
            return Err(Error::OutsideTree { index: first, size });
        }
        let start = first - first % 256;
        let mut entries = Self { dir, next: start, size, bundle: Vec::new(), offset: 0 };
        for _ in start..first {
            entries.step()?;
        }
        Ok(entries)
    }

    fn step(&mut self) -> Result<Option<&[u8]>, Error> {
        if self.next >= self.size {
            return Ok(None);
        }
        if self.offset >= self.bundle.len() {
            let missing = Error::OutsideTree { index: self.next, size: self.size };
            let tile = Tile::at(Kind::Entries, self.next / 256, self.size).ok_or(missing)?;
            bundle_into(self.dir, tile, &mut self.bundle)?;
            self.offset = 0;
        }
        let rest = self.bundle.get(self.offset..).unwrap_or_default();
        let Some(entry) = BundleEntries::new(rest).next().transpose()? else { return Ok(None) };
        self.next += 1;
        self.offset += 2 + entry.len();
        Ok(Some(entry))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(entry) => entry.map(|entry| Ok(entry.to_vec())),
            Err(error) => {
                self.next = self.size;
                Some(Err(error))
            }
        }
    }
}
