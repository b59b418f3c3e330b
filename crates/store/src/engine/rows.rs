//! Rows in general: what is read and written rarely enough that both engines run one text with values as they are.
//!
//! A verb whose text stands in the registry and whose values are [`Value`]s needs no line in either engine.

use crate::statement::Statement;
use crate::value::Value;

/// A question.
#[derive(Clone)]
pub(crate) struct Finding {
    /// Its text.
    pub(crate) statement: &'static Statement,
    /// Its parameters, in order.
    pub(crate) values: Vec<Value>,
}

/// A write among others of one commit.
#[derive(Clone)]
pub(crate) struct Step {
    /// Its text.
    pub(crate) statement: &'static Statement,
    /// Its parameters, in order.
    pub(crate) values: Vec<Value>,
}

/// Writes of one commit. What the first one touched is the answer; when that is nothing, the others are not done, and
/// the ledger has no entry.
#[derive(Clone)]
pub(crate) struct Writes {
    /// Whose.
    pub(crate) controller: i64,
    /// Whom it is about, if it is about a person.
    pub(crate) person: Option<[u8; 16]>,
    /// Does it change what is kept in memory of all accounts?
    pub(crate) reach: Reach,
    /// What it makes, for the error when that is there already.
    pub(crate) what: &'static str,
    /// The id of the ledger entry, where a row refers to it.
    pub(crate) event: Option<[u8; 16]>,
    /// What the ledger commits to.
    pub(crate) detail: [u8; 32],
    /// In order.
    pub(crate) steps: Vec<Step>,
}

/// What a write changes beyond its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// The controller's permission generation alone rises.
    Rows,
    /// That, and the picture of all accounts in memory is read anew.
    Accounts,
    /// Nothing: no decision depends on it.
    Nothing,
}

impl std::fmt::Debug for Writes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writes").field("what", &self.what).field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl Step {
    /// A text and its values.
    pub(crate) const fn new(statement: &'static Statement, values: Vec<Value>) -> Self {
        Self { statement, values }
    }
}
