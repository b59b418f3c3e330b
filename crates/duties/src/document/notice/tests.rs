//! Each field of Art. 13 and 14, taken away in turn, is named and keeps the notice from being shown.

use super::{
    Automated, Contact, Headings, IndirectSource, LanguageTag, Notice, NoticePurpose, Officer, Right, Source,
    Transfers, check,
};
use crate::document::canonical::Sha256;
use crate::document::terms::LawfulBasis;
use crate::document::tests::day;
use crate::document::{Content, Document};

fn full() -> Notice {
    Notice {
        version: 3,
        language: LanguageTag::parse("en").unwrap(),
        headings: None,
        title: "Newsletter of Shop Ltd".into(),
        dated: day(),
        short: "Shop Ltd uses your address to send you its newsletter. Each one has a link that ends it.".into(),
        controllers: vec![Contact {
            name: "Shop Ltd".into(),
            address: "1 Example Street, Vienna".into(),
            contact: "privacy@shop.example".into(),
        }],
        representative: None,
        officer: Officer::Contact("dpo@shop.example".into()),
        purposes: vec![NoticePurpose {
            id: "newsletter".into(),
            text: "To send you our newsletter about our own products.".into(),
            bases: vec![LawfulBasis::Consent],
            basis_text: String::new(),
            interest: String::new(),
        }],
        recipients: vec!["Operator Ltd, who sends for us".into()],
        transfers: Transfers::None,
        retention: vec!["Until you withdraw, and the evidence of your consent for three years after.".into()],
        rights: Right::ALL.to_vec(),
        rights_contact: "Write to privacy@shop.example.".into(),
        withdrawal: "Press the link at the end of each newsletter, at any time.".into(),
        complaint: "Österreichische Datenschutzbehörde, dsb.gv.at".into(),
        must_be_given: "No. Without your address we cannot send the newsletter.".into(),
        automated: Automated::None,
        source: Source::FromPerson,
    }
}

fn indirect() -> Notice {
    let source = IndirectSource { source: "Your employer.".into(), data_categories: vec!["e-mail address".into()] };
    Notice { source: Source::Indirect(source), must_be_given: String::new(), ..full() }
}

fn headings() -> Headings {
    let word = |text: &str| text.to_owned();
    Headings {
        controller: word("Responsable"),
        representative: word("Représentant"),
        officer: word("Délégué"),
        purposes: word("Finalités"),
        recipients: word("Destinataires"),
        transfers: word("Transferts"),
        retention: word("Conservation"),
        rights: word("Vos droits"),
        right_texts: vec![word("accès"); 6],
        withdrawal: word("Retrait"),
        complaint: word("Réclamation"),
        must_be_given: word("Obligation"),
        automated: word("Décisions automatisées"),
        source: word("Source"),
        from_person: word("Vous."),
        basis: word("Base légale"),
        none: word("Aucun."),
        version: word("Version"),
    }
}

type Change = fn(&mut Notice);

const TAKEN: &[(Change, &str, &str)] = &[
    (|one| one.title.clear(), "title", "12(1)"),
    (|one| one.short = " \n".into(), "short", "12(1)"),
    (|one| one.controllers.clear(), "controllers", "13(1)(a)"),
    (|one| one.controllers[0].name.clear(), "controllers[0].name", "13(1)(a)"),
    (|one| one.controllers[0].address.clear(), "controllers[0].address", "13(1)(a)"),
    (|one| one.controllers[0].contact.clear(), "controllers[0].contact", "13(1)(a)"),
    (
        |one| one.representative = Some(Contact { contact: String::new(), ..one.controllers[0].clone() }),
        "representative.contact",
        "13(1)(a)",
    ),
    (|one| one.officer = Officer::NotStated, "officer", "13(1)(b)"),
    (|one| one.officer = Officer::Contact(String::new()), "officer", "13(1)(b)"),
    (|one| one.purposes[0].text.clear(), "purposes[0].text", "13(1)(c)"),
    (|one| one.purposes[0].bases.push(LawfulBasis::LegitimateInterest), "purposes[0].interest", "13(1)(d)"),
    (|one| one.recipients.clear(), "recipients", "13(1)(e)"),
    (|one| one.transfers = Transfers::NotStated, "transfers", "13(1)(f)"),
    (|one| one.transfers = Transfers::To(vec![]), "transfers", "13(1)(f)"),
    (|one| one.retention.clear(), "retention", "13(2)(a)"),
    (|one| one.rights.retain(|right| *right != Right::Access), "rights.access", "13(2)(b)"),
    (|one| one.rights.retain(|right| *right != Right::Rectification), "rights.rectification", "13(2)(b)"),
    (|one| one.rights.retain(|right| *right != Right::Erasure), "rights.erasure", "13(2)(b)"),
    (|one| one.rights.retain(|right| *right != Right::Restriction), "rights.restriction", "13(2)(b)"),
    (|one| one.rights.retain(|right| *right != Right::Portability), "rights.portability", "13(2)(b)"),
    (|one| one.rights.retain(|right| *right != Right::Objection), "rights.objection", "21(4)"),
    (|one| one.rights_contact.clear(), "rights_contact", "13(2)(b)"),
    (|one| one.withdrawal.clear(), "withdrawal", "13(2)(c)"),
    (|one| one.complaint.clear(), "complaint", "13(2)(d)"),
    (|one| one.must_be_given.clear(), "must_be_given", "13(2)(e)"),
    (|one| one.automated = Automated::NotStated, "automated", "13(2)(f)"),
    (|one| one.automated = Automated::Used(String::new()), "automated", "13(2)(f)"),
    (|one| one.source = Source::NotStated, "source", "14(2)(f)"),
];

#[test]
fn art13_every_field_that_is_taken_away_is_named_and_stops_publishing() {
    assert_eq!(check(&full()), []);
    for (take, field, article) in TAKEN {
        let mut notice = full();
        take(&mut notice);
        let missing = notice.shown().unwrap_err();
        let named: Vec<&str> = missing.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(named, [*field]);
        assert!(missing[0].article.contains(article), "{}", missing[0].article);
    }
    let mut notice = full();
    notice.purposes[0].bases.clear();
    assert!(check(&notice).iter().any(|one| one.field == "purposes[0].bases" && one.article.contains("13(1)(c)")));
    notice.purposes.clear();
    assert!(check(&notice).iter().any(|one| one.field == "purposes"));
}

#[test]
fn art14_data_from_elsewhere_need_their_source_and_categories() {
    assert_eq!(check(&indirect()), []);
    for (source, categories, field, article) in [
        ("", vec!["e-mail address".to_owned()], "source.indirect.source", "GDPR Art. 14(2)(f)"),
        ("Your employer.", vec![], "source.indirect.data_categories", "GDPR Art. 14(1)(d)"),
    ] {
        let source = IndirectSource { source: source.into(), data_categories: categories };
        let missing = check(&Notice { source: Source::Indirect(source), ..indirect() });
        assert_eq!((missing.len(), missing[0].field.as_str(), missing[0].article), (1, field, article));
    }
    assert!(indirect().page().text().contains("Your employer."));
}

#[test]
fn art20_portability_and_withdrawal_are_asked_for_only_where_they_exist() {
    let mut notice = full();
    notice.purposes[0].bases = vec![LawfulBasis::LegalObligation];
    notice.rights.retain(|right| *right != Right::Portability);
    notice.withdrawal.clear();
    assert_eq!(check(&notice), []);
}

#[test]
fn art12_1_a_language_without_headings_of_ours_brings_its_own() {
    let mut notice = Notice { language: LanguageTag::parse("fr-BE").unwrap(), ..full() };
    let fields = |notice: &Notice| check(notice).into_iter().map(|one| one.field).collect::<Vec<_>>();
    assert_eq!(fields(&notice), ["headings", "purposes[0].basis_text"]);
    notice.purposes[0].basis_text = "consentement".into();
    notice.headings = Some(Headings { basis: String::new(), ..headings() });
    assert_eq!(fields(&notice), ["headings"]);
    notice.headings = Some(headings());
    assert_eq!(fields(&notice), [""; 0]);
    let text = String::from_utf8(notice.shown().unwrap().bytes).unwrap();
    assert!(text.contains("Responsable") && text.contains("Base légale: consentement") && !text.contains("Who"));
}

#[test]
fn art7_1_the_bytes_shown_are_stable_and_their_hash_is_of_them() {
    let shown = full().shown().unwrap();
    assert_eq!(shown, full().shown().unwrap());
    assert_eq!(shown.sha256, Sha256::of(&shown.bytes));
    let text = String::from_utf8(shown.bytes.clone()).unwrap();
    assert!(text.starts_with("Newsletter of Shop Ltd\n======================\n\nShop Ltd uses your address"));
    assert!(text.ends_with("\nVersion: 3, 2027-03-31\n"));
    assert!(text.contains("- To send you our newsletter about our own products. Legal basis: consent"));
    let mut other = full();
    other.short.push('!');
    assert_ne!(other.shown().unwrap().sha256, shown.sha256);
}

#[test]
fn the_notice_reads_back_from_its_document_to_the_same_words() {
    let document = Document::write(&full()).unwrap();
    let (_, read) = Document::parse::<Notice>(document.canonical()).unwrap();
    assert_eq!(read.shown().unwrap(), full().shown().unwrap());
    assert_ne!(read.shown().unwrap().sha256, document.digest());
}

#[test]
fn german_headings_are_built_in_and_tags_are_checked() {
    let german = Notice { language: LanguageTag::parse("de-AT").unwrap(), ..full() };
    let text = german.page().text();
    assert!(text.contains("Ihre Rechte") && text.contains("Widerspruch, gegen Direktwerbung jederzeit"));
    for wrong in ["", "e", "EN", "en_GB", "en-", "deutsch", "en-\u{e9}"] {
        assert!(LanguageTag::parse(wrong).is_err(), "{wrong}");
    }
}
