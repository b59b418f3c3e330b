//! What an agreement still lacks, field by field with the article that asks for it (GDPR Art. 28(3)).

use super::{BreachItem, Ends, LawProfile, ProcessingAgreement, SpecialCategories};
use crate::document::terms::{DataCategory, Private, Role, blank};

/// A mandatory field that is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// The field, as in `clauses.a`.
    pub field: String,
    /// The article that asks for it.
    pub article: &'static str,
    /// What is missing.
    pub sentence: &'static str,
}

/// Names every missing mandatory field. An empty list: the agreement may be signed.
#[must_use]
pub fn check(agreement: &ProcessingAgreement) -> Vec<Missing> {
    let mut list = List(Vec::new());
    parties(agreement, &mut list);
    description(agreement, &mut list);
    clauses(agreement, &mut list);
    breach(agreement, &mut list);
    sub_processors(agreement, &mut list);
    end(agreement, &mut list);
    annexes(agreement, &mut list);
    list.0
}

struct List(Vec<Missing>);

impl List {
    fn when(&mut self, missing: bool, field: impl Into<String>, article: &'static str, sentence: &'static str) {
        if missing {
            self.0.push(Missing { field: field.into(), article, sentence });
        }
    }
}

fn parties(agreement: &ProcessingAgreement, list: &mut List) {
    const ARTICLE: &str = "GDPR Art. 28(3)";
    let has = |wanted: &[Role]| agreement.parties.iter().any(|party| wanted.contains(&party.role));
    let controller = has(&[Role::Controller, Role::JointController]);
    list.when(!controller, "parties", ARTICLE, "no controller is named");
    list.when(!has(&[Role::Processor]), "parties", ARTICLE, "no processor is named");
    for (index, party) in agreement.parties.iter().enumerate() {
        let mut text = |text: &Private, field: &str, article, sentence| {
            list.when(blank(text.text()), format!("parties[{index}].{field}"), article, sentence);
        };
        text(&party.name, "name", ARTICLE, "a party has no name");
        text(&party.address, "address", "GDPR Art. 30(2)(a)", "a party has no address");
        text(&party.contact, "contact", "GDPR Art. 30(2)(a)", "a party has no contact for data protection");
    }
}

fn description(agreement: &ProcessingAgreement, list: &mut List) {
    const ARTICLE: &str = "GDPR Art. 28(3)";
    list.when(blank(&agreement.subject_matter), "subject_matter", ARTICLE, "the subject matter is not stated");
    list.when(blank(&agreement.nature), "nature", ARTICLE, "the nature of the processing is not stated");
    list.when(agreement.purposes.is_empty(), "purposes", ARTICLE, "no purpose is stated");
    for (index, purpose) in agreement.purposes.iter().enumerate() {
        list.when(blank(&purpose.text), format!("purposes[{index}].text"), ARTICLE, "a purpose has no words");
    }
    // Regulation (EU) 2023/2854 Art. 25(2)(d): two months of notice at most.
    let notice = matches!(agreement.duration.ends, Ends::WithContract(days) if days == 0 || days > 62);
    let sentence = "the notice that ends the contract is not between one day and two months";
    list.when(notice, "duration.ends", "GDPR Art. 28(3); Data Act Art. 25(2)(d)", sentence);
    list.when(agreement.data_categories.is_empty(), "data_categories", ARTICLE, "no type of data is stated");
    for (index, category) in agreement.data_categories.iter().enumerate() {
        let empty = matches!(category, DataCategory::Other(text) if blank(text));
        list.when(empty, format!("data_categories[{index}]"), ARTICLE, "a type of data has no words");
    }
    special_categories(agreement, list);
    list.when(
        agreement.subject_categories.is_empty(),
        "subject_categories",
        ARTICLE,
        "no category of persons is stated",
    );
    let obligations = agreement.obligations_controller.iter().all(|text| blank(text));
    list.when(obligations, "obligations_controller", ARTICLE, "the controller's obligations are not stated");
    let rights = agreement.rights_controller.iter().all(|text| blank(text));
    list.when(rights, "rights_controller", ARTICLE, "the controller's rights are not stated");
}

fn special_categories(agreement: &ProcessingAgreement, list: &mut List) {
    const FIELD: &str = "special_categories";
    const ARTICLE: &str = "GDPR Art. 28(3), 9(1)";
    let listed = match &agreement.special_categories {
        SpecialCategories::NotStated => {
            return list.when(true, FIELD, ARTICLE, "special categories are neither listed nor excluded");
        }
        SpecialCategories::None => &[][..],
        SpecialCategories::Listed(listed) => {
            list.when(listed.is_empty(), FIELD, ARTICLE, "the list of special categories is empty");
            listed
        }
    };
    let unlisted = |category: &DataCategory| matches!(category, DataCategory::Special(one) if !listed.contains(one));
    let contradicts = agreement.data_categories.iter().any(unlisted);
    list.when(contradicts, FIELD, ARTICLE, "a type of data is a special category that is not listed as one");
}

fn clauses(agreement: &ProcessingAgreement, list: &mut List) {
    for (letter, article, text) in agreement.clauses.each() {
        list.when(blank(text), format!("clauses.{letter}"), article, "this clause has no text");
    }
}

fn breach(agreement: &ProcessingAgreement, list: &mut List) {
    const ARTICLE: &str = "GDPR Art. 33(2)";
    let breach = &agreement.breach;
    let none = breach.channels.iter().all(|channel| blank(channel.text()));
    list.when(none, "breach.channels", ARTICLE, "no way of telling the controller is stated");
    // The controller's own clock is 72 hours (GDPR Art. 33(1)): a notice must leave it time.
    let hours = !(1..=72).contains(&breach.hours);
    list.when(hours, "breach.hours", ARTICLE, "the time for the notice is not between 1 and 72 hours");
    let items = BreachItem::ALL.iter().any(|item| !breach.content.contains(item));
    list.when(items, "breach.content", "GDPR Art. 33(3)", "the notice does not say everything that the law asks for");
}

fn sub_processors(agreement: &ProcessingAgreement, list: &mut List) {
    let sub = &agreement.sub_processors;
    let sentence = "no time to object to a new sub-processor is left";
    list.when(sub.notice_days == 0, "sub_processors.notice_days", "GDPR Art. 28(2)", sentence);
    for (index, one) in sub.engaged.iter().enumerate() {
        let texts = [
            ("name", one.name.as_str()),
            ("address", &one.address),
            ("contact", one.contact.text()),
            ("service", &one.service),
        ];
        for (field, text) in texts {
            let sentence = "a sub-processor is not described in full";
            let path = format!("sub_processors.engaged[{index}].{field}");
            list.when(blank(text), path, "GDPR Art. 28(2), (4)", sentence);
        }
    }
}

fn end(agreement: &ProcessingAgreement, list: &mut List) {
    let end = agreement.end;
    let sentence = "there is no day on which nothing is left";
    list.when(end.days == 0, "end.days", "GDPR Art. 28(3)(g)", sentence);
    let sentence = "less than 30 days are left to fetch the data";
    list.when(end.retrieval_days < 30, "end.retrieval_days", "Data Act Art. 25(2)(g)", sentence);
    let audits = agreement.audit.self_service == super::Granted::No && agreement.audit.on_site == super::Granted::No;
    list.when(audits, "audit", "GDPR Art. 28(3)(h)", "no audit of any kind is granted");
}

fn annexes(agreement: &ProcessingAgreement, list: &mut List) {
    list.when(agreement.regions.is_empty(), "regions", "GDPR Art. 28(3)(a), 44", "no place of processing is stated");
    for (index, transfer) in agreement.transfers_allowed.iter().enumerate() {
        let invalid = transfer.mechanism.invalid_since().is_some();
        let path = format!("transfers_allowed[{index}].mechanism");
        list.when(invalid, path, "GDPR Art. 44", "the mechanism of this transfer is invalid");
    }
    let none = agreement.measures.iter().all(|measure| blank(&measure.text));
    list.when(none, "measures", "GDPR Art. 28(3)(c), 32", "no technical or organisational measure is stated");
    let gdpr = agreement.law_profiles.contains(&LawProfile::Gdpr);
    list.when(!gdpr, "law_profiles", "GDPR Art. 28(3)", "the agreement does not name the GDPR");
    let sentence = "no day for the next review is stated";
    list.when(agreement.review_due.is_none(), "review_due", "GDPR Art. 28(1)", sentence);
    let sentence = "a later version does not name the hash of the one before";
    list.when(agreement.version > 1 && agreement.supersedes.is_none(), "supersedes", "GDPR Art. 28(9)", sentence);
}
