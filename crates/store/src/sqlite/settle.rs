//! Recording what became of attempts, and the end of messages and bodies.
//!
//! Invariants: an outcome of an attempt counts once, however often it is recorded; whatever is recorded, the message
//! is no longer under way; a hold is no attempt; a body goes with the last message that needs it (GDPR Art. 5(1)(e)).

use crate::cluster::ledger_part;
use crate::engine::{SettleRow, SuppressionRow};
use crate::error::Result;
use crate::sqlite::query::{one, run};
use crate::statement as sql;
use model::Timestamp;
use rusqlite::{Connection, params};

/// See [`crate::engine::Engine::settle`].
pub(super) fn settle(connection: &Connection, rows: &[SettleRow]) -> Result<Vec<i64>> {
    let mut free = Vec::new();
    for row in rows {
        if let Some(until) = row.held_until {
            hold(connection, row, until)?;
            continue;
        }
        if insert_attempt(connection, row)? == 0 && !amend(connection, row)? {
            // Recorded before: everything below was in that commit. A row that waits for this very attempt all the
            // same would be started under a taken number for ever.
            let values = params![row.id, row.controller, row.due.micros(), row.attempt];
            run(connection, &sql::QUEUE_REJOIN, values)?;
            continue;
        }
        match row.final_state {
            Some(state) => free.extend(finish(connection, row, state)?),
            None => wait(connection, row)?,
        }
        append(connection, row)?;
        if let Some((suppression, entry)) = &row.suppress
            && suppress(connection, suppression)? > 0
        {
            let part = ledger_part(suppression.controller);
            run(connection, &sql::INBOX_INSERT, params![suppression.controller, entry, part])?;
        }
    }
    Ok(free)
}

/// Only the step from `queued` to `held` is recorded; being held on is no event.
fn hold(connection: &Connection, row: &SettleRow, until: Timestamp) -> Result<()> {
    let values = params![row.id, row.controller, row.due.micros(), row.attempt, until.micros()];
    if run(connection, &sql::QUEUE_HOLD, values)? == 0 {
        // It has ended, or goes on under another attempt.
        return Ok(());
    }
    if run(connection, &sql::MESSAGE_WAIT, params![row.id, row.controller, "held"])? == 1 {
        let at = row.at.micros();
        let values =
            params![row.id, row.controller, at, row.event_word, row.rule, row.event, row.uncertain, row.transcript];
        run(connection, &sql::HOLD_INSERT, values)?;
        append(connection, row)?;
    }
    Ok(())
}

fn append(connection: &Connection, row: &SettleRow) -> Result<()> {
    run(connection, &sql::INBOX_INSERT, params![row.controller, row.entry, ledger_part(row.controller)]).map(drop)
}

/// Suppresses a person in a scope; answers whether that changed anything.
pub(super) fn suppress(connection: &Connection, row: &SuppressionRow) -> Result<usize> {
    let until = row.until.map(Timestamp::micros);
    let values = params![row.controller, row.tag, row.scope, row.reason, row.since.micros(), until, row.address];
    run(connection, &sql::SUPPRESS, values)
}

fn insert_attempt(connection: &Connection, row: &SettleRow) -> Result<usize> {
    run(
        connection,
        &sql::ATTEMPT_INSERT,
        params![
            row.id,
            row.attempt,
            row.controller,
            row.started.map(Timestamp::micros),
            row.at.micros(),
            row.event_word,
            row.code,
            row.enhanced,
            row.rule,
            row.event,
            row.uncertain,
            row.transcript,
        ],
    )
}

/// The end of an attempt that was taken for lost: a node that had been away tells it. What it says is a fact.
fn amend(connection: &Connection, row: &SettleRow) -> Result<bool> {
    if row.final_state.is_none() {
        return Ok(false);
    }
    let values = params![
        row.id,
        row.attempt,
        row.started.map(Timestamp::micros),
        row.at.micros(),
        row.event_word,
        row.code,
        row.enhanced,
        row.rule,
        row.event,
        row.transcript,
    ];
    Ok(run(connection, &sql::ATTEMPT_AMEND, values)? == 1)
}

/// The message is at its end. Answers its body's id when that lies in a file which nobody needs any more.
fn finish(connection: &Connection, row: &SettleRow, state: &str) -> Result<Option<i64>> {
    if run(connection, &sql::QUEUE_DELETE, params![row.id, row.controller])? == 0 {
        // It had ended already; this attempt is recorded, but the body was given back then.
        return Ok(None);
    }
    run(connection, &sql::MESSAGE_FINISH, params![row.id, row.controller, state, row.at.micros()])?;
    if state == "delivered" {
        run(connection, &sql::FAILING_CLEAR, params![row.id, row.controller])?;
    }
    let in_file: Option<bool> = one(connection, &sql::BODY_RELEASE, [row.body], |row| row.get(0))?;
    if in_file.is_none() {
        run(connection, &sql::BODY_UNREF, [row.body])?;
    }
    Ok(in_file.filter(|in_file| *in_file).map(|_| row.body))
}

fn wait(connection: &Connection, row: &SettleRow) -> Result<()> {
    let values = params![row.id, row.controller, row.due.micros(), row.attempt, row.uncertain];
    if run(connection, &sql::QUEUE_WAIT, values)? == 1 {
        run(connection, &sql::MESSAGE_WAIT, params![row.id, row.controller, "queued"])?;
    }
    Ok(())
}
