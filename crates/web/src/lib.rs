//! The HTTP door: the sending API, its description, the pages for people, and the demo's mailbox.
//!
//! Invariants: every message that comes in here goes through `mta::submission` and so through the gate; a status
//! code is decided in [`router`] alone; every list, body and wait has a named limit.
//! Never: SQL, SMTP, a decision about mail of its own, an address or a subject in a log line.
//! Read in this order: [`listener`], [`router`], [`api`], [`mailbox`].

pub mod api;
pub mod hosts;
pub mod listener;
pub mod mailbox;
pub mod operator;
mod pages;
mod problem;
pub mod public;
pub mod router;
mod secure;
mod timestamp;

#[cfg(test)]
mod tests;

pub use api::{Api, Readiness};
/// What a [`Listener`] serves.
pub use axum::Router;
pub use listener::operator::OperatorListener;
pub use listener::{Drained, Listener};
pub use public::door::forward_wishes;
pub use router::router;

/// Why the door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or may not be bound.
    #[error("cannot listen on {address}; choose another address or port, or stop what uses it")]
    Bind {
        /// What was asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}
