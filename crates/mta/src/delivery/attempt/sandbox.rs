//! Messages that were sent with a credential of the sandbox: asked about and signed like any other, and then at their
//! end, here.
//!
//! Invariants: there is no connection in this file, and so no octet that could leave; the gate is asked as it would be
//! on the best of connections, so that what it says is what it would say of a real message.

use super::super::engine::{Engine, Row};
use super::super::scheduler::Pooled;
use super::super::worker::Batch;
use super::asking::{Known, face};
use super::settling::plain_outcome;
use super::{known_of, settle_gate, take_with_content, write_letter};
use gate::facts::Connection;
use mail::client::Capabilities;
use std::sync::Arc;
use store::OutcomeKind;

/// What the timeline says of one that the gate agreed to.
const TOLD: &str = "sandbox: the gate agreed and the message was signed; no connection was made and nothing was sent\n";

/// Ends a batch. Rows that were not looked at go back by themselves.
pub(crate) async fn end_here(engine: &Arc<Engine>, site: &Pooled, mut batch: Batch) {
    let mut known = known_of(engine, &batch).await;
    while engine.may_begin(site) {
        let Some(entry) = take_with_content(engine, &mut batch).await else { return };
        let facts = known.remove(&entry.id);
        end(engine, &entry, facts).await;
        batch.done();
    }
}

async fn end(engine: &Engine, entry: &Row, known: Option<Known>) {
    let best = Capabilities { eight_bit_mime: true, ..Capabilities::default() };
    let peer = (Connection::Verified, &best);
    let Some((_, known)) = write_letter(engine, entry, peer, known, None).await else { return };
    let row = &entry.row.row;
    match face(engine, row, Connection::Verified, known).await {
        Some(facing) => settle_gate(engine, entry, facing, None, String::new()).await,
        None => {
            let now = engine.store.now();
            let outcome = plain_outcome(row.clone(), None, now, OutcomeKind::Sandboxed, TOLD.to_owned());
            engine.settle(outcome).await;
        }
    }
}
