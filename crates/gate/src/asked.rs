//! Which rules did not fire, when one did or none: the gate asks its questions in one order, and ends at a refusal.

use crate::rule::Rule;

/// When the gate is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asking {
    /// Before a message is queued ([`crate::decide`]).
    Acceptance,
    /// Before it leaves ([`crate::clear`]).
    Clearance,
}

/// When a question is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Always,
    Accepting,
    Leaving,
}

impl Asked {
    fn at(self, asking: Asking) -> bool {
        match self {
            Self::Always => true,
            Self::Accepting => asking == Asking::Acceptance,
            Self::Leaving => asking == Asking::Clearance,
        }
    }
}

/// The rules of each question, in the order of `rules::ACCEPTANCE` and `rules::CLEARANCE`.
const QUESTIONS: [(&[Rule], Asked); 18] = [
    (&[Rule::FactsUnavailable], Asked::Always),
    (&[Rule::AgreementNotInForce], Asked::Always),
    (&[Rule::InstructionMissing, Rule::InstructionInfringing], Asked::Always),
    (&[Rule::OperationNotInstructed], Asked::Always),
    (&[Rule::TermsNotKept], Asked::Always),
    (&[Rule::CredentialScope], Asked::Accepting),
    (&[Rule::FromNotVerified], Asked::Always),
    (&[Rule::RecipientErased, Rule::RecipientRestricted, Rule::CaseOpen], Asked::Always),
    (&[Rule::Objected, Rule::Suppressed], Asked::Always),
    (&[Rule::Paused], Asked::Always),
    (
        &[
            Rule::NoBasis,
            Rule::ConsentMissing,
            Rule::ConsentUnconfirmed,
            Rule::ConsentWithdrawn,
            Rule::ConsentExpired,
            Rule::ConsentTextUnknown,
            Rule::SoftOptInIncomplete,
        ],
        Asked::Always,
    ),
    (&[Rule::InformationOverdue], Asked::Always),
    (&[Rule::OptOutMissing], Asked::Always),
    (&[Rule::FrequencyCap], Asked::Accepting),
    (&[Rule::Purged, Rule::HeldByOperator, Rule::HeldByController], Asked::Leaving),
    (&[Rule::QuietHours], Asked::Always),
    (&[Rule::Quota], Asked::Accepting),
    (&[Rule::TlsFloor], Asked::Leaving),
];

/// The rules that were asked about and did not fire. A rule of the same question as the one that fired is not among
/// them: it may not have been looked at. One that holds does not end the questions.
#[must_use]
pub fn passed(fired: Option<Rule>, asking: Asking) -> Vec<Rule> {
    let fired_at = fired.and_then(|rule| QUESTIONS.iter().position(|(rules, _)| rules.contains(&rule)));
    let ends = !matches!(
        fired,
        Some(
            Rule::InstructionInfringing
                | Rule::HeldByOperator
                | Rule::HeldByController
                | Rule::QuietHours
                | Rule::TlsFloor
        )
    );
    let questions = QUESTIONS.iter().enumerate().filter(|(at, (_, asked))| {
        asked.at(asking) && fired_at.is_none_or(|fired_at| *at < fired_at || (*at > fired_at && !ends))
    });
    questions.flat_map(|(_, (rules, _))| rules.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{ACCEPTANCE, CLEARANCE};

    #[test]
    fn every_rule_belongs_to_one_question_and_the_questions_are_those_that_are_asked() {
        let mut rules: Vec<Rule> = QUESTIONS.iter().flat_map(|(rules, _)| rules.iter().copied()).collect();
        rules.sort_unstable();
        let mut all = Rule::ALL.to_vec();
        all.sort_unstable();
        assert_eq!(rules, all);
        let count = |asking| QUESTIONS.iter().filter(|(_, asked)| asked.at(asking)).count();
        assert_eq!((count(Asking::Acceptance), count(Asking::Clearance)), (ACCEPTANCE.len(), CLEARANCE.len()));
    }

    #[test]
    fn what_comes_before_passed_and_what_comes_after_was_not_asked() {
        assert_eq!(passed(None, Asking::Acceptance).len(), Rule::ALL.len() - 4, "all but the connection's and orders'");
        assert!(passed(None, Asking::Clearance).contains(&Rule::TlsFloor));
        assert!(!passed(None, Asking::Clearance).contains(&Rule::Quota));
        let passed_before = passed(Some(Rule::ConsentWithdrawn), Asking::Clearance);
        assert!(passed_before.contains(&Rule::Objected) && !passed_before.contains(&Rule::NoBasis));
        assert!(!passed_before.contains(&Rule::OptOutMissing) && !passed_before.contains(&Rule::CredentialScope));
        assert_eq!(passed(Some(Rule::FactsUnavailable), Asking::Acceptance), []);
        let held = passed(Some(Rule::InstructionInfringing), Asking::Acceptance);
        assert!(held.contains(&Rule::Quota) && !held.contains(&Rule::InstructionMissing));
    }
}
