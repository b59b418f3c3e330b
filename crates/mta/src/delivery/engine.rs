//! The owner of the picture: reads pages from the store, opens connections, looks for what is out of time.
//!
//! Invariants: the lock of the picture is held for a moment and never across an await; the store is read by this one
//! task, a page after the other; when nothing is due the task sleeps, and never wakes more than once a second; while
//! the store fails, or this node is past its deadline among others, nothing is read, opened or begun.
//! Called by `Delivery::start`; the workers and `tenancy` share [`Engine`].

use super::egress::AddressId;
use super::outcome::Note;
use super::route::Router;
use super::scheduler::{Entry, Hot, LaneKey, Picture, Pooled, Read};
use super::send::Dialer;
use super::settings::Settings;
use super::signing::Signing;
use super::trouble::Trouble;
use super::{attempt, hurried, spread, worker};
use metrics::{counter, gauge};
use model::Timestamp;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Backlog, Content, Error, Lane, Look, Outcome, OutcomeKind, QueueRow, Store};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

/// Longest sleep while something waits: a clock that was set is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// Shortest sleep for a timer: timers that are close together share a look.
const SLEEP_MIN: Duration = Duration::from_millis(2);
/// Sites that had no room in the picture are looked for again after so long.
const BACKLOG_AGAIN: Duration = Duration::from_secs(60);
/// Expired rows taken at one look at a site.
const EXPIRED_PAGE: usize = 256;
/// Past its deadline, a node looks so often whether a heartbeat was answered.
const LAPSE_LOOK: Duration = Duration::from_millis(100);
/// Lanes noted in one hold of the picture's lock.
const NOTED_AT_ONCE: usize = 1_024;

/// A row in hand, with its content while there is room for it.
pub(crate) struct Hand {
    pub(crate) row: QueueRow,
    pub(crate) content: Option<Content>,
}

impl Hot for Hand {
    fn octets(&self) -> usize {
        self.content.as_ref().map_or(0, Content::octets)
    }

    fn cool(&mut self) {
        self.content = None;
    }
}

/// A row as the picture holds it.
pub(crate) type Row = Entry<Hand>;

/// What all parts of delivery share.
pub(crate) struct Engine {
    pub(crate) store: Arc<Store>,
    pub(crate) settings: Settings,
    pub(crate) router: Router,
    pub(crate) dialer: Dialer,
    pub(crate) signing: Signing,
    pub(crate) notes: mpsc::Sender<Note>,
    picture: Mutex<Picture<Hand>>,
    /// Rows that were being tried when their worker panicked: one a connection at most.
    fallen: Mutex<Vec<QueueRow>>,
    trouble: Trouble,
    /// Something that waits is to end by an order.
    pub(crate) ordered: AtomicBool,
    /// Something that waits is due that was not before.
    pub(crate) hurried: AtomicBool,
    wake: Notify,
    stopping: watch::Sender<bool>,
}

impl Engine {
    pub(crate) fn new(
        store: Arc<Store>,
        settings: Settings,
        router: Router,
        dialer: Dialer,
        signing: Signing,
        notes: mpsc::Sender<Note>,
        picture: Picture<Hand>,
    ) -> Self {
        let (picture, fallen, stopping) = (Mutex::new(picture), Mutex::default(), watch::Sender::new(false));
        let (trouble, wake) = (Trouble::default(), Notify::new());
        let (ordered, hurried) = (AtomicBool::new(true), AtomicBool::new(false));
        Self {
            store,
            settings,
            router,
            dialer,
            signing,
            notes,
            picture,
            fallen,
            trouble,
            ordered,
            hurried,
            wake,
            stopping,
        }
    }

    /// Looks at or changes the picture, and wakes its owner when that gave him something to do.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Picture<Hand>) -> T) -> T {
        let (result, wanted) = {
            let mut picture = self.picture.lock();
            (change(&mut picture), picture.wants_owner())
        };
        if wanted {
            self.wake.notify_one();
        }
        result
    }

    /// May something be begun for this site now? Looked at before MAIL and again before the final dot.
    pub(crate) fn holds(&self, site: &str) -> bool {
        self.store.tenure().holds(site)
    }

    /// How long nothing is to be begun, for any site: the store fails, or no heartbeat was answered in time.
    pub(crate) fn rest(&self) -> Option<Duration> {
        let lapsed = self.store.tenure().remaining().is_zero();
        self.trouble.rest(self.store.clock().monotonic()).or(lapsed.then_some(LAPSE_LOOK))
    }

    /// May an attempt begin for this site?
    pub(crate) fn may_begin(&self, site: &str) -> bool {
        self.holds(site) && self.rest().is_none() && !self.is_draining()
    }

    /// The store failed. Said, but not as often as it happens.
    pub(crate) fn store_failed(&self, error: &Error, what: &'static str) {
        let now = self.store.clock().monotonic();
        if is_away(error) {
            self.trouble.failed(now);
        }
        if let Some(unsaid) = self.trouble.is_to_be_said(what, now) {
            tracing::warn!(%error, unsaid, "{what}");
        }
    }

    /// Something waits for the operator. Said, but not as often as it happens.
    pub(crate) fn waits(&self, what: &'static str) {
        if let Some(unsaid) = self.trouble.is_to_be_said(what, self.store.clock().monotonic()) {
            tracing::warn!(unsaid, "{what}");
        }
    }

    /// The store answered.
    pub(crate) fn store_answered(&self) {
        self.trouble.succeeded();
    }

    /// Takes what came to this node and went from it over into the picture. Under its lock, so that two who call this
    /// at once cannot do it in the wrong order.
    pub(crate) fn follow_tenure(&self) {
        if self.store.tenure().is_alone() {
            return;
        }
        self.with(|picture| {
            let changes = self.store.tenure().take_changes();
            // What is in both went first.
            if !changes.lost.is_empty() {
                picture.disown(&changes.lost);
            }
            picture.own(&changes.gained);
        });
    }

    /// Rows just accepted: no read of the store, no task. Those of sites that another node delivers to are dropped
    /// here, and found by that node in the store.
    pub(crate) fn hint(&self, rows: Vec<(QueueRow, Content)>) {
        let now = self.store.now();
        let entries = rows.into_iter().map(|(row, content)| (Arc::clone(&row.lane.site), entry(row, Some(content))));
        self.with(|picture| picture.hint(entries, now));
    }

    /// This machine does not have one of its egress addresses: other addresses of the pool are used, or mail waits.
    pub(crate) fn bar(&self, id: AddressId) {
        let now = self.store.now();
        self.with(|picture| picture.bar(id, now));
        if let Some(address) = self.settings.egress.address(id) {
            tracing::warn!(
                address = address.name,
                "an egress address cannot be bound: this machine does not have it; it is tried again in a minute"
            );
        }
    }

    /// One of them was bound.
    pub(crate) fn unbar(&self, id: AddressId) {
        if !self.settings.egress.is_plain() {
            self.with(|picture| picture.unbar(id));
        }
    }

    /// Something about what waits was ordered.
    pub(crate) fn look_again(&self, at: Look<'_>) {
        match at {
            Look::Orders => {}
            Look::Site(site) => self.with(|picture| picture.try_now(Some(site))),
            Look::Everything => self.with(|picture| picture.try_now(None)),
        }
        let flag = if at == Look::Orders { &self.ordered } else { &self.hurried };
        flag.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Nothing more is handed out.
    pub(crate) fn stop(&self) {
        self.with(Picture::drain);
        self.stopping.send_replace(true);
        self.wake.notify_one();
    }

    /// Returns when [`Engine::stop`] was called: a connection that is only being opened is given up then.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as this, so the wait cannot fail.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Hands an outcome to the recorder; waits while too many wait there. What was begun is always recorded, whoever
    /// holds its site meanwhile. What was not begun is for the holder to end: only he knows that no attempt is running.
    pub(crate) async fn settle(&self, outcome: Outcome) {
        let begun = outcome.started_at.is_some() || matches!(outcome.verdict, OutcomeKind::Uncertain { .. });
        let lane = &outcome.row.lane;
        if !begun && !self.holds(&lane.site) {
            let (now, due) = (self.store.now(), outcome.row.due);
            self.with(|picture| picture.release(&lane.site, key_of(lane), outcome.row.id, Some(due), now));
            return;
        }
        if self.notes.send(Note::Settled(Box::new(outcome))).await.is_err() {
            // The recorder is gone: the node is being stopped by force. The start record says what is not known.
            tracing::warn!("an outcome came after the recorder had stopped");
        }
    }

    /// A worker panicked while it tried this row. Settled by the owner of the picture, who may wait.
    pub(crate) fn leave(&self, row: QueueRow) {
        self.fallen.lock().push(row);
        self.wake.notify_one();
    }

    async fn settle_fallen(&self) {
        let fallen = std::mem::take(&mut *self.fallen.lock());
        for row in fallen {
            self.settle(attempt::fallen(row, self.store.now())).await;
        }
    }

    /// A seed for orders and waits. Not secret, only spread.
    pub(crate) fn seed(&self) -> u64 {
        spread::seed_of(self.store.new_message_id().0, 0)
    }

    /// What waits in the store, by lane.
    pub(crate) async fn load_backlog(&self) -> store::Result<()> {
        self.note(&self.store.backlog().await?);
        Ok(())
    }

    /// Lanes in which something waits.
    pub(crate) fn note(&self, lanes: &[Backlog]) {
        for some in lanes.chunks(NOTED_AT_ONCE) {
            self.with(|picture| {
                for waiting in some {
                    picture.note_waiting(&waiting.lane.site, key_of(&waiting.lane), waiting.next_due);
                }
            });
        }
    }

    /// Reads pages one after the other. When the store is away, the others of the same look are not tried.
    async fn read_all(&self, reads: Vec<Read>) {
        let mut away = false;
        for read in reads {
            if away {
                let now = self.store.now();
                self.with(|picture| picture.page_failed(&read, now));
            } else {
                away = !self.read(read).await;
            }
        }
    }

    /// Answers whether the store can be read.
    async fn read(&self, read: Read) -> bool {
        let lane = Lane { site: Arc::clone(&read.site.name), class: read.key.class, controller: read.key.controller };
        let told = self.store.tenure().subscribe();
        // Asked without an upper end of due, so that the row after the last due one tells when to read again.
        let answer = self.store.due(&lane, Timestamp::MAX, read.limit).await;
        let now = self.store.now();
        match answer {
            Ok(rows) if rows.is_empty() && (!self.holds(&read.site) || told.has_changed().unwrap_or(true)) => {
                // The store says nothing of a site that is not held: that does not make the lane empty.
                self.with(|picture| picture.page_failed(&read, now));
                true
            }
            Ok(rows) => {
                self.store_answered();
                let entries = rows.into_iter().map(|row| entry(row, None)).collect();
                self.with(|picture| picture.page(&read, entries, now));
                true
            }
            Err(error) => {
                self.store_failed(&error, "due messages could not be read; they are read again in a second");
                self.with(|picture| picture.page_failed(&read, now));
                !is_away(&error)
            }
        }
    }

    /// RFC 5321 §4.5.4.1: what was not delivered in its time is given up, also while its site is left alone.
    async fn expire(&self, site: &Pooled) {
        let now = self.store.now();
        let rows = self.store.expired(site, now, EXPIRED_PAGE).await.unwrap_or_else(|error| {
            self.store_failed(&error, "expired messages could not be read");
            Vec::new()
        });
        let more = rows.len() >= EXPIRED_PAGE;
        let entries = rows.into_iter().map(|row| entry(row, None)).collect();
        let taken = self.with(|picture| picture.expired(site, entries, more, now));
        if taken.is_empty() {
            return;
        }
        let may_end = attempt::may_end(self, taken.iter().map(|entry| &entry.row.row).collect()).await;
        for (entry, may_end) in taken.into_iter().zip(may_end) {
            if may_end {
                self.settle(expiry(entry.row.row, None, now)).await;
            } else {
                // GDPR Art. 28(3), last subparagraph: it waits for a human. It keeps its place.
                self.with(|picture| picture.release(site, entry.key, entry.id, Some(entry.due), now));
            }
        }
    }
}

/// Does the fault lie in the store as a whole, and not in one row or file?
fn is_away(error: &Error) -> bool {
    matches!(error, Error::Full | Error::Engine(_) | Error::Unknown | Error::Closed)
}

/// The outcome of a message whose time is over. `started`: an attempt at it was under way.
pub(crate) fn expiry(row: QueueRow, started: Option<Timestamp>, now: Timestamp) -> Outcome {
    Outcome {
        attempt: row.attempts + 1,
        row,
        started_at: started,
        at: now,
        verdict: OutcomeKind::Expired,
        code: None,
        enhanced: Some("4.4.7".to_owned()),
        rule: None,
        transcript: String::new(),
    }
}

pub(crate) fn entry(row: QueueRow, content: Option<Content>) -> Row {
    Entry { id: row.id, key: key_of(&row.lane), due: row.due, row: Hand { row, content } }
}

pub(crate) fn key_of(lane: &Lane) -> LaneKey {
    LaneKey { class: lane.class, controller: lane.controller }
}

/// The task that owns the picture. It ends when the picture is draining and every connection is closed.
pub(crate) async fn run(engine: Arc<Engine>) {
    let mut workers = JoinSet::new();
    let mut backlog_at = engine.store.now();
    let mut orders_at = backlog_at;
    loop {
        while let Some(ended) = workers.try_join_next() {
            report(ended);
        }
        engine.settle_fallen().await;
        let draining = engine.is_draining();
        if draining && workers.is_empty() {
            return;
        }
        engine.follow_tenure();
        if let Some(rest) = engine.rest() {
            // The picture keeps what there is to do.
            measure(&engine);
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = engine.stopped(), if !draining => {}
                Some(ended) = workers.join_next() => report(ended),
            }
            continue;
        }
        let now = engine.store.now();
        if !draining {
            hurried::follow(&engine, &mut orders_at, now).await;
        }
        let plan = engine.with(|picture| picture.plan(now));
        for site in plan.open {
            workers.spawn(worker::run(Arc::clone(&engine), site));
        }
        for site in &plan.expiry {
            engine.expire(site).await;
        }
        let busy = !plan.reads.is_empty();
        engine.read_all(plan.reads).await;
        // Among others, the whole backlog is read from time to time in any case.
        if engine.store.tenure().is_alone() && now >= backlog_at && engine.with(Picture::take_incomplete) {
            backlog_at = now.plus(BACKLOG_AGAIN);
            if let Err(error) = engine.load_backlog().await {
                engine.store_failed(&error, "the backlog could not be read");
                engine.with(Picture::stays_incomplete);
            }
        }
        measure(&engine);
        if busy {
            continue;
        }
        let sleep = plan.wake.map(|at| at.since(now).clamp(SLEEP_MIN, SLEEP_MAX));
        tokio::select! {
            () = engine.wake.notified() => {}
            () = sleep_for(sleep) => {}
            Some(ended) = workers.join_next() => report(ended),
        }
    }
}

async fn sleep_for(sleep: Option<Duration>) {
    match sleep {
        Some(sleep) => tokio::time::sleep(sleep).await,
        None => std::future::pending().await,
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        counter!("postern_delivery_worker_panics_total").increment(1);
        tracing::error!("a delivery connection ended by a fault of the program; its messages are tried again");
    }
}

fn measure(engine: &Engine) {
    let (ready, octets, connections) = engine.picture.lock().totals();
    let gauge_of = |value: usize| u32::try_from(value).map_or(f64::from(u32::MAX), f64::from);
    gauge!("postern_delivery_ready_rows").set(gauge_of(ready));
    gauge!("postern_delivery_ready_octets").set(gauge_of(octets));
    gauge!("postern_delivery_connections").set(f64::from(connections));
}
