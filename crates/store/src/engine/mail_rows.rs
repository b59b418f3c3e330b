//! Rows of the spool, of persons and of the ledger, as engines keep them.

use super::MailedRow;
use bytes::Bytes;
use model::Timestamp;
use std::sync::Arc;

/// A ledger entry waiting for its place in the controller's log.
#[derive(Clone, Debug)]
pub(crate) struct EntryRow {
    /// Whose log.
    pub(crate) controller: i64,
    /// Canonical bytes.
    pub(crate) bytes: Vec<u8>,
}

/// What other nodes changed, as counters that only rise. A node that is alone has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    /// Version of the accounts.
    pub(crate) accounts: i64,
    /// Secrets destroyed.
    pub(crate) erasures: i64,
    /// Permission generations, by controller.
    pub(crate) generations: Vec<(i64, i64)>,
}

/// Where a person's secret is kept: a block of the keys database and a slot in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SlotRef {
    /// The block.
    pub(crate) block: i64,
    /// 0 to 255.
    pub(crate) slot: u8,
}

/// Under what a body's content key is wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyKey {
    /// The one recipient's subject secret.
    Subject(SlotRef),
    /// The controller's epoch key, because several recipients share the body.
    Epoch(i64),
}

/// A sealed body.
#[derive(Clone, Debug)]
pub(crate) struct BodyRow {
    /// Its id: that of the first message.
    pub(crate) id: i64,
    /// Messages that still need it.
    pub(crate) refs: u32,
    /// What wraps its content key.
    pub(crate) key: BodyKey,
    /// The wrapped content key.
    pub(crate) wrapped: Vec<u8>,
    /// Sealed bytes; empty when they lie in a file.
    pub(crate) sealed: Bytes,
    /// In a file of the body folder (over 256 KiB)?
    pub(crate) place: BodyPlace,
}

/// Where sealed bytes lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyPlace {
    /// In the row.
    Row,
    /// In a file named by the id.
    File,
}

/// A message and its place in the queue.
#[derive(Clone, Debug)]
pub(crate) struct MessageRow {
    /// Its id.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// Its stream.
    pub(crate) stream: i64,
    /// Its purpose, or the list below it.
    pub(crate) purpose: i64,
    /// `StreamKind` word.
    pub(crate) kind: &'static str,
    /// 0 prompt, 1 bulk.
    pub(crate) class: u8,
    /// Who submitted it.
    pub(crate) credential: i64,
    /// The agreement its permit rested on.
    pub(crate) agreement: i64,
    /// The instruction its permit rested on.
    pub(crate) instruction: i64,
    /// The verified From domain.
    pub(crate) domain: i64,
    /// The person.
    pub(crate) tag: [u8; 16],
    /// The person's secret.
    pub(crate) slot: SlotRef,
    /// Is the slot new, and must be recorded for the person in this commit?
    pub(crate) slot_is_new: bool,
    /// When it was accepted.
    pub(crate) accepted: Timestamp,
    /// When it is first due: at once, or later for one that is held.
    pub(crate) due: Timestamp,
    /// When it is given up.
    pub(crate) expires: Timestamp,
    /// `queued` or `held`.
    pub(crate) state: &'static str,
    /// The rule that holds it.
    pub(crate) rule: Option<&'static str>,
    /// What its permit rested on, as it is kept.
    pub(crate) grounds: String,
    /// Its event in the ledger.
    pub(crate) event: [u8; 16],
    /// Recipient, From and metadata, sealed under the person's secret.
    pub(crate) envelope: Vec<u8>,
    /// Header block, sealed under the person's secret; goes at final disposition.
    pub(crate) head: Vec<u8>,
    /// Its body.
    pub(crate) body: i64,
    /// Where it goes: the destination site.
    pub(crate) site: Arc<str>,
    /// The queue partition of that site.
    pub(crate) part: u16,
}

/// An answer kept for a repeated request.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyRow {
    /// Who asked.
    pub(crate) credential: i64,
    /// Keyed hash of the client's key.
    pub(crate) key: [u8; 16],
    /// Hash of the request.
    pub(crate) request: [u8; 32],
    /// Sealed answer.
    pub(crate) answer: Vec<u8>,
}

/// Everything that one acceptance commits together.
#[derive(Clone, Debug)]
pub(crate) struct AcceptRows {
    /// Whose.
    pub(crate) controller: i64,
    /// A row a recipient.
    pub(crate) messages: Vec<MessageRow>,
    /// The body they share.
    pub(crate) body: BodyRow,
    /// Ledger entries.
    pub(crate) entries: Vec<EntryRow>,
    /// Whose quota it is counted in: see [`crate::spool::Account`].
    pub(crate) account: i64,
    /// UTC day of the quota.
    pub(crate) day: i64,
    /// Messages allowed in it.
    pub(crate) quota_max: u64,
    /// The answer to keep.
    pub(crate) idempotency: Option<IdempotencyRow>,
    /// What counts among the marketing that persons get: a row a person.
    pub(crate) mailed: Vec<MailedRow>,
    /// The moment.
    pub(crate) at: Timestamp,
}

/// What became of an acceptance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AcceptOutcome {
    /// Committed.
    Done,
    /// The day's allowance would be passed; nothing kept.
    Quota,
    /// A person got his secret from another acceptance meanwhile; read anew and try again. Nothing kept.
    SlotTaken,
    /// This idempotency key was used meanwhile; nothing kept.
    Repeated,
    /// A recipient was erased meanwhile; decide anew. Nothing kept.
    Erased,
    /// A recipient got other marketing meanwhile; decide anew. Nothing kept.
    Mailed,
}

/// A row of the queue, as read back.
#[derive(Clone, Debug)]
pub(crate) struct QueuedRow {
    /// Message.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// Stream.
    pub(crate) stream: i64,
    /// Purpose, or the list below it.
    pub(crate) purpose: i64,
    /// `StreamKind` word.
    pub(crate) kind: String,
    /// Destination site.
    pub(crate) site: String,
    /// Person.
    pub(crate) tag: [u8; 16],
    /// The person's secret.
    pub(crate) slot: SlotRef,
    /// From domain.
    pub(crate) domain: i64,
    /// Body.
    pub(crate) body: i64,
    /// Due.
    pub(crate) due: Timestamp,
    /// Attempts made.
    pub(crate) attempts: u32,
    /// Accepted.
    pub(crate) accepted: Timestamp,
    /// Given up at.
    pub(crate) expires: Timestamp,
    /// Was an outcome lost?
    pub(crate) uncertain: bool,
}

/// What waits for one lane.
#[derive(Clone, Debug)]
pub(crate) struct BacklogRow {
    /// Destination site.
    pub(crate) site: String,
    /// 0 prompt, 1 bulk.
    pub(crate) class: u8,
    /// Whose.
    pub(crate) controller: i64,
    /// Earliest due.
    pub(crate) due: Timestamp,
    /// Rows.
    pub(crate) count: u64,
}

/// Sealed content of one message.
#[derive(Clone, Debug)]
pub(crate) struct ContentRow {
    /// Sealed recipient, From and metadata.
    pub(crate) envelope: Vec<u8>,
    /// Sealed header block.
    pub(crate) head: Vec<u8>,
    /// Body.
    pub(crate) body: BodyRow,
}

/// An attempt begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartRow {
    /// Message.
    pub(crate) id: i64,
    /// Number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// When.
    pub(crate) at: Timestamp,
    /// The queue partition, with the epoch of the lease under which it begins. A node that is alone has epoch 0.
    pub(crate) lease: PartLease,
}

/// A queue partition and the epoch under which a node holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PartLease {
    /// The partition.
    pub(crate) part: u16,
    /// The epoch.
    pub(crate) epoch: i64,
}

/// What a start was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StartAnswer {
    /// Is it recorded? False when the message is gone, the attempt is another, or the partition is another node's.
    pub(crate) begun: bool,
    /// The controller's permission generation in the database, where several nodes count it there: not older than the
    /// moment at which this start was asked for. What commits while it is on its way comes with the next news.
    pub(crate) generation: Option<i64>,
}

/// Which rows of the queue are meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Of these partitions; `None` means all of them.
    pub(crate) parts: Option<Vec<u16>>,
    /// With ids not below this.
    pub(crate) from_id: i64,
}

/// An attempt ended.
#[derive(Clone, Debug)]
pub(crate) struct SettleRow {
    /// Message.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// Body.
    pub(crate) body: i64,
    /// Number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// When it began.
    pub(crate) started: Option<Timestamp>,
    /// When it ended.
    pub(crate) at: Timestamp,
    /// Word of the event (`delivered`, `deferred`, …).
    pub(crate) event_word: &'static str,
    /// New state; `None` leaves the message in the queue.
    pub(crate) final_state: Option<&'static str>,
    /// The gate holds it: that is no attempt, and it is not given up before this moment.
    pub(crate) held_until: Option<Timestamp>,
    /// Next attempt, when it stays in the queue.
    pub(crate) due: Timestamp,
    /// SMTP code.
    pub(crate) code: Option<u16>,
    /// Enhanced status code.
    pub(crate) enhanced: Option<String>,
    /// Rule that stopped or held it.
    pub(crate) rule: Option<&'static str>,
    /// Event id.
    pub(crate) event: [u8; 16],
    /// Was an outcome lost?
    pub(crate) uncertain: bool,
    /// Sealed transcript.
    pub(crate) transcript: Vec<u8>,
    /// Ledger entry.
    pub(crate) entry: Vec<u8>,
    /// Suppress this person in scope delivery, with the ledger entry for the case that this changes anything.
    pub(crate) suppress: Option<(SuppressionRow, Vec<u8>)>,
}

/// A suppression.
#[derive(Clone, Debug)]
pub(crate) struct SuppressionRow {
    /// Whose list.
    pub(crate) controller: i64,
    /// The person.
    pub(crate) tag: [u8; 16],
    /// `all`, `marketing`, `delivery`, `purpose:<id>` or `list:<id>`.
    pub(crate) scope: String,
    /// `SuppressionReason` word.
    pub(crate) reason: String,
    /// Since.
    pub(crate) since: Timestamp,
    /// Until (bounces only).
    pub(crate) until: Option<Timestamp>,
    /// The address under the person's secret, for listing; nothing when it is read for the gate.
    pub(crate) address: Option<Vec<u8>>,
}

/// Asked about one person and one purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PersonQuery {
    /// Whose.
    pub(crate) controller: i64,
    /// Purpose.
    pub(crate) purpose: i64,
    /// Person.
    pub(crate) tag: [u8; 16],
}

/// Answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct PersonRow {
    /// The person's secret, if he has one.
    pub(crate) slot: Option<SlotRef>,
    /// Since when nothing may speak of him any more: see [`crate::permission`], what is kept for a time.
    pub(crate) leaving: Option<Timestamp>,
    /// Suppressions.
    pub(crate) suppressions: Vec<SuppressionRow>,
    /// `restricted`, `erased`, `case-open`.
    pub(crate) restriction: Option<String>,
    /// Basis for the purpose.
    pub(crate) basis: Option<BasisRow>,
    /// From then on it is late that he was not informed of where that basis came from (GDPR Art. 14(3)).
    pub(crate) inform: Option<Timestamp>,
    /// He wants no marketing until then.
    pub(crate) paused: Option<Timestamp>,
    /// How often he wants to be mailed: a word of his preferences.
    pub(crate) pace: Option<String>,
    /// Marketing that was accepted for him: version, purposes and moments.
    pub(crate) mailed: Option<(i64, Vec<u8>)>,
}

/// A basis.
#[derive(Clone, Debug)]
pub(crate) struct BasisRow {
    /// Whose.
    pub(crate) controller: i64,
    /// Person.
    pub(crate) tag: [u8; 16],
    /// Purpose.
    pub(crate) purpose: i64,
    /// `BasisKind` word.
    pub(crate) kind: String,
    /// `Evidence` word.
    pub(crate) evidence: String,
    /// The words that were shown.
    pub(crate) notice: Option<i64>,
    /// The import it came with.
    pub(crate) batch: Option<i64>,
    /// Given.
    pub(crate) given: Timestamp,
    /// Confirmed.
    pub(crate) confirmed: Option<Timestamp>,
    /// Withdrawn.
    pub(crate) withdrawn: Option<Timestamp>,
    /// Runs out.
    pub(crate) expires: Option<Timestamp>,
}

/// A message as its controller sees it.
#[derive(Clone, Debug)]
pub(crate) struct MessageRecord {
    /// Id.
    pub(crate) id: i64,
    /// Stream.
    pub(crate) stream: i64,
    /// Purpose, or the list below it.
    pub(crate) purpose: i64,
    /// The person.
    pub(crate) tag: [u8; 16],
    /// State word.
    pub(crate) state: String,
    /// Accepted.
    pub(crate) accepted: Timestamp,
    /// Event id of the acceptance.
    pub(crate) event: [u8; 16],
    /// The person's secret.
    pub(crate) slot: SlotRef,
    /// Sealed recipient, From and metadata.
    pub(crate) envelope: Vec<u8>,
    /// Rule that held it at acceptance.
    pub(crate) rule: Option<String>,
    /// Attempts, in order.
    pub(crate) attempts: Vec<AttemptRecord>,
}

/// An attempt as recorded.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRecord {
    /// Number; 0 when it was held and that was no attempt.
    pub(crate) attempt: u32,
    /// Ended.
    pub(crate) at: Timestamp,
    /// Event word.
    pub(crate) event_word: String,
    /// SMTP code.
    pub(crate) code: Option<u16>,
    /// Enhanced status code.
    pub(crate) enhanced: Option<String>,
    /// Rule.
    pub(crate) rule: Option<String>,
    /// Event id.
    pub(crate) event: [u8; 16],
    /// Was an outcome lost?
    pub(crate) uncertain: bool,
    /// Sealed transcript.
    pub(crate) transcript: Vec<u8>,
}

/// The head of a controller's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadRow {
    /// Whose.
    pub(crate) controller: i64,
    /// Entries sequenced.
    pub(crate) size: u64,
    /// Compact tree.
    pub(crate) frontier: Vec<u8>,
}

/// A head on its way forward.
#[derive(Clone, Debug)]
pub(crate) struct HeadMove {
    /// Entries that were sequenced before. Another number in the database: another sequencer was here.
    pub(crate) was: u64,
    /// The head from now on.
    pub(crate) head: HeadRow,
}

/// A run of sequenced entries.
#[derive(Clone, Debug)]
pub(crate) struct ChunkRow {
    /// Whose.
    pub(crate) controller: i64,
    /// Index of the first.
    pub(crate) first: u64,
    /// The entries, each with a big-endian 16-bit length before it.
    pub(crate) entries: Vec<u8>,
    /// How many.
    pub(crate) count: u32,
}

/// What the idempotency table says.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyRecord {
    /// Hash of the earlier request.
    pub(crate) request: [u8; 32],
    /// Its sealed answer.
    pub(crate) answer: Vec<u8>,
}
