//! What personal data are processed for (GDPR Art. 5(1)(b)): the unit of every consent, objection and opt-out.

use crate::basis::BasisKind;
use crate::{ControllerId, PurposeId, StreamKind, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A purpose of one controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purpose {
    /// Its id.
    pub id: PurposeId,
    /// Whose it is.
    pub controller: ControllerId,
    /// Its name: letters, digits and hyphens.
    pub name: String,
    /// Kind of mail it is served by.
    pub kind: StreamKind,
    /// The bases that carry it. For marketing each person's own record decides; for other mail the purpose's
    /// reference does.
    pub bases: Vec<BasisKind>,
    /// The contract, the law or the assessment behind a basis that is not each person's own. Empty when there is none.
    pub reference: String,
    /// What people are told, by language tag.
    pub texts: BTreeMap<String, PurposeText>,
    /// No mail for it any more since then.
    pub ended: Option<Timestamp>,
}

/// How a purpose is told to people.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurposeText {
    /// A few words.
    pub title: String,
    /// A sentence or two, specific (GDPR Art. 5(1)(b)).
    pub description: String,
}

impl Purpose {
    /// Does it have a basis that needs no record of each person, with the facts this basis requires
    /// (GDPR Art. 6(1)(b), (c), (f))?
    #[must_use]
    pub fn has_basis_for_all(&self) -> bool {
        !self.kind.is_marketing()
            && !self.reference.trim().is_empty()
            && self.bases.iter().any(|basis| {
                matches!(basis, BasisKind::Contract | BasisKind::LegalObligation | BasisKind::LegitimateInterest)
            })
    }

    /// The text in a language, or in English, or in any.
    #[must_use]
    pub fn text(&self, language: &str) -> Option<&PurposeText> {
        self.texts.get(language).or_else(|| self.texts.get("en")).or_else(|| self.texts.values().next())
    }
}
