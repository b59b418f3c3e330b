//! What a rule fired on, as it is told: fixed words, times, and scopes in the names of the controller.

use crate::facts::write_scope;
use gate::{RecipientFacts, Rule};
use model::Timestamp;
use model::person::Restriction;
use serde::{Deserialize, Serialize};

/// A fact that led to a verdict.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Fact {
    /// `no-basis`, `basis`, `withdrawal`, `suppression`, `restriction`, `information`, `pause`, `agreement`,
    /// `instruction`.
    pub what: String,
    /// Of which kind: that of a basis, the reason of a suppression, the state of an agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How far it reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "micros")]
    pub at: Option<Timestamp>,
    /// When the person confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "micros")]
    pub confirmed: Option<Timestamp>,
    /// When it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "micros")]
    pub withdrawn: Option<Timestamp>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "micros")]
    pub until: Option<Timestamp>,
    /// How well it is shown: `complete` or `unverified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Fact {
    pub(super) fn of(what: &str) -> Self {
        Self { what: what.to_owned(), ..Self::default() }
    }
}

/// What of a person's facts a rule fired on.
pub(crate) fn refused_on(rule: Rule, person: &RecipientFacts) -> Vec<Fact> {
    match rule {
        Rule::Suppressed | Rule::Objected => person
            .suppressions
            .iter()
            .map(|entry| Fact {
                kind: Some(entry.reason.as_str().to_owned()),
                scope: Some(write_scope(entry.scope)),
                until: entry.until,
                ..Fact::of("suppression")
            })
            .collect(),
        Rule::RecipientErased | Rule::RecipientRestricted | Rule::CaseOpen => person
            .restriction
            .iter()
            .map(|kind| Fact { kind: Some(restricted(*kind).to_owned()), ..Fact::of("restriction") })
            .collect(),
        Rule::Paused => vec![Fact { until: person.paused_until, ..Fact::of("pause") }],
        Rule::InformationOverdue => vec![Fact { until: person.inform_until, ..Fact::of("information") }],
        Rule::NoBasis => vec![Fact::of("no-basis")],
        Rule::ConsentMissing
        | Rule::ConsentUnconfirmed
        | Rule::ConsentWithdrawn
        | Rule::ConsentExpired
        | Rule::ConsentTextUnknown
        | Rule::SoftOptInIncomplete => person
            .basis
            .iter()
            .map(|basis| Fact {
                kind: Some(basis.kind.as_str().to_owned()),
                evidence: Some(basis.evidence.as_str().to_owned()),
                at: Some(basis.given_at),
                confirmed: basis.confirmed_at,
                withdrawn: basis.withdrawn_at,
                until: basis.expires_at,
                ..Fact::of("basis")
            })
            .collect(),
        Rule::FactsUnavailable
        | Rule::AgreementNotInForce
        | Rule::InstructionMissing
        | Rule::InstructionInfringing
        | Rule::OperationNotInstructed
        | Rule::TermsNotKept
        | Rule::CredentialScope
        | Rule::FromNotVerified
        | Rule::OptOutMissing
        | Rule::FrequencyCap
        | Rule::Purged
        | Rule::HeldByOperator
        | Rule::HeldByController
        | Rule::QuietHours
        | Rule::TlsFloor
        | Rule::Quota => Vec::new(),
    }
}

const fn restricted(kind: Restriction) -> &'static str {
    crate::facts::write_restriction(kind)
}

/// Moments as they stand in rows: microseconds.
mod micros {
    use model::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands a field over by reference")]
    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::micros).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(Timestamp::from_micros))
    }
}
