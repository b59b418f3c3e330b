//! Submission: the one way in. SMTP, HTTP, compatible endpoints, campaigns and test sends all call
//! [`Submission::accept`]; there is no other path to the queue.

mod accept;
pub mod content;
mod declined;
mod foresee;
mod way_out;

pub use accept::{Answer, Submission};
pub use content::{Asked, ContentError, Named, ReceivedBy};
pub use declined::Declined;
pub use foresee::{Foreseen, Intent};
pub use store::Idempotency;
