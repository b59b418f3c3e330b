//! C2SP tlog-tiles: names of tiles and entry bundles, the form of a bundle, and reading tree hashes out of tiles.
//!
//! Invariants: a [`Tile`] has a width of 1 to 256 and a path that parses back to itself; nothing outside
//! `tile/<0-7 or entries>/…` can be expressed, so a path never leaves the log folder. Pure code: bytes come from the
//! closure that the caller passes to [`TileHashes`].

use std::fmt;
use std::str::FromStr;

use crate::entry::ENTRY_BYTES_MAX;
use crate::error::Error;
use crate::tree::{Hash, HashSource, node_hash};

/// Hashes in a full tile and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Bytes of a full hash tile.
pub const TILE_BYTES_MAX: usize = 256 * 32;
/// Most bytes of an entry bundle.
pub const BUNDLE_BYTES_MAX: usize = 256 * (2 + ENTRY_BYTES_MAX);
/// Highest tile level that a tree of at most 2^62 entries has (the format allows 63).
pub const LEVEL_MAX: u8 = 7;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Entries, each with its length.
    Entries,
    /// Hashes of subtrees over 256^level entries.
    Hashes {
        /// 0 holds leaf hashes.
        level: u8,
    },
}

impl Kind {
    // Power of two of the entries that one item stands for.
    fn shift(self) -> u32 {
        match self {
            Self::Entries => 0,
            Self::Hashes { level } => u32::from(level) * 8,
        }
    }
}

/// One file of the log: a hash tile or an entry bundle, full (256) or partial (1 to 255).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    kind: Kind,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile `index` of its kind in a tree of `size` entries, at the width it has there; `None` if the tree does
    /// not reach it or there is no such level.
    #[must_use]
    pub fn at(kind: Kind, index: u64, size: u64) -> Option<Self> {
        if matches!(kind, Kind::Hashes { level } if level > LEVEL_MAX) {
            return None;
        }
        let items = size >> kind.shift();
        let left = items.checked_sub(index.checked_mul(u64::from(TILE_WIDTH))?)?;
        let width = u16::try_from(left.min(u64::from(TILE_WIDTH))).ok()?;
        (width > 0).then_some(Self { kind, index, width })
    }

    /// What it holds.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// Its number within the level.
    #[must_use]
    pub fn index(self) -> u64 {
        self.index
    }

    /// Number of hashes or entries, 1 to 256.
    #[must_use]
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it can grow no more.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The same tile at its full width.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// Position of its first item within the level; for bundles and level 0 the index of the first entry.
    #[must_use]
    pub fn first(self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// Path below the log folder, such as `tile/0/x001/x234/067.p/8`.
    #[must_use]
    pub fn path(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => f.write_str("tile/entries/")?,
            Kind::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        let mut group = 1u64;
        while self.index / group >= 1_000 {
            group *= 1_000;
        }
        while group > 1 {
            write!(f, "x{:03}/", self.index / group % 1_000)?;
            group /= 1_000;
        }
        write!(f, "{:03}", self.index % 1_000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = Error;

    fn from_str(path: &str) -> Result<Self, Error> {
        parse_path(path)
            // One tile, one path: whatever does not print back the same (leading zeros, a width of 256) is refused.
            .filter(|tile| tile.path() == path)
            .ok_or(Error::Malformed { what: "tile path", expected: "tile/<level>/<number>[.p/<width>]" })
    }
}

fn parse_path(path: &str) -> Option<Tile> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let kind = if level == "entries" { Kind::Entries } else { Kind::Hashes { level: level.parse().ok()? } };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let mut index = 0u64;
    for group in number.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        index = index.checked_mul(1_000)?.checked_add(digits.parse::<u16>().ok()?.into())?;
    }
    let level_known = !matches!(kind, Kind::Hashes { level } if level > LEVEL_MAX);
    let index_known = index <= crate::tree::TREE_SIZE_MAX >> 8;
    (level_known && index_known && (1..=TILE_WIDTH).contains(&width)).then_some(Tile { kind, index, width })
}

/// The tiles and bundles whose content differs between a tree of `old` and one of `new` entries: bundles first, then
/// level by level, so that whoever writes in this order never has a hash on disk without its entry.
pub fn tiles_for_growth(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let levels = (0..=LEVEL_MAX).map(|level| Kind::Hashes { level });
    std::iter::once(Kind::Entries).chain(levels).flat_map(move |kind| {
        let (before, after) = (old >> kind.shift(), new >> kind.shift());
        let range = if before < after { before / 256..after.div_ceil(256) } else { 0..0 };
        range.filter_map(move |index| Tile::at(kind, index, new))
    })
}

/// Appends one entry to a bundle. C2SP tlog-tiles, "Log entries": big-endian uint16 length, then the entry.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(entry.len()).map_err(|_| Error::EntryTooLong { length: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Walks a bundle. Ends with an error if the last entry is cut short.
#[derive(Clone, Debug)]
pub struct BundleEntries<'a> {
    rest: &'a [u8],
}

impl<'a> BundleEntries<'a> {
    /// Starts at the first entry.
    #[must_use]
    pub fn new(bundle: &'a [u8]) -> Self {
        Self { rest: bundle }
    }

    /// What is not yet read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for BundleEntries<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let cut = self.rest.split_first_chunk::<2>().and_then(|(length, rest)| {
            let length = usize::from(u16::from_be_bytes(*length));
            rest.split_at_checked(length)
        });
        let Some((entry, rest)) = cut else {
            self.rest = &[];
            return Some(Err(Error::Malformed { what: "entry bundle", expected: "the whole of its last entry" }));
        };
        self.rest = rest;
        Some(Ok(entry))
    }
}

/// Tree hashes out of tiles. `read` gets a tile at the width it has in a tree of `size` and returns exactly its bytes.
pub struct TileHashes<R> {
    size: u64,
    read: R,
    // Most recently read last; proofs touch a handful of tiles, many of them twice.
    recent: Vec<(Tile, Vec<u8>)>,
}

impl<R: FnMut(Tile) -> Result<Vec<u8>, Error>> TileHashes<R> {
    /// A source for the tree of `size` entries.
    pub fn new(size: u64, read: R) -> Self {
        Self { size, read, recent: Vec::new() }
    }

    fn tile(&mut self, tile: Tile) -> Result<&[u8], Error> {
        let position = match self.recent.iter().position(|(known, _)| *known == tile) {
            Some(position) => position,
            None => {
                let bytes = (self.read)(tile)?;
                if self.recent.len() >= TILES_KEPT_MAX {
                    self.recent.remove(0);
                }
                self.recent.push((tile, bytes));
                self.recent.len() - 1
            }
        };
        Ok(self.recent.get(position).map(|(_, bytes)| bytes.as_slice()).unwrap_or_default())
    }
}

impl<R: FnMut(Tile) -> Result<Vec<u8>, Error>> HashSource for TileHashes<R> {
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Error> {
        let outside = Error::OutsideTree { index, size: self.size };
        // Binary level b lies b % 8 floors above the hashes stored in tiles of level b / 8.
        let (kind, above) = (Kind::Hashes { level: level / 8 }, level % 8);
        let Some(position) = index.checked_mul(1 << above) else { return Err(outside) };
        let Some(tile) = Tile::at(kind, position / 256, self.size) else { return Err(outside) };
        let first = usize::try_from(position % 256).unwrap_or(usize::MAX);
        let (hashes, _) = self.tile(tile)?.as_chunks::<32>();
        let Some(span) = hashes.get(first..first.saturating_add(1 << above)) else { return Err(outside) };
        let mut floor = span.to_vec();
        while floor.len() > 1 {
            floor = floor.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
        }
        floor.first().copied().ok_or(outside)
    }
}

const TILES_KEPT_MAX: usize = 32;
const PATH_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests;
