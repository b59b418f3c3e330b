//! This node as a member among the others: its heartbeat, and what follows from it.
//!
//! Each round: one heartbeat; what is no longer ours is lost, and only then the deadline moves; what is not ours by
//! the assignment is given back; what is ours and free, or a dead node's, is taken.
//! Invariants: the deadline is reckoned from the moment at which the heartbeat was *sent*; a lease is lost here before
//! it is given back there; a dead node's leases are taken only after heartbeats have been good for a whole time to
//! live, because after a fail-over of the database everybody looks dead for a moment.
//! Crash at any point ⇒ the leases run out with the heartbeat, and the others take them.

#[cfg(test)]
mod tests;

use super::assign::{Living, Share};
use super::node_clock::NodeClock;
use super::tenure::OWN_LIFE;
use super::{Roles, Tenure};
use crate::engine::{LeaseKind, LeaseRow, NodeCard, Pulse, Seat, Sharing};
use crate::error::{Error, Result, Temper};
use model::Clock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// A node that was not heard of for so long is dead to the others.
pub(crate) const TIME_TO_LIVE: Duration = Duration::from_secs(5);
/// One heartbeat after the other.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// And after one that failed.
const BEAT_AGAIN: Duration = Duration::from_millis(250);
/// An answer that takes longer is waited for no more: another connection may be quicker.
const PATIENCE: Duration = Duration::from_secs(2);
/// Times that a node asks for the time and for its seat when it starts.
const TRIES_AT_START: usize = 5;
/// Seats taken in one round at most.
const JOINS_MAX: usize = 2;

/// The member.
pub(crate) struct Member {
    sharing: Arc<dyn Sharing>,
    clock: Arc<NodeClock>,
    tenure: Arc<Tenure>,
    /// Whoever speaks to the others holds it.
    state: Mutex<State>,
}

struct State {
    card: NodeCard,
    seat: Option<Seat>,
    /// When the first and the last heartbeat of an unbroken row of good ones were sent.
    good: Option<(Duration, Duration)>,
    /// The share reckoned last, and for whom.
    share: Share,
    reckoned_for: Vec<Living>,
    is_failing: bool,
}

/// What is said to the others after a heartbeat.
struct Plan {
    keep: Vec<LeaseRow>,
    give: Vec<LeaseRow>,
    take: Vec<LeaseRow>,
}

impl Member {
    pub(crate) fn new(sharing: Arc<dyn Sharing>, clock: Arc<NodeClock>, tenure: Arc<Tenure>, card: NodeCard) -> Self {
        let (share, reckoned_for) = (Share::default(), Vec::new());
        let state = Mutex::new(State { card, seat: None, good: None, share, reckoned_for, is_failing: false });
        Self { sharing, clock, tenure, state }
    }

    /// One heartbeat after the other, until `stop` changes.
    pub(crate) async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            // A round may be left in the middle: what it got, `leave` gives back.
            let pause = tokio::select! {
                _ = stop.changed() => return,
                pause = self.round_and_pause() => pause,
            };
            tokio::select! {
                _ = stop.changed() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn round_and_pause(&self) -> Duration {
        let outcome = self.round().await;
        let mut state = self.state.lock().await;
        match outcome {
            Ok(()) => {
                if std::mem::take(&mut state.is_failing) {
                    tracing::info!("the heartbeat is answered again");
                }
                BEAT_EVERY
            }
            Err(error) => {
                if !std::mem::replace(&mut state.is_failing, true) {
                    tracing::warn!(%error, "the heartbeat fails; it is tried again, and nothing is begun without it");
                }
                BEAT_AGAIN
            }
        }
    }

    /// Learns the database's time, without saying anything.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) async fn find_time(&self) -> Result<()> {
        patiently(async || self.look().await).await
    }

    async fn look(&self) -> Result<()> {
        let sent = self.clock.uncorrected();
        let pulse = in_time(self.sharing.look(TIME_TO_LIVE)).await?;
        self.clock.observe(sent, pulse.now, self.clock.uncorrected());
        Ok(())
    }

    /// Takes its seat and its share.
    ///
    /// # Errors
    /// Those of the engine, in the end.
    pub(crate) async fn arrive(&self) -> Result<()> {
        patiently(async || self.round().await).await
    }

    /// One round.
    ///
    /// # Errors
    /// Those of the engine: then the next round comes soon.
    pub(crate) async fn round(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        for _ in 0..JOINS_MAX {
            let seat = match state.seat {
                Some(seat) => seat,
                None => self.join(&mut state).await?,
            };
            let (sent, sent_at) = (self.clock.monotonic(), self.clock.uncorrected());
            if let Some(pulse) = in_time(self.sharing.beat(seat, TIME_TO_LIVE)).await? {
                self.clock.observe(sent_at, pulse.now, self.clock.uncorrected());
                return self.react(&mut state, seat, sent, &pulse).await;
            }
            tracing::warn!(
                seat = seat.number,
                "this node was away too long and its seat is another's, or another process uses a copy of its folder; \
                 it takes a new seat"
            );
            self.tenure.stand_up();
            (state.seat, state.good) = (None, None);
        }
        Err(Error::Engine("the seat of this node is taken again and again; is its folder in use twice?".to_owned()))
    }

    async fn join(&self, state: &mut State) -> Result<Seat> {
        let seat = in_time(self.sharing.join(&state.card)).await?;
        // Nothing of an earlier seat is held: the leases name the incarnation.
        self.tenure.stand_up();
        self.tenure.sit(seat.number);
        state.seat = Some(seat);
        tracing::info!(seat = seat.number, incarnation = seat.incarnation, roles = %state.roles(), "joined");
        Ok(seat)
    }

    async fn react(&self, state: &mut State, seat: Seat, sent: Duration, pulse: &Pulse) -> Result<()> {
        let plan = state.plan(seat, sent, pulse);
        self.tenure.hold_exactly(&plan.keep);
        self.tenure.extend(sent);
        let is_told = |node: &crate::engine::NodeRow| node.seat != seat || node.roles == state.card.roles;
        if !pulse.nodes.iter().all(is_told) {
            in_time(self.sharing.set_roles(seat, state.card.roles)).await?;
        }
        if !plan.give.is_empty() {
            in_time(self.sharing.give(seat, &plan.give)).await?;
        }
        let had = match plan.take.as_slice() {
            [] => Vec::new(),
            seen => in_time(self.sharing.take(seat, seen, TIME_TO_LIVE)).await?,
        };
        self.tenure.hold_also(&had);
        if !(had.is_empty() && plan.give.is_empty()) {
            tracing::info!(taken = had.len(), given_back = plan.give.len(), "leases changed hands");
        }
        Ok(())
    }

    /// Gives the leases of the queue back at once, and takes none until the process starts again.
    ///
    /// # Errors
    /// Those of the engine: nothing is begun here all the same, and the next round tells the others.
    pub(crate) async fn step_down(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        state.card.roles = state.roles().without(Roles::DELIVER).bits();
        let (queue, kept): (Vec<_>, Vec<_>) =
            self.tenure.all().into_iter().partition(|lease| lease.kind == LeaseKind::Queue);
        self.tenure.hold_exactly(&kept);
        let Some(seat) = state.seat else { return Ok(()) };
        // The roles first: otherwise the others would leave to this node what is free.
        in_time(self.sharing.set_roles(seat, state.card.roles)).await?;
        in_time(self.sharing.give(seat, &queue)).await
    }

    /// Gives everything back and goes.
    pub(crate) async fn leave(&self) {
        let mut state = self.state.lock().await;
        self.tenure.stand_up();
        let Some(seat) = state.seat.take() else { return };
        if let Err(error) = in_time(self.sharing.leave(seat)).await {
            tracing::warn!(%error, "the leases could not be given back; they run out by themselves");
        }
    }
}

impl State {
    fn roles(&self) -> Roles {
        Roles::from_bits(self.card.roles)
    }

    /// What follows from a heartbeat that was sent at this moment.
    fn plan(&mut self, seat: Seat, sent: Duration, pulse: &Pulse) -> Plan {
        let first = match self.good {
            Some((first, last)) if sent.saturating_sub(last) < OWN_LIFE => first,
            _ => sent,
        };
        self.good = Some((first, sent));
        let is_settled = sent.saturating_sub(first) >= TIME_TO_LIVE;
        self.reckon(seat, pulse);
        let alive: HashMap<i64, bool> = pulse.nodes.iter().map(|node| (node.seat.incarnation, node.alive)).collect();
        // While somebody looks dead who may only be late, shares are not moved to and fro.
        let may_give = is_settled || alive.values().all(|alive| *alive);
        let may_take = |lease: &LeaseRow| match lease.owner.map(|owner| alive.get(&owner)) {
            // Free, or of a node that another one has replaced on its seat; this one's earlier life too.
            None | Some(None) => true,
            Some(Some(alive)) => !alive && is_settled,
        };
        let mut plan = Plan { keep: Vec::new(), give: Vec::new(), take: Vec::new() };
        for lease in &pulse.leases {
            let (is_held, is_mine) =
                (lease.owner == Some(seat.incarnation), self.share.contains(lease.kind, lease.part));
            let is_queue = lease.kind == LeaseKind::Queue;
            match (is_held, is_mine) {
                (true, true) => plan.keep.push(*lease),
                (true, false) if may_give || (is_queue && !self.delivers()) => plan.give.push(*lease),
                (true, false) => plan.keep.push(*lease),
                (false, true) if may_take(lease) => plan.take.push(*lease),
                (false, _) => {}
            }
        }
        plan
    }

    fn delivers(&self) -> bool {
        self.roles().contains(Roles::DELIVER)
    }

    /// This node's share among those that are alive.
    fn reckon(&mut self, seat: Seat, pulse: &Pulse) {
        let others = pulse.nodes.iter().filter(|node| node.alive && node.seat.number != seat.number);
        let mut alive: Vec<Living> = others
            .map(|node| Living {
                number: node.seat.number,
                delivers: Roles::from_bits(node.roles).contains(Roles::DELIVER),
            })
            .collect();
        // What this node says of itself may not have been read back yet.
        alive.push(Living { number: seat.number, delivers: self.delivers() });
        alive.sort_unstable();
        if alive != self.reckoned_for {
            self.share = Share::of(seat.number, &alive);
            self.reckoned_for = alive;
        }
    }
}

/// At start a database that is slow for a moment is asked again.
async fn patiently(asking: impl AsyncFn() -> Result<()>) -> Result<()> {
    let mut outcome = asking().await;
    for _ in 1..TRIES_AT_START {
        match &outcome {
            Err(error) if error.temper() == Temper::Temporary => tokio::time::sleep(BEAT_AGAIN).await,
            _ => break,
        }
        outcome = asking().await;
    }
    outcome
}

async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Engine("the database did not answer a heartbeat in time".to_owned());
    tokio::time::timeout(PATIENCE, answer).await.map_err(late)?
}
