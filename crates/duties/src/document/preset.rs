//! The common cases in one step. Agreement and instruction take purposes and categories from here, so that an
//! instruction from a preset is always within the agreement from the same preset.

use super::terms::{DataCategory, Language, Owner, PlainCategory, Purpose, SubjectCategory};
use super::words::words;

words! {
    /// A common case.
    pub enum Preset {
        /// Receipts, passwords, notices about the recipient's own affairs.
        Transactional = "transactional", "Transactional mail", "Transaktionsmails";
        /// A newsletter with double opt-in.
        Newsletter = "newsletter", "Newsletter with double opt-in", "Newsletter mit Double-Opt-in";
        /// Transactional mail and a newsletter.
        Both = "both", "Transactional mail and newsletter", "Transaktionsmails und Newsletter";
        /// A shop that writes to its customers about similar products (ePrivacy Art. 13(2)).
        SoftOptInShop = "soft-opt-in-shop", "Shop: orders, and similar products to customers",
            "Shop: Bestellungen, und ähnliche Produkte an Kunden";
        /// Notices that a law demands.
        LegalNotices = "legal-notices", "Notices that a law demands", "Gesetzlich verlangte Mitteilungen";
    }
}

/// The purposes that presets are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    Transactions,
    Newsletter,
    Confirmation,
    SimilarProducts,
    LegalNotices,
}

impl Use {
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Transactions => "transactional",
            Self::Newsletter => "newsletter",
            Self::Confirmation => "confirmations",
            Self::SimilarProducts => "similar-products",
            Self::LegalNotices => "legal-notices",
        }
    }

    const fn text(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Transactions, Language::English) => {
                "messages about the recipient's own orders, contracts, account and requests"
            }
            (Self::Transactions, Language::German) => {
                "Nachrichten über eigene Bestellungen, Verträge, Konto und Anfragen des Empfängers"
            }
            (Self::Newsletter, Language::English) => {
                "the controller's newsletter about its own offers and news, to persons who consented to it"
            }
            (Self::Newsletter, Language::German) => {
                "Newsletter des Verantwortlichen über eigene Angebote und Neuigkeiten an Personen, die einwilligten"
            }
            (Self::Confirmation, Language::English) => {
                "confirming what a person asked for with this address, and telling the controller of requests"
            }
            (Self::Confirmation, Language::German) => {
                "Bestätigung dessen, was mit dieser Adresse verlangt wurde, und Mitteilung von Anträgen"
            }
            (Self::SimilarProducts, Language::English) => {
                "offers of the controller's own products similar to those the recipient bought"
            }
            (Self::SimilarProducts, Language::German) => {
                "Angebote eigener Produkte des Verantwortlichen, die den vom Empfänger gekauften ähnlich sind"
            }
            (Self::LegalNotices, Language::English) => {
                "notices that a named law obliges the controller to send to the recipient"
            }
            (Self::LegalNotices, Language::German) => {
                "Mitteilungen, die der Verantwortliche nach einem benannten Gesetz dem Empfänger senden muss"
            }
        }
    }
}

impl Preset {
    pub(crate) const fn uses(self) -> &'static [Use] {
        match self {
            Self::Transactional => &[Use::Transactions, Use::Confirmation],
            Self::Newsletter => &[Use::Newsletter, Use::Confirmation],
            Self::Both => &[Use::Transactions, Use::Newsletter, Use::Confirmation],
            Self::SoftOptInShop => &[Use::Transactions, Use::SimilarProducts, Use::Confirmation],
            Self::LegalNotices => &[Use::LegalNotices, Use::Confirmation],
        }
    }

    /// Its purposes, in words.
    #[must_use]
    pub fn purposes(self, language: Language) -> Vec<Purpose> {
        let purpose = |one: &Use| Purpose {
            id: one.id().to_owned(),
            text: one.text(language).to_owned(),
            owner: Owner::Controller,
        };
        self.uses().iter().map(purpose).collect()
    }

    /// The categories of data it needs.
    #[must_use]
    pub fn data_categories(self) -> Vec<DataCategory> {
        let mut plain = vec![PlainCategory::Email, PlainCategory::Name];
        if self.uses().contains(&Use::Transactions) {
            plain.extend([PlainCategory::CustomerNumber, PlainCategory::Purchases]);
        }
        if self.uses().contains(&Use::Newsletter) {
            plain.push(PlainCategory::Preferences);
        }
        plain.extend([PlainCategory::Content, PlainCategory::Permission, PlainCategory::Delivery]);
        plain.into_iter().map(DataCategory::Plain).collect()
    }

    /// The categories of persons it reaches.
    #[must_use]
    pub fn subject_categories(self) -> Vec<SubjectCategory> {
        match self {
            Self::Transactional | Self::LegalNotices | Self::SoftOptInShop => {
                vec![SubjectCategory::Customers, SubjectCategory::AccountHolders]
            }
            Self::Newsletter => vec![SubjectCategory::Subscribers],
            Self::Both => {
                vec![SubjectCategory::Customers, SubjectCategory::AccountHolders, SubjectCategory::Subscribers]
            }
        }
    }
}
