//! Sites: what the operator ordered for them while nodes run, and how each node finds them.
//!
//! A site is who takes mail for domains; its name is a provider's or that of exchangers, never a controller's or a
//! recipient's domain. Orders are written beside running nodes (`beside`) and read by each of them every few seconds.
//! Invariants: a site has one order; an order says who gave it, why, and until when it holds; what a node says of sites
//! is replaced by what it says next, and forgotten when it says nothing any more.
//! Never: anything of a controller.

mod beside;
#[cfg(test)]
pub(crate) mod samples;

pub(crate) use beside::{Beside, missing};
pub use beside::{SitePlace, SiteWork, sites_beside};

use crate::engine::{Change, Reach, Step, Writes};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::statement as sql;
use crate::value::{Columns, Value};
use model::{ControllerId, Timestamp};
use std::time::Duration;

/// Orders that are read.
const ORDERS_MAX: i64 = 1_000;
/// States that are read.
const STATES_MAX: i64 = 10_000;
/// What a node said so long ago is not so any more.
const SAID_FOR: Duration = Duration::from_secs(60);
/// An order whose time is over is kept so long, to be seen.
const ENDED_FOR: Duration = Duration::from_secs(7 * 86_400);

/// An order of the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteOrderRow {
    /// Of which site: a provider's id or the name of exchangers.
    pub site: String,
    /// Connections at once.
    pub connections: Option<u32>,
    /// Messages over one connection.
    pub messages_per_connection: Option<u32>,
    /// Messages in any minute.
    pub per_minute: Option<u32>,
    /// Messages in any hour.
    pub per_hour: Option<u32>,
    /// Nothing goes there.
    pub stopped: bool,
    /// Why, in the operator's words.
    pub why: String,
    /// Who ordered it.
    pub who: String,
    /// When.
    pub since: Timestamp,
    /// Until when it holds; nothing: until it is taken back.
    pub ends: Option<Timestamp>,
}

/// How a node finds a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteStateRow {
    /// Which.
    pub site: String,
    /// The node's seat; 0 where it is alone.
    pub node: u16,
    /// Domains with mail.
    pub domains: u32,
    /// Domains in line for a place.
    pub waiting: u32,
    /// Connections open.
    pub connections: u32,
    /// Connections it may have now.
    pub allowed: u32,
    /// Connections it may have when all is well.
    pub most: u32,
    /// Percent of its rate that it may have now.
    pub percent: u32,
    /// Messages in the last minute, where they are counted.
    pub minute: Option<u32>,
    /// Messages in the last hour, where they are counted.
    pub hour: Option<u32>,
    /// Left alone by order.
    pub stopped: bool,
    /// Left alone until then, by itself.
    pub away: Option<Timestamp>,
    /// What it said against us, in the platform's words, and when.
    pub trouble: Option<(String, Timestamp)>,
    /// When the node said this.
    pub seen: Timestamp,
}

/// What there is to see of sites.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SitesView {
    /// All orders, by site.
    pub orders: Vec<SiteOrderRow>,
    /// What nodes say, by site and node.
    pub states: Vec<SiteStateRow>,
}

impl Store {
    /// The orders that stand, those whose time is over among them for some days.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn site_orders(&self) -> Result<Vec<SiteOrderRow>> {
        let rows = self.found(&sql::SITE_ORDERS, vec![ORDERS_MAX.into()]).await?;
        rows.into_iter().map(order_of).collect()
    }

    /// Gives an order, in the place of one that stood for the site.
    ///
    /// # Errors
    /// Those of the engine; nothing is kept then.
    pub async fn order_site(&self, order: &SiteOrderRow) -> Result<()> {
        self.write_sites(setting(order)).await
    }

    /// Says how this node finds these sites, in the place of what it said of them.
    ///
    /// # Errors
    /// Those of the engine; nothing is kept then.
    pub async fn tell_sites(&self, states: &[SiteStateRow]) -> Result<()> {
        let mut steps: Vec<Step> = states.iter().map(telling).collect();
        if steps.is_empty() {
            return Ok(());
        }
        steps.push(Step::new(&sql::SITE_STATES_END, vec![before(self.now(), SAID_FOR).into()]));
        self.write_sites(steps).await
    }

    /// The seat of this node among others; 0 where it is alone.
    #[must_use]
    pub fn seat(&self) -> u16 {
        if self.tenure().is_alone() { 0 } else { self.tenure().number() }
    }

    async fn write_sites(&self, steps: Vec<Step>) -> Result<()> {
        self.engine.change(vec![(Change::Rows(writes(steps)), None)]).await.map(drop)
    }
}

fn before(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(now.micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

fn writes(steps: Vec<Step>) -> Writes {
    Writes {
        controller: ControllerId::OPERATOR.0,
        person: None,
        reach: Reach::Nothing,
        what: "site",
        event: None,
        detail: [0; 32],
        steps,
    }
}

fn optional(number: Option<u32>) -> Value {
    number.map(i64::from).into()
}

fn setting(order: &SiteOrderRow) -> Vec<Step> {
    let values = vec![
        order.site.as_str().into(),
        optional(order.connections),
        optional(order.messages_per_connection),
        optional(order.per_minute),
        optional(order.per_hour),
        i64::from(order.stopped).into(),
        order.why.as_str().into(),
        order.who.as_str().into(),
        order.since.into(),
        order.ends.into(),
    ];
    vec![
        Step::new(&sql::SITE_ORDER_SET, values),
        Step::new(&sql::SITE_ORDERS_END, vec![before(order.since, ENDED_FOR).into()]),
    ]
}

fn telling(state: &SiteStateRow) -> Step {
    let (trouble, troubled) = state.trouble.clone().unzip();
    let values = vec![
        state.site.as_str().into(),
        i64::from(state.node).into(),
        i64::from(state.domains).into(),
        i64::from(state.waiting).into(),
        i64::from(state.connections).into(),
        i64::from(state.allowed).into(),
        i64::from(state.most).into(),
        i64::from(state.percent).into(),
        optional(state.minute),
        optional(state.hour),
        i64::from(state.stopped).into(),
        state.away.into(),
        trouble.into(),
        troubled.into(),
        state.seen.into(),
    ];
    Step::new(&sql::SITE_STATE_SET, values)
}

fn order_of(mut row: Columns) -> Result<SiteOrderRow> {
    Ok(SiteOrderRow {
        site: row.text()?,
        connections: limit(&mut row)?,
        messages_per_connection: limit(&mut row)?,
        per_minute: limit(&mut row)?,
        per_hour: limit(&mut row)?,
        stopped: row.number()? != 0,
        why: row.text()?,
        who: row.text()?,
        since: row.moment()?,
        ends: row.moment_if_any()?,
    })
}

fn state_of(mut row: Columns) -> Result<SiteStateRow> {
    Ok(SiteStateRow {
        site: row.text()?,
        node: u16::try_from(row.number()?).map_err(|_| Error::Row { column: "site_state.node" })?,
        domains: count(&mut row)?,
        waiting: count(&mut row)?,
        connections: count(&mut row)?,
        allowed: count(&mut row)?,
        most: count(&mut row)?,
        percent: count(&mut row)?,
        minute: limit(&mut row)?,
        hour: limit(&mut row)?,
        stopped: row.number()? != 0,
        away: row.moment_if_any()?,
        trouble: row.text_if_any()?.zip(row.moment_if_any()?),
        seen: row.moment()?,
    })
}

fn count(row: &mut Columns) -> Result<u32> {
    u32::try_from(row.number()?).map_err(|_| Error::Row { column: "site_state" })
}

fn limit(row: &mut Columns) -> Result<Option<u32>> {
    let wrong = |_| Error::Row { column: "site_order" };
    row.number_if_any()?.map(|number| u32::try_from(number).map_err(wrong)).transpose()
}
