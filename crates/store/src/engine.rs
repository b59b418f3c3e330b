//! The one trait of the storage engines, in the words of the business (decision 4). An engine stores
//! rows and sealed bytes; it never sees an address, a body or a key in clear.
//!
//! Contract for every engine: each verb is one transaction; verbs are set-shaped; a verb that fails
//! keeps nothing; what it answers is durable. `conformance` tells the story both engines must pass.

mod account_rows;
mod import_rows;
mod mail_rows;
mod rows;
mod sharing;

pub(crate) use account_rows::*;
pub(crate) use import_rows::*;
pub(crate) use mail_rows::*;
pub(crate) use rows::*;
pub(crate) use sharing::*;

use crate::error::Result;
use crate::value::Value;
use async_trait::async_trait;
use model::Timestamp;
use std::sync::Arc;

/// What a commit changed of what is kept in memory.
#[derive(Debug)]
pub(crate) struct Changed {
    /// Whose accounts or persons.
    pub(crate) controllers: Vec<i64>,
    /// All accounts as of this commit, when one of them changed.
    pub(crate) policy: Option<PolicyRows>,
}

/// Told what a commit changed. Short, and it cannot fail.
pub(crate) type OnChange = Arc<dyn Fn(Changed) + Send + Sync>;

/// The verbs.
#[async_trait]
pub(crate) trait Engine: Send + Sync + 'static {
    /// All accounts.
    async fn policy(&self) -> Result<PolicyRows>;
    /// Writes changes, each with its ledger entry, in one commit. Row counts say what each touched; a change that
    /// touched nothing leaves no entry.
    async fn change(&self, changes: Vec<(Change, Option<EntryRow>)>) -> Result<Vec<usize>>;
    /// The same, behind what others wait for: for what is only to be done some time.
    async fn change_bulk(&self, changes: Vec<(Change, Option<EntryRow>)>) -> Result<Vec<usize>>;
    /// Whom to tell, from now on, what a commit of `change` or `settle` changed of what is kept in memory: after the
    /// commit and before its answer, in the order of the commits, also when the caller no longer waits. Set once.
    fn on_change(&self, told: OnChange);
    /// Facts about persons, in the order asked: a query per kind of fact, not per message.
    async fn persons(&self, queries: Vec<PersonQuery>) -> Result<Vec<PersonRow>>;
    /// The rows that a statement of the registry finds, as of one moment. Statements with many rows take a limit.
    async fn find(&self, finding: Finding) -> Result<Vec<Vec<Value>>>;
    /// Secrets of persons, and whether their addresses are kept, in the order asked.
    async fn import_known(&self, controller: i64, tags: Vec<[u8; 16]>) -> Result<Vec<Option<KnownSubject>>>;
    /// Takes a slice of a running import in, and says what became of each person. Nothing that is recorded is replaced;
    /// who does not wish it gets nothing. Tells nobody: an import only adds permission, so what is in memory of others
    /// stays true, and what is in memory of these persons ("no basis") is set right when the import ends.
    async fn import(&self, rows: ImportRows) -> Result<Vec<ImportAnswer>>;
    /// Bulk work on one controller's persons, in one commit; then the controller's permission generation rises.
    /// Answers how many rows each step touched.
    async fn bulk(&self, controller: i64, steps: Vec<Step>) -> Result<Vec<usize>>;
    /// Messages accepted by a controller in a UTC day.
    async fn quota_used(&self, controller: i64, day: i64) -> Result<u64>;

    /// Takes a message in: body, rows, entries, quota, idempotency key together.
    async fn accept(&self, rows: AcceptRows) -> Result<AcceptOutcome>;
    /// What waits, by lane.
    async fn backlog(&self, of: Scope) -> Result<Vec<BacklogRow>>;
    /// Due rows of a lane, by due and id.
    async fn due(&self, site: &str, class: u8, controller: i64, now: Timestamp, limit: usize)
    -> Result<Vec<QueuedRow>>;
    /// Rows of a site past their time, oldest first, among ids below `before`.
    async fn expired(&self, site: &str, now: Timestamp, before: i64, limit: usize) -> Result<Vec<QueuedRow>>;
    /// Rows that were started, have no outcome, and whose node is not alive any more: by id, from `of.from_id` on.
    async fn started(&self, of: Scope, limit: usize) -> Result<Vec<QueuedRow>>;
    /// Sealed contents; `None` where the message is gone.
    async fn contents(&self, ids: Vec<i64>) -> Result<Vec<Option<ContentRow>>>;
    /// Records that an attempt begins. Fenced: a node that does not hold the partition under that epoch begins nothing.
    async fn start(&self, row: StartRow) -> Result<StartAnswer>;
    /// Records outcomes; idempotent on (message, attempt), and never fenced. An attempt that was taken for lost and
    /// then tells its end after all is put right, and stays marked. A hold is no attempt: it moves the time, and only
    /// the first of several in a row is recorded. Answers ids of body files that are free now.
    async fn settle(&self, rows: Vec<SettleRow>) -> Result<Vec<i64>>;
    /// One message of one controller.
    async fn message(&self, controller: i64, id: i64) -> Result<Option<MessageRecord>>;
    /// Which of these ids are those of bodies outside the rows that are referred to.
    async fn bodies_outside(&self, ids: Vec<i64>) -> Result<Vec<i64>>;
    /// The largest id given so far, or 0: ids of this start are larger, wherever the clock stands.
    async fn last_id(&self) -> Result<i64>;
    /// Keeps what grows in order: makes room for what will come, drops what is older than its class allows.
    async fn keep(&self, now: Timestamp) -> Result<()>;
    /// Epochs that still wrap a body, among bodies with ids below this.
    async fn epochs_used(&self, before: i64) -> Result<Vec<i64>>;
    /// Reads an idempotency key.
    async fn idempotency(&self, controller: i64, credential: i64, key: [u8; 16]) -> Result<Option<IdempotencyRecord>>;
    /// Forgets idempotency keys older than this.
    async fn forget_idempotency(&self, before: Timestamp) -> Result<usize>;

    /// Entries that wait for their place, in order: id and row. Of these groups of controllers; `None` means all.
    async fn inbox(&self, groups: Option<Vec<u16>>, limit: usize) -> Result<Vec<(i64, EntryRow)>>;
    /// Entries alone (refusal counts).
    async fn append(&self, entries: Vec<EntryRow>) -> Result<()>;
    /// Gives entries their place: chunks and heads written, the drained ids removed from the inbox, in one commit.
    /// False, and nothing kept, when a head is not where it was or an entry is gone: another sequencer was here.
    async fn sequence(&self, chunks: Vec<ChunkRow>, heads: Vec<HeadMove>, drained: Vec<i64>) -> Result<bool>;
    /// Heads of all logs.
    async fn heads(&self) -> Result<Vec<HeadRow>>;
    /// Chunks of a log from the one that holds `from`.
    async fn chunks(&self, controller: i64, from: u64, limit: usize) -> Result<Vec<ChunkRow>>;

    /// Sealed keys of all controllers: controller, kind, epoch, sealed.
    async fn keys(&self) -> Result<Vec<KeyRow>>;
    /// Writes a key (ahead of any use).
    async fn put_key(&self, key: KeyRow) -> Result<()>;
    /// Writes keys anew that are there, sealed under another one, in one commit. The old octets are gone for good.
    async fn rewrap_keys(&self, keys: Vec<KeyRow>) -> Result<()>;
    /// Removes a key for good.
    async fn destroy_key(&self, controller: i64, kind: u8, epoch: i64) -> Result<()>;
    /// Writes a block of sealed subject secrets (ahead of any use).
    async fn put_block(&self, block: i64, controller: i64, sealed: Vec<u8>) -> Result<()>;
    /// Writes blocks of one controller (ahead of any use) in one commit.
    async fn put_blocks(&self, controller: i64, blocks: Vec<(i64, Vec<u8>)>) -> Result<()>;
    /// Sealed secrets of slots, `None` where destroyed.
    async fn slots(&self, slots: Vec<SlotRef>) -> Result<Vec<Option<Vec<u8>>>>;
    /// Overwrites slots in place.
    async fn destroy_slots(&self, slots: Vec<SlotRef>) -> Result<()>;

    /// What other nodes changed. One short read.
    async fn news(&self) -> Result<News>;
    /// How it is shared with other nodes; `None` where a node is alone.
    fn sharing(&self) -> Option<&dyn Sharing>;

    /// Commits what is queued and stops.
    async fn close(&self);
}
