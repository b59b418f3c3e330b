//! What a sender asks of every hop that a message still has before it (RFC 8689): TLS to a host that is known, or no
//! delivery.
//!
//! Pure words; who keeps them is `server` at the way in and `client` at the way out.
//! Standards: RFC 8689 §2 (keyword and parameter), §4.2.1 (what a client must have seen).

/// The keyword of EHLO, and the parameter of MAIL, which has no value.
pub const KEYWORD: &str = "REQUIRETLS";
/// RFC 8689 §2 (6): what the parameter adds to a MAIL command.
pub const MAIL_OCTETS: usize = 1 + KEYWORD.len();

/// RFC 8689 §2: whether the parameter was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RequireTls {
    /// It goes as well as it can be done.
    #[default]
    No,
    /// It goes over TLS to hosts that are known and promise the same, or not at all.
    Yes,
}

impl RequireTls {
    /// From what a flag says.
    #[must_use]
    pub const fn of(flag: bool) -> Self {
        if flag { Self::Yes } else { Self::No }
    }

    /// Whether it is asked.
    #[must_use]
    pub const fn is_asked(self) -> bool {
        matches!(self, Self::Yes)
    }
}
