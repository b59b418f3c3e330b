//! What an acceptance needs from the moment its rows go to the engine: shared with the task that sees it through.
//!
//! Invariant: that task does not end when the caller goes away. What was committed is handed over, counted and
//! remembered, and what was not is cleaned up, whether or not anybody still waits for the answer.

use super::{Bodies, Content, QueueRow};
use crate::engine::{AcceptOutcome, AcceptRows, BodyPlace, Engine, SlotRef};
use crate::error::{Error, Result};
use crate::facts::{FactsCache, Whom};
use crate::open::Hint;
use crate::spool::bodies::NewBody;
use crate::vault::Lease;
use model::ControllerId;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// On which account of a day messages are counted (GDPR Art. 28(3)(a)): what the platform writes for a controller does
/// not take from what he instructed for his own mail, nor the other way round. Each has the same bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Account {
    /// His own mail.
    Own(ControllerId),
    /// What the platform writes for him: requests to confirm, notifications.
    OfPlatform(ControllerId),
}

impl Account {
    /// Whose.
    #[must_use]
    pub const fn controller(self) -> ControllerId {
        match self {
            Self::Own(controller) | Self::OfPlatform(controller) => controller,
        }
    }

    /// Its number in the table `quota`: that of the controller, and below zero for the platform's.
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Own(controller) => controller.0,
            Self::OfPlatform(controller) => controller.0.wrapping_neg(),
        }
    }
}

impl From<ControllerId> for Account {
    fn from(controller: ControllerId) -> Self {
        Self::Own(controller)
    }
}

/// What is known of a day's use.
#[derive(Clone, Copy)]
pub(crate) struct QuotaCount {
    /// The UTC day.
    pub(crate) day: i64,
    /// Messages accepted in it.
    pub(crate) used: u64,
    /// When it was read, by the monotonic clock.
    pub(crate) read_at: Duration,
}

/// What is shared.
pub(crate) struct Intake {
    /// Persons remembered.
    pub(crate) facts: FactsCache,
    /// Messages accepted in a day, by account.
    pub(crate) quotas: Mutex<HashMap<Account, QuotaCount>>,
    /// Large bodies.
    pub(crate) bodies: Bodies,
    /// Who is told of each acceptance.
    pub(crate) hint: RwLock<Option<Hint>>,
    /// Acceptances for whose answer a client waits now.
    awaited: AtomicUsize,
}

/// An acceptance for whose answer a client waits.
pub(super) struct Awaited<'a>(&'a AtomicUsize);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Intake {
    pub(crate) fn new(bodies: Bodies) -> Self {
        let (facts, quotas) = (FactsCache::default(), Mutex::default());
        Self { facts, quotas, bodies, hint: RwLock::new(None), awaited: AtomicUsize::new(0) }
    }

    /// One acceptance more, until what this returns is dropped.
    pub(super) fn awaited(&self) -> Awaited<'_> {
        self.awaited.fetch_add(1, Ordering::Relaxed);
        Awaited(&self.awaited)
    }

    /// Whether a client waits for an acceptance.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) > 0
    }

    /// Messages accepted in a day, if that was read at this moment or later.
    pub(crate) fn quota_known(&self, account: Account, day: i64, oldest: Duration) -> Option<u64> {
        let quotas = self.quotas.lock();
        quotas.get(&account).filter(|count| count.day == day && count.read_at >= oldest).map(|count| count.used)
    }

    /// Counts in memory what a commit took from the day's allowance, so that the next decision needs no read.
    /// The commit itself is what enforces it.
    fn quota_taken(&self, account: Account, day: i64, count: usize) {
        if let Some(known) = self.quotas.lock().get_mut(&account)
            && known.day == day
        {
            known.used = known.used.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    fn hand_over(&self, waiting: Vec<(QueueRow, Content)>) {
        let hint = self.hint.read().clone();
        if let Some(hint) = hint {
            hint(waiting);
        }
    }
}

/// One acceptance on its way into the engine.
pub(super) struct Entering {
    pub(super) rows: AcceptRows,
    pub(super) account: Account,
    pub(super) file: Option<NewBody>,
    /// What the scheduler is told.
    pub(super) waiting: Vec<(QueueRow, Content)>,
    /// Persons who get their secret with this commit.
    pub(super) new_slots: Vec<(Whom, SlotRef)>,
    /// Persons of whom the commit counts something: what is in memory of them is then older.
    pub(super) counted: Vec<Whom>,
    /// Held until the commit is over, so that a second acceptance for the same person takes the same slot.
    pub(super) leases: Vec<Lease>,
}

impl Entering {
    /// Commits, and does what follows from it.
    pub(super) async fn enter(self, engine: Arc<dyn Engine>, intake: Arc<Intake>) -> Result<AcceptOutcome> {
        let Self { rows, account, file, waiting, new_slots, counted, leases } = self;
        let (day, count) = (rows.day, rows.messages.len());
        let in_file = (rows.body.place == BodyPlace::File).then_some(rows.body.id);
        // From here on a commit may refer to it: should the runtime end under this task, the file has to be there.
        if let Some(file) = file {
            file.keep();
        }
        let outcome = engine.accept(rows).await;
        match outcome {
            Ok(AcceptOutcome::Done) => {
                intake.quota_taken(account, day, count);
                for (who, slot) in new_slots {
                    intake.facts.set_slot(who, slot);
                }
                counted.into_iter().for_each(|who| intake.facts.forget(who));
                intake.hand_over(waiting);
            }
            // It may be committed: the next start knows.
            Err(Error::Unknown) => {}
            Ok(_) | Err(_) => {
                if let Some(id) = in_file {
                    intake.bodies.release(vec![id]).await;
                }
            }
        }
        drop(leases);
        outcome
    }
}
