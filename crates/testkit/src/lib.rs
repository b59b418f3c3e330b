//! What tests stand on: a clock that they move, the outside world made of loopback sockets, and database servers.
//!
//! Invariants: nothing here talks to a real network; every wait is for a condition and has a limit; every
//! server takes a free port of its own, so that test processes may run side by side. For tests only: a wait
//! that runs out panics, because then the test has failed.
#![warn(missing_docs)]

pub mod clock;
pub mod dialogue;
pub mod dns;
pub mod http;
pub mod https;
pub mod mx;
pub mod pebble;
pub mod ports;
pub mod postfix;
pub mod postgres;
pub mod s3;
pub mod signed;
pub mod smtp;
pub mod stream;
pub mod tls;
pub mod wait;

pub use clock::{ManualClock, SystemClock};
pub use dns::FakeDns;
pub use https::FakeHttps;
pub use mx::FakeMx;
pub use pebble::Pebble;
pub use ports::base_port;
pub use signed::{SignedDns, Zones};
pub use wait::{WAIT_MAX, within};
