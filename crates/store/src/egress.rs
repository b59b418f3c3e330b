//! Egress: whose mail goes by which pool, by the operator's orders, and how each node finds the addresses it has.
//!
//! Orders are written beside running nodes (`beside`) and read by each of them every few seconds, as those for sites.
//! Invariants: a controller has at most one order for all of his mail and one for each class; an order says who gave
//! it and why; what a node says of its addresses is replaced by what it says next, and forgotten when it says nothing.
//! Never: a recipient, or anything of one.

mod beside;
#[cfg(test)]
pub(crate) mod samples;
mod warm;

pub use beside::{EgressWork, egress_beside};
pub use warm::{WarmDay, WarmPlan};

use crate::engine::{Change, Reach, Step, Writes};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::statement as sql;
use crate::value::Columns;
use model::stream::Class;
use model::{ControllerId, Timestamp};
use std::time::Duration;

/// Orders that are read.
const ASSIGNED_MAX: i64 = 100_000;
/// States that are read.
const STATES_MAX: i64 = 10_000;
/// What a node said so long ago is not so any more.
const SAID_FOR: Duration = Duration::from_secs(60);

/// By which pool a controller's mail goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EgressAssignment {
    /// Whose.
    pub controller: ControllerId,
    /// His name, as accounts have it.
    pub name: String,
    /// Of which class; nothing: of both.
    pub class: Option<Class>,
    /// The pool.
    pub pool: String,
    /// Why, in the operator's words.
    pub why: String,
    /// Who ordered it.
    pub who: String,
    /// When.
    pub since: Timestamp,
}

/// How a node finds one of its addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EgressState {
    /// Its name.
    pub address: String,
    /// The node's seat; 0 where it is alone.
    pub node: u16,
    /// The pool that it is in.
    pub pool: String,
    /// The address itself; nothing: whichever the system chooses.
    pub ip: Option<String>,
    /// What it says at EHLO.
    pub ehlo: String,
    /// Its share of its pool's connections.
    pub weight: u32,
    /// Connections open.
    pub connections: u32,
    /// It could not be bound, and is tried again then.
    pub barred: Option<Timestamp>,
    /// When the node said this.
    pub seen: Timestamp,
}

/// What there is to see of egress.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct EgressView {
    /// All orders, by the controller's name.
    pub assigned: Vec<EgressAssignment>,
    /// What nodes say, by address and node.
    pub states: Vec<EgressState>,
    /// Addresses that are warmed up, by name.
    pub plans: Vec<WarmPlan>,
    /// How their days stand, by address and provider.
    pub days: Vec<WarmDay>,
}

impl Store {
    /// The orders that stand.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn egress_assigned(&self) -> Result<Vec<EgressAssignment>> {
        let rows = self.found(&sql::EGRESS_ASSIGNED, vec![ASSIGNED_MAX.into()]).await?;
        rows.into_iter().map(assignment_of).collect()
    }

    /// Says how this node finds these addresses, in the place of what it said of them.
    ///
    /// # Errors
    /// Those of the engine; nothing is kept then.
    pub async fn tell_egress(&self, states: &[EgressState]) -> Result<()> {
        let mut steps: Vec<Step> = states.iter().map(telling).collect();
        if steps.is_empty() {
            return Ok(());
        }
        steps.push(Step::new(&sql::EGRESS_STATES_END, vec![before(self.now()).into()]));
        self.write_egress(steps).await
    }

    /// Does what is ordered; a look is nothing.
    ///
    /// # Errors
    /// Those of the engine; nothing is kept then.
    pub async fn order_egress(&self, work: &EgressWork) -> Result<()> {
        match beside::ordering(work, self.now()) {
            Some(steps) => self.write_egress(steps).await,
            None => Ok(()),
        }
    }

    async fn write_egress(&self, steps: Vec<Step>) -> Result<()> {
        self.engine.change(vec![(Change::Rows(writes(steps)), None)]).await.map(drop)
    }
}

fn before(now: Timestamp) -> Timestamp {
    Timestamp::from_micros(now.micros().saturating_sub(i64::try_from(SAID_FOR.as_micros()).unwrap_or(i64::MAX)))
}

fn writes(steps: Vec<Step>) -> Writes {
    Writes {
        controller: ControllerId::OPERATOR.0,
        person: None,
        reach: Reach::Nothing,
        what: "egress",
        event: None,
        detail: [0; 32],
        steps,
    }
}

/// The number of a class in an order; 0 stands for both.
const fn number_of(class: Option<Class>) -> i64 {
    match class {
        None => 0,
        Some(Class::Prompt) => 1,
        Some(Class::Bulk) => 2,
    }
}

fn telling(state: &EgressState) -> Step {
    let values = vec![
        state.address.as_str().into(),
        i64::from(state.node).into(),
        state.pool.as_str().into(),
        state.ip.clone().into(),
        state.ehlo.as_str().into(),
        i64::from(state.weight).into(),
        i64::from(state.connections).into(),
        state.barred.into(),
        state.seen.into(),
    ];
    Step::new(&sql::EGRESS_STATE_SET, values)
}

fn assignment_of(mut row: Columns) -> Result<EgressAssignment> {
    Ok(EgressAssignment {
        controller: ControllerId(row.number()?),
        name: row.text()?,
        class: match row.number()? {
            0 => None,
            1 => Some(Class::Prompt),
            2 => Some(Class::Bulk),
            _ => return Err(Error::Row { column: "egress_assignment.class" }),
        },
        pool: row.text()?,
        why: row.text()?,
        who: row.text()?,
        since: row.moment()?,
    })
}

fn state_of(mut row: Columns) -> Result<EgressState> {
    Ok(EgressState {
        address: row.text()?,
        node: u16::try_from(row.number()?).map_err(|_| Error::Row { column: "egress_state.node" })?,
        pool: row.text()?,
        ip: row.text_if_any()?,
        ehlo: row.text()?,
        weight: count(&mut row)?,
        connections: count(&mut row)?,
        barred: row.moment_if_any()?,
        seen: row.moment()?,
    })
}

fn count(row: &mut Columns) -> Result<u32> {
    u32::try_from(row.number()?).map_err(|_| Error::Row { column: "egress_state" })
}
