//! Whole-node tests: through the doors, at an independent sink, each with a negative twin.
//!
//! `inside` runs a node in the test's process, with a clock and a DNS that the test moves; `outside` runs the
//! binary as a person would, and kills it.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod inside;
mod outside;
