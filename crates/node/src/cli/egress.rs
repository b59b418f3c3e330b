//! `postern egress`: the addresses that mail leaves from, how nodes find them, and whose mail goes by which pool. Works
//! while nodes serve, which follow within a few seconds; joins none.

use super::nodes::{aligned, span};
use super::said::say;
use super::sites::{Place, words};
use crate::clock::SystemClock;
use anyhow::bail;
use model::stream::Class;
use model::{Clock as _, Timestamp};
use mta::delivery::{WARM_UP_BASE, is_egress_name, is_warm_up_group, warm_up_cap};
use serde_json::{Value, json};
use store::{EgressAssignment, EgressState, EgressView, EgressWork, WarmDay, WarmPlan, egress_beside};

#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Show the addresses that nodes have, with their pools, and whose mail is assigned to which.
    List {
        #[command(flatten)]
        place: Place,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let the mail of a controller, or one class of it, go by this pool and no other.
    Assign {
        #[command(flatten)]
        place: Place,
        /// The controller's name; with /transactional (service and legal mail included) or /marketing behind it, that
        /// mail alone.
        #[arg(value_name = "CONTROLLER[/CLASS]")]
        whose: String,
        /// A pool of the setting egress.pools, or default.
        #[arg(value_parser = pool)]
        pool: String,
        /// Why; the others will read it.
        #[arg(long, value_name = "TEXT", value_parser = words)]
        why: String,
        /// Who orders it.
        #[arg(long, value_name = "NAME", value_parser = words)]
        by: String,
    },
    /// Warm a new address up: each day it may send more to each provider, as long as that goes well.
    #[command(subcommand)]
    WarmUp(WarmUp),
    /// Take such an order back.
    Unassign {
        #[command(flatten)]
        place: Place,
        /// As it was ordered.
        #[arg(value_name = "CONTROLLER[/CLASS]")]
        whose: String,
    },
}

#[derive(clap::Subcommand, Debug)]
pub(super) enum WarmUp {
    /// Begin, or change the first day's messages of one that has begun.
    Start {
        #[command(flatten)]
        place: Place,
        /// The address's name in egress.addresses.
        #[arg(value_parser = pool)]
        address: String,
        /// Messages of the first day, to each provider.
        #[arg(long, value_name = "N", default_value_t = WARM_UP_BASE)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        base: u32,
        /// Why; the others will read it.
        #[arg(long, value_name = "TEXT", value_parser = words)]
        why: String,
        /// Who orders it.
        #[arg(long, value_name = "NAME", value_parser = words)]
        by: String,
    },
    /// It is warm: it has no cap any more, and what was counted is forgotten.
    Stop {
        #[command(flatten)]
        place: Place,
        /// The address's name.
        address: String,
    },
    /// Say how often the cap at a provider has grown, from the present day on.
    Set {
        #[command(flatten)]
        place: Place,
        /// The address's name.
        address: String,
        /// A provider of docs/sites.md, or others.
        #[arg(value_parser = group)]
        provider: String,
        /// So often; 0 is the first day.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=60))]
        step: u32,
    },
}

/// Does it.
///
/// # Errors
/// When there is no store, or a name is none.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let now = SystemClock.now();
    match command {
        Command::List { place, json } => {
            let (_, view) = egress_beside(&place.found()?, EgressWork::Look, now).await?;
            say(&if json { serde_json::to_string_pretty(&described(&view))? } else { table(&view, now) });
        }
        Command::Assign { place, whose, pool, why, by } => {
            let (controller, class) = parted(&whose)?;
            let work = EgressWork::Assign { controller: controller.clone(), class, pool: pool.clone(), why, who: by };
            let (changed, view) = egress_beside(&place.found()?, work, now).await?;
            if !changed {
                bail!("there is no controller {controller:?}");
            }
            say(&table(&EgressView { states: Vec::new(), ..view.clone() }, now));
            if !view.states.is_empty() && !view.states.iter().any(|state| state.pool == pool) {
                say(&format!("No node that delivers now has a pool {pool}: this mail waits until one has."));
            }
        }
        Command::WarmUp(warm_up) => warmed(warm_up, now).await?,
        Command::Unassign { place, whose } => {
            let (controller, class) = parted(&whose)?;
            let (changed, _) = egress_beside(&place.found()?, EgressWork::Unassign { controller, class }, now).await?;
            if !changed {
                bail!("nothing is ordered for {whose}");
            }
            say(&format!("nothing is ordered for {whose} any more"));
        }
    }
    Ok(())
}

async fn warmed(command: WarmUp, now: Timestamp) -> anyhow::Result<()> {
    let (place, address, work) = match command {
        WarmUp::Start { place, address, base, why, by } => {
            let work = EgressWork::Warm { address: address.clone(), base, why, who: by };
            (place, address, work)
        }
        WarmUp::Stop { place, address } => (place, address.clone(), EgressWork::Warmed { address }),
        WarmUp::Set { place, address, provider, step } => {
            let (_, view) = egress_beside(&place.found()?, EgressWork::Look, now).await?;
            let Some(plan) = view.plans.iter().find(|plan| plan.address == address) else {
                bail!("{address} is not being warmed up");
            };
            let cap = warm_up_cap(plan.base, step, &provider);
            (place, address.clone(), EgressWork::Step { address, provider, step, cap })
        }
    };
    let (changed, view) = egress_beside(&place.found()?, work, now).await?;
    if !changed {
        bail!("{address} is not being warmed up");
    }
    say(&table(&EgressView { assigned: Vec::new(), ..view }, now));
    Ok(())
}

fn group(text: &str) -> Result<String, String> {
    let known = is_warm_up_group(text);
    if known { Ok(text.to_owned()) } else { Err("it is no provider of docs/sites.md, and not others".to_owned()) }
}

fn pool(text: &str) -> Result<String, String> {
    if is_egress_name(text) { Ok(text.to_owned()) } else { Err("that is no name of a pool".to_owned()) }
}

/// Whose mail, and which of it.
fn parted(whose: &str) -> anyhow::Result<(String, Option<Class>)> {
    let (controller, class) = match whose.rsplit_once('/') {
        Some((controller, "transactional")) => (controller, Some(Class::Prompt)),
        Some((controller, "marketing")) => (controller, Some(Class::Bulk)),
        Some((_, other)) => bail!("{other:?} is neither transactional nor marketing"),
        None => (whose, None),
    };
    Ok((controller.to_owned(), class))
}

const fn word(class: Option<Class>) -> &'static str {
    match class {
        None => "all",
        Some(Class::Prompt) => "transactional",
        Some(Class::Bulk) => "marketing",
    }
}

/// For people.
fn table(view: &EgressView, now: Timestamp) -> String {
    let mut parts = Vec::new();
    if !view.assigned.is_empty() {
        let mut rows = vec![["MAIL OF", "WHICH", "POOL", "BY", "WHY"].map(str::to_owned)];
        rows.extend(view.assigned.iter().map(|order| {
            let which = word(order.class).to_owned();
            [order.name.clone(), which, order.pool.clone(), order.who.clone(), order.why.clone()]
        }));
        parts.push(aligned(&rows));
    }
    if !view.states.is_empty() {
        let head = ["ADDRESS", "NODE", "POOL", "IP", "EHLO", "WEIGHT", "CONNECTIONS", "LEFT OUT"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(view.states.iter().map(|state| row(state, now)));
        parts.push(aligned(&rows));
    }
    if !view.plans.is_empty() {
        let head = ["WARMED UP", "AT", "FIRST DAY", "GREW", "TODAY", "DELIVERED", "PUT OFF", "REFUSED", "BY", "WHY"];
        let mut rows = vec![head.map(str::to_owned)];
        for plan in &view.plans {
            let of = |day: &&WarmDay| day.address == plan.address;
            let days: Vec<&WarmDay> = view.days.iter().filter(of).collect();
            rows.extend(days.iter().map(|day| warming(plan, Some(day))));
            rows.extend(days.is_empty().then(|| warming(plan, None)));
        }
        parts.push(aligned(&rows));
    }
    if parts.is_empty() {
        return "nothing is assigned, and no node that delivers has egress addresses of its own".to_owned();
    }
    parts.join("\n\n")
}

fn warming(plan: &WarmPlan, day: Option<&WarmDay>) -> [String; 10] {
    let said = |of: fn(&WarmDay) -> String| day.map(of).unwrap_or_default();
    [
        plan.address.clone(),
        said(|day| day.provider.clone()),
        plan.base.to_string(),
        said(|day| day.step.to_string()),
        said(|day| format!("{} of {}", day.granted, day.cap)),
        said(|day| day.delivered.to_string()),
        said(|day| day.deferred.to_string()),
        said(|day| day.bounced.to_string()),
        plan.who.clone(),
        plan.why.clone(),
    ]
}

fn row(state: &EgressState, now: Timestamp) -> [String; 8] {
    let left_out = state.barred.filter(|until| *until > now).map(|until| {
        let seconds = (until.micros().saturating_sub(now.micros()) / 1_000_000).max(0);
        format!("the node does not have it; tried again in {}", span(seconds))
    });
    [
        state.address.clone(),
        state.node.to_string(),
        state.pool.clone(),
        state.ip.clone().unwrap_or_else(|| "the system's choice".to_owned()),
        state.ehlo.clone(),
        state.weight.to_string(),
        state.connections.to_string(),
        left_out.unwrap_or_default(),
    ]
}

/// For programs. Times are seconds since 1970 (UTC).
fn described(view: &EgressView) -> Value {
    let moment = |moment: Timestamp| moment.micros().div_euclid(1_000_000);
    let order = |order: &EgressAssignment| {
        json!({
            "controller": order.name, "class": word(order.class), "pool": order.pool, "why": order.why,
            "by": order.who, "since": moment(order.since),
        })
    };
    let state = |state: &EgressState| {
        json!({
            "address": state.address, "node": state.node, "pool": state.pool, "ip": state.ip, "ehlo": state.ehlo,
            "weight": state.weight, "connections": state.connections, "left_out_until": state.barred.map(moment),
        })
    };
    let day = |day: &WarmDay| {
        json!({
            "provider": day.provider, "day": day.day, "grew": day.step, "cap": day.cap, "granted": day.granted,
            "delivered": day.delivered, "deferred": day.deferred, "bounced": day.bounced,
        })
    };
    let plan = |plan: &WarmPlan| {
        let days = view.days.iter().filter(|day| day.address == plan.address);
        json!({
            "address": plan.address, "base": plan.base, "why": plan.why, "by": plan.who, "since": moment(plan.since),
            "providers": days.map(day).collect::<Vec<_>>(),
        })
    };
    json!({
        "assigned": view.assigned.iter().map(order).collect::<Vec<_>>(),
        "addresses": view.states.iter().map(state).collect::<Vec<_>>(),
        "warm_up": view.plans.iter().map(plan).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_named_by_its_controller_and_class() {
        assert_eq!(parted("Shop").unwrap(), ("Shop".to_owned(), None));
        assert_eq!(parted("Shop/marketing").unwrap(), ("Shop".to_owned(), Some(Class::Bulk)));
        assert_eq!(parted("A/B/transactional").unwrap(), ("A/B".to_owned(), Some(Class::Prompt)));
        assert!(parted("Shop/newsletter").is_err());
        assert!(pool("news").is_ok() && pool("two words").is_err() && pool("").is_err());
    }
}
