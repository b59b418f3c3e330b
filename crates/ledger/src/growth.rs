//! A tree that grows and hands out its hash tiles as they fill: the one place where tiles are made.
//!
//! Invariants: at most one unfinished tile per level is held (8 levels × 8 KiB); every full tile is emitted exactly
//! once, level 0 before level 1; [`Growth::finish`] emits the unfinished ones that changed. Writing a folder, checking
//! a folder and keeping tiles in a database all drive this one machine with another `emit`. Pure code.

use crate::error::Error;
use crate::tile::{Kind, LEVEL_MAX, TILE_BYTES_MAX, Tile};
use crate::tree::{Frontier, Hash};

/// The right edge of a tiled tree.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    frontier: Frontier,
    levels: Vec<Edge>,
}

#[derive(Clone, Debug, Default)]
struct Edge {
    hashes: Vec<u8>,
    changed: bool,
}

impl Growth {
    /// From the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From an existing tree: `read` returns the bytes of each unfinished hash tile on its right edge.
    pub fn resume(frontier: Frontier, mut read: impl FnMut(Tile) -> Result<Vec<u8>, Error>) -> Result<Self, Error> {
        let mut levels = Vec::new();
        for level in 0..=LEVEL_MAX {
            let items = frontier.size() >> (u32::from(level) * 8);
            if items == 0 {
                break;
            }
            let mut edge = Edge::default();
            if let Some(tile) = Tile::at(Kind::Hashes { level }, items / 256, frontier.size()) {
                edge.hashes = read(tile)?;
            }
            levels.push(edge);
        }
        Ok(Self { frontier, levels })
    }

    /// Appends a leaf and emits the tiles that it fills.
    pub fn push<E>(&mut self, leaf: Hash, mut emit: impl FnMut(Tile, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let levels = &mut self.levels;
        self.frontier.push_each(leaf, |level, _, hash| {
            if level % 8 == 0 {
                let tile_level = usize::from(level / 8);
                if levels.len() <= tile_level {
                    levels.push(Edge::default());
                }
                if let Some(edge) = levels.get_mut(tile_level) {
                    edge.hashes.extend_from_slice(hash);
                    edge.changed = true;
                }
            }
        });
        let size = self.frontier.size();
        for (level, edge) in (0u8..).zip(&mut self.levels) {
            if edge.hashes.len() < TILE_BYTES_MAX {
                break;
            }
            let items = size >> (u32::from(level) * 8);
            if let Some(tile) = Tile::at(Kind::Hashes { level }, (items / 256).saturating_sub(1), size) {
                emit(tile, &edge.hashes)?;
            }
            edge.hashes.clear();
            edge.changed = false;
        }
        Ok(())
    }

    /// Emits the unfinished tiles that changed since the start (or the last call), and gives the tree's edge.
    pub fn finish<E>(&mut self, mut emit: impl FnMut(Tile, &[u8]) -> Result<(), E>) -> Result<&Frontier, E> {
        let size = self.frontier.size();
        for (level, edge) in (0u8..).zip(&mut self.levels) {
            let items = size >> (u32::from(level) * 8);
            let tile = Tile::at(Kind::Hashes { level }, items / 256, size);
            if let Some(tile) = tile.filter(|_| edge.changed) {
                emit(tile, &edge.hashes)?;
            }
            edge.changed = false;
        }
        Ok(&self.frontier)
    }

    /// The tree's edge now.
    #[must_use]
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}

#[cfg(test)]
mod tests;
