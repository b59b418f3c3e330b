//! `postern sites`: who takes mail for domains, how nodes find them, and what is ordered for them. Works while nodes
//! serve, which follow within a few seconds; joins none.

use super::nodes::{aligned, span};
use super::said::say;
use crate::clock::SystemClock;
use crate::settings::{StoreArguments, StorePlace};
use anyhow::bail;
use model::{Clock as _, Timestamp};
use mta::delivery::site_name;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use store::{SiteOrderRow, SitePlace, SiteStateRow, SiteWork, SitesView, sites_beside};

/// Letters of a reason and of a name.
const WORDS_MAX: usize = 200;

#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Show what is ordered, and the sites of which nodes have something to tell, those in trouble among them.
    List {
        #[command(flatten)]
        place: Place,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Order limits for a site, or that nothing goes there, until a time or until it is taken back.
    Set(Box<Set>),
    /// Take an order back.
    Clear {
        #[command(flatten)]
        place: Place,
        /// The site.
        name: String,
    },
}

#[derive(clap::Args, Debug)]
pub(super) struct Place {
    /// The data folder, on SQLite. The node may be running.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(clap::Args, Debug)]
pub(super) struct Set {
    #[command(flatten)]
    place: Place,
    /// A provider of docs/sites.md, such as google, or the name of exchangers, which stands for all below it.
    name: String,
    /// Connections at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    connections: Option<u32>,
    /// Messages over one connection.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    messages_per_connection: Option<u32>,
    /// Messages in any minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    per_minute: Option<u32>,
    /// Messages in any hour.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    per_hour: Option<u32>,
    /// Nothing goes there as long as the order holds. Messages keep their place and their time.
    #[arg(long)]
    stop: bool,
    /// How long it holds, such as 30m, 2h or 1d. Without it, until it is taken back.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    lasts: Option<Duration>,
    /// Why; the others will read it.
    #[arg(long, value_name = "TEXT", value_parser = words)]
    why: String,
    /// Who orders it.
    #[arg(long, value_name = "NAME", value_parser = words)]
    by: String,
}

/// Does it.
///
/// # Errors
/// When there is no store, or a name is none.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let now = SystemClock.now();
    match command {
        Command::List { place, json } => {
            let (_, view) = sites_beside(&place.found()?, SiteWork::Look, now).await?;
            say(&if json { serde_json::to_string_pretty(&described(&view, now))? } else { table(&view, now) });
        }
        Command::Set(set) => {
            let order = set.order(now)?;
            let (_, view) = sites_beside(&set.place.found()?, SiteWork::Set(order), now).await?;
            say(&table(&SitesView { states: Vec::new(), ..view }, now));
        }
        Command::Clear { place, name } => {
            let name = site_name(&name)?;
            let (cleared, _) = sites_beside(&place.found()?, SiteWork::Clear(name.clone()), now).await?;
            if !cleared {
                bail!("nothing is ordered for {name}");
            }
            say(&format!("nothing is ordered for {name} any more"));
        }
    }
    Ok(())
}

impl Place {
    pub(super) fn found(&self) -> anyhow::Result<SitePlace> {
        Ok(match self.store.place()? {
            StorePlace::Sqlite => SitePlace::Sqlite(self.data.clone()),
            StorePlace::Postgres { url, ca, .. } => SitePlace::Postgres { url: url.expose().to_owned(), ca },
        })
    }
}

impl Set {
    fn order(&self, now: Timestamp) -> anyhow::Result<SiteOrderRow> {
        let order = SiteOrderRow {
            site: site_name(&self.name)?,
            connections: self.connections,
            messages_per_connection: self.messages_per_connection,
            per_minute: self.per_minute,
            per_hour: self.per_hour,
            stopped: self.stop,
            why: self.why.clone(),
            who: self.by.clone(),
            since: now,
            ends: self.lasts.map(|lasts| now.plus(lasts)),
        };
        if !order.stopped && limits(&order).is_empty() {
            bail!("name a limit (--connections, --messages-per-connection, --per-minute, --per-hour) or --stop");
        }
        Ok(order)
    }
}

/// `30s`, `30m`, `2h`, `1d`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time such as 30m, 2h or 1d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    if number == 0 || number > 366 * 86_400 / seconds {
        return Err(format!("{text:?} is not between a second and a year"));
    }
    Ok(Duration::from_secs(number * seconds))
}

pub(super) fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > WORDS_MAX || text.chars().any(char::is_control) {
        return Err(format!("it is one line of at most {WORDS_MAX} letters"));
    }
    Ok(text.to_owned())
}

fn limits(order: &SiteOrderRow) -> String {
    let said = [
        ("connections", order.connections),
        ("messages a connection", order.messages_per_connection),
        ("a minute", order.per_minute),
        ("an hour", order.per_hour),
    ];
    let said = said.into_iter().filter_map(|(what, limit)| limit.map(|limit| format!("{limit} {what}")));
    said.collect::<Vec<_>>().join(", ")
}

fn until(moment: Option<Timestamp>, now: Timestamp) -> String {
    match moment {
        None => "taken back".to_owned(),
        Some(moment) if moment <= now => "over".to_owned(),
        Some(moment) => format!("in {}", span(seconds(now, moment))),
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    (to.micros().saturating_sub(from.micros()) / 1_000_000).max(0)
}

/// For people.
fn table(view: &SitesView, now: Timestamp) -> String {
    let mut parts = Vec::new();
    if !view.orders.is_empty() {
        let mut rows = vec![["ORDERED FOR", "WHAT", "UNTIL", "BY", "WHY"].map(str::to_owned)];
        rows.extend(view.orders.iter().map(|order| {
            let stop = if order.stopped { "stop" } else { "" };
            let what = [stop.to_owned(), limits(order)].into_iter().filter(|word| !word.is_empty());
            let what = what.collect::<Vec<_>>().join(", ");
            [order.site.clone(), what, until(order.ends, now), order.who.clone(), order.why.clone()]
        }));
        parts.push(aligned(&rows));
    }
    if !view.states.is_empty() {
        let head = ["SITE", "NODE", "CONNECTIONS", "RATE", "MINUTE", "HOUR", "DOMAINS", "IN LINE", "AWAY", "WHY"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(view.states.iter().map(|state| row(state, now)));
        parts.push(aligned(&rows));
    }
    if parts.is_empty() {
        return "nothing is ordered, and no node has anything to tell of a site".to_owned();
    }
    parts.join("\n\n")
}

fn row(state: &SiteStateRow, now: Timestamp) -> [String; 10] {
    let away = match state.away.filter(|away| *away > now) {
        _ if state.stopped => "by order".to_owned(),
        Some(away) => span(seconds(now, away)),
        None => String::new(),
    };
    let why = state.trouble.as_ref().map(|(why, at)| format!("{why}, {} ago", span(seconds(*at, now))));
    [
        state.site.clone(),
        state.node.to_string(),
        format!("{} of {} (most {})", state.connections, state.allowed, state.most),
        format!("{} %", state.percent),
        state.minute.map(|count| count.to_string()).unwrap_or_default(),
        state.hour.map(|count| count.to_string()).unwrap_or_default(),
        state.domains.to_string(),
        state.waiting.to_string(),
        away,
        why.unwrap_or_default(),
    ]
}

/// For programs. Times are seconds since 1970 (UTC).
fn described(view: &SitesView, now: Timestamp) -> Value {
    let moment = |moment: Timestamp| moment.micros().div_euclid(1_000_000);
    let order = |order: &SiteOrderRow| {
        json!({
            "site": order.site,
            "connections": order.connections,
            "messages_per_connection": order.messages_per_connection,
            "per_minute": order.per_minute,
            "per_hour": order.per_hour,
            "stopped": order.stopped,
            "holds": order.ends.is_none_or(|ends| ends > now),
            "why": order.why,
            "by": order.who,
            "since": moment(order.since),
            "until": order.ends.map(moment),
        })
    };
    let state = |state: &SiteStateRow| {
        json!({
            "site": state.site,
            "node": state.node,
            "domains": state.domains,
            "in_line": state.waiting,
            "connections": state.connections,
            "connections_allowed": state.allowed,
            "connections_max": state.most,
            "rate_percent": state.percent,
            "last_minute": state.minute,
            "last_hour": state.hour,
            "stopped": state.stopped,
            "away_until": state.away.filter(|away| *away > now).map(moment),
            "trouble": state.trouble.as_ref().map(|(why, at)| json!({"why": why, "at": moment(*at)})),
        })
    };
    json!({
        "orders": view.orders.iter().map(order).collect::<Vec<_>>(),
        "sites": view.states.iter().map(state).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit_within_a_year() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("2h", 7_200), ("366d", 31_622_400)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "0h", "2", "2w", "-1h", "367d", "18446744073709551615d", "é", "1é"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_order_limits_or_stops_and_is_told_with_who_why_and_until_when() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let place = || Place { data: "x".into(), store: StoreArguments { store: None, keys: None, store_ca: None } };
        let mut set = Set {
            place: place(),
            name: "Google".to_owned(),
            connections: None,
            messages_per_connection: None,
            per_minute: None,
            per_hour: None,
            stop: false,
            lasts: Some(Duration::from_secs(3_600)),
            why: "they asked us to".to_owned(),
            by: "night shift".to_owned(),
        };
        assert!(set.order(now).is_err(), "it says nothing");
        set.connections = Some(2);
        set.stop = true;
        let order = set.order(now).unwrap();
        let view = SitesView { orders: vec![order], states: Vec::new() };
        let told = table(&view, now);
        assert!(told.contains("google") && told.contains("stop, 2 connections"), "{told}");
        assert!(told.contains("in 60 min") && told.contains("night shift  they asked us to"), "{told}");
        assert_eq!(described(&view, now)["orders"][0]["until"], 1_800_003_600);
        set.name = "goggle".to_owned();
        assert!(set.order(now).is_err());
    }
}
