//! The shape of a dry run's answer, and what is refused before anything is asked.

use super::*;
use crate::tests::golden;

fn asked(recipients: &[&str]) -> Asked {
    let body = serde_json::json!({"stream": "newsletter", "recipients": recipients});
    asked_of(&body).ok().unwrap()
}

fn asked_of(body: &serde_json::Value) -> Result<Asked, Problem> {
    read(&serde_json::to_vec(body).unwrap())
}

#[test]
fn people_are_named_by_their_places_and_by_no_address() {
    let asked = asked(&["ada@dest.example", "nobody", "Bob@dest.example", "carol@dest.example", "bob@dest.example"]);
    let foreseen = [
        Foreseen::Refused(Rule::ConsentWithdrawn),
        Foreseen::Queued,
        Foreseen::Held(Rule::InstructionInfringing),
        Foreseen::Repeats(1),
    ];
    let told = sorted(&asked, &foreseen, "2026-03-01T12:00:00.000000Z".to_owned(), "https://mail.example");
    assert!(!serde_json::to_string(&told).unwrap().contains("dest.example"));
    golden("decisions.json", &told);
}

#[test]
fn too_many_no_recipient_and_a_bad_domain_are_named() {
    for (body, field) in [
        (serde_json::json!({"recipients": []}), "recipients"),
        (serde_json::json!({"recipients": vec!["a@b.example"; RECIPIENTS_MAX + 1]}), "recipients"),
        (serde_json::json!({"recipients": ["a@b.example"], "from": "a b"}), "from"),
    ] {
        let problem = serde_json::to_value(asked_of(&body).err().unwrap()).unwrap();
        assert!(problem["field"].as_str().unwrap().starts_with(field), "{problem}");
    }
    assert!(asked_of(&serde_json::json!({"recipients": vec!["a@b.example"; RECIPIENTS_MAX]})).is_ok());
}
