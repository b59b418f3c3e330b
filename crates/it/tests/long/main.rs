//! Long campaigns: run with `cargo xtask test --long`, in release.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod backlog;
mod failover;
#[expect(dead_code, reason = "the tests of every day use the rest")]
#[path = "../it/outside/harness/mod.rs"]
mod harness;
mod kills;
