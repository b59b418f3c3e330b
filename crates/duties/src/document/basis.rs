//! The facts that a basis other than consent needs (GDPR Art. 6(1)(b), (c), (f); ePrivacy Art. 13(2)), and which of
//! them are missing. A basis with a missing fact carries nothing.

use super::terms::{Date, blank};
use model::StreamKind;
use serde::{Deserialize, Serialize};

/// Is a fact shown?
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// It is.
    Shown,
    /// It is not.
    #[default]
    NotShown,
}

/// A fact that is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissingFact {
    /// Its name, as in documents.
    pub fact: &'static str,
    /// The article that asks for it.
    pub article: &'static str,
    /// What is missing.
    pub sentence: &'static str,
}

fn missing<const N: usize>(
    article: &'static str,
    facts: [(bool, &'static str, &'static str); N],
) -> Result<(), Vec<MissingFact>> {
    let missing: Vec<MissingFact> = facts
        .into_iter()
        .filter(|(there, _, _)| !there)
        .map(|(_, fact, sentence)| MissingFact { fact, article, sentence })
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}

/// An existing customer's address, used for similar products (ePrivacy Art. 13(2); CJEU C-654/23).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftOptIn {
    /// Reference to the sale or negotiation in which the address was obtained; never the address.
    pub sale_reference: String,
    /// The controller who mails is the one who sold.
    pub same_controller: Fact,
    /// The products are its own and similar.
    pub similar_products: Fact,
    /// An opt-out was offered, free and easy, when the address was collected.
    pub opt_out_at_collection: Fact,
    /// An opt-out is offered in each message.
    pub opt_out_in_each_message: Fact,
}

impl SoftOptIn {
    /// Are all facts there?
    ///
    /// # Errors
    /// Those that are not.
    pub fn complete(&self) -> Result<(), Vec<MissingFact>> {
        // ePrivacy Art. 13(2): all of them, or consent is needed.
        missing(
            "ePrivacy Art. 13(2)",
            [
                (!blank(&self.sale_reference), "sale_reference", "no sale or negotiation is named"),
                (
                    self.same_controller == Fact::Shown,
                    "same_controller",
                    "it is not shown that the seller is who mails",
                ),
                (
                    self.similar_products == Fact::Shown,
                    "similar_products",
                    "it is not shown that the products are the controller's own and similar",
                ),
                (
                    self.opt_out_at_collection == Fact::Shown,
                    "opt_out_at_collection",
                    "it is not shown that an opt-out was offered when the address was collected",
                ),
                (
                    self.opt_out_in_each_message == Fact::Shown,
                    "opt_out_in_each_message",
                    "it is not shown that each message offers an opt-out",
                ),
            ],
        )
    }
}

/// A contract with the person, or steps he asked for before one (GDPR Art. 6(1)(b)).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Reference to the contract or to the kind of contract.
    pub reference: String,
}

impl Contract {
    /// Are all facts there?
    ///
    /// # Errors
    /// Those that are not.
    pub fn complete(&self) -> Result<(), Vec<MissingFact>> {
        missing("GDPR Art. 6(1)(b)", [(!blank(&self.reference), "reference", "no contract is named")])
    }
}

/// A legal obligation of the controller (GDPR Art. 6(1)(c)).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalObligation {
    /// The law of the Union or of a Member State, with its provision (GDPR Art. 6(3)).
    pub law: String,
}

impl LegalObligation {
    /// Are all facts there?
    ///
    /// # Errors
    /// Those that are not.
    pub fn complete(&self) -> Result<(), Vec<MissingFact>> {
        missing("GDPR Art. 6(1)(c), 6(3)", [(!blank(&self.law), "law", "no law is named")])
    }
}

/// A legitimate interest (GDPR Art. 6(1)(f)).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegitimateInterest {
    /// Reference to the written assessment.
    pub assessment: String,
    /// The day of the assessment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessed_on: Option<Date>,
}

impl LegitimateInterest {
    /// Are all facts there?
    ///
    /// # Errors
    /// Those that are not.
    pub fn complete(&self) -> Result<(), Vec<MissingFact>> {
        missing(
            "GDPR Art. 6(1)(f), 5(2)",
            [
                (!blank(&self.assessment), "assessment", "no assessment of interests is named"),
                (self.assessed_on.is_some(), "assessed_on", "the day of the assessment is not stated"),
            ],
        )
    }
}

/// The facts of a basis that is not consent. Consent has its own evidence ([`super::consent_record`]).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BasisFacts {
    /// ePrivacy Art. 13(2).
    SoftOptIn(SoftOptIn),
    /// GDPR Art. 6(1)(b).
    Contract(Contract),
    /// GDPR Art. 6(1)(c).
    LegalObligation(LegalObligation),
    /// GDPR Art. 6(1)(f).
    LegitimateInterest(LegitimateInterest),
}

impl BasisFacts {
    /// Do they carry mail of a kind?
    ///
    /// # Errors
    /// What is missing; for marketing on any basis but the soft opt-in, `consent`.
    pub fn carry(&self, kind: StreamKind) -> Result<(), Vec<MissingFact>> {
        let facts = match self {
            Self::SoftOptIn(facts) => facts.complete(),
            Self::Contract(facts) => facts.complete(),
            Self::LegalObligation(facts) => facts.complete(),
            Self::LegitimateInterest(facts) => facts.complete(),
        };
        let mut missing = facts.err().unwrap_or_default();
        // ePrivacy Art. 13(1): electronic direct marketing needs consent; an interest, however legitimate, is none.
        if kind.is_marketing() && !matches!(self, Self::SoftOptIn(_)) {
            missing.push(MissingFact {
                fact: "consent",
                article: "ePrivacy Art. 13(1)",
                sentence: "this basis never carries electronic direct marketing",
            });
        }
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soft_opt_in(bits: u32) -> SoftOptIn {
        let fact = |bit: u32| if bits & (1 << bit) == 0 { Fact::NotShown } else { Fact::Shown };
        SoftOptIn {
            sale_reference: if bits & 1 == 0 { " ".into() } else { "order 17".into() },
            same_controller: fact(1),
            similar_products: fact(2),
            opt_out_at_collection: fact(3),
            opt_out_in_each_message: fact(4),
        }
    }

    #[test]
    fn eprivacy13_2_of_all_32_combinations_only_the_full_one_carries() {
        let names = [
            "sale_reference",
            "same_controller",
            "similar_products",
            "opt_out_at_collection",
            "opt_out_in_each_message",
        ];
        for bits in 0..32_u32 {
            let result = soft_opt_in(bits).complete();
            assert_eq!(result.is_ok(), bits == 31, "combination {bits:05b}");
            let named: Vec<&str> = result.err().unwrap_or_default().iter().map(|one| one.fact).collect();
            let expected: Vec<&str> =
                names.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) == 0).map(|(_, name)| *name).collect();
            assert_eq!(named, expected, "combination {bits:05b}");
        }
    }

    #[test]
    fn art6_1_contract_and_law_must_be_named() {
        assert!(Contract { reference: "contract of sale".into() }.complete().is_ok());
        assert_eq!(Contract::default().complete().unwrap_err()[0].fact, "reference");
        assert!(LegalObligation { law: "Directive 2011/83/EU Art. 8(7)".into() }.complete().is_ok());
        assert_eq!(LegalObligation { law: "\t".into() }.complete().unwrap_err()[0].fact, "law");
    }

    fn interest(bits: u32) -> LegitimateInterest {
        LegitimateInterest {
            assessment: if bits & 1 == 0 { String::new() } else { "assessment 4".into() },
            assessed_on: (bits & 2 != 0).then(|| Date::new(2026, 3, 1).unwrap()),
        }
    }

    #[test]
    fn art6_1_f_interest_needs_its_assessment_and_its_day() {
        for bits in 0..4 {
            assert_eq!(interest(bits).complete().is_ok(), bits == 3);
        }
    }

    #[test]
    fn eprivacy13_1_only_the_soft_opt_in_carries_marketing_without_consent() {
        let full = [
            BasisFacts::Contract(Contract { reference: "contract of sale".into() }),
            BasisFacts::LegalObligation(LegalObligation { law: "a law".into() }),
            BasisFacts::LegitimateInterest(interest(3)),
        ];
        for facts in full {
            assert!(facts.carry(StreamKind::Transactional).is_ok());
            assert_eq!(facts.carry(StreamKind::Marketing).unwrap_err()[0].fact, "consent");
        }
        let soft = BasisFacts::SoftOptIn(soft_opt_in(31));
        assert!(soft.carry(StreamKind::Marketing).is_ok());
        assert_eq!(BasisFacts::SoftOptIn(soft_opt_in(30)).carry(StreamKind::Marketing).unwrap_err().len(), 1);
    }
}
