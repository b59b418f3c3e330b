//! A report about delivery, applied to the message whose return path it came to.
//!
//! Invariants: a suppression needs a row of the table that says so (`mail::report::classify`), and that the mailbox
//! which refused is the one that was written to: where mail was passed on to another, that other's refusal says
//! nothing of whoever passed it on.

use super::Came;
use crate::Error;
use mail::address::Address;
use mail::report::classify::{self, VERSION, classify};
use mail::report::{Action, DeliveryReport, Fate};
use store::feedback::{Late, Noted, Sent, Word};
use store::{Store, Suppress};

pub(super) async fn apply(store: &Store, sent: Sent, report: DeliveryReport) -> Result<Came, Error> {
    let mut chosen: Option<(Fate, Whom)> = None;
    for fate in report.fates {
        let whom = whom(store, sent, &fate).await?;
        // What is said of him counts before what is said of others; then the worst.
        let better = |(other, known): &(Fate, Whom)| (whom, fate.action) > (*known, other.action);
        if chosen.as_ref().is_none_or(better) {
            chosen = Some((fate, whom));
        }
    }
    let Some((fate, whom)) = chosen else { return Ok(Came::NotUnderstood) };
    let (word, came) = match fate.action {
        Action::Failed => (Word::Bounced, Came::Bounced),
        Action::Delayed => (Word::Delayed, Came::Delayed),
        Action::Relayed | Action::Expanded => (Word::Relayed, Came::Relayed),
        // It was known.
        Action::Delivered => return Ok(Came::Before),
    };
    let class = classify(&fate.answer());
    let suppress = match class.action {
        _ if whom == Whom::Another => Suppress::No,
        classify::Action::Suppress => Suppress::Yes,
        classify::Action::SuppressRepeated => Suppress::IfRepeated,
        classify::Action::Retry | classify::Action::TellSender => Suppress::No,
    };
    let late = Late {
        word,
        code: fate.code,
        enhanced: fate.status,
        text: format!("report ({}), {} of table {VERSION}:\n{}\n", report.form, class.rule, fate.text),
        suppress,
    };
    Ok(match store.reported(sent.controller, sent.message, &late).await? {
        Noted::Done => came,
        Noted::Before => Came::Before,
        Noted::NotYet => Came::Later,
        Noted::Gone => Came::Gone,
    })
}

/// Of whom a report speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    /// Somebody to whom it was passed on.
    Another,
    /// It does not say, or that cannot be known any more.
    Unsaid,
    /// The recipient of the message.
    Him,
}

async fn whom(store: &Store, sent: Sent, fate: &Fate) -> Result<Whom, Error> {
    let Some(address) = fate.recipient.as_deref().and_then(|address| Address::parse(address).ok()) else {
        return Ok(Whom::Unsaid);
    };
    Ok(match store.is_recipient(sent.controller, sent.message, &address).await? {
        Some(true) => Whom::Him,
        Some(false) => Whom::Another,
        None => Whom::Unsaid,
    })
}
