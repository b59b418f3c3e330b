//! A node in the test's own process: every crate of the product, real sockets, a clock and a DNS that tests move.

mod at_random;
mod canaries;
mod canary_forms;
mod collecting;
mod deciding;
mod decisions;
mod delivery;
mod doors;
pub(crate) mod effect;
mod fifty_three;
mod ground;
mod hostile;
mod hosts;
mod house;
mod idempotency;
mod isolation;
mod keeping;
mod ledger;
mod marketing;
mod reimport;
mod routes;
mod terms;
mod two_controllers;
mod withdrawal;
