//! Why a record is no evidence of consent (GDPR Art. 7(1)): what it lacks, and what makes the consent itself invalid.

use super::{Action, By, ChoiceShown, ConsentEvidence, Decision, Freedom, Method, Standing, Status};
use crate::document::terms::blank;

/// Days in which a confirmation counts.
const CONFIRMATION_DAYS: u64 = 7;

/// What follows from a defect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Grade {
    /// It was asserted without its words: it counts only where the instruction says so, and every report marks it.
    Unverified,
    /// A fact is missing: the record is no evidence.
    Incomplete,
    /// There is no valid consent, whatever the record says.
    Invalid,
}

/// A defect of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Defect {
    /// The field.
    pub field: String,
    /// What follows.
    pub grade: Grade,
    /// The article.
    pub article: &'static str,
    /// What is wrong.
    pub sentence: &'static str,
}

/// Every reason to refuse the record as evidence. Empty: it shows who consented, when, how, to what and to whom.
#[must_use]
pub fn refuse_as_evidence(evidence: &ConsentEvidence) -> Vec<Defect> {
    let mut list = List(Vec::new());
    who_and_when(evidence, &mut list);
    how(evidence, &mut list);
    words_shown(evidence, &mut list);
    to_what(evidence, &mut list);
    since(evidence, &mut list);
    list.0
}

struct List(Vec<Defect>);

impl List {
    fn when(
        &mut self,
        wrong: bool,
        field: impl Into<String>,
        grade: Grade,
        article: &'static str,
        sentence: &'static str,
    ) {
        if wrong {
            self.0.push(Defect { field: field.into(), grade, article, sentence });
        }
    }

    fn lacks(&mut self, wrong: bool, field: impl Into<String>, sentence: &'static str) {
        self.when(wrong, field, Grade::Incomplete, "GDPR Art. 7(1)", sentence);
    }
}

fn who_and_when(evidence: &ConsentEvidence, list: &mut List) {
    list.lacks(blank(&evidence.record_id), "record_id", "the record has no id");
    list.lacks(blank(&evidence.subject.0), "subject", "it is not known who consented");
    // GDPR Art. 5(1)(c): the record is handed on; what it needs is a reference, not the address.
    let address = evidence.subject.0.contains('@');
    let sentence = "the reference to the person is an address";
    list.when(address, "subject", Grade::Incomplete, "GDPR Art. 5(1)(c)", sentence);
    list.lacks(evidence.given_at.is_none(), "given_at", "it is not known when consent was given");
    let none = evidence.controllers.is_empty() || evidence.controllers.iter().any(|one| blank(&one.name));
    let sentence = "it is not known which controller was shown";
    list.when(none, "controllers", Grade::Incomplete, "GDPR Art. 4(11), 7(1)", sentence);
    list.lacks(evidence.jurisdiction.is_none(), "jurisdiction", "it is not said which law governs");
}

fn how(evidence: &ConsentEvidence, list: &mut List) {
    match evidence.action {
        // GDPR Art. 4(11), recital 32; CJEU C-673/17.
        Action::PreTickedBox => {
            list.when(true, "action", Grade::Invalid, "GDPR Art. 4(11)", "the box was ticked beforehand");
        }
        Action::Silence => list.when(true, "action", Grade::Invalid, "GDPR Art. 4(11)", "the person did nothing"),
        Action::Unknown => list.lacks(true, "action", "it is not known what the person did"),
        Action::TickedBox | Action::Button | Action::Signature | Action::Spoken => {}
    }
    let conditional = evidence.freedom == Freedom::Conditional;
    let sentence = "something was made to depend on the consent";
    list.when(conditional, "freedom", Grade::Invalid, "GDPR Art. 7(4)", sentence);
    // GDPR Art. 7(1), (4): what nobody here saw is the controller's word, and says so.
    let told = evidence.told_by != By::Subject;
    let sentence = "the controller told it: the platform did not see the person do it";
    list.when(told, "told_by", Grade::Unverified, "GDPR Art. 7(1)", sentence);
    let unknown = evidence.freedom == Freedom::Unknown;
    let sentence = "it is not known whether something depended on the consent";
    list.when(unknown, "freedom", Grade::Unverified, "GDPR Art. 7(4)", sentence);
    let unconfirmed = evidence.standing == Standing::Unconfirmed;
    list.lacks(unconfirmed, "standing", "the person did not confirm it");
    let form = matches!(evidence.method, Method::Form | Method::DoubleOptIn);
    list.lacks(form && evidence.source.is_none(), "source", "it is not known on which form consent was given");
    if evidence.method == Method::DoubleOptIn {
        confirmation(evidence, list);
    }
}

fn confirmation(evidence: &ConsentEvidence, list: &mut List) {
    let Some(confirmed) = evidence.confirmation else {
        return list.lacks(true, "confirmation", "the consent was never confirmed");
    };
    let given = evidence.given_at.unwrap_or(confirmed.asked_at);
    let order = confirmed.asked_at < given || confirmed.confirmed_at < confirmed.asked_at;
    list.lacks(order, "confirmation", "the confirmation is older than what it confirms");
    let late = confirmed.confirmed_at.since(confirmed.asked_at).as_secs() > CONFIRMATION_DAYS * 86_400;
    list.lacks(late, "confirmation", "the consent was confirmed after the link had run out");
}

fn words_shown(evidence: &ConsentEvidence, list: &mut List) {
    match &evidence.notice {
        None => {
            // A list from elsewhere may be true; without the words shown nobody can tell.
            let imported = matches!(evidence.method, Method::Import | Method::Api);
            let grade = if imported { Grade::Unverified } else { Grade::Incomplete };
            list.when(true, "notice", grade, "GDPR Art. 7(1)", "the words that were shown are not known");
        }
        Some(notice) => {
            list.lacks(notice.language.is_none(), "notice.language", "the language of the words is not known");
            list.lacks(notice.version == 0, "notice.version", "the version of the notice is not known");
        }
    }
    let none = evidence.withdrawal_shown.as_deref().is_none_or(blank);
    let sentence = "it is not known that a way to withdraw was shown";
    list.when(none, "withdrawal_shown", Grade::Incomplete, "GDPR Art. 7(3)", sentence);
}

fn to_what(evidence: &ConsentEvidence, list: &mut List) {
    list.lacks(evidence.purposes.is_empty(), "purposes", "it is not known what was consented to");
    for (index, purpose) in evidence.purposes.iter().enumerate() {
        let nameless = blank(&purpose.id) || blank(&purpose.text);
        list.lacks(nameless, format!("purposes[{index}]"), "a purpose has no id or no words");
        let twice = evidence.purposes.iter().take(index).any(|earlier| earlier.id == purpose.id);
        list.lacks(twice, format!("purposes[{index}]"), "a purpose is decided twice");
        // GDPR Art. 7(2), recital 43: one action for several purposes is consent to none of them.
        let bundled = purpose.choice == ChoiceShown::Together && evidence.purposes.len() > 1;
        let sentence = "the purpose could not be decided by itself";
        let path = format!("purposes[{index}].choice");
        list.when(bundled, path.as_str(), Grade::Invalid, "GDPR Art. 7(2), recital 43", sentence);
        let unknown = purpose.choice == ChoiceShown::Unknown;
        let sentence = "it is not known whether the purpose could be decided by itself";
        list.when(unknown, path, Grade::Unverified, "GDPR Art. 7(2), recital 43", sentence);
    }
    let none = !evidence.purposes.iter().any(|purpose| purpose.decision == Decision::Given);
    list.lacks(!evidence.purposes.is_empty() && none, "purposes", "every purpose was refused");
    list.lacks(evidence.personal_data.is_empty(), "personal_data", "no type of data is named");
}

fn since(evidence: &ConsentEvidence, list: &mut List) {
    let unordered = |events: &[super::StatusEvent]| {
        events.windows(2).any(|pair| match pair {
            [earlier, later] => later.at < earlier.at,
            _ => false,
        })
    };
    list.lacks(unordered(&evidence.events), "events", "the events are not in order of time");
    let ends = evidence.expires_at.is_some_and(|end| end <= evidence.given_at.unwrap_or_default());
    list.lacks(ends, "expires_at", "the consent ended before it was given");
    for (index, event) in evidence.events.iter().enumerate() {
        let known = |id: &String| evidence.purposes.iter().any(|purpose| purpose.id == *id);
        let path = format!("events[{index}].purposes");
        list.lacks(!event.purposes.iter().all(known), path, "an event is about a purpose that was not shown");
        let invalidated = event.status == Status::Invalidated && event.purposes.is_empty();
        let sentence = "the consent was found to be invalid";
        list.when(invalidated, format!("events[{index}]"), Grade::Invalid, "GDPR Art. 7", sentence);
    }
}
