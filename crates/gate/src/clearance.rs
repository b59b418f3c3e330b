//! The right to leave now.

use model::{ControllerId, Timestamp};
use std::time::Duration;

/// How long a clearance holds. Short, so that it is asked for when it is used.
pub const CLEARANCE_LIFE: Duration = Duration::from_millis(500);

/// This message may **leave now**, for one SMTP transaction. Made by [`crate::clear`] alone, taken
/// after route, connection, EHLO and TLS, immediately before MAIL; used up by sending. No `Clone`.
///
/// ```compile_fail
/// fn twice(clearance: gate::Clearance) { drop(clearance); drop(clearance); }
/// ```
#[derive(Debug)]
#[must_use = "a clearance is taken in order to send"]
pub struct Clearance {
    pub(crate) controller: ControllerId,
    pub(crate) generation: u64,
    pub(crate) deadline: Timestamp,
}

impl Clearance {
    /// Whose mail.
    #[must_use]
    pub const fn controller(&self) -> ControllerId {
        self.controller
    }

    /// Is it still good: before its deadline, and nothing was withdrawn since?
    ///
    /// GDPR Art. 7(3), 21(3): what is withdrawn between the decision and MAIL must stop the message,
    /// so the generation is compared and not the age alone.
    #[must_use]
    pub const fn holds(&self, now: Timestamp, generation: u64) -> bool {
        now.micros() <= self.deadline.micros() && generation == self.generation
    }

    /// Used up at MAIL; what is left is the generation to compare again before the final dot.
    #[must_use]
    pub const fn use_up(self) -> u64 {
        self.generation
    }
}
