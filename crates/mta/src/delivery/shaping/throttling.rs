//! Replies by which a receiver asks us to go slower, as a table. Part of the page `docs/sites.md`.
//!
//! Whom a refusal concerns, and what becomes of the message, is another question: `mail::report::classify`.
//! Invariant: only temporary replies are looked at, and greylisting is none of these.

use mail::report::classify::Answer;

/// A row. Empty lists fit everything.
#[derive(Debug)]
pub struct Row {
    /// Stable.
    pub id: &'static str,
    /// SMTP codes.
    pub codes: &'static [u16],
    /// Subject and detail of enhanced codes of class 4.
    pub enhanced: &'static [(u16, u16)],
    /// One of these stands in the text, in small letters.
    pub words: &'static [&'static str],
    /// What follows for the site.
    pub follows: Follows,
    /// What an operator is told.
    pub says: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follows {
    /// Half the connections and half the rate.
    Slower,
    /// That, and nothing goes there for a while.
    Away,
}

impl Follows {
    /// The word in the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Away => "away",
        }
    }
}

/// The table.
pub const ROWS: &[Row] = &[
    Row {
        id: "connections",
        codes: &[],
        enhanced: &[(7, 652)],
        words: &[],
        follows: Follows::Slower,
        says: "the site says that we have too many connections",
        source: "Microsoft, 451 4.7.652 `has exceeded the maximum number of connections`",
    },
    Row {
        id: "rate-by-reputation",
        codes: &[421, 451],
        enhanced: &[(7, 650), (7, 651), (7, 28)],
        words: &[],
        follows: Follows::Away,
        says: "the site limits our rate by what it thinks of our address",
        source: "Microsoft, 451 4.7.650 and 4.7.651; Google Workspace Admin Help, SMTP errors: 421 4.7.28",
    },
    Row {
        id: "too-many-connections",
        codes: &[450, 451, 452],
        enhanced: &[],
        words: &[
            "too many connections",
            "too many concurrent",
            "too many simultaneous",
            "too many sessions",
            "connection limit",
            "maximum number of connections",
        ],
        follows: Follows::Slower,
        says: "the site says that we have too many connections",
        source: "wordings of Orange (OFR004_104), Comcast, Sendmail (`conncontrol`) and others",
    },
    Row {
        id: "too-fast",
        codes: &[450, 451, 452],
        enhanced: &[],
        words: &[
            "rate limit",
            "ratelimit",
            "throttl",
            "slow down",
            "too fast",
            "too many messages from",
            "rate exceeded",
        ],
        follows: Follows::Slower,
        says: "the site says that we go too fast",
        source: "wordings of Sendmail (`ratecontrol`), Postfix (anvil), Comcast and others",
    },
    Row {
        id: "closed",
        codes: &[421],
        enhanced: &[],
        words: &[],
        follows: Follows::Away,
        says: "the site closed the channel (421)",
        source: "RFC 5321 §3.8, §4.2.3; Yahoo Sender Hub, SMTP error codes (421 4.7.0 [TSS…])",
    },
];

/// Any other temporary reply about security or policy (RFC 3463 §3.8).
pub(crate) const BY_POLICY: &str = "the site puts us off by its policy (4.7)";

/// The row that fits.
pub(crate) fn row_of(answer: &Answer<'_>) -> Option<&'static Row> {
    if !(400..500).contains(&answer.code) {
        return None;
    }
    let text = answer.text.to_ascii_lowercase();
    let enhanced = answer.enhanced.filter(|code| code.class == 4).map(|code| (code.subject, code.detail));
    ROWS.iter().find(|row| {
        (row.codes.is_empty() || row.codes.contains(&answer.code))
            && (row.enhanced.is_empty() || enhanced.is_some_and(|code| row.enhanced.contains(&code)))
            && (row.words.is_empty() || row.words.iter().any(|word| text.contains(word)))
    })
}
