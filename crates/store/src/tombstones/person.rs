//! What stands of a person that a copy made earlier may lack, as a record of the log says it.

use model::RecipientTag;
use serde::{Deserialize, Serialize};

/// What is in a record: those of whom something changed.
#[derive(Serialize, Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// When it was written (microseconds).
    pub(super) at: i64,
    /// Of whom.
    pub(super) persons: Vec<Stone>,
}

/// Of one person, everything that takes away: what was given comes from nobody but himself.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Stone {
    /// Whose.
    pub(super) controller: i64,
    /// Whom, in hex.
    pub(super) tag: String,
    /// How often the controller's tags had been nested.
    pub(super) number: i64,
    /// Scope, reason, since, until.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) suppressed: Vec<(String, String, i64, Option<i64>)>,
    /// Purposes whose basis he withdrew, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left: Vec<(i64, i64)>,
    /// Restriction and since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) restricted: Vec<(String, i64)>,
}

impl Stone {
    /// Whom, as it was called then; nothing when that is none.
    pub(super) fn tag(&self) -> Option<RecipientTag> {
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let octets: Option<Vec<u8>> = self.tag.as_bytes().chunks(2).map(octet).collect();
        Some(RecipientTag(octets?.try_into().ok()?))
    }
}
