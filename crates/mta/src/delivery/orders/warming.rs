//! Warm-up while this node delivers: takes parts of each day's cap, says what became of them, turns days over.
//!
//! Every two seconds, and only for addresses that are warmed and receivers that have mail: a node that stops loses at
//! most one part of a cap ([`part_of`]), and returns it where it stops in order or has no use for it.
//! Invariant: nothing is handed out that was not taken in the store before.

use super::super::egress::AddressId;
use super::super::egress::warming::{self, Allowance, Seen, day_of, step_after};
use super::super::engine::Engine;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{WarmDay, WarmPlan};

/// Caps up to this one are taken whole: parts of them would come too seldom for what waits.
const WHOLE: u32 = 50;

/// What a node has in hand of a day's cap, at the most: what two seconds may take.
fn part_of(cap: u32) -> u32 {
    (cap / 20).max(WHOLE)
}

/// Which addresses are warmed, taken over. Before anything leaves, and every two seconds.
pub(super) async fn read(engine: &Engine) -> store::Result<Vec<WarmDay>> {
    let (plans, days) = engine.store.warm_up().await?;
    let id_of = |plan: &WarmPlan| engine.settings.egress.ids().find(|(_, known)| known.name == plan.address);
    let warmed: BTreeMap<AddressId, u32> = plans.iter().filter_map(|plan| Some((id_of(plan)?.0, plan.base))).collect();
    let now = engine.store.now();
    engine.with(|picture| picture.warm(warmed, now));
    Ok(days)
}

/// Looks after all allowances, as days stand that were just read.
pub(super) async fn follow(engine: &Engine, days: &[WarmDay]) -> store::Result<()> {
    let all = engine.with(|picture| picture.allowances());
    let mut opened = Vec::new();
    for (id, provider, base, allowance) in all {
        let Some(address) = engine.settings.egress.address(id) else { continue };
        let known = days.iter().find(|day| day.address == address.name && day.provider == provider);
        let one = One { engine, name: &address.name, provider, base, allowance };
        if one.look(known).await? {
            opened.push((id, provider));
        }
    }
    if !opened.is_empty() {
        let now = engine.store.now();
        engine.with(|picture| picture.opened_up(&opened, now));
    }
    Ok(())
}

/// Gives back what was taken and not used: nothing is handed out any more.
pub(crate) async fn give_back(engine: &Engine) {
    for (id, provider, base, allowance) in engine.with(|picture| picture.allowances()) {
        let Some(address) = engine.settings.egress.address(id) else { continue };
        let one = One { engine, name: &address.name, provider, base, allowance };
        let seen = one.allowance.counted();
        let mut done = one.unneeded().await;
        if seen != Seen::default() && done.is_ok() {
            done = engine.store.count_warm(&one.counted(one.allowance.day(), seen)).await;
        }
        if let Err(error) = done {
            engine.store_failed(&error, "what was left of a warm-up cap could not be given back");
        }
    }
}

/// An address at a provider.
struct One<'a> {
    engine: &'a Engine,
    name: &'a str,
    provider: &'static str,
    base: u32,
    allowance: Arc<Allowance>,
}

impl One<'_> {
    fn day(&self, day: i64) -> WarmDay {
        WarmDay { address: self.name.to_owned(), provider: self.provider.to_owned(), day, ..WarmDay::default() }
    }

    fn counted(&self, day: i64, seen: Seen) -> WarmDay {
        let Seen { delivered, deferred, bounced } = seen;
        WarmDay { delivered, deferred, bounced, ..self.day(day) }
    }

    /// What is left is given back to its day.
    async fn unneeded(&self) -> store::Result<()> {
        let left = self.allowance.void();
        if left == 0 {
            return Ok(());
        }
        self.engine.store.return_warm(&self.day(self.allowance.day()), left).await
    }

    /// True: more may go than before.
    async fn look(&self, known: Option<&WarmDay>) -> store::Result<bool> {
        let today = day_of(self.engine.store.now());
        let (wanted, seen) = (self.allowance.was_wanted(), self.allowance.counted());
        if self.allowance.day() != today {
            // What was taken for a day is void on the next, whoever turned it over.
            self.allowance.void();
        }
        let Some(known) = known else {
            if wanted {
                let cap = warming::cap(self.base, 0, self.provider);
                let first = WarmDay { cap, used: today, ..self.day(today) };
                self.engine.store.begin_warm_day(&first, None).await?;
                return self.top_up(&first, true).await;
            }
            return Ok(false);
        };
        if seen != Seen::default() {
            self.engine.store.count_warm(&self.counted(known.day, seen)).await?;
        }
        if known.day >= today {
            return self.top_up(known, wanted).await;
        }
        if !wanted {
            self.allowance.stands(known.cap, 0, today);
            return Ok(false);
        }
        let seen = Seen {
            delivered: known.delivered.saturating_add(seen.delivered),
            deferred: known.deferred.saturating_add(seen.deferred),
            bounced: known.bounced.saturating_add(seen.bounced),
        };
        let step = step_after(known.step, known.cap, seen, today - known.used);
        let cap = warming::cap(self.base, step, self.provider);
        let next = WarmDay { step, cap, used: known.used, ..self.day(today) };
        self.engine.store.begin_warm_day(&next, Some(known.day)).await?;
        self.top_up(&next, true).await
    }

    async fn top_up(&self, day: &WarmDay, wanted: bool) -> store::Result<bool> {
        let left = self.allowance.left();
        if left > 0 && self.allowance.is_idle() {
            self.allowance.stands(day.cap, day.granted.saturating_sub(left), day.day);
            return self.unneeded().await.map(|()| false);
        }
        let more = part_of(day.cap).saturating_sub(left).min(day.cap.saturating_sub(day.granted));
        let more = if wanted { more } else { 0 };
        let taken = more > 0 && self.engine.store.take_warm(day, more).await?;
        self.allowance.stands(day.cap, day.granted.saturating_add(if taken { more } else { 0 }), day.day);
        if taken {
            self.allowance.give_back(more);
        }
        Ok(taken)
    }
}
