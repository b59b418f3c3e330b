//! Mail in and mail out: submission (the one way in), delivery, feedback.
//!
//! Invariants: `submission`, `delivery` and `feedback` never import each other; they meet in the store, as qmail's
//! programs only share the queue. A message is queued only with a `Permit`; it leaves only with a `Clearance`.
//! `way_out`, which both use, is what a marketing message says of how to stop it: the one asks whether it fits, the
//! other puts it in. `notices` takes in what delivery has to tell a client. `names` is how DNS is asked, `health`
//! what an operator sees by it of his own addresses and domains.
//! Never: a list, a campaign, an HTTP server, SQL.

pub mod delivery;
mod error;
pub mod feedback;
pub mod health;
pub mod names;
mod notices;
pub mod submission;
mod tls_reports;
mod way_out;

pub use error::{Error, Temper};
pub use names::Names;
pub use notices::Notices;
pub use tls_reports::TlsReports;
pub use way_out::{Pages, PagesError};
