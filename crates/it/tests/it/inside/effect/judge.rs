//! What must be true of a case, whatever happened in it, seen at the receiver and in each message's timeline.

use super::super::house::{Told, json_of, last};
use super::play::{Decided, Play, Sent, return_path};
use std::fmt;
use std::time::Duration;
use testkit::mx::{Begun, Outcome, Received, Stage};

/// architecture.md §10: no MAIL later than this after the answer.
const EFFECT_MAX: Duration = Duration::from_secs(1);
/// Rules that speak of what the person, or his controller, decided.
const RULES: [&str; 3] = ["suppressed", "objected", "consent-withdrawn"];

/// What a case came to.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) messages: usize,
    pub(crate) delivered: usize,
    pub(crate) stopped: usize,
    pub(crate) refused: usize,
    pub(crate) decisions: usize,
    /// Transactions that were open when their recipient decided, and were cut.
    pub(crate) cut: usize,
    /// The latest MAIL or final dot after a decision that it should have heeded, or nothing.
    pub(crate) latest: Duration,
    /// How long each decision took until it was answered.
    pub(crate) waits: Vec<Duration>,
}

impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, delivered, stopped, refused, decisions, cut, latest, waits } = self;
        write!(
            out,
            "{messages} messages: {delivered} delivered, {stopped} stopped, {refused} refused; {decisions} decisions, \
             answered after {}; {cut} transactions cut; latest MAIL or dot {latest:?} after its decision",
            spread(waits)
        )
    }
}

/// Median and longest of some waits.
pub(crate) fn spread(waits: &[Duration]) -> String {
    let mut waits = waits.to_vec();
    waits.sort_unstable();
    let of = |at: usize| waits.get(at).copied().unwrap_or_default();
    format!("{:?} (median), {:?} (most)", of(waits.len() / 2), of(waits.len().saturating_sub(1)))
}

impl Findings {
    pub(crate) fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.delivered += other.delivered;
        self.stopped += other.stopped;
        self.refused += other.refused;
        self.decisions += other.decisions;
        self.cut += other.cut;
        self.latest = self.latest.max(other.latest);
        self.waits.extend(&other.waits);
    }
}

/// Judges a case that has come to rest.
pub(crate) async fn judge(play: &Play<'_>) -> Findings {
    let (begun, received) = (play.stand.house.mx.begun(), play.stand.house.mx.received());
    let (sent, decided) = (std::mem::take(&mut *play.sent.lock()), std::mem::take(&mut *play.decided.lock()));
    let waits = decided.iter().map(|one| one.answered.saturating_sub(one.asked)).collect();
    let mut findings = Findings { messages: sent.len(), decisions: decided.len(), waits, ..Findings::default() };
    for one in &sent {
        answer_is_right(one, &decided);
        let Some(path) = return_path(&one.told) else {
            findings.refused += 1;
            continue;
        };
        let begun: Vec<&Begun> = begun.iter().filter(|begun| begun.from.starts_with(&path)).collect();
        let received: Vec<&Received> = received.iter().filter(|message| message.from.starts_with(&path)).collect();
        // First what the node says: it tells more.
        timeline_is_right(play, one, &decided, &received, &mut findings).await;
        mail_is_right(one, &decided, &begun, &received, &mut findings);
    }
    findings
}

fn covering<'a>(one: &Sent, decided: &'a [Decided]) -> impl Iterator<Item = &'a Decided> {
    let (seat, stream) = (one.seat, one.stream);
    decided.iter().filter(move |decided| decided.seat == seat && decided.wish.covers(stream))
}

/// Whoever asked after a decision was answered is refused; whoever was answered before any was asked is not.
fn answer_is_right(one: &Sent, decided: &[Decided]) {
    let before = covering(one, decided).any(|decided| decided.answered < one.asked);
    let never = covering(one, decided).all(|decided| one.answered < decided.asked);
    match &one.told {
        Told::Taken(_) => assert!(!before, "taken in after a decision against it: {one:?}"),
        Told::Refused(rule) => {
            assert!(!never, "refused though nobody had decided anything: {one:?}");
            assert!(RULES.contains(&rule.as_str()), "{one:?}");
        }
        Told::NotAuthenticated => panic!("{one:?}"),
    }
}

fn mail_is_right(one: &Sent, decided: &[Decided], begun: &[&Begun], received: &[&Received], findings: &mut Findings) {
    let accepted = received.iter().filter(|message| message.outcome == Outcome::Accepted).count();
    let Some(decision) = covering(one, decided).min_by_key(|decided| decided.answered) else {
        assert_eq!(accepted, 1, "what nobody decided against arrives exactly once: {one:?}");
        return;
    };
    assert!(accepted <= 1, "twice: {one:?}");
    // A message that is on its way when the decision is answered may still be read by the receiver; not for long.
    let times = begun.iter().map(|begun| begun.at).chain(received.iter().map(|message| message.at));
    for late in times.filter_map(|at| at.checked_sub(decision.answered)) {
        findings.latest = findings.latest.max(late);
        assert!(late <= EFFECT_MAX, "{late:?} after {decision:?}: {one:?}");
    }
    // The receiver had it in hand when the decision was answered.
    match one.caught {
        Some(Stage::EndOfData) | None => {}
        Some(stage) => {
            assert!(received.is_empty(), "finished though it was held at {stage:?} when {decision:?}: {one:?}");
            findings.cut += usize::from(!begun.is_empty());
        }
    }
}

/// The timeline tells what the receiver saw.
async fn timeline_is_right(
    play: &Play<'_>,
    one: &Sent,
    decided: &[Decided],
    received: &[&Received],
    findings: &mut Findings,
) {
    let Told::Taken(id) = &one.told else { return };
    let (house, who) = (&play.stand.house, play.stand.tenant(one.seat.controller));
    let message = json_of(&house.get(who, &format!("/v1/messages/{id}")).await);
    if received.iter().any(|message| message.outcome == Outcome::Accepted) {
        assert_eq!(message["state"], "delivered", "{one:?}: {message}");
        findings.delivered += 1;
        return;
    }
    assert_eq!(message["state"], "stopped", "{one:?}: {message}");
    let rule = last(&message)["rule"].as_str().unwrap();
    assert!(RULES.contains(&rule) && covering(one, decided).next().is_some(), "{one:?}: {message}");
    findings.stopped += 1;
}
