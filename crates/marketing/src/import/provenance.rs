//! Where a contact came from, and on what mail to it rests (GDPR Art. 5(2), 7(1), 14(2)(f)).
//!
//! Invariants: an [`Evidence`] is whole; a claim of confirmation is never part of it.
//! Never: text of a row in `Debug`, since a source such as "spoke to …" names people.

use std::fmt;
use std::sync::Arc;

use model::Timestamp;
use model::basis::BasisKind;

use super::mapping::fold;
use super::{Field, Fields};

/// How an address was collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A form, without confirmation by e-mail.
    Form,
    /// A form, and a confirmation by e-mail.
    DoubleOptIn,
    /// On paper.
    Paper,
    /// Said, by telephone or face to face.
    Verbal,
    /// By another system.
    Api,
    /// In the context of a sale (ePrivacy Art. 13(2)).
    ExistingCustomer,
    /// In another way, which the source tells.
    Other,
}

impl Method {
    /// The stable word of the store and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::DoubleOptIn => "double_opt_in",
            Self::Paper => "paper",
            Self::Verbal => "verbal",
            Self::Api => "api",
            Self::ExistingCustomer => "existing_customer",
            Self::Other => "other",
        }
    }

    /// From the stable word, or from what English and German exports call it; case, spaces and dashes do not matter.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match fold(word).as_str() {
            "form" | "webform" | "website" | "web" | "formular" | "webformular" | "singleoptin" => Self::Form,
            "doubleoptin" | "doi" => Self::DoubleOptIn,
            "paper" | "papier" => Self::Paper,
            "verbal" | "phone" | "telephone" | "mündlich" | "telefon" | "telefonisch" => Self::Verbal,
            "api" => Self::Api,
            "existingcustomer" | "customer" | "bestandskunde" => Self::ExistingCustomer,
            "other" | "sonstige" | "sonstiges" => Self::Other,
            _ => return None,
        })
    }
}

/// A basis from its stable word, or from its German name; case, spaces and dashes do not matter.
pub(super) fn basis_from(word: &str) -> Option<BasisKind> {
    Some(match fold(word).as_str() {
        "consent" | "einwilligung" => BasisKind::Consent,
        "softoptin" | "bestandskunde" => BasisKind::SoftOptIn,
        "contract" | "vertrag" => BasisKind::Contract,
        "legalobligation" | "rechtlicheverpflichtung" => BasisKind::LegalObligation,
        _ => return None,
    })
}

/// From whom a controller obtained the data (GDPR Art. 13, 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obtained {
    /// From the person himself.
    Person,
    /// From somebody else: a partner, a list that was bought or is public.
    ThirdParty,
}

impl Obtained {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::ThirdParty => "third-party",
        }
    }

    /// From the stable word; case, spaces and dashes do not matter.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match fold(word).as_str() {
            "person" => Self::Person,
            "thirdparty" => Self::ThirdParty,
            _ => return None,
        })
    }

    /// Where nothing is said: the ways that have a name are the person's own, and of another nobody knows.
    pub(super) const fn of(said: Option<Self>, method: Option<Method>) -> Self {
        match (said, method) {
            (Some(said), _) => said,
            (None, Some(Method::Other)) => Self::ThirdParty,
            (None, _) => Self::Person,
        }
    }
}

/// What a soft opt-in needs beside the sale, which [`Method::ExistingCustomer`] is, and the opt-out in each message,
/// which is the stream's (ePrivacy Art. 13(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CustomerFacts {
    similar_products: bool,
    opt_out_at_collection: bool,
}

impl CustomerFacts {
    /// The words of both facts.
    pub const WORDS: &'static str = "similar-products opt-out-at-collection";

    /// From words parted by spaces, `;`, `|` or `,`; case and dashes do not matter. Nothing when one is not known.
    #[must_use]
    pub fn from_words(words: &str) -> Option<Self> {
        let mut facts = Self::default();
        for word in words.split([' ', ';', '|', ',']).filter(|word| !word.is_empty()) {
            match fold(word).as_str() {
                "similarproducts" => facts.similar_products = true,
                "optoutatcollection" => facts.opt_out_at_collection = true,
                _ => return None,
            }
        }
        Some(facts)
    }

    /// Are both said?
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.similar_products && self.opt_out_at_collection
    }

    /// The words of what is said; nothing where nothing is.
    #[must_use]
    pub const fn words(self) -> Option<&'static str> {
        match (self.similar_products, self.opt_out_at_collection) {
            (true, true) => Some(Self::WORDS),
            (true, false) => Some("similar-products"),
            (false, true) => Some("opt-out-at-collection"),
            (false, false) => None,
        }
    }
}

/// A span of time in which the addresses of a file were collected, both ends within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    from: Timestamp,
    until: Timestamp,
}

impl Collected {
    /// From the first to the last moment; `None` when they are the wrong way round.
    #[must_use]
    pub fn between(from: Timestamp, until: Timestamp) -> Option<Self> {
        (from <= until).then_some(Self { from, until })
    }

    /// The first moment.
    #[must_use]
    pub const fn from(self) -> Timestamp {
        self.from
    }

    /// The last moment.
    #[must_use]
    pub const fn until(self) -> Timestamp {
        self.until
    }
}

/// When it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// At this moment, as the row says.
    At(Timestamp),
    /// Within this time, as is said of the whole file.
    Between(Collected),
}

/// What a file claims of a confirmation. It proves nothing: only a confirmation that was seen here counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmedClaim {
    /// It is said to have happened.
    Yes,
    /// It is said not to have happened.
    No,
    /// It is said to have happened then.
    At(Timestamp),
}

/// What is known of where an address came from: of a file as a whole, which its rows may override, or of one row.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Where the address came from.
    pub source: Option<Arc<str>>,
    /// When the consent was given, or the address collected.
    pub given: Option<Given>,
    /// How.
    pub method: Option<Method>,
    /// Reference to the notice that was shown.
    pub notice: Option<Arc<str>>,
    /// The lawful basis.
    pub basis: Option<BasisKind>,
    /// What is said of a soft opt-in.
    pub customer: CustomerFacts,
    /// From whom the data were obtained, where it is said.
    pub obtained: Option<Obtained>,
    /// For what. May be empty: then the list that takes the contacts says it.
    pub purposes: Arc<[Box<str>]>,
}

impl Provenance {
    /// What a contact needs and this lacks.
    #[must_use]
    pub fn missing(&self) -> Fields {
        let mut missing = Fields::default();
        let parts = [
            (self.source.is_none(), Field::Source),
            (self.given.is_none(), Field::GivenAt),
            (self.method.is_none(), Field::Method),
            (self.notice.is_none(), Field::Notice),
            (self.basis.is_none(), Field::Basis),
        ];
        // ePrivacy Art. 13(2): each of the conditions, or none of it. An address that was not collected in a sale stays
        // out, whatever else is said of it.
        if self.basis == Some(BasisKind::SoftOptIn) {
            if self.method != Some(Method::ExistingCustomer) {
                missing.insert(Field::Method);
            }
            if !self.customer.is_whole() {
                missing.insert(Field::SoftOptIn);
            }
        }
        for (_, field) in parts.into_iter().filter(|(lacks, _)| *lacks) {
            missing.insert(field);
        }
        missing
    }

    /// The evidence, when nothing is missing.
    ///
    /// # Errors
    /// What is known, as it was, when something is missing ([`Provenance::missing`]).
    pub fn complete(self) -> Result<Evidence, Self> {
        if !self.missing().is_empty() {
            return Err(self);
        }
        match self {
            Self {
                source: Some(source),
                given: Some(given),
                method: Some(method),
                notice: Some(notice),
                basis: Some(basis),
                purposes,
                obtained,
                ..
            } => {
                let obtained = Obtained::of(obtained, Some(method));
                Ok(Evidence { source, given, method, notice, basis, obtained, purposes })
            }
            known => Err(known),
        }
    }
}

/// Whole provenance of one contact.
#[derive(Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where the address came from (GDPR Art. 14(2)(f)).
    pub source: Arc<str>,
    /// When the consent was given, or the address collected (GDPR Art. 7(1)).
    pub given: Given,
    /// How.
    pub method: Method,
    /// Reference to the notice that was shown (GDPR Art. 13, 14).
    pub notice: Arc<str>,
    /// The lawful basis (GDPR Art. 6(1)).
    pub basis: BasisKind,
    /// From whom the data were obtained (GDPR Art. 13, 14).
    pub obtained: Obtained,
    /// For what (GDPR Art. 5(1)(b)). May be empty.
    pub purposes: Arc<[Box<str>]>,
}

impl fmt::Debug for Provenance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Provenance").field("missing", &self.missing()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Evidence");
        out.field("method", &self.method).field("basis", &self.basis).finish_non_exhaustive()
    }
}
