//! What the operator orders for sites while this node delivers, and what the node says of them.
//!
//! One task, every two seconds: it reads the orders and, among others, how many nodes deliver, takes both over into the
//! picture, and writes down how the node finds the sites of which there is something to tell.
//! Invariants: an order that cannot be read stands as it was; at most [`TOLD_MAX`] sites are told of, those in trouble
//! first; what has not changed is not written again before half its time.
//! Never: a domain of a recipient, a controller.

mod egress;
mod warming;

pub(crate) use warming::give_back;

use super::engine::Engine;
use super::scheduler::ReceiverStatus;
use super::shaping::book::{Limits, SiteOrder, SiteRule};
use super::shaping::providers::PROVIDERS;
use metrics::gauge;
use model::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{SiteOrderRow, SiteStateRow, WarmDay};

/// Orders are read so often.
const EVERY: Duration = Duration::from_secs(2);
/// Sites that are told of.
const TOLD_MAX: usize = 64;
/// What has not changed is told again after so long.
const TOLD_AGAIN: Duration = Duration::from_secs(30);

/// Follows until delivery stops.
pub(crate) async fn follow(engine: Arc<Engine>) {
    let mut told = HashMap::new();
    while !engine.is_draining() {
        match read(&engine).await {
            Ok(days) => {
                if let Err(error) = warming::follow(&engine, &days).await {
                    engine.store_failed(&error, "warm-up caps could not be taken; what was taken of them goes");
                }
            }
            Err(error) => engine.store_failed(&error, "orders for sites could not be read; those that stood stand"),
        }
        tell(&engine, &mut told).await;
        egress::tell(&engine).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = engine.stopped() => return,
        }
    }
}

/// Takes what is ordered over, and tells how the days of warmed addresses stand.
pub(crate) async fn read(engine: &Engine) -> store::Result<Vec<WarmDay>> {
    let orders: Vec<SiteOrder> = engine.store.site_orders().await?.into_iter().map(order_of).collect();
    let nodes = engine.store.nodes().await?;
    let delivering = nodes.iter().filter(|node| node.alive && !node.queue_parts.is_empty()).count();
    egress::read(engine).await?;
    let days = warming::read(engine).await?;
    let now = engine.store.now();
    let nodes = u32::try_from(delivering).unwrap_or(u32::MAX);
    engine.with(|picture| picture.rebook(now, |book| book.order(orders, nodes, now)));
    Ok(days)
}

async fn tell(engine: &Engine, told: &mut HashMap<String, SiteStateRow>) {
    let (now, node) = (engine.store.now(), engine.store.seat());
    let (receivers, figures, away) = engine.with(|picture| {
        let ids: Vec<&str> = PROVIDERS.iter().map(|provider| provider.id).collect();
        (picture.receivers(now, TOLD_MAX), picture.figures(&ids, now), picture.count_away(now))
    });
    gauge!("postern_delivery_sites_away").set(f64::from(away));
    for provider in PROVIDERS {
        let (connections, is_away) = figures.get(provider.id).copied().unwrap_or_default();
        gauge!("postern_delivery_site_connections", "site" => provider.id).set(f64::from(connections));
        gauge!("postern_delivery_site_away", "site" => provider.id).set(f64::from(u8::from(is_away)));
    }
    let mut states: Vec<SiteStateRow> = Vec::with_capacity(receivers.len());
    for state in receivers.iter().map(|one| state_of(one, node, now)) {
        match states.iter_mut().find(|known| known.site == state.site) {
            Some(known) => join(known, state),
            None => states.push(state),
        }
    }
    states.retain(|state| is_news(told.get(&state.site), state));
    told.retain(|_, state| now.since(state.seen) < 2 * TOLD_AGAIN);
    match engine.store.tell_sites(&states).await {
        Ok(()) => told.extend(states.into_iter().map(|state| (state.site.clone(), state))),
        Err(error) => engine.store_failed(&error, "how sites stand could not be written down"),
    }
}

fn is_news(before: Option<&SiteStateRow>, state: &SiteStateRow) -> bool {
    before.is_none_or(|before| {
        let same = SiteStateRow { seen: before.seen, ..state.clone() };
        same != *before || state.seen.since(before.seen) >= TOLD_AGAIN
    })
}

fn state_of(one: &ReceiverStatus, node: u16, now: Timestamp) -> SiteStateRow {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    SiteStateRow {
        site: one.name.clone(),
        node,
        domains: count(one.domains),
        waiting: count(one.waiting),
        connections: one.connections,
        allowed: one.connections_allowed,
        most: one.connections_max,
        percent: one.rate_percent,
        minute: one.last_minute,
        hour: one.last_hour,
        stopped: one.stopped,
        away: one.backing_off_until,
        trouble: one.trouble.map(|(why, at)| (why.to_owned(), at)),
        seen: now,
    }
}

/// A site is told of once, whatever the number of egress pools that have mail for it: it is left alone when it is left
/// alone by all.
fn join(known: &mut SiteStateRow, other: SiteStateRow) {
    known.domains = known.domains.saturating_add(other.domains);
    known.waiting = known.waiting.saturating_add(other.waiting);
    known.connections = known.connections.saturating_add(other.connections);
    known.allowed = known.allowed.saturating_add(other.allowed);
    known.most = known.most.saturating_add(other.most);
    known.percent = known.percent.min(other.percent);
    known.minute = sum(known.minute, other.minute);
    known.hour = sum(known.hour, other.hour);
    known.away = known.away.zip(other.away).map(|(one, other)| one.min(other));
    if other.trouble.as_ref().map(|(_, at)| *at) > known.trouble.as_ref().map(|(_, at)| *at) {
        known.trouble = other.trouble;
    }
}

fn sum(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

fn order_of(row: SiteOrderRow) -> SiteOrder {
    let limits = Limits {
        connections: row.connections,
        messages_per_connection: row.messages_per_connection,
        per_minute: row.per_minute,
        per_hour: row.per_hour,
    };
    SiteOrder { rule: SiteRule { name: row.site, limits }, stop: row.stopped, until: row.ends }
}
