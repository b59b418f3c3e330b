//! How mail on a stream is treated: what the instruction says of it beyond kind and purposes (GDPR Art. 28(3)(a)).
//!
//! Everything has a default, and each default is the one that takes least from the person.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The terms of a stream. As JSON in the store and in the instruction; unknown names are refused.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// Categories of data, in the words of the agreement (GDPR Art. 28(3)).
    pub data_categories: Vec<String>,
    /// Days that a class of data is kept; a class that is not named is kept for its built-in time.
    pub retention_days: BTreeMap<String, u32>,
    /// Is it seen whether mail was opened?
    pub tracking: Tracking,
    /// Under what transport security mail may leave.
    pub tls_floor: TlsFloor,
    /// Regions data may lie in and pass; empty means wherever the agreement allows.
    pub regions: Vec<String>,
    /// At most so much marketing to one person.
    pub frequency: Option<Frequency>,
    /// When nobody is disturbed.
    pub quiet: Option<Quiet>,
    /// What a marketing message says below its text.
    pub footer: Footer,
    /// How a person says no to marketing.
    pub opt_out: OptOut,
    /// Does consent carry mail whose words are not known?
    pub unverified: Unverified,
}

/// Whether opening and clicking is observed (ePrivacy Art. 5(3)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tracking {
    /// Not at all.
    #[default]
    None,
    /// The date of the last opening alone, in order to stop mailing those who do not read.
    Hygiene,
    /// With a consent of its own.
    Consented,
}

/// The least transport security.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFloor {
    /// TLS wherever the receiving server offers it.
    #[default]
    Opportunistic,
    /// TLS, or the message does not leave.
    Encrypted,
    /// TLS to a server whose certificate holds for its name or is named by DANE, or the message does not leave.
    Verified,
}

/// So many messages in so many days. Counted is what is accepted, in any such time and not by the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// Messages at most.
    pub messages: u32,
    /// In any so many days.
    pub days: u32,
}

/// A time of day in which marketing rests.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// First quiet minute of the day.
    pub from: u16,
    /// First minute that is not quiet any more; smaller than `from` when the night is meant.
    pub until: u16,
    /// Time zone by its IANA name.
    pub zone: String,
}

/// What stands below marketing (ePrivacy Art. 13(4)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Footer {
    /// Who sends, why, and the way out are added below the text.
    #[default]
    Add,
    /// Nothing is added; the header fields alone say the way out.
    HeadersAlone,
}

/// How a person says no.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptOut {
    /// RFC 8058 one-click, and the pages behind it.
    #[default]
    OneClick,
    /// Not at all: an instruction that says so for marketing is held.
    None,
}

/// Consent without the words that were shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unverified {
    /// Carries no mail.
    #[default]
    Refused,
    /// Carries mail, on the controller's word, and every report says so.
    Allowed,
}
