//! Attempts: a batch of rows, one transaction each, every one of them cleared by the gate immediately before its MAIL.
//!
//! Order for one row, and what a crash leaves: facts → `gate::clear` → MAIL, RCPT, DATA while the start is recorded →
//! content → the start is durable (crash from here on ⇒ uncertain) → tenure looked at, generation compared → final dot
//! → reply → outcome handed to the recorder.
//! Invariants: no MAIL without a clearance that holds; no final dot before the start is durable, nor when anything was
//! withdrawn since the clearance and the gate no longer agrees, nor when the site may be another node's meanwhile: then
//! the connection is cut, and nobody receives it.
//! Never: a transaction of the store across a transaction of SMTP.

mod asking;
mod feedback_id;
mod letter;
mod listed;
mod recoded;
mod returning;
mod sandbox;
mod settling;

use super::egress::AddressId;
use super::engine::{Engine, Row, expiry};
use super::required::{Elsewhere, Lack, elsewhere};
use super::scheduler::Pooled;
use super::send::{Link, NotWritten, Turn};
use super::worker::{Batch, Opened, open};
pub(crate) use asking::may_end;
use asking::{Begun, Known, Read, begin, face, load_facts, may_finish};
use gate::facts::Connection;
use letter::Letter;
use mail::client::Capabilities;
use model::{MessageId, Timestamp};
pub(crate) use sandbox::end_here;
pub(crate) use settling::fallen;
use settling::{Trial, find_out, let_go, lost_on_the_way, settle_gate, unfit};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{QueueRow, Start, Started};

/// A message that may leave, but whose content does not open, is looked at again after so long, until its time is over.
const CONTENT_AGAIN: Duration = Duration::from_secs(15 * 60);
/// The store failed, or another node has the row: it is looked at again after so long. How often a store that is away
/// is asked does not depend on it: see [`Engine::rest`].
const STORE_AGAIN: Duration = Duration::from_secs(1);
/// Contents read ahead for a connection are this much, unless a single one is more.
const AHEAD_OCTETS_MAX: usize = 1 << 20;

/// How the connection stands after a batch.
pub(crate) enum Ended {
    /// Another batch may follow.
    Open(Box<Link>),
    /// It is closed.
    Closed,
}

/// What became of one row on a connection.
enum Tried {
    /// It is settled or let go; the connection is good.
    Done(Box<Link>),
    /// It is settled or let go; the connection is not.
    Closed,
    /// RFC 8689 §4.2.1: the row needs what this connection lacks.
    Lacking(Box<Row>, Option<Timestamp>, Box<Link>, Lack),
    /// The connection had been closed by the peer while it was idle: on another one, as the same attempt.
    Again(Box<Row>, Option<Timestamp>),
}

/// Delivers a batch. Rows that were not tried go back by themselves.
pub(crate) async fn deliver(
    engine: &Arc<Engine>,
    site: &Pooled,
    via: &mut Option<AddressId>,
    link: Box<Link>,
    mut batch: Batch,
) -> Ended {
    let began = engine.store.now();
    let before = link.carried();
    let mut link = link;
    let mut known = known_of(engine, &batch).await;
    loop {
        if link.is_full() {
            break;
        }
        // Nothing begins any more, or not now; the rows are due and keep their place.
        if !engine.may_begin(site) {
            return Ended::Open(link);
        }
        let Some(mut entry) = take_with_content(engine, &mut batch).await else { break };
        if !engine.may_begin(site) {
            batch.untake(entry);
            return Ended::Open(link);
        }
        let mut facts = known.remove(&entry.id);
        let mut started = None;
        link = loop {
            match attempt(engine, site, link, entry, facts.take(), started).await {
                Tried::Done(link) => {
                    batch.done();
                    break link;
                }
                Tried::Closed => return Ended::Closed,
                Tried::Lacking(row, begun, given, lack) => match elsewhere(engine, site, via, (given, lack)).await {
                    Elsewhere::Link(fresh) => (entry, started, link) = (*row, begun, fresh),
                    Elsewhere::Nowhere(lack, kept) => {
                        settling::unprotected(engine, &row, begun, lack).await;
                        batch.done();
                        match kept {
                            Some(kept) => break kept,
                            None => return Ended::Closed,
                        }
                    }
                    Elsewhere::Later(trouble) => {
                        settling::unreached(engine, &row, begun, trouble).await;
                        return Ended::Closed;
                    }
                },
                Tried::Again(row, begun) => {
                    (entry, started) = (*row, begun);
                    match open(engine, site, via).await {
                        Opened::Link(fresh) => link = fresh,
                        Opened::Never(_) | Opened::NoPlace | Opened::Failed(..) => {
                            lost_on_the_way(engine, site, entry, started).await;
                            return Ended::Closed;
                        }
                    }
                }
            }
        };
    }
    if link.carried() == before && !engine.may_begin(site) {
        // That it took long says nothing of the site.
        return Ended::Open(link);
    }
    let messages = u64::from(link.carried().saturating_sub(before)).max(1);
    let now = engine.store.now();
    let micros = u64::try_from(now.since(began).as_micros()).unwrap_or(u64::MAX) / messages;
    engine.with(|picture| picture.succeeded(site, link.against(), now, micros));
    Ended::Open(link)
}

/// The facts of a batch.
async fn known_of(engine: &Engine, batch: &Batch) -> HashMap<MessageId, Known> {
    let rows: Vec<&QueueRow> = batch.rows().map(|entry| &entry.row.row).collect();
    let ids: Vec<MessageId> = rows.iter().map(|row| row.id).collect();
    // By id: a row that is let go on the way must not leave its facts to the next one.
    let read = ids.into_iter().zip(load_facts(engine, rows).await);
    read.filter_map(|(id, read)| match read {
        Read::Facts(known) => Some((id, known)),
        Read::Nothing | Read::Away => None,
    })
    .collect()
}

/// The next row, with its content if that opens. Contents that were not kept are read together, as far as they are
/// small.
async fn take_with_content(engine: &Engine, batch: &mut Batch) -> Option<Row> {
    loop {
        let missing = batch.rows().next().is_some_and(|entry| entry.row.content.is_none());
        let wait = if missing { read_contents(engine, batch).await } else { None };
        let entry = batch.pop()?;
        let now = engine.store.now();
        match wait {
            // Others must not wait for it. Out of time, it is at its end whether the store can be read or not.
            Some(wait) if entry.row.row.expires_at > now => {
                let_go(engine, &entry, Some(now.plus(wait)));
                batch.done();
                if engine.rest().is_some() {
                    return None;
                }
            }
            _ => return Some(entry),
        }
    }
}

/// Reads the content of the first row, and then of the others while there is room. When the store cannot be read: how
/// long to leave the first.
async fn read_contents(engine: &Engine, batch: &mut Batch) -> Option<Duration> {
    let mut wait = None;
    let mut octets = 0;
    let mut ahead = 1;
    let mut done = 0;
    while done < batch.len() && octets < AHEAD_OCTETS_MAX {
        let rows: Vec<QueueRow> = batch.rows().skip(done).take(ahead).map(|entry| entry.row.row.clone()).collect();
        let contents = match engine.store.open_content(&rows.iter().collect::<Vec<_>>()).await {
            Ok(contents) => contents,
            Err(error) => {
                engine.store_failed(&error, "contents could not be read");
                wait = Some(STORE_AGAIN);
                break;
            }
        };
        let count = rows.len();
        for (entry, content) in batch.rows_mut().skip(done).zip(contents) {
            octets += content.as_ref().map_or(0, store::Content::octets);
            entry.row.content = content;
        }
        done += count;
        // The first tells how large they are here: small ones come all together.
        ahead = if octets < AHEAD_OCTETS_MAX / 8 { batch.len() } else { 1 };
    }
    if batch.rows().next().is_some_and(|entry| entry.row.content.is_some()) { None } else { wait }
}

/// One row on one connection. `known`: facts read for the batch. `started`: this attempt's start is recorded already.
async fn attempt(
    engine: &Engine,
    site: &Pooled,
    mut link: Box<Link>,
    entry: Row,
    known: Option<Known>,
    started: Option<Timestamp>,
) -> Tried {
    let asks = entry.row.content.as_ref().is_some_and(|content| letter::require_tls(content).is_asked());
    // With its time over it ends as any other.
    let lives = entry.row.row.expires_at > engine.store.now();
    if let Some(lack) = link.lacks().filter(|_| asks && lives) {
        return Tried::Lacking(Box::new(entry), started, link, lack);
    }
    let peer = (link.security(), link.capabilities());
    let Some((letter, known)) = write_letter(engine, &entry, peer, known, started).await else {
        return Tried::Done(link);
    };
    let row = &entry.row.row;
    let generation = match begin(engine, &mut link, row, &letter, known).await {
        Begun::Yes(generation) => generation,
        Begun::Gate(facing) => {
            settle_gate(engine, &entry, facing, started, String::new()).await;
            return Tried::Done(link);
        }
        Begun::Unfit(error) => return unfit(engine, link, &entry, error, started).await,
    };
    exchange(engine, site, link, entry, &letter, generation, started).await
}

/// What is sent of a row to a peer (how secure the connection is, what it offers), with the facts of before; nothing
/// when the row is settled or let go: its time is over, its content is gone or does not open, or it cannot be signed.
async fn write_letter(
    engine: &Engine,
    entry: &Row,
    (security, capabilities): (Connection, &Capabilities),
    known: Option<Known>,
    started: Option<Timestamp>,
) -> Option<(Letter, Option<Known>)> {
    let row = &entry.row.row;
    let now = engine.store.now();
    if row.expires_at <= now {
        // GDPR Art. 28(3), last subparagraph: mail that is held waits for a human; time alone does not drop it.
        match face(engine, row, security, known).await.filter(|facing| !facing.lets_time_run()) {
            Some(facing) => settle_gate(engine, entry, facing, started, String::new()).await,
            None => engine.settle(expiry(row.clone(), started, now)).await,
        }
        return None;
    }
    let Some(content) = entry.row.content.as_ref() else {
        // GDPR Art. 17: with the key of an erased person his content went. The gate says so, and that is its end.
        match face(engine, row, security, known).await {
            Some(facing) => settle_gate(engine, entry, facing, started, String::new()).await,
            None => let_go(engine, entry, Some(now.plus(CONTENT_AGAIN).min(row.expires_at))),
        }
        return None;
    };
    match Letter::write(engine, row, content, capabilities, now).await {
        Ok(letter) => Some((letter, known)),
        Err(unwritten) => {
            // What the gate says goes before: a person who objected is the better reason.
            let facing = face(engine, row, security, known).await.unwrap_or(unwritten.facing());
            settle_gate(engine, entry, facing, started, String::new()).await;
            None
        }
    }
}

/// From MAIL to the reply to the final dot.
async fn exchange(
    engine: &Engine,
    site: &Pooled,
    mut link: Box<Link>,
    entry: Row,
    letter: &Letter,
    generation: u64,
    started: Option<Timestamp>,
) -> Tried {
    let row = &entry.row.row;
    let begun_at = started.unwrap_or_else(|| engine.store.now());
    let carried = link.carried();
    // The start is written while the envelope is on its way; both are there before any content leaves.
    let (turn, start) = tokio::join!(link.envelope(), start(engine, row, begun_at, started.is_some()));
    let trial = Trial { engine, site, begun_at, evidence: link.evidence() + letter.evidence() };
    // A closed connection that was idle, and 421 for too many messages on one: A4 C4, C7.
    let again = carried > 0
        && match &turn {
            Turn::Broken(_) => true,
            Turn::Over(outcome) => !outcome.reusable && outcome.data.is_none(),
            Turn::Content => false,
        };
    match (turn, start) {
        // What the peer answered is a fact, whatever became of the start.
        (Turn::Over(outcome), _) if !again => return trial.over(link, entry, outcome).await,
        (_, Ok(Started::Gone)) => {
            // Someone else has settled it, or holds its site. The envelope may have been given, the message is not.
            // Among others, the lane is read again: what is settled is not there any more.
            let again = (!engine.store.tenure().is_alone()).then(|| engine.store.now().plus(STORE_AGAIN));
            let_go(engine, &entry, again);
            return Tried::Closed;
        }
        (Turn::Broken(trouble), _) if !again => return trial.lost(link, entry, trouble).await,
        (_, Err(_)) => {
            drop(link);
            if engine.store.tenure().is_alone() {
                // A store of one node keeps nothing when it fails.
                let_go(engine, &entry, Some(engine.store.now().plus(STORE_AGAIN)));
            } else {
                find_out(engine, &entry, begun_at).await;
            }
            return Tried::Closed;
        }
        (Turn::Content, Ok(Started::Yes)) => {}
        (_, Ok(Started::Yes)) => return Tried::Again(Box::new(entry), Some(begun_at)),
    }
    match link.content(letter.parts()).await {
        Ok(()) => {}
        Err(NotWritten::Lost(trouble)) => return trial.lost(link, entry, trouble).await,
        Err(NotWritten::Refused(outcome)) => return trial.over(link, entry, *outcome).await,
        Err(NotWritten::Malformed) => {
            let transcript = link.interrupted().transcript.as_str().to_owned();
            trial.bounced(entry, "5.6.0", transcript).await;
            return Tried::Closed;
        }
    }
    // After the start, which may have observed what other nodes changed. Nothing is awaited between this look and the
    // write of the dot (and of what content goes with it).
    if let Some(facing) = may_finish(engine, row, link.security(), generation).await {
        // GDPR Art. 7(3), 21(3): withdrawn while the transaction was open; or the site went to another node. Cut before
        // the final dot, nothing arrives (RFC 5321 §4.1.1.4: only the end of the content makes it a message).
        let transcript = link.interrupted().transcript.as_str().to_owned();
        settle_gate(engine, &entry, facing, Some(begun_at), transcript).await;
        return Tried::Closed;
    }
    match link.finish().await {
        Turn::Over(outcome) => trial.over(link, entry, outcome).await,
        Turn::Broken(trouble) => trial.lost(link, entry, trouble).await,
        Turn::Content => trial.lost(link, entry, "the dialogue is out of step").await,
    }
}

async fn start(engine: &Engine, row: &QueueRow, at: Timestamp, recorded: bool) -> store::Result<Started> {
    if recorded {
        return Ok(Started::Yes);
    }
    let started = engine.store.start(Start::of(row, at)).await;
    match &started {
        Ok(_) => engine.store_answered(),
        Err(error) => engine.store_failed(error, "a start could not be recorded; nothing is sent"),
    }
    started
}
