//! The right to leave now.

use model::{ControllerId, RecipientTag, Timestamp};
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
    pub(crate) tag: RecipientTag,
    pub(crate) generation: u64,
    pub(crate) deadline: Timestamp,
}

impl Clearance {
    /// Whose mail.
    #[must_use]
    pub const fn controller(&self) -> ControllerId {
        self.controller
    }

    /// For whom.
    #[must_use]
    pub const fn tag(&self) -> RecipientTag {
        self.tag
    }

    /// Is it still good: before its deadline, nothing was withdrawn since, and it is this person's of this controller?
    ///
    /// GDPR Art. 7(3), 21(3): what is withdrawn between the decision and MAIL must stop the message,
    /// so the generation is compared and not the age alone. Art. 28(3)(a): one person's clearance lets nobody
    /// else's message leave, so both are compared as well.
    #[must_use]
    pub fn holds(&self, now: Timestamp, generation: u64, controller: ControllerId, tag: RecipientTag) -> bool {
        now <= self.deadline && generation == self.generation && controller == self.controller && tag == self.tag
    }

    /// Used up at MAIL; what is left is the generation to compare again before the final dot.
    #[must_use]
    pub const fn use_up(self) -> u64 {
        self.generation
    }
}
