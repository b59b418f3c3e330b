//! A node in the test's own process: every crate of the product, real sockets, a clock and a DNS that tests move.

mod canaries;
mod canary_forms;
mod delivery;
mod doors;
mod ground;
mod hostile;
mod hosts;
mod house;
mod idempotency;
mod isolation;
mod ledger;
mod marketing;
mod routes;
mod withdrawal;
