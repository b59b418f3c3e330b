//! May this message be queued; may it leave now. Pure: facts in, verdict out.
//!
//! Invariants: no clock, no file, no configuration, no randomness, no logging: all that a decision
//! depends on is in `Facts`. Only this crate can make a [`Permit`], a [`Clearance`] or a [`Refusal`].
//! A verdict is a value, never an error. Missing facts give [`Verdict::Hold`] (fail closed).
//! Read in this order: [`rule`], [`facts`], [`decide`].
#![warn(missing_docs)]
#![warn(clippy::wildcard_enum_match_arm)]

pub mod asked;
pub mod clearance;
pub mod decide;
pub mod facts;
pub mod permit;
pub mod rule;
mod rules;

pub use asked::{Asking, passed};
pub use clearance::Clearance;
pub use decide::{Verdict, check, clear, decide, facts_unavailable, quota_used_up};
pub use facts::{Facts, MessageFacts, RecipientFacts, SenderFacts};
pub use permit::Permit;
pub use rule::{Refusal, Rule};

#[cfg(test)]
mod tests;
