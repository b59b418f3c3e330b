//! The registry of every SQL text that the engines share.
//!
//! Invariants: parameters are numbered `?N` without gaps (SQLite numbers `$N` by first appearance, so the
//! PostgreSQL engine translates, never the other way round); no triggers, savepoints, `now()` or `json` operators;
//! ids and times are bound; `ON CONFLICT` names its columns. A test prepares every text on SQLite.
//! Never: a value pasted into a text.

mod journal;
mod policy;
mod spool;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
mod vault;

pub(crate) use journal::*;
pub(crate) use policy::*;
pub(crate) use spool::*;
pub(crate) use vault::*;

/// One SQL text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement {
    /// Its name in the registry and in errors.
    pub(crate) name: &'static str,
    /// How many parameters it takes.
    #[cfg_attr(not(test), expect(dead_code, reason = "the registry's test compares it with what the engine says"))]
    pub(crate) params: usize,
    /// The text.
    pub(crate) text: &'static str,
}

/// Declares statements and the list that the registry's test walks.
macro_rules! statements {
    ($list:ident: $($(#[$doc:meta])* $name:ident($params:literal) = $text:expr;)+) => {
        $($(#[$doc])*
        pub(crate) const $name: crate::statement::Statement =
            crate::statement::Statement { name: stringify!($name), params: $params, text: $text };)+

        /// Every statement of this part.
        #[cfg(test)]
        pub(crate) const $list: &[crate::statement::Statement] = &[$($name),+];
    };
}
use statements;
