//! Outcomes that can be written as sets: none of them concerns a message twice, or suppresses a person twice.

use crate::engine::{SettleRow, SuppressionRow};
use crate::postgres::columns::columns;
use model::Timestamp;
use std::collections::HashMap;

columns! {
    /// An attempt to record.
    Attempt => Attempts<'a> {
        message: i64,
        attempt: i64,
        controller: i64,
        started: Option<i64>,
        ended: i64,
        word: &'a str,
        code: Option<i64>,
        enhanced: Option<&'a str>,
        rule: Option<&'a str>,
        event: &'a [u8],
        uncertain: i64,
        transcript: &'a [u8],
    }
}

columns! {
    /// An attempt that was taken for lost, and its end.
    Late => Lates<'a> {
        message: i64,
        attempt: i64,
        started: Option<i64>,
        ended: i64,
        word: &'a str,
        code: Option<i64>,
        enhanced: Option<&'a str>,
        rule: Option<&'a str>,
        event: &'a [u8],
        transcript: &'a [u8],
    }
}

columns! {
    /// A message that waits for an attempt that is recorded already.
    Rejoining => Rejoins {
        id: i64,
        controller: i64,
        due: i64,
        attempt: i64,
    }
}

columns! {
    /// A message at its end.
    End => Ends<'a> {
        id: i64,
        controller: i64,
        state: &'a str,
        at: i64,
        body: i64,
    }
}

columns! {
    /// A message that waits for its next attempt.
    Deferral => Deferrals {
        id: i64,
        controller: i64,
        due: i64,
        attempt: i64,
        uncertain: i64,
    }
}

columns! {
    /// A message that is held.
    Hold => Holds<'a> {
        id: i64,
        controller: i64,
        due: i64,
        attempt: i64,
        until: i64,
        at: i64,
        word: &'a str,
        rule: Option<&'a str>,
        event: &'a [u8],
        uncertain: i64,
        transcript: &'a [u8],
    }
}

columns! {
    /// A suppression.
    Suppression => Suppressions<'a> {
        controller: i64,
        tag: &'a [u8],
        scope: &'a str,
        reason: &'a str,
        since: i64,
        ends: Option<i64>,
        address: Option<&'a [u8]>,
    }
}

columns! {
    /// Messages fewer that need a body.
    Fewer => Releases {
        id: i64,
        users: i64,
    }
}

columns! {
    /// A body that nobody needs.
    Needless => Unneeded {
        id: i64,
    }
}

/// A row with its place in the batch.
pub(super) type Placed<'a> = (usize, &'a SettleRow);

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Message(i64),
    Suppression(i64, &'a [u8], &'a str),
}

/// Splits a batch into rounds, one after the other, in which everything is said once; what is said about the same
/// keeps its order. Usually there is one. Each is sorted by message.
pub(super) fn rounds<'a>(rows: impl Iterator<Item = &'a SettleRow>) -> Vec<Vec<Placed<'a>>> {
    let mut rounds: Vec<Vec<Placed<'a>>> = Vec::new();
    let mut next: HashMap<Key<'a>, usize> = HashMap::new();
    for (place, row) in rows.enumerate() {
        let mut keys = vec![Key::Message(row.id)];
        if let Some((suppression, _)) = &row.suppress {
            keys.push(Key::Suppression(suppression.controller, &suppression.tag, &suppression.scope));
        }
        let round = keys.iter().filter_map(|key| next.get(key)).max().copied().unwrap_or(0);
        for key in keys {
            next.insert(key, round + 1);
        }
        if rounds.len() <= round {
            rounds.resize_with(round + 1, Vec::new);
        }
        if let Some(round) = rounds.get_mut(round) {
            round.push((place, row));
        }
    }
    for round in &mut rounds {
        round.sort_by_key(|(_, row)| row.id);
    }
    rounds
}

impl<'a> Attempts<'a> {
    pub(super) fn add(&mut self, row: &'a SettleRow) {
        self.push(Attempt {
            message: row.id,
            attempt: i64::from(row.attempt),
            controller: row.controller,
            started: row.started.map(Timestamp::micros),
            ended: row.at.micros(),
            word: row.event_word,
            code: row.code.map(i64::from),
            enhanced: row.enhanced.as_deref(),
            rule: row.rule,
            event: &row.event,
            uncertain: i64::from(row.uncertain),
            transcript: &row.transcript,
        });
    }
}

impl<'a> Lates<'a> {
    pub(super) fn add(&mut self, row: &'a SettleRow) {
        self.push(Late {
            message: row.id,
            attempt: i64::from(row.attempt),
            started: row.started.map(Timestamp::micros),
            ended: row.at.micros(),
            word: row.event_word,
            code: row.code.map(i64::from),
            enhanced: row.enhanced.as_deref(),
            rule: row.rule,
            event: &row.event,
            transcript: &row.transcript,
        });
    }
}

impl Rejoins {
    pub(super) fn add(&mut self, row: &SettleRow) {
        let attempt = i64::from(row.attempt);
        self.push(Rejoining { id: row.id, controller: row.controller, due: row.due.micros(), attempt });
    }
}

impl<'a> Ends<'a> {
    pub(super) fn add(&mut self, row: &'a SettleRow, state: &'a str) {
        self.push(End { id: row.id, controller: row.controller, state, at: row.at.micros(), body: row.body });
    }
}

impl Deferrals {
    pub(super) fn add(&mut self, row: &SettleRow) {
        self.push(Deferral {
            id: row.id,
            controller: row.controller,
            due: row.due.micros(),
            attempt: i64::from(row.attempt),
            uncertain: i64::from(row.uncertain),
        });
    }
}

impl<'a> Holds<'a> {
    pub(super) fn add(&mut self, row: &'a SettleRow, until: Timestamp) {
        self.push(Hold {
            id: row.id,
            controller: row.controller,
            due: row.due.micros(),
            attempt: i64::from(row.attempt),
            until: until.micros(),
            at: row.at.micros(),
            word: row.event_word,
            rule: row.rule,
            event: &row.event,
            uncertain: i64::from(row.uncertain),
            transcript: &row.transcript,
        });
    }
}

impl<'a> Suppressions<'a> {
    pub(super) fn add(&mut self, row: &'a SuppressionRow) {
        self.push(Suppression {
            controller: row.controller,
            tag: &row.tag,
            scope: &row.scope,
            reason: &row.reason,
            since: row.since.micros(),
            ends: row.until.map(Timestamp::micros),
            address: row.address.as_deref(),
        });
    }
}
