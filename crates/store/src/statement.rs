//! The registry of every SQL text that the engines share.
//!
//! Invariants: parameters are numbered `?N` without gaps (SQLite numbers `$N` by first appearance, so the
//! PostgreSQL engine translates, never the other way round); no triggers, savepoints, `now()` or `json` operators;
//! ids and times are bound; `ON CONFLICT` names its columns. A test prepares every text on SQLite.
//! Never: a value pasted into a text.

mod authority;
mod cluster;
mod decisions;
mod egress;
mod feedback;
mod hosts;
mod journal;
mod permission;
mod policy;
mod postgres;
mod queue;
mod retention;
mod sites;
mod spool;
#[cfg(test)]
mod table;
mod tags;
#[cfg(test)]
mod tests;
mod tls_reports;
mod tombstones;
mod transport;
mod vault;

pub(crate) use authority::*;
pub(crate) use cluster::*;
pub(crate) use decisions::*;
pub(crate) use egress::*;
pub(crate) use feedback::*;
pub(crate) use hosts::*;
pub(crate) use journal::*;
pub(crate) use permission::*;
pub(crate) use policy::*;
pub(crate) use postgres::*;
pub(crate) use queue::*;
pub(crate) use retention::*;
pub(crate) use sites::*;
pub(crate) use spool::*;
pub(crate) use tags::*;
pub(crate) use tls_reports::*;
pub(crate) use tombstones::*;
pub(crate) use transport::*;
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

/// The columns of a queue row, in the order in which the engines read them back.
macro_rules! queued {
    ($rest:literal) => {
        concat!(
            "SELECT id, controller, stream, kind, site, tag, block, slot, domain, body, due, attempts, accepted, ",
            "expires, uncertain, purpose FROM queue ",
            $rest
        )
    };
}
use queued;

/// A text that suppresses in a scope, from where the rows come and what is answered. What has run out gives way. What
/// still stands gives way to something stronger: the person's own wish (GDPR Art. 7(3), 21) before a bounce or the
/// controller's entry, never the other way round; among his wishes an erasure before an objection before a complaint
/// before an opt-out, which alone a tick lifts; something lasting before something that ends, never the other way
/// round.
macro_rules! suppress {
    ($rows:literal, $answer:literal) => {
        concat!(
            "INSERT INTO suppression (controller, tag, scope, reason, since, ends, address) ",
            $rows,
            " ON CONFLICT (controller, tag, scope) DO UPDATE ",
            "SET reason = excluded.reason, since = excluded.since, ends = excluded.ends, ",
            "address = COALESCE(excluded.address, suppression.address) ",
            "WHERE (suppression.ends IS NOT NULL AND suppression.ends <= excluded.since) ",
            "OR (excluded.reason IN ('opt-out', 'complaint', 'objection', 'erasure') ",
            "AND suppression.reason NOT IN ('opt-out', 'complaint', 'objection', 'erasure') ",
            "AND (excluded.ends IS NULL OR suppression.ends IS NOT NULL)) ",
            "OR (((excluded.reason IN ('complaint', 'objection', 'erasure') AND suppression.reason = 'opt-out') ",
            "OR (excluded.reason IN ('objection', 'erasure') AND suppression.reason = 'complaint') ",
            "OR (excluded.reason = 'erasure' AND suppression.reason = 'objection')) ",
            "AND (excluded.ends IS NULL OR suppression.ends IS NOT NULL)) ",
            "OR (suppression.ends IS NOT NULL AND excluded.ends IS NULL ",
            "AND (excluded.reason IN ('opt-out', 'complaint', 'objection', 'erasure') ",
            "OR suppression.reason NOT IN ('opt-out', 'complaint', 'objection', 'erasure')))",
            $answer
        )
    };
}
use suppress;
