//! The SMTP door: sockets, TLS and time around the machine of `mail::server`, and what Postern answers there.
//!
//! Read in this order: [`door`] (who decides), [`session`] (one connection), [`listener`] (the only place of this
//! crate that binds), [`submission`] and [`inbound`] (Postern's own doors), `replies` (every SMTP code that is ours to
//! choose).
//! Invariants: a message is answered 250 only after `mta::submission` has said that it is durable; every wait,
//! buffer and count has a named limit. Never: an address, a subject or a password in a log line or a metric.
//! Standards: RFC 5321, 6409 (submission), 3207 and 8314 (TLS), 4954 (AUTH).
#![warn(missing_docs)]

pub mod connections;
pub mod door;
pub mod inbound;
pub mod listener;
pub mod network;
mod replies;
pub mod session;
pub mod submission;
pub mod throttle;

pub use connections::Connections;
pub use door::{Attempt, Door, Recipient, Sender, Tls, Trace, Verdict};
pub use inbound::{InboundDoor, Letter, Letters};
pub use listener::{Kind, Listener, Settings};
pub use network::Network;
pub use session::Timeouts;
pub use submission::SubmissionDoor;
