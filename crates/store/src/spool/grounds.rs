//! What an acceptance rested on, as it is kept with the message: enough to say later which recorded basis it was.
//!
//! Invariants: a short text of fixed words and numbers, nothing of a person; what was shown, and how it was said, is in
//! the evidence, which never changes and is found by purpose and time. A text of another version reads as nothing.
//! Standards: GDPR Art. 5(2), 7(1).

use gate::{Permit, RecipientFacts};
use model::Timestamp;
use model::basis::{BasisKind, Evidence};

/// What an acceptance rested on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Grounds {
    /// The permission generation of the facts.
    pub(crate) generation: u64,
    /// The person's own record; none where the purpose's basis carries everybody.
    pub(crate) basis: Option<OwnBasis>,
}

/// A person's own record, as it was then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OwnBasis {
    pub(crate) kind: BasisKind,
    pub(crate) evidence: Evidence,
    pub(crate) given: Timestamp,
    pub(crate) confirmed: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
}

impl Grounds {
    /// Of a permit and the facts it was given on.
    pub(crate) fn of(permit: &Permit, recipient: &RecipientFacts) -> Self {
        // GDPR Art. 6(1), ePrivacy Art. 13: marketing rests on each person's own record, other mail on its purpose's.
        let basis = recipient.basis.filter(|_| permit.kind().is_marketing()).map(|record| OwnBasis {
            kind: record.kind,
            evidence: record.evidence,
            given: record.given_at,
            confirmed: record.confirmed_at,
            expires: record.expires_at,
        });
        Self { generation: permit.generation(), basis }
    }

    /// As it is kept: `1 GENERATION`, then for a person's own record kind, evidence, and times in microseconds, `-` for
    /// one that there is not.
    pub(crate) fn to_text(&self) -> String {
        let Some(basis) = self.basis else { return format!("1 {}", self.generation) };
        let moment = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.micros().to_string());
        format!(
            "1 {} {} {} {} {} {}",
            self.generation,
            basis.kind.as_str(),
            basis.evidence.as_str(),
            basis.given.micros(),
            moment(basis.confirmed),
            moment(basis.expires)
        )
    }

    /// From what was kept.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let generation = words.next().filter(|version| *version == "1").and(words.next())?.parse().ok()?;
        let Some(kind) = words.next() else { return Some(Self { generation, basis: None }) };
        let (kind, evidence) = (BasisKind::from_word(kind)?, Evidence::from_word(words.next()?)?);
        let given = Timestamp::from_micros(words.next()?.parse().ok()?);
        let mut moment = || match words.next()? {
            "-" => Some(None),
            text => text.parse().ok().map(|micros| Some(Timestamp::from_micros(micros))),
        };
        let (confirmed, expires) = (moment()?, moment()?);
        Some(Self { generation, basis: Some(OwnBasis { kind, evidence, given, confirmed, expires }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_and_nothing_else_is() {
        let basis = OwnBasis {
            kind: BasisKind::SoftOptIn,
            evidence: Evidence::Complete,
            given: Timestamp::from_seconds(7),
            confirmed: None,
            expires: Some(Timestamp::from_seconds(9)),
        };
        for grounds in [
            Grounds { generation: 5, basis: None },
            Grounds { generation: u64::MAX, basis: Some(basis) },
            Grounds { generation: 0, basis: Some(OwnBasis { confirmed: Some(Timestamp::from_seconds(8)), ..basis }) },
        ] {
            assert_eq!(Grounds::read(&grounds.to_text()), Some(grounds));
        }
        for other in ["", "2 5", "1", "1 x", "1 5 consent", "1 5 hope complete 1 - -", "1 5 consent complete 1 -"] {
            assert_eq!(Grounds::read(other), None, "{other}");
        }
    }
}
