//! What a controller may state about a person.

use super::*;
use crate::tests::golden;

#[test]
fn the_answer_does_not_repeat_the_address() {
    golden(
        "suppression.json",
        &Suppression { scope: "all".to_owned(), reason: reason(Some("opt-out")).unwrap().as_str() },
    );
}

#[test]
fn art17_bounces_and_erasures_are_not_the_clients_to_state() {
    for word in ["controller", "opt-out", "complaint", "objection"] {
        assert_eq!(reason(Some(word)).unwrap().as_str(), word);
    }
    for word in ["hard-bounce", "erasure", "", "Objection"] {
        assert!(reason(Some(word)).is_err(), "{word}");
    }
    assert_eq!(reason(None).unwrap(), SuppressionReason::Controller);
}
