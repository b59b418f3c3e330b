//! Long campaigns: run with `cargo xtask test --long`, in release.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod backlog;
mod decisions;
#[path = "../it/inside/effect/mod.rs"]
mod effect;
mod failover;
#[expect(dead_code, reason = "the tests of every day use the rest")]
#[path = "../it/inside/ground.rs"]
mod ground;
#[expect(dead_code, reason = "the tests of every day use the rest")]
#[path = "../it/outside/harness/mod.rs"]
mod harness;
#[expect(dead_code, reason = "the tests of every day use the rest")]
#[path = "../it/inside/house.rs"]
mod house;
mod kills;
