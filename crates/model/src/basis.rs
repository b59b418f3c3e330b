//! The lawful basis of mail to one person for one purpose (GDPR Art. 6; ePrivacy Art. 13).

use crate::{PurposeId, Timestamp};

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
    /// A legitimate interest, assessed (GDPR Art. 6(1)(f)). Never for electronic direct marketing (ePrivacy Art. 13).
    LegitimateInterest,
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
            Self::LegitimateInterest => "legitimate-interest",
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
            "legitimate-interest" => Self::LegitimateInterest,
            _ => return None,
        })
    }
}

/// How well a basis is shown (GDPR Art. 5(2), 7(1)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Evidence {
    /// Every fact is there, the words that were shown among them.
    Complete,
    /// It was asserted: the words shown, or another fact, are not known here.
    Unverified,
}

impl Evidence {
    /// The stable word used in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Unverified => "unverified",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Complete, Self::Unverified].into_iter().find(|evidence| evidence.as_str() == word)
    }
}

/// The basis for one person and one purpose, as far as the gate needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BasisRecord {
    /// The purpose it covers.
    pub purpose: PurposeId,
    /// Its kind.
    pub kind: BasisKind,
    /// How well it is shown.
    pub evidence: Evidence,
    /// When it was given, by the server's clock, or for an import as its source says.
    pub given_at: Timestamp,
    /// When the person confirmed it; consent without confirmation carries no marketing.
    pub confirmed_at: Option<Timestamp>,
    /// When it was withdrawn (GDPR Art. 7(3)).
    pub withdrawn_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}
