//! Mail formats and SMTP as pure machines: bytes in, bytes and events out.
//!
//! Invariants: no sockets, no clock, no randomness but what is handed in, no tenants. Everything here
//! can be driven by a test from a text file. Standards: RFC 5321, 5322, 6376, 8463, 3207, 4954,
//! 2920, 3464, 5965, 6531; the PROXY protocol.
#![warn(missing_docs)]
#![warn(clippy::indexing_slicing)]

pub mod address;
pub mod client;
pub mod compose;
pub mod dkim;
pub mod dsn;
pub mod footer;
pub mod header;
pub mod listing;
pub mod message;
pub mod proxy;
pub mod reply;
pub mod report;
pub mod require_tls;
pub mod scram;
pub mod server;
pub mod seven_bit;
