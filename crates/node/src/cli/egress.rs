//! `postern egress`: the addresses that mail leaves from, how nodes find them, and whose mail goes by which pool. Works
//! while nodes serve, which follow within a few seconds; joins none.

use super::nodes::{aligned, span};
use super::said::say;
use super::sites::{Place, words};
use crate::clock::SystemClock;
use anyhow::bail;
use model::stream::Class;
use model::{Clock as _, Timestamp};
use mta::delivery::is_egress_name;
use serde_json::{Value, json};
use store::{EgressAssignment, EgressState, EgressView, EgressWork, egress_beside};

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
    /// Take such an order back.
    Unassign {
        #[command(flatten)]
        place: Place,
        /// As it was ordered.
        #[arg(value_name = "CONTROLLER[/CLASS]")]
        whose: String,
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
    if parts.is_empty() {
        return "nothing is assigned, and no node that delivers has egress addresses of its own".to_owned();
    }
    parts.join("\n\n")
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
    json!({
        "assigned": view.assigned.iter().map(order).collect::<Vec<_>>(),
        "addresses": view.states.iter().map(state).collect::<Vec<_>>(),
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
