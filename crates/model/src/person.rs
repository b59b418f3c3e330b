//! The person mailed, as Postern knows him: a keyed tag, never an address in clear.

/// HMAC-SHA-256 of the normalised address under the controller's tag key, cut to 16 bytes.
///
/// Two controllers have different tags for one address, so nothing can be joined across them
/// (GDPR Art. 28(3)(a): no use beyond one controller's instructions). It stays personal data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RecipientTag(pub [u8; 16]);

impl std::fmt::Debug for RecipientTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecipientTag(…)")
    }
}

/// How far a suppression reaches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SuppressionScope {
    /// Nothing at all is sent, whatever the stream.
    All,
    /// Every marketing stream (a complaint, an objection to direct marketing).
    Marketing,
    /// One purpose.
    Purpose(crate::PurposeId),
    /// One list below a purpose.
    List(crate::ListId),
    /// The address does not work; says nothing about the person's wish.
    Delivery,
}

/// Why a suppression was made. An opt-out, complaint or objection never ages out; a bounce may.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SuppressionReason {
    /// The person opted out (GDPR Art. 7(3)).
    OptOut,
    /// The person reported the mail as unwanted.
    Complaint,
    /// The person objected (GDPR Art. 21(2)).
    Objection,
    /// The receiving system says the mailbox does not exist.
    HardBounce,
    /// The person was erased; what is left is the wish not to be mailed.
    Erasure,
    /// Set by the controller.
    Controller,
}

impl SuppressionReason {
    /// The stable word used in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OptOut => "opt-out",
            Self::Complaint => "complaint",
            Self::Objection => "objection",
            Self::HardBounce => "hard-bounce",
            Self::Erasure => "erasure",
            Self::Controller => "controller",
        }
    }

    /// Is it the person's own word, which the person alone takes back (GDPR Art. 7(3), 21)?
    #[must_use]
    pub const fn is_own_wish(self) -> bool {
        matches!(self, Self::OptOut | Self::Complaint | Self::Objection | Self::Erasure)
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "opt-out" => Self::OptOut,
            "complaint" => Self::Complaint,
            "objection" => Self::Objection,
            "hard-bounce" => Self::HardBounce,
            "erasure" => Self::Erasure,
            "controller" => Self::Controller,
            _ => return None,
        })
    }
}

/// Why processing of a person is restricted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Restriction {
    /// Restricted at the person's request (GDPR Art. 18): stored only.
    Restricted,
    /// Erased (GDPR Art. 17).
    Erased,
    /// A rights case is open that holds mail meanwhile.
    CaseOpen,
}
