//! Each finding fires on its own cause and not on the clean twin; presets have none; senseless values are mistakes.

use super::{
    Choice, Condition, ConsentTerms, FindingId, Footer, Frequency, Instruction, Keep, MailKind, Operation, OptOut,
    Quiet, RetentionClass, Suppressions, Tracking, findings,
};
use crate::document::agreement::{Mechanism, ProcessingAgreement, SpecialCategories, Transfer};
use crate::document::terms::{
    DataCategory, Language, LawfulBasis, Owner, PlainCategory, Purpose, Region, SpecialCategory, SubjectCategory,
};
use crate::document::tests::{agreement, instruction};
use crate::document::{Content, Preset};

type Change = fn(&mut Instruction, &mut ProcessingAgreement);

/// Streams of the preset `Both`: 0 transactional, 1 newsletter, 2 confirmations.
const NEWSLETTER: usize = 1;

struct Case {
    id: FindingId,
    path: &'static str,
    /// What looks infringing.
    change: Change,
    /// The lawful twin of it.
    twin: Change,
}

fn region(text: &str) -> Region {
    Region::parse(text).unwrap()
}

fn add_purpose(instruction: &mut Instruction, agreement: &mut ProcessingAgreement, id: &str, text: &str) {
    let purpose = Purpose { id: id.into(), text: text.into(), owner: Owner::Controller };
    instruction.purposes.push(purpose.clone());
    agreement.purposes.push(purpose);
}

fn track(instruction: &mut Instruction, agreement: &mut ProcessingAgreement) {
    add_purpose(instruction, agreement, "tracking", "to see which newsletters this person opens and reads");
    let stream = &mut instruction.streams[NEWSLETTER];
    stream.tracking = Tracking::Consented;
    stream.tracking_purpose = Some("tracking".into());
    stream.retention.insert(RetentionClass::Engagement, Keep::Days(90));
}

fn two_purposes(instruction: &mut Instruction, agreement: &mut ProcessingAgreement) {
    add_purpose(instruction, agreement, "events", "invitations to events of the controller in the region");
    instruction.streams[NEWSLETTER].purposes.push("events".into());
}

fn consent(instruction: &mut Instruction) -> &mut ConsentTerms {
    instruction.streams[NEWSLETTER].consent.as_mut().unwrap()
}

fn rename(instruction: &mut Instruction, agreement: &mut ProcessingAgreement, text: &str) {
    instruction.purposes[0].text = text.into();
    agreement.purposes[0].text = text.into();
}

const fn case(id: FindingId, path: &'static str, change: Change, twin: Change) -> Case {
    Case { id, path, change, twin }
}

fn permission_cases() -> Vec<Case> {
    vec![
        case(
            FindingId::SpecialCategory,
            "streams[1].data_categories[6]",
            |one, _| one.streams[NEWSLETTER].data_categories.push(DataCategory::Special(SpecialCategory::Health)),
            |one, agreement| {
                one.streams[NEWSLETTER].data_categories.push(DataCategory::Special(SpecialCategory::Health));
                agreement.special_categories = SpecialCategories::Listed(vec![SpecialCategory::Health]);
            },
        ),
        case(
            FindingId::SpecialCategory,
            "streams[1].data_categories[6]",
            |one, agreement| {
                let words = DataCategory::Other("Religious denomination".into());
                one.streams[NEWSLETTER].data_categories.push(words.clone());
                agreement.data_categories.push(words);
            },
            |one, agreement| {
                let words = DataCategory::Other("shoe size".into());
                one.streams[NEWSLETTER].data_categories.push(words.clone());
                agreement.data_categories.push(words);
            },
        ),
        case(
            FindingId::Children,
            "streams[1].subject_categories[1]",
            |one, _| one.streams[NEWSLETTER].subject_categories.push(SubjectCategory::Children),
            |one, agreement| {
                one.streams[NEWSLETTER].subject_categories.push(SubjectCategory::Children);
                agreement.subject_categories.push(SubjectCategory::Children);
            },
        ),
        case(
            FindingId::ConsentBundled,
            "streams[1].consent.choice",
            |one, agreement| {
                two_purposes(one, agreement);
                consent(one).choice = Choice::Together;
            },
            two_purposes,
        ),
        case(
            FindingId::ConsentBundled,
            "streams[1].consent.choice",
            |one, agreement| {
                track(one, agreement);
                consent(one).choice = Choice::Together;
            },
            |one, _| consent(one).choice = Choice::Together,
        ),
    ]
}

fn marketing_cases() -> Vec<Case> {
    vec![
        case(
            FindingId::ConsentConditional,
            "streams[1].consent.condition",
            |one, _| consent(one).condition = Condition::Required,
            |one, _| consent(one).condition = Condition::Free,
        ),
        case(
            FindingId::NoOptOut,
            "streams[1].opt_out",
            |one, _| one.streams[NEWSLETTER].opt_out = OptOut::None,
            |one, _| one.streams[0].opt_out = OptOut::None,
        ),
        case(
            FindingId::NoOptOut,
            "streams[1].footer",
            |one, _| one.streams[NEWSLETTER].footer = Footer::None,
            |one, _| one.streams[NEWSLETTER].footer = Footer::HeadersAlone,
        ),
        case(
            FindingId::MarketingBasis,
            "streams[1].bases[1]",
            |one, _| one.streams[NEWSLETTER].bases.push(LawfulBasis::LegitimateInterest),
            |one, _| one.streams[NEWSLETTER].bases.push(LawfulBasis::SoftOptIn),
        ),
        case(
            FindingId::MarketingBasis,
            "streams[0].bases[0]",
            |one, _| {
                one.streams[0].kind = MailKind::Marketing;
                one.streams[0].footer = Footer::Add;
                one.streams[0].opt_out = OptOut::OneClick;
            },
            |one, _| one.streams[0].kind = MailKind::Service,
        ),
        case(
            FindingId::NoBasis,
            "streams[0].bases",
            |one, _| one.streams[0].bases.clear(),
            |one, _| one.streams[0].bases = vec![LawfulBasis::LegalObligation],
        ),
        case(
            FindingId::SuppressionIgnored,
            "streams[1].suppressions",
            |one, _| one.streams[NEWSLETTER].suppressions = Suppressions::Ignored,
            |one, _| one.streams[NEWSLETTER].suppressions = Suppressions::Honoured,
        ),
        case(
            FindingId::SuppressionIgnored,
            "streams[1].retention.suppression",
            |one, _| {
                one.streams[NEWSLETTER].retention.insert(RetentionClass::Suppression, Keep::Days(365));
            },
            |one, _| {
                one.streams[0].retention.insert(RetentionClass::Suppression, Keep::Days(365));
            },
        ),
    ]
}

fn limit_cases() -> Vec<Case> {
    vec![
        case(
            FindingId::RetentionWithoutEnd,
            "streams[0].retention.timeline",
            |one, _| {
                one.streams[0].retention.insert(RetentionClass::Timeline, Keep::WithoutEnd);
            },
            |one, _| {
                one.streams[0].retention.insert(RetentionClass::Evidence, Keep::UntilAgreementEnds);
            },
        ),
        case(
            FindingId::RetentionTooLong,
            "streams[0].retention.body",
            |one, _| {
                one.streams[0].retention.insert(RetentionClass::Body, Keep::Days(91));
            },
            |one, _| {
                one.streams[0].retention.insert(RetentionClass::Body, Keep::Days(90));
            },
        ),
        case(
            FindingId::RetentionTooLong,
            "streams[0].retention.timeline",
            |one, _| {
                one.streams[0].retention.insert(RetentionClass::Timeline, Keep::UntilAgreementEnds);
            },
            |one, _| {
                one.streams[0].retention.insert(RetentionClass::Timeline, Keep::Days(365));
            },
        ),
        case(
            FindingId::RetentionUnsaid,
            "streams[1].retention.evidence",
            |one, _| {
                one.streams[NEWSLETTER].retention.remove(&RetentionClass::Evidence);
            },
            |one, _| {
                one.streams[0].retention.remove(&RetentionClass::Evidence);
            },
        ),
        case(
            FindingId::RetentionUnsaid,
            "streams[1].retention.engagement",
            |one, agreement| {
                track(one, agreement);
                one.streams[NEWSLETTER].retention.remove(&RetentionClass::Engagement);
            },
            track,
        ),
        case(
            FindingId::Tracking,
            "streams[1].tracking_purpose",
            |one, agreement| {
                track(one, agreement);
                one.streams[NEWSLETTER].tracking_purpose = None;
            },
            track,
        ),
        case(
            FindingId::Tracking,
            "streams[1].tracking_purpose",
            |one, agreement| {
                track(one, agreement);
                one.streams[NEWSLETTER].tracking_purpose = Some("newsletter".into());
            },
            |one, _| {
                one.streams[NEWSLETTER].tracking = Tracking::Hygiene;
                one.streams[NEWSLETTER].retention.insert(RetentionClass::Engagement, Keep::Days(180));
            },
        ),
    ]
}

fn cover_cases() -> Vec<Case> {
    vec![
        case(
            FindingId::PurposeUncovered,
            "purposes[1]",
            |_, agreement| {
                agreement.purposes.remove(1);
            },
            |one, _| one.purposes[1].text = format!(" {} ", one.purposes[1].text.to_uppercase()),
        ),
        case(
            FindingId::PurposeUncovered,
            "purposes[1]",
            |one, _| one.purposes[1].text.push_str(", and of its partners"),
            |_, _| {},
        ),
        case(
            FindingId::DataUncovered,
            "streams[0].data_categories[6]",
            |one, _| one.streams[0].data_categories.push(DataCategory::Plain(PlainCategory::Location)),
            |one, agreement| {
                one.streams[0].data_categories.push(DataCategory::Plain(PlainCategory::Location));
                agreement.data_categories.push(DataCategory::Plain(PlainCategory::Location));
            },
        ),
        case(
            FindingId::SubjectsUncovered,
            "streams[0].subject_categories[2]",
            |one, _| one.streams[0].subject_categories.push(SubjectCategory::Employees),
            |one, agreement| {
                one.streams[0].subject_categories.push(SubjectCategory::Employees);
                agreement.subject_categories.push(SubjectCategory::Employees);
            },
        ),
        case(
            FindingId::PurposeGeneric,
            "purposes[0].text",
            |one, agreement| rename(one, agreement, "messages for Any  lawful\tpurpose of the shop"),
            |one, agreement| rename(one, agreement, "messages about the shop's open invoices"),
        ),
        case(
            FindingId::PurposeGeneric,
            "purposes[0].text",
            |one, agreement| rename(one, agreement, "the services"),
            |one, agreement| rename(one, agreement, "reminders that a service at the garage is due"),
        ),
        case(
            FindingId::ForeignPurpose,
            "purposes[0].owner",
            |one, agreement| {
                one.purposes[0].owner = Owner::Processor;
                agreement.purposes[0].owner = Owner::Processor;
            },
            |_, _| {},
        ),
        case(
            FindingId::ForeignPurpose,
            "purposes[0].owner",
            |one, agreement| rename(one, agreement, "opening rates to train models of the platform"),
            |one, agreement| rename(one, agreement, "dates of courses that train new colleagues"),
        ),
        case(
            FindingId::Region,
            "streams[0].regions[1]",
            |one, _| one.streams[0].regions.push(region("US")),
            |one, agreement| {
                one.streams[0].regions.push(region("US"));
                agreement.transfers_allowed.push(Transfer { region: region("US"), mechanism: Mechanism::Dpf });
            },
        ),
        case(
            FindingId::Region,
            "streams[0].regions[1]",
            |one, agreement| {
                one.streams[0].regions.push(region("US"));
                let mechanism = Mechanism::PrivacyShield;
                agreement.transfers_allowed.push(Transfer { region: region("US"), mechanism });
            },
            |one, _| one.streams[0].regions.push(region("NO")),
        ),
        case(
            FindingId::Region,
            "streams[0].regions[0]",
            |_, agreement| agreement.regions = vec![region("DE")],
            |one, agreement| {
                agreement.regions = vec![region("DE")];
                one.streams.iter_mut().for_each(|stream| stream.regions = vec![region("DE")]);
            },
        ),
    ]
}

#[test]
fn art28_3_each_finding_fires_on_its_cause_and_not_on_the_lawful_twin() {
    let cases: Vec<Case> =
        [permission_cases(), marketing_cases(), limit_cases(), cover_cases()].into_iter().flatten().collect();
    for (index, case) in cases.iter().enumerate() {
        let (mut one, mut contract) = (instruction(Preset::Both), agreement(Preset::Both, Language::English));
        (case.change)(&mut one, &mut contract);
        let found = findings(&one, &contract);
        let first = found.first().unwrap_or_else(|| panic!("case {index} {:?}: nothing found", case.id));
        assert_eq!((first.id, first.path.as_str()), (case.id, case.path), "case {index}: {found:?}");
        assert!(found.iter().all(|other| other.id == case.id), "case {index}: {found:?}");
        assert_eq!(first.article, case.id.article());
        assert_eq!(first.sentence, case.id.label(Language::English));
        let (mut one, mut contract) = (instruction(Preset::Both), agreement(Preset::Both, Language::English));
        (case.twin)(&mut one, &mut contract);
        assert_eq!(findings(&one, &contract), [], "twin {index}");
    }
    for id in FindingId::ALL {
        assert!(cases.iter().any(|case| case.id == *id), "{id:?} has no test");
    }
}

#[test]
fn art28_3_instructions_from_presets_may_come_into_force() {
    for preset in Preset::ALL {
        for language in [Language::English, Language::German] {
            let contract = agreement(*preset, language);
            let mut one = instruction(*preset);
            one.language = language;
            one.purposes = preset.purposes(language);
            assert_eq!(findings(&one, &contract), [], "{preset:?}");
            assert_eq!(one.mistakes(), [], "{preset:?}");
        }
    }
}

#[test]
fn art28_3_an_agreement_for_less_does_not_cover_more() {
    let contract = agreement(Preset::Transactional, Language::English);
    let found = findings(&instruction(Preset::Both), &contract);
    let of = |id: FindingId| found.iter().filter(|one| one.id == id).count();
    assert_eq!((of(FindingId::PurposeUncovered), of(FindingId::SubjectsUncovered)), (1, 2));
    assert_eq!(of(FindingId::DataUncovered), 1);
}

#[test]
fn findings_speak_the_language_of_the_instruction() {
    let mut one = instruction(Preset::Newsletter);
    one.language = Language::German;
    one.streams[0].opt_out = OptOut::None;
    let found = findings(&one, &agreement(Preset::Newsletter, Language::English));
    assert_eq!(found[0].sentence, "Werbung wird ohne Abmeldemöglichkeit in jeder Nachricht gesendet");
}

#[test]
fn senseless_values_are_mistakes_with_their_place() {
    type Spoil = fn(&mut Instruction);
    let quiet = |from, until, zone: &str| Some(Quiet { from, until, zone: zone.into() });
    let cases: &[(Spoil, &str)] = &[
        (|one| one.version = 0, "version"),
        (|one| one.issued_by.0.clear(), "issued_by"),
        (|one| one.operations.clear(), "operations"),
        (|one| one.operations.push(Operation::Store), "operations[12]"),
        (|one| one.purposes[1].id = "transactional".into(), "purposes[1].id"),
        (|one| one.streams[1].name = "transactional".into(), "streams[1].name"),
        (|one| one.streams[1].name = "News Letter".into(), "streams[1].name"),
        (|one| one.streams[1].purposes.clear(), "streams[1].purposes"),
        (|one| one.streams[1].purposes.push("nothing".into()), "streams[1].purposes[1]"),
        (|one| one.streams[1].purposes.push("newsletter".into()), "streams[1].purposes[1]"),
        (|one| one.streams[1].tracking_purpose = Some("nothing".into()), "streams[1].tracking_purpose"),
        (|one| one.streams[1].consent = None, "streams[1].consent"),
        (|one| one.streams[1].bases = vec![LawfulBasis::SoftOptIn], "streams[1].consent"),
        (|one| one.streams[1].regions.clear(), "streams[1].regions"),
        (|one| one.streams[1].messages_per_day_max = 0, "streams[1].messages_per_day_max"),
        (|one| one.streams[1].messages_per_day_max = 50_001, "streams[1].messages_per_day_max"),
        (|one| one.streams[1].frequency = Some(Frequency { messages: 0, days: 7 }), "streams[1].frequency"),
        (|one| one.streams[1].frequency = Some(Frequency { messages: 2, days: 0 }), "streams[1].frequency"),
        (|one| one.streams[1].frequency = Some(Frequency { messages: 2, days: 367 }), "streams[1].frequency"),
    ];
    for (spoil, path) in cases {
        let mut one = instruction(Preset::Both);
        spoil(&mut one);
        let paths: Vec<String> = one.mistakes().into_iter().map(|mistake| mistake.path).collect();
        assert_eq!(paths.first().map(String::as_str), Some(*path), "{paths:?}");
    }
    for (hours, path) in [
        (quiet(1_440, 60, "Europe/Vienna"), Some("streams[1].quiet")),
        (quiet(60, 60, "Europe/Vienna"), Some("streams[1].quiet")),
        (quiet(1_320, 420, "Vienna"), Some("streams[1].quiet.zone")),
        (quiet(1_320, 420, "Europe/"), Some("streams[1].quiet.zone")),
        (quiet(1_320, 420, "../etc/passwd"), Some("streams[1].quiet.zone")),
        (quiet(1_320, 420, "Europe/Vienna"), None),
        (quiet(0, 420, "UTC"), None),
        (quiet(0, 420, "America/Argentina/Buenos_Aires"), None),
    ] {
        let mut one = instruction(Preset::Both);
        one.streams[1].quiet = hours;
        let paths: Vec<String> = one.mistakes().into_iter().map(|mistake| mistake.path).collect();
        assert_eq!(paths.first().map(String::as_str), path);
    }
    let mut one = instruction(Preset::Both);
    one.streams[1].frequency = Some(Frequency { messages: 1, days: 366 });
    assert_eq!(one.mistakes(), []);
}

#[test]
fn art28_3_a_storing_and_sending_are_what_the_gate_asks_about() {
    let asked: Vec<Operation> = Operation::ALL.iter().copied().filter(|one| one.gate().is_some()).collect();
    assert!(asked.contains(&Operation::Store) && asked.contains(&Operation::Disclose));
    assert_eq!(Operation::ALL.len(), 13);
}

#[test]
fn the_page_says_every_stream_and_what_is_special_about_it() {
    let mut one = instruction(Preset::Both);
    one.streams[1].frequency = Some(Frequency { messages: 2, days: 7 });
    one.streams[1].quiet = Some(Quiet { from: 1_320, until: 425, zone: "Europe/Vienna".into() });
    let text = one.page().text();
    for line in [
        "Stream: newsletter",
        "To one person at most: 2 / 7 days",
        "Quiet hours: 22:00–07:05 Europe/Vienna",
        "content of messages: until the message is disposed of",
        "Confirmation: double opt-in",
        "Issued by: Ada Example, head of marketing",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    assert!(!instruction(Preset::Both).page().text().contains("Quiet hours"));
}
