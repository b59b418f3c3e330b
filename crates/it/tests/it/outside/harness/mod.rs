//! What the tests from outside stand on: the binary as it is now, a running demo, foreign programs, a load.
//!
//! Invariants: only processes that were started here are ended, each by its own id; every wait has a limit; what is
//! sent is known octet for octet, so that loss, doubles and damage are seen.

pub(crate) mod audit;
pub(crate) mod binary;
pub(crate) mod campaign;
pub(crate) mod database;
pub(crate) mod demo;
pub(crate) mod failover;
pub(crate) mod fleet;
pub(crate) mod letters;
pub(crate) mod load;
pub(crate) mod relay;
pub(crate) mod scene;
pub(crate) mod sink;
pub(crate) mod tally;
pub(crate) mod tools;
pub(crate) mod traffic;
pub(crate) mod wait;

pub(crate) use demo::{Demo, Place};
pub(crate) use load::Load;
pub(crate) use sink::Arrivals;
pub(crate) use wait::until;
