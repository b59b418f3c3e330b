//! One connection, from its opening to its close: a long-lived task, never one per message. It serves one domain, and
//! goes over to others of the same receiver when their turn comes.
//!
//! Invariants: a worker takes rows only when it has a connection to send them on (or knows that there never will be
//! one); rows that it did not try go back to where they were; whatever ends it, it is counted out, and a row that it
//! was trying when it panicked is left to the owner of the picture.
//! Started by `engine`.

use super::attempt::{self, Ended};
use super::egress::AddressId;
use super::engine::{Engine, Row};
use super::route::{Hop, Never, Route};
use super::scheduler::{Against, Berth, Bound, Leaving, NO_FAMILY, Next, Pooled};
use super::send::{Link, NotOpened};
use metrics::counter;
use model::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use store::{Outcome, OutcomeKind, QueueRow, SANDBOX_SITE, Suppress};
use tokio::sync::Notify;

/// A site with which TLS failed is spoken to in clear for so long (A5 T5).
const TLS_BROKEN_FOR: Duration = Duration::from_secs(3_600);

/// One of the site's connections, counted by the picture.
struct Seat {
    engine: Arc<Engine>,
    site: Pooled,
    /// The address of ours that it goes by, once it has one.
    via: Option<AddressId>,
    /// The picture has already counted it out.
    given_up: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.given_up {
            self.engine.with(|picture| picture.closed(&self.site, self.via));
        }
    }
}

/// Rows taken and not yet tried, which go back when they are dropped, and the one that is being tried.
pub(crate) struct Batch {
    engine: Arc<Engine>,
    site: Pooled,
    via: Option<AddressId>,
    rows: std::collections::VecDeque<Row>,
    /// The one that is being tried.
    tried: Option<QueueRow>,
}

impl Batch {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut()
    }

    pub(crate) fn pop(&mut self) -> Option<Row> {
        let entry = self.rows.pop_front();
        self.tried = entry.as_ref().map(|entry| entry.row.row.clone());
        entry
    }

    /// What was taken last is not tried after all.
    pub(crate) fn untake(&mut self, entry: Row) {
        self.tried = None;
        self.rows.push_front(entry);
    }

    /// The row that was being tried is settled or let go.
    pub(crate) fn done(&mut self) {
        self.tried = None;
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(row) = self.tried.take().filter(|_| std::thread::panicking()) {
            self.engine.leave(row);
        }
        if !self.rows.is_empty() {
            let now = self.engine.store.now();
            let rows = std::mem::take(&mut self.rows);
            self.engine.with(|picture| picture.put_back(&self.site, self.via, rows.into_iter(), now));
        }
    }
}

/// What came of opening a connection.
pub(crate) enum Opened {
    Link(Box<Link>),
    /// DNS says that there is none.
    Never(Never),
    /// The receiver has no place for it.
    NoPlace,
    Failed(Against, &'static str),
}

/// The task of one connection.
pub(crate) async fn run(engine: Arc<Engine>, site: Pooled) {
    let mut seat = Seat { engine: Arc::clone(&engine), site: site.clone(), via: None, given_up: false };
    if !engine.holds(&site) {
        return;
    }
    if *site.name == *SANDBOX_SITE {
        return end_here(&mut seat).await;
    }
    let opened = tokio::select! {
        opened = open(&engine, &site, &mut seat.via) => opened,
        () = engine.stopped() => return,
    };
    if let Some(link) = begin(&mut seat, opened).await
        && let Some(link) = serve(&mut seat, link).await
    {
        link.quit().await;
    }
}

/// What follows from an attempt to open a connection.
async fn begin(seat: &mut Seat, opened: Opened) -> Option<Box<Link>> {
    match opened {
        Opened::Link(link) => return Some(link),
        Opened::Failed(against, trouble) => failed(&seat.engine, &seat.site, against, trouble),
        Opened::Never(never) => turn_away(seat, never).await,
        // Dropping the seat counts it out.
        Opened::NoPlace => {}
    }
    None
}

/// The domain, or its receiver, is left alone for a while.
pub(crate) fn failed(engine: &Engine, site: &Pooled, against: Against, trouble: &'static str) {
    let (now, seed) = (engine.store.now(), engine.seed());
    counter!("postern_delivery_site_failures_total").increment(1);
    tracing::debug!(trouble, "a site is left alone for a while");
    engine.with(|picture| picture.failed_at(site, against, now, seed, trouble));
}

/// Messages of the sandbox come to their end, without DNS and without a connection.
async fn end_here(seat: &mut Seat) {
    while let Some(batch) = next_without_link(seat) {
        attempt::end_here(&seat.engine, &seat.site, batch).await;
    }
}

/// What is due at a site that no connection is made to; nothing when this is over.
fn next_without_link(seat: &mut Seat) -> Option<Batch> {
    let now = seat.engine.store.now();
    let leaving = if seat.engine.may_begin(&seat.site) { Leaving::WhenIdle } else { Leaving::InAnyCase };
    match seat.engine.with(|picture| picture.next(&seat.site, seat.via, now, leaving)) {
        Next::Rows(rows) => return Some(batch(seat, rows)),
        Next::Close => seat.given_up = true,
        Next::Wait(_) => {}
        // Its mail goes nowhere, and needs no place; those in line are called when this is over.
        Next::Over(to) => seat.site = to,
    }
    None
}

/// Finds the way, takes a place at the receiver, and tries the addresses in their order. Of the sandbox there are none,
/// wherever other mail goes.
///
/// `via`: the address of ours that the connection has, or nothing; afterwards the one that it has now.
pub(crate) async fn open(engine: &Engine, site: &Pooled, via: &mut Option<AddressId>) -> Opened {
    if *site.name == *SANDBOX_SITE {
        return Opened::Failed(Against::Domain, "no connection is made for messages of the sandbox");
    }
    let way = match engine.router.route(site, engine.seed()).await {
        Route::Way(way) => way,
        Route::Never(never) => return Opened::Never(never),
        Route::Later(trouble) => return Opened::Failed(Against::Domain, trouble),
    };
    let now = engine.store.now();
    match engine.with(|picture| picture.seat(site, &way.exchangers, *via, now)) {
        Some(berth) => dial(engine, site, &way.hops, berth, via).await,
        None => Opened::NoPlace,
    }
}

/// Tries the addresses of the receiver in their order, each from an address of ours that reaches it.
async fn dial(engine: &Engine, site: &Pooled, hops: &[Hop], berth: Berth, via: &mut Option<AddressId>) -> Opened {
    let mut found = None;
    let mut full = false;
    for hop in hops {
        // An address of ours that cannot be bound makes way for another of its pool.
        loop {
            let now = engine.store.now();
            let own = match engine.with(|picture| picture.bind(site, via, hop.address.ip(), now)) {
                Bound::To(own) => own,
                Bound::Full => {
                    full = true;
                    break;
                }
                Bound::NoFamily => break,
            };
            match dial_from(engine, site, hop, &berth, own).await {
                Dialled::Link(mut link, is_own) => {
                    let warm = engine.with(|picture| picture.allowance(own, &berth.receiver.name));
                    link.take_place(berth, (own, warm), is_own);
                    return Opened::Link(link);
                }
                Dialled::NotOurs => {
                    engine.bar(own);
                    engine.with(|picture| picture.unbind(site, via));
                }
                Dialled::Failed(against, trouble) => {
                    found = Some(match found {
                        Some((Against::Domain, _)) => (Against::Domain, trouble),
                        _ => (against, trouble),
                    });
                    break;
                }
            }
        }
    }
    match found {
        Some((against, trouble)) => Opened::Failed(against, trouble),
        None if full => {
            let now = engine.store.now();
            engine.with(|picture| picture.shut(site, now));
            Opened::NoPlace
        }
        None => Opened::Failed(Against::Domain, NO_FAMILY),
    }
}

/// What came of one address of the receiver.
enum Dialled {
    /// And whether the host is one of the receiver's own.
    Link(Box<Link>, bool),
    /// The address of ours cannot be bound.
    NotOurs,
    Failed(Against, &'static str),
}

async fn dial_from(engine: &Engine, site: &Pooled, hop: &Hop, berth: &Berth, own: AddressId) -> Dialled {
    let now = engine.store.now();
    let is_own = engine.with(|picture| picture.is_own(&berth.receiver, &hop.host));
    let against = if is_own { Against::Receiver(own) } else { Against::Domain };
    // What was learnt of one connection lowers no demand on another.
    let mut clear = hop.demand.allows_clear() && engine.with(|picture| picture.is_tls_broken(site, now));
    // RFC 7435: a handshake that fails must not keep back mail that would have gone in clear; once more without.
    for _ in 0..2 {
        let dialled = engine.dialer.dial(hop, clear, own, now).await;
        tell(engine, (site, hop), &dialled, now);
        match dialled {
            Ok(link) => {
                engine.unbar(own);
                return Dialled::Link(Box::new(link), is_own);
            }
            Err(NotOpened::NotOurs) => return Dialled::NotOurs,
            Err(NotOpened::Unreachable(why)) => return Dialled::Failed(against, why),
            Err(NotOpened::Handshake(_)) if engine.dialer.may_go_clear(hop) && !clear => {
                counter!("postern_delivery_tls_failures_total").increment(1);
                engine.with(|picture| picture.tls_broke(site, Some(now.plus(TLS_BROKEN_FOR))));
                clear = true;
            }
            Err(NotOpened::Handshake(_)) => {
                counter!("postern_delivery_tls_failures_total").increment(1);
                break;
            }
        }
    }
    // What is demanded may be the domain's own demand.
    Dialled::Failed(Against::Domain, "the connection could not be made as secure as it is demanded")
}

/// RFC 8460 §4: what became of TLS is counted for the domain.
pub(crate) fn tell(engine: &Engine, to: (&str, &Hop), dialled: &Result<Link, NotOpened>, now: Timestamp) {
    let (local, failure) = match dialled {
        Ok(link) => match link.session() {
            Some(session) => session,
            None => return,
        },
        Err(NotOpened::Handshake(broken)) => (broken.local, Some(broken.failure)),
        Err(NotOpened::Unreachable(_) | NotOpened::NotOurs) => return,
    };
    engine.router.tally().session(now, to, local, failure);
}

/// The connection goes over to another domain of the receiver: as it is, where a new one would be the same, else as a
/// new one.
async fn go_over(seat: &mut Seat, link: Box<Link>, to: Pooled) -> Option<Box<Link>> {
    seat.site = to;
    let mut link = link;
    let (engine, site) = (Arc::clone(&seat.engine), seat.site.clone());
    let way = match engine.router.route(&site, engine.seed()).await {
        Route::Way(way) => way,
        Route::Never(never) => {
            link.quit().await;
            return begin(seat, Opened::Never(never)).await;
        }
        Route::Later(trouble) => {
            link.quit().await;
            return begin(seat, Opened::Failed(Against::Domain, trouble)).await;
        }
    };
    let now = engine.store.now();
    let Some(berth) = engine.with(|picture| picture.seat(&site, &way.exchangers, seat.via, now)) else {
        link.quit().await;
        return begin(seat, Opened::NoPlace).await;
    };
    if link.leads_as(&way.hops) {
        let is_own = link.is_own();
        if let Some(own) = seat.via {
            let warm = engine.with(|picture| picture.allowance(own, &berth.receiver.name));
            link.take_place(berth, (own, warm), is_own);
        }
        return Some(link);
    }
    link.quit().await;
    let opened = tokio::select! {
        opened = dial(&engine, &site, &way.hops, berth, &mut seat.via) => opened,
        () = engine.stopped() => return None,
    };
    begin(seat, opened).await
}

/// Serves rows until the connection is to close; gives it back when it can still say goodbye.
async fn serve(seat: &mut Seat, link: Box<Link>) -> Option<Box<Link>> {
    let mut link = link;
    let mut leaving = Leaving::No;
    let mut rested = Duration::ZERO;
    loop {
        let now = seat.engine.store.now();
        if is_spent(&seat.engine, &link, now) || !seat.engine.holds(&seat.site) {
            leaving = Leaving::InAnyCase;
        }
        if leaving == Leaving::No
            && let Some(rest) = seat.engine.rest()
        {
            // Idle while the store is away, and no longer than idle connections may be.
            rested += rest;
            if rested >= seat.engine.settings.shaping.connection_idle_max {
                leaving = Leaving::InAnyCase;
            } else {
                tokio::select! {
                    () = tokio::time::sleep(rest) => continue,
                    () = seat.engine.stopped() => {}
                }
            }
        }
        match seat.engine.with(|picture| picture.next(&seat.site, seat.via, now, leaving)) {
            Next::Close => {
                seat.given_up = true;
                return Some(link);
            }
            Next::Wait(bell) => leaving = wait(seat, &bell).await,
            Next::Over(to) => {
                leaving = Leaving::No;
                link = go_over(seat, link, to).await?;
            }
            Next::Rows(rows) => {
                leaving = Leaving::No;
                rested = Duration::ZERO;
                let batch = batch(seat, rows);
                match attempt::deliver(&seat.engine, &seat.site, &mut seat.via, link, batch).await {
                    Ended::Open(open) => link = open,
                    Ended::Closed => return None,
                }
            }
        }
    }
}

fn batch(seat: &Seat, rows: Vec<Row>) -> Batch {
    Batch { engine: Arc::clone(&seat.engine), site: seat.site.clone(), via: seat.via, rows: rows.into(), tried: None }
}

/// A4 C4: receivers count messages and minutes, and some say how many they take (RFC 9422).
fn is_spent(engine: &Engine, link: &Link, now: Timestamp) -> bool {
    let shaping = &engine.settings.shaping;
    link.is_full() || link.has_carried_all() || now.since(link.opened_at()) >= shaping.connection_age_max
}

async fn wait(seat: &Seat, bell: &Notify) -> Leaving {
    let idle = seat.engine.settings.shaping.connection_idle_max;
    let rung = tokio::time::timeout(idle, bell.notified()).await;
    seat.engine.with(|picture| picture.awake(&seat.site));
    // A bell that rings at the last moment is not missed: the picture is asked once more before leaving.
    if rung.is_ok() { Leaving::No } else { Leaving::WhenIdle }
}

/// Every message for a domain that takes none is returned, without a connection (RFC 7505 §4.1).
async fn turn_away(seat: &mut Seat, never: Never) {
    while let Some(mut batch) = next_without_link(seat) {
        while let Some(entry) = batch.pop() {
            let suppress = if never.burns_recipient() { Suppress::Yes } else { Suppress::No };
            let row = entry.row.row;
            seat.engine
                .settle(Outcome {
                    attempt: row.attempts + 1,
                    row,
                    started_at: None,
                    at: seat.engine.store.now(),
                    verdict: OutcomeKind::Bounced { suppress },
                    code: None,
                    enhanced: Some(never.enhanced().to_string()),
                    rule: None,
                    transcript: never.sentence().to_owned(),
                })
                .await;
            batch.done();
        }
    }
}
