//! What acceptances write, in columns: sorted where two batches could otherwise wait for each other in a ring.

use crate::engine::{AcceptRows, BodyKey, BodyPlace, IdempotencyRow, MailedRow, MessageRow, SlotRef};
use crate::postgres::columns::columns;
use crate::postgres::entries::Entries;
use mail::address::NORMALISER_VERSION;
use model::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// After midnight UTC an answer is guarded for so long: a node whose clock is behind keeps it under the day before,
/// and must find it there.
const GUARDED_MICROS: i64 = 3_600 * 1_000_000;
const DAY_MICROS: i64 = 24 * GUARDED_MICROS;

columns! {
    /// An answer kept for a repeated request.
    Answer => Answers<'a> {
        controller: i64,
        credential: i64,
        key: &'a [u8],
        request: &'a [u8],
        made: i64,
        answer: &'a [u8],
        day: i64,
        before: i64,
    }
}

columns! {
    /// A person who gets a secret.
    Subject => Subjects<'a> {
        controller: i64,
        tag: &'a [u8],
        block: i64,
        slot: i64,
        normaliser: i64,
    }
}

columns! {
    /// A person who must not have been erased.
    Person => Persons<'a> {
        controller: i64,
        tag: &'a [u8],
    }
}

columns! {
    /// What counts among the marketing that a person gets.
    Count => Counts<'a> {
        controller: i64,
        tag: &'a [u8],
        version: i64,
        times: &'a [u8],
        ends: i64,
    }
}

columns! {
    /// A body.
    Body => Bodies<'a> {
        id: i64,
        refs: i64,
        block: Option<i64>,
        slot: Option<i64>,
        epoch: Option<i64>,
        place: i64,
        wrapped: &'a [u8],
        sealed: &'a [u8],
    }
}

columns! {
    /// A message.
    Message => Messages<'a> {
        id: i64,
        controller: i64,
        stream: i64,
        credential: i64,
        agreement: i64,
        instruction: i64,
        domain: i64,
        tag: &'a [u8],
        block: i64,
        slot: i64,
        accepted: i64,
        state: &'a str,
        rule: Option<&'a str>,
        event: &'a [u8],
        body: i64,
        envelope: &'a [u8],
        head: &'a [u8],
        purpose: i64,
        grounds: &'a str,
    }
}

columns! {
    /// A place in the queue.
    Queued => Queue<'a> {
        id: i64,
        site: &'a str,
        class: i64,
        controller: i64,
        due: i64,
        stream: i64,
        kind: &'a str,
        tag: &'a [u8],
        block: i64,
        slot: i64,
        domain: i64,
        body: i64,
        accepted: i64,
        expires: i64,
        part: i64,
        purpose: i64,
    }
}

/// Everything that acceptances write together.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) answers: Answers<'a>,
    pub(super) subjects: Subjects<'a>,
    pub(super) persons: Persons<'a>,
    pub(super) mailed: Counts<'a>,
    pub(super) bodies: Bodies<'a>,
    pub(super) messages: Messages<'a>,
    pub(super) queue: Queue<'a>,
    pub(super) entries: Entries<'a>,
    /// Two of them give one person two secrets, count for one person, or use one key: they cannot be kept together.
    pub(super) clashes: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn of(jobs: &'a [AcceptRows]) -> Self {
        let mut plan = Self::default();
        plan.read_persons(jobs);
        plan.read_answers(jobs);
        plan.read_mailed(jobs);
        for job in jobs {
            plan.read_body(job);
            for message in &job.messages {
                plan.read_message(message);
            }
            for entry in &job.entries {
                plan.entries.add(entry.controller, &entry.bytes);
            }
        }
        plan
    }

    fn read_persons(&mut self, jobs: &'a [AcceptRows]) {
        let mut persons = BTreeSet::new();
        let mut subjects: BTreeMap<(i64, &'a [u8]), (usize, SlotRef)> = BTreeMap::new();
        for (number, job) in jobs.iter().enumerate() {
            for message in &job.messages {
                let whom = (message.controller, message.tag.as_slice());
                persons.insert(whom);
                if message.slot_is_new {
                    // Within one acceptance the first one stays.
                    let (giver, slot) = *subjects.entry(whom).or_insert((number, message.slot));
                    self.clashes |= slot != message.slot && giver != number;
                }
            }
        }
        for (controller, tag) in persons {
            self.persons.push(Person { controller, tag });
        }
        for ((controller, tag), (_, slot)) in subjects {
            let (block, slot, normaliser) = (slot.block, i64::from(slot.slot), i64::from(NORMALISER_VERSION));
            self.subjects.push(Subject { controller, tag, block, slot, normaliser });
        }
    }

    fn read_answers(&mut self, jobs: &'a [AcceptRows]) {
        let mut answers: BTreeMap<(i64, i64, &'a [u8]), (&'a IdempotencyRow, Timestamp)> = BTreeMap::new();
        for job in jobs {
            if let Some(row) = &job.idempotency {
                let key = (job.controller, row.credential, row.key.as_slice());
                self.clashes |= answers.insert(key, (row, job.at)).is_some();
            }
        }
        for ((controller, credential, key), (row, at)) in answers {
            let (made, day) = (at.micros(), at.utc_day());
            let before = day - 1;
            let request = row.request.as_slice();
            if made.rem_euclid(DAY_MICROS) < GUARDED_MICROS {
                let guard = Answer { controller, credential, key, request, made, answer: &[], day: before, before };
                self.answers.push(guard);
            }
            self.answers.push(Answer { controller, credential, key, request, made, answer: &row.answer, day, before });
        }
    }

    fn read_mailed(&mut self, jobs: &'a [AcceptRows]) {
        let mut mailed: BTreeMap<(i64, &'a [u8]), &'a MailedRow> = BTreeMap::new();
        for row in jobs.iter().flat_map(|job| &job.mailed) {
            self.clashes |= mailed.insert((row.controller, row.tag.as_slice()), row).is_some();
        }
        for ((controller, tag), row) in mailed {
            let (version, ends) = (row.version, row.ends.micros());
            self.mailed.push(Count { controller, tag, version, times: &row.times, ends });
        }
    }

    fn read_body(&mut self, job: &'a AcceptRows) {
        let body = &job.body;
        let (slot, epoch) = match body.key {
            BodyKey::Subject(slot) => (Some(slot), None),
            BodyKey::Epoch(epoch) => (None, Some(epoch)),
        };
        self.bodies.push(Body {
            id: body.id,
            refs: i64::from(body.refs),
            block: slot.map(|slot| slot.block),
            slot: slot.map(|slot| i64::from(slot.slot)),
            epoch,
            place: i64::from(body.place == BodyPlace::File),
            wrapped: &body.wrapped,
            sealed: &body.sealed,
        });
    }

    fn read_message(&mut self, row: &'a MessageRow) {
        let (block, slot) = (row.slot.block, i64::from(row.slot.slot));
        self.messages.push(Message {
            id: row.id,
            controller: row.controller,
            stream: row.stream,
            credential: row.credential,
            agreement: row.agreement,
            instruction: row.instruction,
            domain: row.domain,
            tag: &row.tag,
            block,
            slot,
            accepted: row.accepted.micros(),
            state: row.state,
            rule: row.rule,
            event: &row.event,
            body: row.body,
            envelope: &row.envelope,
            head: &row.head,
            purpose: row.purpose,
            grounds: &row.grounds,
        });
        self.queue.push(Queued {
            id: row.id,
            site: &row.site,
            class: i64::from(row.class),
            controller: row.controller,
            due: row.due.micros(),
            stream: row.stream,
            kind: row.kind,
            tag: &row.tag,
            block,
            slot,
            domain: row.domain,
            body: row.body,
            accepted: row.accepted.micros(),
            expires: row.expires.micros(),
            part: i64::from(row.part),
            purpose: row.purpose,
        });
    }
}
