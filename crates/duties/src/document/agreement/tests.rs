//! Each mandatory field of Art. 28(3), taken away in turn, is named; the full agreement is complete.

use super::{
    Begins, End, Ends, Granted, LawProfile, Mechanism, ProcessingAgreement, SpecialCategories, SubProcessor, Transfer,
    check,
};
use crate::document::canonical::Sha256;
use crate::document::terms::{DataCategory, Language, Private, Region, Role, SpecialCategory};
use crate::document::tests::{agreement, party};
use crate::document::{Content, Document, Preset};

type Change = fn(&mut ProcessingAgreement);

fn full() -> ProcessingAgreement {
    agreement(Preset::Both, Language::English)
}

/// What is taken away, the field that must be named, and part of its article.
const TAKEN: &[(Change, &str, &str)] = &[
    (|one| one.parties.retain(|party| party.role != Role::Controller), "parties", "28(3)"),
    (|one| one.parties.retain(|party| party.role != Role::Processor), "parties", "28(3)"),
    (|one| one.parties[0].name = Private::from(" "), "parties[0].name", "28(3)"),
    (|one| one.parties[1].address = Private::default(), "parties[1].address", "30(2)(a)"),
    (|one| one.parties[1].contact = Private::default(), "parties[1].contact", "30(2)(a)"),
    (|one| one.subject_matter.clear(), "subject_matter", "28(3)"),
    (|one| one.nature.clear(), "nature", "28(3)"),
    (|one| one.purposes.clear(), "purposes", "28(3)"),
    (|one| one.purposes[0].text.clear(), "purposes[0].text", "28(3)"),
    (|one| one.duration.ends = Ends::WithContract(0), "duration.ends", "28(3)"),
    (|one| one.duration.ends = Ends::WithContract(90), "duration.ends", "Data Act Art. 25(2)(d)"),
    (|one| one.data_categories.clear(), "data_categories", "28(3)"),
    (|one| one.special_categories = SpecialCategories::NotStated, "special_categories", "9(1)"),
    (|one| one.special_categories = SpecialCategories::Listed(vec![]), "special_categories", "9(1)"),
    (|one| one.data_categories.push(DataCategory::Special(SpecialCategory::Health)), "special_categories", "9(1)"),
    (|one| one.subject_categories.clear(), "subject_categories", "28(3)"),
    (|one| one.obligations_controller.clear(), "obligations_controller", "28(3)"),
    (|one| one.rights_controller = vec![String::new()], "rights_controller", "28(3)"),
    (|one| one.clauses.a.clear(), "clauses.a", "28(3)(a)"),
    (|one| one.clauses.b.clear(), "clauses.b", "28(3)(b)"),
    (|one| one.clauses.c.clear(), "clauses.c", "28(3)(c)"),
    (|one| one.clauses.d.clear(), "clauses.d", "28(3)(d)"),
    (|one| one.clauses.e.clear(), "clauses.e", "28(3)(e)"),
    (|one| one.clauses.f.clear(), "clauses.f", "28(3)(f)"),
    (|one| one.clauses.g.clear(), "clauses.g", "28(3)(g)"),
    (|one| one.clauses.h.clear(), "clauses.h", "28(3)(h)"),
    (|one| one.breach.channels.clear(), "breach.channels", "33(2)"),
    (|one| one.breach.hours = 0, "breach.hours", "33(2)"),
    (|one| one.breach.hours = 73, "breach.hours", "33(2)"),
    (
        |one| {
            one.breach.content.pop();
        },
        "breach.content",
        "33(3)",
    ),
    (|one| one.sub_processors.notice_days = 0, "sub_processors.notice_days", "28(2)"),
    (
        |one| {
            one.sub_processors.engaged.push(SubProcessor {
                name: "Cloud Ltd".into(),
                address: "2 Example Street, Dublin".into(),
                contact: Private::from("dpo@cloud.example"),
                service: String::new(),
                region: Region::eea(),
            });
        },
        "sub_processors.engaged[0].service",
        "28(2)",
    ),
    (|one| one.end = End { days: 0, retrieval_days: 30, ..one.end }, "end.days", "28(3)(g)"),
    (|one| one.end.retrieval_days = 29, "end.retrieval_days", "Data Act Art. 25(2)(g)"),
    (
        |one| {
            one.audit.self_service = Granted::No;
            one.audit.on_site = Granted::No;
        },
        "audit",
        "28(3)(h)",
    ),
    (|one| one.regions.clear(), "regions", "44"),
    (
        |one| {
            one.transfers_allowed =
                vec![Transfer { region: Region::parse("US").unwrap(), mechanism: Mechanism::PrivacyShield }];
        },
        "transfers_allowed[0].mechanism",
        "44",
    ),
    (|one| one.measures.clear(), "measures", "32"),
    (|one| one.law_profiles = vec![LawProfile::Ccpa], "law_profiles", "28(3)"),
    (|one| one.review_due = None, "review_due", "28(1)"),
    (|one| one.version = 2, "supersedes", "28(9)"),
];

#[test]
fn art28_3_every_mandatory_field_that_is_taken_away_is_named_with_its_article() {
    for (index, (take, field, article)) in TAKEN.iter().enumerate() {
        let mut agreement = full();
        take(&mut agreement);
        let missing = check(&agreement);
        let named: Vec<&str> = missing.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(named, [*field], "case {index}");
        assert!(missing[0].article.contains(article), "case {index}: {}", missing[0].article);
        assert!(missing[0].sentence.len() > 10);
    }
}

#[test]
fn art28_3_the_full_draft_of_every_preset_lacks_the_review_alone() {
    for preset in Preset::ALL {
        for language in [Language::English, Language::German] {
            let mut agreement = agreement(*preset, language);
            assert_eq!(check(&agreement), [], "{preset:?} {language:?}");
            agreement.review_due = None;
            assert_eq!(check(&agreement).len(), 1);
        }
    }
}

#[test]
fn art9_1_a_listed_special_category_is_complete() {
    let mut agreement = full();
    agreement.data_categories.push(DataCategory::Special(SpecialCategory::Health));
    agreement.special_categories = SpecialCategories::Listed(vec![SpecialCategory::Health]);
    assert_eq!(check(&agreement), []);
}

#[test]
fn art28_9_a_later_version_names_the_one_before() {
    let first = Document::write(&full()).unwrap();
    let second = ProcessingAgreement { version: 2, supersedes: Some(first.digest()), ..full() };
    assert_eq!(check(&second), []);
    let second = Document::write(&second).unwrap();
    assert_eq!(second.version(), 2);
    assert_ne!(second.sha256(), first.sha256());
    assert!(second.page::<ProcessingAgreement>().unwrap().text().contains(&first.digest().to_string()));
    assert_eq!(first.digest(), Sha256(first.sha256()));
}

#[test]
fn dates_and_times_that_contradict_each_other_are_mistakes() {
    let mut agreement = full();
    let day = crate::document::tests::day();
    agreement.duration = super::Term { begins: Begins::On(day), ends: Ends::On(day) };
    agreement.end.days = 10;
    agreement.purposes.push(agreement.purposes[0].clone());
    agreement.purposes[1].id = "Any Name".into();
    let paths: Vec<String> = agreement.mistakes().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["purposes[1].id", "purposes[3].id", "duration.ends", "end.days"]);
    assert!(full().mistakes().is_empty());
}

#[test]
fn the_page_has_the_four_annexes_every_clause_and_every_measure() {
    for (language, annexes) in [
        (Language::English, ["Annex I:", "Annex II:", "Annex III:", "Annex IV:"]),
        (Language::German, ["Anhang I:", "Anhang II:", "Anhang III:", "Anhang IV:"]),
    ] {
        let agreement = agreement(Preset::Both, language);
        let page = agreement.page();
        let (text, html) = (page.text(), page.html());
        for annex in annexes {
            assert_eq!(text.lines().filter(|line| line.starts_with(annex)).count(), 1, "{annex}");
        }
        for (letter, _, clause) in agreement.clauses.each() {
            assert!(text.contains(clause), "clause {letter}");
        }
        for measure in &agreement.measures {
            assert!(text.contains(&measure.text));
        }
        assert!(text.contains("Shop Ltd") && html.contains("Shop Ltd"));
        assert!(html.starts_with(&format!("<section class=\"document\" lang=\"{}\">", language.as_str())));
    }
}

#[test]
fn a_joint_controller_counts_as_a_controller() {
    let mut agreement = full();
    agreement.parties[0] = party(Role::JointController, "Shop and Sons Ltd");
    assert_eq!(check(&agreement), []);
}
