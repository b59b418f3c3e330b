//! Answers as JSON, against golden files, and their statuses.

use super::*;
use crate::tests::{golden, refusal};
use model::MessageId;
use model::message::Queued;
use mta::submission::Declined;

const BASE: &str = "https://mail.example";

fn queued(id: &str) -> Answer {
    Answer::Queued(Queued { id: MessageId(7), public_id: id.to_owned() })
}

fn held(id: &str) -> Answer {
    Answer::Held(Queued { id: MessageId(8), public_id: id.to_owned() }, refusal(Rule::FactsUnavailable))
}

fn refused(rule: Rule) -> Answer {
    Answer::Refused(Declined::under(refusal(rule), "dec_0000000000000001".to_owned()))
}

fn told(answers: &[Answer]) -> Told {
    let to = ["ada@dest.example", "bob@dest.example", "eve@dest.example"];
    Told::of(to.into_iter().take(answers.len()), answers, "req_0000000000000001".to_owned(), BASE)
}

fn problem_of(told: &Told) -> &Problem {
    match told {
        Told::Problem { problem } => problem,
        Told::Accepted(accepted) => panic!("accepted: {accepted:?}"),
    }
}

#[test]
fn one_queued_recipient_makes_it_202_and_the_others_say_why() {
    let told = told(&[queued("msg_0000000000000001"), refused(Rule::Suppressed), held("msg_0000000000000002")]);
    assert_eq!(told.status().as_u16(), 202);
    golden("accepted.json", &told);
}

#[test]
fn art5_1_c_what_is_kept_for_a_repeat_has_no_address_and_gives_the_same_answer() {
    let first = told(&[queued("msg_0000000000000001"), refused(Rule::Suppressed), held("msg_0000000000000002")]);
    let kept = first.kept().unwrap();
    let text = String::from_utf8(kept.clone()).unwrap();
    assert!(!text.contains('@') && text.contains("msg_0000000000000001") && text.contains("suppressed"), "{text}");
    let mut to = ["ada@dest.example", "bob@dest.example", "eve@dest.example"].map(str::to_owned).to_vec();
    assert_eq!(Told::of_kept(&kept, &to, BASE), Some(first));
    to.pop();
    assert_eq!(Told::of_kept(&kept, &to, BASE), None, "not the request that it was kept for");
    assert_eq!(Told::of_kept(b"{}", &to, BASE), None);
    assert_eq!(told(&[refused(Rule::Suppressed)]).kept(), None, "a repeat of what was refused is decided anew");
}

#[test]
fn a_held_recipient_alone_is_202() {
    assert_eq!(told(&[held("msg_0000000000000002"), refused(Rule::Suppressed)]).status().as_u16(), 202);
}

#[test]
fn art21_3_all_refused_by_one_rule_is_422_with_results_and_the_rule() {
    let told = told(&[refused(Rule::Suppressed), refused(Rule::Suppressed)]);
    assert_eq!(told.status().as_u16(), 422);
    golden("problem-all-refused.json", problem_of(&told));
}

#[test]
fn all_refused_by_different_rules_is_422_with_a_rule_for_each() {
    let told = told(&[refused(Rule::Suppressed), refused(Rule::NoBasis)]);
    assert_eq!(told.status().as_u16(), 422);
    golden("problem-mixed-refused.json", problem_of(&told));
}

#[test]
fn art28_3_a_refusal_of_the_sender_is_403() {
    let told = told(&[refused(Rule::AgreementNotInForce)]);
    assert_eq!(told.status().as_u16(), 403);
    golden("problem-agreement.json", problem_of(&told));
}

#[test]
fn a_spent_quota_is_429_but_not_when_somebody_was_queued() {
    let spent = told(&[refused(Rule::Quota), refused(Rule::Quota)]);
    assert_eq!(spent.status().as_u16(), 429);
    golden("problem-quota.json", problem_of(&spent));
    let half = told(&[queued("msg_0000000000000001"), refused(Rule::Quota)]);
    assert_eq!(half.status().as_u16(), 202);
}

#[test]
fn a_batch_has_an_entry_for_each_message() {
    let results = vec![told(&[queued("msg_0000000000000001")]), told(&[refused(Rule::Suppressed)])];
    golden("batch.json", &BatchAnswer { results });
}

#[test]
fn a_batch_is_202_if_anything_was_taken_in_else_the_common_status_else_422() {
    let [accepted, refused, forbidden] = [202, 422, 403].map(|code| StatusCode::from_u16(code).unwrap());
    assert_eq!(batch_status(&[refused, accepted]), accepted);
    assert_eq!(batch_status(&[forbidden, forbidden]), forbidden);
    assert_eq!(batch_status(&[forbidden, refused]), refused);
}
