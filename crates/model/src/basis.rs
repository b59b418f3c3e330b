//! The lawful basis of mail to one person for one purpose (GDPR Art. 6; ePrivacy Art. 13).

use crate::{StreamId, Timestamp};

/// What kind of reason there is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BasisKind {
    /// Consent (GDPR Art. 6(1)(a), 7).
    Consent,
    /// A customer's address used for similar products (ePrivacy Art. 13(2)).
    SoftOptIn,
    /// A contract with the person (GDPR Art. 6(1)(b)).
    Contract,
    /// A legal obligation (GDPR Art. 6(1)(c)).
    LegalObligation,
}

impl BasisKind {
    /// The stable word used in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::SoftOptIn => "soft-opt-in",
            Self::Contract => "contract",
            Self::LegalObligation => "legal-obligation",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "consent" => Self::Consent,
            "soft-opt-in" => Self::SoftOptIn,
            "contract" => Self::Contract,
            "legal-obligation" => Self::LegalObligation,
            _ => return None,
        })
    }
}

/// The minimal record of a basis for one person and one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BasisRecord {
    /// The stream (and so the purpose) it covers.
    pub stream: StreamId,
    /// Its kind.
    pub kind: BasisKind,
    /// When it was given, by the server's clock.
    pub given_at: Timestamp,
    /// When the person confirmed it; consent without confirmation carries no marketing.
    pub confirmed_at: Option<Timestamp>,
    /// When it was withdrawn (GDPR Art. 7(3)).
    pub withdrawn_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}
