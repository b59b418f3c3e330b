//! What the tests of this crate share: golden files of the answers' shapes, and refusals as the gate gives them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gate::facts::{
    AgreementFacts, Covers, CredentialFacts, FromDomain, InstructionFacts, PurposeFacts, QuotaFacts, Standing,
    StreamFacts, SuppressionFacts,
};
use gate::{Facts, MessageFacts, RecipientFacts, Refusal, Rule, SenderFacts, Verdict};
use model::agreement::AgreementState;
use model::instruction::InstructionState;
use model::person::{SuppressionReason, SuppressionScope};
use model::{AgreementId, ControllerId, CredentialId, InstructionId, PurposeId, StreamId, StreamKind, Timestamp};
use serde::Serialize;

/// Every golden file and so every shape; one that is not in this list, or not in the folder, fails.
pub(crate) const GOLDEN: [&str; 15] = [
    "accepted.json",
    "batch.json",
    "decisions.json",
    "message.json",
    "problem-agreement.json",
    "problem-all-refused.json",
    "problem-field.json",
    "problem-mixed-refused.json",
    "problem-not-authenticated.json",
    "problem-quota.json",
    "suppression.json",
    "consent.json",
    "mailbox-message.json",
    "import.json",
    "import-undone.json",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/api")
}

/// Compares a value with its golden file; `POSTERN_BLESS` writes it anew.
pub(crate) fn golden(name: &str, value: &impl Serialize) {
    assert!(GOLDEN.contains(&name), "{name} is not in the list of golden files");
    let mut text = serde_json::to_string_pretty(value).unwrap();
    text.push('\n');
    let path = folder().join(name);
    if blessing() {
        std::fs::write(&path, &text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{name} changed: clients rely on it; if that is meant, POSTERN_BLESS=1 cargo test -p web");
}

#[expect(clippy::disallowed_methods, reason = "a switch for the person who runs the tests")]
fn blessing() -> bool {
    std::env::var_os("POSTERN_BLESS").is_some()
}

#[test]
fn every_golden_file_is_compared_and_there() {
    let entries = std::fs::read_dir(folder()).unwrap();
    let there: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let listed: BTreeSet<String> = GOLDEN.into_iter().map(str::to_owned).collect();
    assert_eq!(there, listed);
}

const NOW: Timestamp = Timestamp::from_seconds(1_772_366_400);

fn sender() -> SenderFacts {
    SenderFacts {
        controller: ControllerId(2),
        agreement: Some(AgreementFacts {
            id: AgreementId(3),
            state: AgreementState::InForce,
            from: Timestamp::default(),
            until: None,
        }),
        instruction: Some(InstructionFacts {
            id: InstructionId(4),
            state: InstructionState::InForce,
            from: Timestamp::default(),
            covers: Covers::Yes,
        }),
        stream: Some(stream_facts(StreamKind::Marketing)),
        credential: Some(CredentialFacts { id: CredentialId(6), standing: Standing::Good }),
    }
}

/// The refusal that the gate gives for facts that break this one rule.
pub(crate) fn refusal(rule: Rule) -> Refusal {
    let mut sender = sender();
    let mut recipient = RecipientFacts::default();
    let mut allowed = 1;
    let mut known = true;
    match rule {
        Rule::FactsUnavailable => known = false,
        Rule::AgreementNotInForce => sender.agreement = None,
        Rule::Suppressed => recipient.suppressions.push(SuppressionFacts {
            scope: SuppressionScope::All,
            reason: SuppressionReason::OptOut,
            until: None,
        }),
        Rule::NoBasis => {}
        Rule::Quota => {
            sender.stream = Some(stream_facts(StreamKind::Transactional));
            allowed = 0;
        }
        other => panic!("no facts are written here for {other:?}"),
    }
    let facts = Facts {
        now: NOW,
        generation: 1,
        sender: known.then_some(&sender),
        message: MessageFacts {
            from_domain: FromDomain::Verified,
            way_out: gate::facts::WayOut::Fits,
            connection: gate::facts::Connection::NotYet,
            order: None,
        },
        recipient: Some(&recipient),
        quota: QuotaFacts { allowed, used: 0 },
    };
    match gate::decide(&facts) {
        Verdict::Refuse(refusal) | Verdict::Hold(refusal) => {
            assert_eq!(refusal.rule(), rule);
            refusal
        }
        Verdict::Pass(_) => panic!("{rule:?} did not fire"),
    }
}

/// A stream with one purpose and a basis for everybody.
fn stream_facts(kind: StreamKind) -> StreamFacts {
    let purpose = PurposeFacts { id: PurposeId(5), list: None, basis_for_all: gate::facts::BasisForAll::Complete };
    let (opt_out, unverified, tls_floor) = Default::default();
    StreamFacts { id: StreamId(5), kind, purpose, opt_out, unverified, tls_floor, frequency: None, quiet: None }
}
