//! How far a copy into a store has come: kept in the target itself, so that a page and the record of it are one
//! commit.
//!
//! Never: a node on a store that is not whole.

use crate::error::{Error, Result};

/// What is recorded of each table of a database.
pub(super) const PROGRESS: &str = "SELECT name, source, copied, last, stage FROM copy_state ORDER BY name";
/// A table whose copy begins: name, source.
pub(super) const BEGIN: &str = "INSERT INTO copy_state (name, source, copied, last, stage) VALUES (?1, ?2, 0, NULL, 0)";
/// A page was copied: name, rows now, last key now, stage, rows before. No row touched means that somebody else
/// works on this target.
pub(super) const STEP: &str =
    "UPDATE copy_state SET copied = ?2, last = ?3, stage = ?4 WHERE name = ?1 AND copied = ?5";
/// The whole database was compared: stage.
pub(super) const CONFIRM: &str = "UPDATE copy_state SET stage = ?1";
/// Is a copy into this store not finished? Asked by each start of a node.
pub(crate) const UNFINISHED: &str = "SELECT name FROM copy_state WHERE stage < 2 ORDER BY name LIMIT 1";

/// How far a table has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// Rows are missing.
    Copying = 0,
    /// All rows are there.
    Copied = 1,
    /// And were compared.
    Confirmed = 2,
}

/// What is recorded of a table.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) name: String,
    /// What the store is a copy of.
    pub(super) source: Vec<u8>,
    /// Rows so far.
    pub(super) copied: i64,
    /// Key of the last one.
    pub(super) last: Option<Vec<u8>>,
    pub(super) stage: Stage,
}

impl Progress {
    pub(super) fn stage_of(number: i64) -> Result<Stage> {
        match number {
            0 => Ok(Stage::Copying),
            1 => Ok(Stage::Copied),
            2 => Ok(Stage::Confirmed),
            _ => Err(Error::Row { column: "copy_state.stage" }),
        }
    }
}

/// What a page adds to the record.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) before: i64,
    pub(super) copied: i64,
    pub(super) last: Option<Vec<u8>>,
    pub(super) stage: Stage,
}
