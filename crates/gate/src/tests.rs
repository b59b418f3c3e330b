//! Every rule: fires, does not fire, facts missing. And: more facts against never turn a no into a yes.

use crate::facts::*;
use crate::*;
use model::agreement::AgreementState;
use model::basis::{BasisKind, BasisRecord, Evidence};
use model::instruction::InstructionState;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::stream::{Frequency, OptOut, TlsFloor, Unverified};
use model::{
    AgreementId, ControllerId, CredentialId, InstructionId, ListId, PurposeId, RecipientTag, StreamId, StreamKind,
    Timestamp,
};
use proptest::prelude::*;

mod terms;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const ADA: RecipientTag = RecipientTag([1; 16]);
const BOB: RecipientTag = RecipientTag([2; 16]);

fn sender(kind: StreamKind) -> SenderFacts {
    SenderFacts {
        controller: ControllerId(2),
        agreement: Some(AgreementFacts {
            id: AgreementId(1),
            state: AgreementState::InForce,
            from: Timestamp::from_seconds(0),
            until: None,
        }),
        instruction: Some(InstructionFacts {
            id: InstructionId(1),
            state: InstructionState::InForce,
            from: Timestamp::from_seconds(0),
            covers: Covers::Yes,
        }),
        stream: Some(StreamFacts {
            id: StreamId(7),
            kind,
            purpose: PurposeFacts { id: PurposeId(9), list: Some(ListId(5)), basis_for_all: BasisForAll::Complete },
            opt_out: OptOut::OneClick,
            unverified: Unverified::Refused,
            frequency: None,
            quiet: None,
            tls_floor: TlsFloor::Opportunistic,
        }),
        credential: Some(CredentialFacts { id: CredentialId(1), standing: Standing::Good }),
    }
}

fn consent() -> BasisRecord {
    BasisRecord {
        purpose: PurposeId(9),
        kind: BasisKind::Consent,
        evidence: Evidence::Complete,
        given_at: Timestamp::from_seconds(10),
        confirmed_at: Some(Timestamp::from_seconds(20)),
        withdrawn_at: None,
        expires_at: None,
    }
}

fn facts<'a>(sender: &'a SenderFacts, recipient: &'a RecipientFacts) -> Facts<'a> {
    Facts {
        now: NOW,
        generation: 3,
        sender: Some(sender),
        message: MessageFacts {
            from_domain: FromDomain::Verified,
            way_out: WayOut::Fits,
            connection: Connection::NotYet,
            order: None,
        },
        recipient: Some(recipient),
        quota: QuotaFacts { allowed: 10, used: 0 },
    }
}

fn rule_of<T>(verdict: &Verdict<T>) -> Option<Rule> {
    match verdict {
        Verdict::Pass(_) => None,
        Verdict::Hold(refusal) | Verdict::Refuse(refusal) => Some(refusal.rule()),
    }
}

fn consented() -> RecipientFacts {
    RecipientFacts { tag: ADA, basis: Some(consent()), ..RecipientFacts::default() }
}

fn suppressed(scope: SuppressionScope, reason: SuppressionReason, until: Option<Timestamp>) -> RecipientFacts {
    RecipientFacts { suppressions: vec![SuppressionFacts { scope, reason, until }], ..consented() }
}

#[test]
fn a_covered_message_passes_both_questions() {
    for kind in [StreamKind::Transactional, StreamKind::Marketing, StreamKind::Service, StreamKind::Legal] {
        let (sender, recipient) = (sender(kind), consented());
        assert_eq!(rule_of(&decide(&facts(&sender, &recipient))), None);
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), None);
    }
}

#[test]
fn art28_3_no_agreement_in_force_refuses() {
    let recipient = consented();
    let mut cases = vec![None];
    for state in [AgreementState::Draft, AgreementState::Signed, AgreementState::Suspended, AgreementState::Ended] {
        cases.push(Some(AgreementFacts { id: AgreementId(1), state, from: Timestamp::default(), until: None }));
    }
    let in_force =
        |from, until| Some(AgreementFacts { id: AgreementId(1), state: AgreementState::InForce, from, until });
    cases.push(in_force(NOW.plus(std::time::Duration::from_secs(1)), None));
    cases.push(in_force(Timestamp::default(), Some(NOW)));
    for agreement in cases {
        let sender = SenderFacts { agreement, ..sender(StreamKind::Transactional) };
        assert_eq!(rule_of(&decide(&facts(&sender, &recipient))), Some(Rule::AgreementNotInForce));
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), Some(Rule::AgreementNotInForce));
    }
}

#[test]
fn art28_3_what_would_be_held_is_told_before_it_is_sent() {
    let recipient = consented();
    let held = SenderFacts {
        instruction: Some(InstructionFacts {
            id: InstructionId(1),
            state: InstructionState::Held,
            from: Timestamp::default(),
            covers: Covers::Yes,
        }),
        ..sender(StreamKind::Transactional)
    };
    let told = check(&facts(&held, &recipient));
    assert!(matches!(told, Verdict::Hold(refusal) if refusal.rule() == Rule::InstructionInfringing), "{told:?}");
    let told = check(&facts(&sender(StreamKind::Transactional), &recipient));
    assert!(matches!(told, Verdict::Pass(())), "{told:?}");
}

#[test]
fn art28_3_a_instruction_must_be_in_force_and_cover() {
    let recipient = consented();
    let with = |state, covers| SenderFacts {
        instruction: Some(InstructionFacts { id: InstructionId(1), state, from: Timestamp::default(), covers }),
        ..sender(StreamKind::Transactional)
    };
    let cases = [
        (SenderFacts { instruction: None, ..sender(StreamKind::Transactional) }, Rule::InstructionMissing),
        (with(InstructionState::Proposed, Covers::Yes), Rule::InstructionMissing),
        (with(InstructionState::Superseded, Covers::Yes), Rule::InstructionMissing),
        (with(InstructionState::InForce, Covers::No), Rule::OperationNotInstructed),
        (SenderFacts { stream: None, ..sender(StreamKind::Transactional) }, Rule::OperationNotInstructed),
    ];
    for (sender, rule) in cases {
        assert_eq!(rule_of(&decide(&facts(&sender, &recipient))), Some(rule));
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), Some(rule));
    }
    // What this node cannot keep is not taken in; what another one took in waits.
    let elsewhere = with(InstructionState::InForce, Covers::NotHere);
    let told = decide(&facts(&elsewhere, &recipient));
    assert!(matches!(told, Verdict::Refuse(refusal) if refusal.rule() == Rule::TermsNotKept), "{told:?}");
    let told = clear(&facts(&elsewhere, &recipient));
    assert!(matches!(told, Verdict::Hold(refusal) if refusal.rule() == Rule::TermsNotKept), "{told:?}");
    // Held is neither obeyed nor dropped: it is taken in, and does not leave.
    let held = with(InstructionState::Held, Covers::Yes);
    let Verdict::Pass(permit) = decide(&facts(&held, &recipient)) else { panic!("taken in") };
    assert_eq!(permit.held().map(Refusal::rule), Some(Rule::InstructionInfringing));
    let cleared = clear(&facts(&held, &recipient));
    assert!(matches!(cleared, Verdict::Hold(refusal) if refusal.rule() == Rule::InstructionInfringing));
    // But a refusal beside it refuses.
    let erased = RecipientFacts { restriction: Some(Restriction::Erased), ..consented() };
    assert_eq!(rule_of(&decide(&facts(&held, &erased))), Some(Rule::RecipientErased));
}

#[test]
fn art29_credential_scope_counts_at_acceptance_only() {
    let recipient = consented();
    for standing in [Standing::OutOfScope, Standing::Revoked] {
        let credential = Some(CredentialFacts { id: CredentialId(1), standing });
        let sender = SenderFacts { credential, ..sender(StreamKind::Transactional) };
        assert_eq!(rule_of(&decide(&facts(&sender, &recipient))), Some(Rule::CredentialScope));
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), None);
    }
}

#[test]
fn eprivacy13_4_from_must_be_verified_and_known() {
    let (sender, recipient) = (sender(StreamKind::Transactional), consented());
    let mut facts = facts(&sender, &recipient);
    facts.message.from_domain = FromDomain::NotVerified;
    assert_eq!(rule_of(&decide(&facts)), Some(Rule::FromNotVerified));
    facts.message.from_domain = FromDomain::NotYetKnown;
    assert_eq!(rule_of(&check(&facts)), None, "RCPT comes before the content");
    assert_eq!(rule_of(&decide(&facts)), Some(Rule::FactsUnavailable), "but gives no permit");
}

#[test]
fn art17_art18_restricted_persons_get_nothing() {
    let sender = sender(StreamKind::Transactional);
    for (restriction, rule) in [
        (Restriction::Erased, Rule::RecipientErased),
        (Restriction::Restricted, Rule::RecipientRestricted),
        (Restriction::CaseOpen, Rule::CaseOpen),
    ] {
        let recipient = RecipientFacts { restriction: Some(restriction), ..consented() };
        assert_eq!(rule_of(&decide(&facts(&sender, &recipient))), Some(rule));
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), Some(rule));
    }
}

#[test]
fn art21_3_objection_beats_consent_but_not_transactional_mail() {
    let objected = suppressed(SuppressionScope::Marketing, SuppressionReason::Objection, None);
    let marketing = sender(StreamKind::Marketing);
    assert_eq!(rule_of(&decide(&facts(&marketing, &objected))), Some(Rule::Objected));
    let transactional = sender(StreamKind::Transactional);
    assert_eq!(rule_of(&decide(&facts(&transactional, &objected))), None);
}

#[test]
fn suppression_reaches_as_far_as_its_scope() {
    let later = Some(NOW.plus(std::time::Duration::from_secs(60)));
    let table = [
        (SuppressionScope::All, None, StreamKind::Transactional, true),
        (SuppressionScope::Delivery, None, StreamKind::Transactional, true),
        (SuppressionScope::Marketing, None, StreamKind::Transactional, false),
        (SuppressionScope::Marketing, None, StreamKind::Marketing, true),
        (SuppressionScope::Purpose(PurposeId(9)), None, StreamKind::Transactional, true),
        (SuppressionScope::Purpose(PurposeId(8)), None, StreamKind::Marketing, false),
        (SuppressionScope::List(ListId(5)), None, StreamKind::Marketing, true),
        (SuppressionScope::List(ListId(6)), None, StreamKind::Marketing, false),
        (SuppressionScope::Delivery, later, StreamKind::Transactional, true),
        (SuppressionScope::Delivery, Some(NOW), StreamKind::Transactional, false),
    ];
    for (scope, until, kind, stops) in table {
        let (sender, recipient) = (sender(kind), suppressed(scope, SuppressionReason::OptOut, until));
        let expected = stops.then_some(Rule::Suppressed);
        assert_eq!(rule_of(&decide(&facts(&sender, &recipient))), expected, "{scope:?} {kind:?}");
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), expected, "{scope:?} {kind:?}");
    }
}

#[test]
fn art6_art7_marketing_needs_a_standing_basis() {
    let marketing = sender(StreamKind::Marketing);
    let cases = [
        (None, Some(Rule::NoBasis)),
        (Some(consent()), None),
        (Some(BasisRecord { confirmed_at: None, ..consent() }), Some(Rule::ConsentUnconfirmed)),
        (Some(BasisRecord { withdrawn_at: Some(NOW), ..consent() }), Some(Rule::ConsentWithdrawn)),
        (Some(BasisRecord { expires_at: Some(NOW), ..consent() }), Some(Rule::ConsentExpired)),
        (Some(BasisRecord { kind: BasisKind::Contract, ..consent() }), Some(Rule::ConsentMissing)),
        (Some(BasisRecord { kind: BasisKind::SoftOptIn, confirmed_at: None, ..consent() }), None),
        (Some(BasisRecord { evidence: Evidence::Unverified, ..consent() }), Some(Rule::ConsentTextUnknown)),
        (
            Some(BasisRecord { kind: BasisKind::SoftOptIn, evidence: Evidence::Unverified, ..consent() }),
            Some(Rule::SoftOptInIncomplete),
        ),
    ];
    for (basis, rule) in cases {
        let recipient = RecipientFacts { basis, ..RecipientFacts::default() };
        assert_eq!(rule_of(&decide(&facts(&marketing, &recipient))), rule, "{basis:?}");
        assert_eq!(rule_of(&clear(&facts(&marketing, &recipient))), rule, "{basis:?}");
        let transactional = sender(StreamKind::Transactional);
        assert_eq!(rule_of(&decide(&facts(&transactional, &recipient))), None, "only marketing asks");
    }
}

fn on_stream(kind: StreamKind, change: impl FnMut(&mut StreamFacts)) -> SenderFacts {
    let mut sender = sender(kind);
    sender.stream.as_mut().into_iter().for_each(change);
    sender
}

#[test]
fn art7_1_unverified_consent_carries_mail_only_where_the_instruction_says_so() {
    let asserted = BasisRecord { evidence: Evidence::Unverified, ..consent() };
    let allowed = on_stream(StreamKind::Marketing, |stream| stream.unverified = Unverified::Allowed);
    let person = |basis| RecipientFacts { basis: Some(basis), ..RecipientFacts::default() };
    assert_eq!(rule_of(&decide(&facts(&allowed, &person(asserted)))), None);
    let soft = BasisRecord { kind: BasisKind::SoftOptIn, ..asserted };
    assert_eq!(rule_of(&decide(&facts(&allowed, &person(soft)))), Some(Rule::SoftOptInIncomplete));
    let unconfirmed = BasisRecord { confirmed_at: None, ..asserted };
    assert_eq!(rule_of(&decide(&facts(&allowed, &person(unconfirmed)))), Some(Rule::ConsentUnconfirmed));
}

#[test]
fn art6_1_other_mail_needs_a_purpose_whose_basis_is_whole() {
    let recipient = RecipientFacts::default();
    for kind in [StreamKind::Transactional, StreamKind::Service, StreamKind::Legal] {
        let lacking = on_stream(kind, |stream| stream.purpose.basis_for_all = BasisForAll::Missing);
        assert_eq!(rule_of(&decide(&facts(&lacking, &recipient))), Some(Rule::NoBasis));
        assert_eq!(rule_of(&decide(&facts(&sender(kind), &recipient))), None);
    }
}

#[test]
fn art14_3_after_the_month_marketing_stops_until_the_person_was_informed() {
    let later = NOW.plus(std::time::Duration::from_secs(1));
    for (kind, inform_until, expected) in [
        (StreamKind::Marketing, Some(NOW), Some(Rule::InformationOverdue)),
        (StreamKind::Marketing, Some(later), None),
        (StreamKind::Marketing, None, None),
        (StreamKind::Transactional, Some(NOW), None),
        (StreamKind::Legal, Some(NOW), None),
    ] {
        let (sender, recipient) = (sender(kind), RecipientFacts { inform_until, ..consented() });
        assert_eq!(rule_of(&decide(&facts(&sender, &recipient))), expected, "{kind:?}");
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), expected, "{kind:?}");
    }
    // What stops the person's mail for good is said before it.
    let (marketing, withdrawn) = (sender(StreamKind::Marketing), BasisRecord { withdrawn_at: Some(NOW), ..consent() });
    let recipient = RecipientFacts { inform_until: Some(NOW), basis: Some(withdrawn), ..consented() };
    assert_eq!(rule_of(&decide(&facts(&marketing, &recipient))), Some(Rule::ConsentWithdrawn));
}

#[test]
fn art21_2_a_pause_stops_marketing_until_it_is_over() {
    let later = NOW.plus(std::time::Duration::from_secs(1));
    for (kind, until, expected) in [
        (StreamKind::Marketing, Some(later), Some(Rule::Paused)),
        (StreamKind::Marketing, Some(NOW), None),
        (StreamKind::Transactional, Some(later), None),
    ] {
        let (sender, recipient) = (sender(kind), RecipientFacts { paused_until: until, ..consented() });
        assert_eq!(rule_of(&decide(&facts(&sender, &recipient))), expected);
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), expected);
    }
}

#[test]
fn eprivacy13_4_marketing_without_a_way_out_is_refused() {
    let recipient = consented();
    for kind in [StreamKind::Marketing, StreamKind::Transactional] {
        let expected = (kind == StreamKind::Marketing).then_some(Rule::OptOutMissing);
        let without = on_stream(kind, |stream| stream.opt_out = OptOut::None);
        assert_eq!(rule_of(&decide(&facts(&without, &recipient))), expected);
        assert_eq!(rule_of(&clear(&facts(&without, &recipient))), expected);
        let with = sender(kind);
        let mut closed = facts(&with, &recipient);
        closed.message.way_out = WayOut::DoesNotFit;
        assert_eq!(rule_of(&decide(&closed)), expected);
    }
}

#[test]
fn quota_refuses_at_its_limit_and_not_before() {
    let (sender, recipient) = (sender(StreamKind::Transactional), consented());
    let mut facts = facts(&sender, &recipient);
    facts.quota = QuotaFacts { allowed: 10, used: 9 };
    assert_eq!(rule_of(&decide(&facts)), None);
    facts.quota.used = 10;
    assert_eq!(rule_of(&decide(&facts)), Some(Rule::Quota));
    assert_eq!(rule_of(&clear(&facts)), None, "what was counted once may leave");
}

#[test]
fn missing_facts_hold_and_never_pass() {
    let (sender, recipient) = (sender(StreamKind::Transactional), consented());
    let whole = facts(&sender, &recipient);
    for facts in [Facts { sender: None, ..whole }, Facts { recipient: None, ..whole }] {
        assert!(matches!(decide(&facts), Verdict::Hold(refusal) if refusal.rule() == Rule::FactsUnavailable));
        assert!(matches!(clear(&facts), Verdict::Hold(refusal) if refusal.rule() == Rule::FactsUnavailable));
    }
}

#[test]
fn a_clearance_ends_by_time_and_by_withdrawal() {
    let (sender, recipient) = (sender(StreamKind::Transactional), consented());
    let Verdict::Pass(clearance) = clear(&facts(&sender, &recipient)) else { panic!("clear") };
    let at = |ms| NOW.plus(std::time::Duration::from_millis(ms));
    let shop = ControllerId(2);
    assert!(clearance.holds(at(500), 3, shop, ADA));
    assert!(!clearance.holds(at(501), 3, shop, ADA), "too old");
    assert!(!clearance.holds(at(1), 4, shop, ADA), "something was withdrawn");
}

#[test]
fn art28_3_a_what_the_gate_gives_is_for_one_person_of_one_controller() {
    let (sender, recipient) = (sender(StreamKind::Transactional), consented());
    let Verdict::Pass(permit) = decide(&facts(&sender, &recipient)) else { panic!("decide") };
    assert_eq!((permit.controller(), permit.tag()), (ControllerId(2), ADA));
    let Verdict::Pass(clearance) = clear(&facts(&sender, &recipient)) else { panic!("clear") };
    assert_eq!((clearance.controller(), clearance.tag()), (ControllerId(2), ADA));
    assert!(clearance.holds(NOW, 3, ControllerId(2), ADA));
    assert!(!clearance.holds(NOW, 3, ControllerId(2), BOB), "somebody else");
    assert!(!clearance.holds(NOW, 3, ControllerId(3), ADA), "another controller's mail");
}

#[test]
fn every_rule_has_a_row_of_its_own_and_no_personal_data_in_it() {
    let mut ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        assert_eq!(Rule::from_id(rule.id()), Some(rule));
        assert!(!rule.row().sentence.contains('@') && !rule.row().remedy.is_empty());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how a test is told to write the page; no part of the gate")]
fn rules_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    if std::env::args().any(|argument| argument == "--bless") || std::env::var_os("POSTERN_BLESS").is_some() {
        std::fs::write(path, rule::table_markdown()).unwrap();
        return;
    }
    assert_eq!(page, rule::table_markdown(), "docs/rules.md is stale: POSTERN_BLESS=1 cargo test -p gate rules_page");
}

fn any_suppression() -> impl Strategy<Value = SuppressionFacts> {
    let scope = prop_oneof![
        Just(SuppressionScope::All),
        Just(SuppressionScope::Marketing),
        Just(SuppressionScope::Delivery),
        (8i64..11).prop_map(|id| SuppressionScope::Purpose(PurposeId(id)))
    ];
    let reason = prop_oneof![
        Just(SuppressionReason::OptOut),
        Just(SuppressionReason::Objection),
        Just(SuppressionReason::HardBounce)
    ];
    (scope, reason, proptest::option::of(-5i64..5)).prop_map(|(scope, reason, until)| SuppressionFacts {
        scope,
        reason,
        until: until.map(|s| Timestamp::from_seconds(NOW.seconds() + s)),
    })
}

proptest! {
    /// More facts against never turn a refusal into a permit.
    #[test]
    fn art21_3_another_suppression_never_helps(
        have in proptest::collection::vec(any_suppression(), 0..4),
        more in any_suppression(),
        marketing in any::<bool>(),
        basis in any::<bool>(),
    ) {
        let sender = sender(if marketing { StreamKind::Marketing } else { StreamKind::Transactional });
        let basis = basis.then(consent);
        let before = RecipientFacts { suppressions: have.clone(), basis, ..RecipientFacts::default() };
        let mut all = have;
        all.push(more);
        let after = RecipientFacts { suppressions: all, basis, ..RecipientFacts::default() };
        let refused_before = rule_of(&decide(&facts(&sender, &before))).is_some();
        let refused_after = rule_of(&decide(&facts(&sender, &after))).is_some();
        prop_assert!(!refused_before || refused_after);
    }
}
