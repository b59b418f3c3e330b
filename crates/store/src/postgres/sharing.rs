//! Seats, heartbeats and leases.
//!
//! Invariants: times are the database's, read by a statement of its own; a heartbeat writes one row, the node's own; a
//! lease changes hands by one conditional write, after its row is locked in the order of all leases; what a write
//! touched is what counts, and after a COMMIT that was not answered what is there.
//! Never: a wait for anything but the database; a retry that outlasts what it was for.

use super::PostgresEngine;
use super::connect::Target;
use super::db::{Db, Fault, Param, Repeat, column, glance, many, run, transact};
use super::open::reach;
use super::read::scalar;
use super::rows::{moment, number, octets};
use crate::engine::{LeaseKind, LeaseRow, NodeCard, NodeRow, Pulse, Seat, Sharing};
use crate::error::{Error, Result};
use crate::statement as sql;
use async_trait::async_trait;
use deadpool_postgres::Transaction;
use model::Timestamp;
use std::path::Path;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// How long a run of any of these may take: a lease lives a few seconds.
const TURN_MAX: Duration = Duration::from_secs(3);
/// Seats there are: ids carry ten bits of them.
const SEATS: i64 = 1024;
/// Nodes that want the same seat at once: each of them tries so often.
const JOINS_MAX: u32 = 50;
/// A node that was not heard of for so long is forgotten.
const FORGOTTEN_AFTER_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// If all seats are taken, one that was not heard of for so long is had.
const GONE_AFTER_MICROS: i64 = 60 * 1_000_000;

/// A seat as it is taken.
struct Taken {
    number: i64,
    incarnation: i64,
    is_ours: bool,
    seen: i64,
}

#[async_trait]
impl Sharing for PostgresEngine {
    async fn join(&self, card: &NodeCard) -> Result<Seat> {
        for _ in 0..JOINS_MAX {
            match join(&self.core.pulse, card).await {
                Ok(seat) => {
                    *self.core.seat.write() = Some(seat);
                    return Ok(seat);
                }
                // Another node joined at the same moment.
                Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault.into_error()),
            }
        }
        Err(Error::Engine("no seat was had: too many nodes join at once".to_owned()))
    }

    async fn beat(&self, seat: Seat, time_to_live: Duration) -> Result<Option<Pulse>> {
        let (number, incarnation) = (i64::from(seat.number), seat.incarnation);
        let beaten: Result<_, Fault> = transact!(self.core.pulse, Repeat::Safe, within TURN_MAX, tx => {
            let now = scalar(&tx, &sql::DATABASE_TIME).await?;
            if run(&tx, &sql::NODE_BEAT, &[&number, &incarnation, &now]).await? == 0 {
                return Ok(None);
            }
            pulse(&tx, now, time_to_live).await.map(Some)
        });
        beaten.map_err(Fault::into_error)
    }

    async fn set_roles(&self, seat: Seat, roles: i64) -> Result<()> {
        let (number, incarnation) = (i64::from(seat.number), seat.incarnation);
        let set: Result<usize, Fault> = transact!(self.core.pulse, Repeat::Safe, within TURN_MAX, tx => {
            run(&tx, &sql::NODE_ROLES, &[&number, &incarnation, &roles]).await
        });
        set.map(drop).map_err(Fault::into_error)
    }

    async fn look(&self, time_to_live: Duration) -> Result<Pulse> {
        look_in(&self.core.pulse, time_to_live).await
    }

    async fn take(&self, seat: Seat, seen: &[LeaseRow], time_to_live: Duration) -> Result<Vec<LeaseRow>> {
        let [kinds, parts, epochs] = columns(seen);
        let (number, incarnation) = (i64::from(seat.number), seat.incarnation);
        let taken: Result<_, Fault> = transact!(self.core.pulse, Repeat::Safe, within TURN_MAX, tx => {
            many(&tx, &sql::LEASES_LOCK, &[&kinds, &parts]).await?;
            let since = scalar(&tx, &sql::DATABASE_TIME).await? - micros(time_to_live);
            let params: [Param<'_>; 6] = [&kinds, &parts, &epochs, &incarnation, &number, &since];
            run(&tx, &sql::LEASES_TAKE, &params).await?;
            // Also those that an earlier run had, whose COMMIT was not answered.
            leases(&many(&tx, &sql::LEASES_HAD, &[&kinds, &parts, &incarnation]).await?)
        });
        taken.map_err(Fault::into_error)
    }

    async fn give(&self, seat: Seat, held: &[LeaseRow]) -> Result<()> {
        let [kinds, parts, epochs] = columns(held);
        let given: Result<usize, Fault> = transact!(self.core.pulse, Repeat::Safe, within TURN_MAX, tx => {
            many(&tx, &sql::LEASES_LOCK, &[&kinds, &parts]).await?;
            run(&tx, &sql::LEASES_GIVE, &[&kinds, &parts, &epochs, &seat.incarnation]).await
        });
        given.map(drop).map_err(Fault::into_error)
    }

    async fn leave(&self, seat: Seat) -> Result<()> {
        let number = i64::from(seat.number);
        let left: Result<usize, Fault> = transact!(self.core.pulse, Repeat::Safe, within TURN_MAX, tx => {
            many(&tx, &sql::LEASES_LOCK_OWN, &[&seat.incarnation]).await?;
            run(&tx, &sql::LEASES_GIVE_ALL, &[&seat.incarnation]).await?;
            run(&tx, &sql::SEAT_LEAVE, &[&number, &seat.incarnation]).await
        });
        left.map_err(Fault::into_error)?;
        let mut held = self.core.seat.write();
        if *held == Some(seat) {
            *held = None;
        }
        Ok(())
    }
}

/// The same for somebody who is no node: nothing is made, joined or changed.
pub(crate) async fn look(url: &str, ca: Option<&Path>, time_to_live: Duration) -> Result<Pulse> {
    let target = Target::of(url, ca)?;
    let db = target.pool(1)?;
    reach(&db, &target).await?;
    let seen = look_in(&db, time_to_live).await;
    db.close();
    match seen {
        // Without tables: nobody was ever there.
        Err(Error::Engine(words)) if words.ends_with(SqlState::UNDEFINED_TABLE.code()) => {
            Err(Error::NotFound { what: "store: no node ever used the database that was named" })
        }
        seen => seen,
    }
}

async fn look_in(db: &Db, time_to_live: Duration) -> Result<Pulse> {
    let read: Result<_, Fault> = glance!(db, within TURN_MAX, tx => {
        let now = scalar(&tx, &sql::DATABASE_TIME).await?;
        pulse(&tx, now, time_to_live).await
    });
    read.map_err(Fault::into_error)
}

/// A conflict means that another took the same seat or number meanwhile. A run whose COMMIT was not answered has left
/// a row, which the next one finds by its identity.
async fn join(db: &Db, card: &NodeCard) -> Result<Seat, Fault> {
    transact!(db, Repeat::Safe, within TURN_MAX, tx => {
        let now = scalar(&tx, &sql::DATABASE_TIME).await?;
        run(&tx, &sql::SEATS_FORGET, &[&(now - FORGOTTEN_AFTER_MICROS)]).await?;
        let taken = seats(&tx, &card.identity).await?;
        let incarnation = now.max(scalar(&tx, &sql::INCARNATION_TOP).await? + 1);
        let (number, before) = choose(&taken, now).ok_or_else(|| {
            Fault::Final(Error::Engine(format!("all {SEATS} seats of this store are taken by nodes that are alive")))
        })?;
        let identity = card.identity.as_slice();
        let touched = match before {
            None => {
                let params: [Param<'_>; 7] =
                    [&number, &identity, &incarnation, &card.name, &card.roles, &card.release, &now];
                run(&tx, &sql::SEAT_TAKE, &params).await?
            }
            Some(before) => {
                let params: [Param<'_>; 8] =
                    [&number, &identity, &incarnation, &card.name, &card.roles, &card.release, &now, &before];
                run(&tx, &sql::SEAT_RENEW, &params).await?
            }
        };
        if touched == 0 {
            return Err(Fault::Conflict);
        }
        let number = u16::try_from(number).map_err(|_| Error::Row { column: "node.number" })?;
        Ok(Seat { number, incarnation })
    })
}

async fn seats(tx: &Transaction<'_>, identity: &[u8; 16]) -> Result<Vec<Taken>, Fault> {
    let rows = many(tx, &sql::SEATS, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Taken {
                number: column(row, 0, "node.number")?,
                incarnation: column(row, 2, "node.incarnation")?,
                is_ours: octets::<16>(row, 1, "node.identity")? == *identity,
                seen: column(row, 3, "node.seen")?,
            })
        })
        .collect()
}

/// Our own seat, or the first free one, or, when there is none, the one that was silent longest; with the incarnation
/// that sits there.
fn choose(taken: &[Taken], now: i64) -> Option<(i64, Option<i64>)> {
    if let Some(ours) = taken.iter().find(|seat| seat.is_ours) {
        return Some((ours.number, Some(ours.incarnation)));
    }
    let is_taken = |number: &i64| taken.iter().any(|seat| seat.number == *number);
    if let Some(number) = (0..SEATS).find(|number| !is_taken(number)) {
        return Some((number, None));
    }
    let silent = taken.iter().min_by_key(|seat| seat.seen)?;
    (silent.seen < now - GONE_AFTER_MICROS).then_some((silent.number, Some(silent.incarnation)))
}

async fn pulse(tx: &Transaction<'_>, now: i64, time_to_live: Duration) -> Result<Pulse, Fault> {
    let since = now - micros(time_to_live);
    let nodes = many(tx, &sql::NODES, &[]).await?;
    let nodes = nodes
        .iter()
        .map(|row| {
            let seen = moment(row, 5, "node.seen")?;
            Ok(NodeRow {
                seat: Seat { number: number(row, 0, "node.number")?, incarnation: column(row, 1, "node.incarnation")? },
                name: column(row, 2, "node.name")?,
                roles: column(row, 3, "node.roles")?,
                release: column(row, 4, "node.version")?,
                alive: seen.micros() >= since,
                seen,
            })
        })
        .collect::<Result<_, Fault>>()?;
    let leases = leases(&many(tx, &sql::LEASES, &[]).await?)?;
    Ok(Pulse { now: Timestamp::from_micros(now), nodes, leases })
}

fn leases(rows: &[tokio_postgres::Row]) -> Result<Vec<LeaseRow>, Fault> {
    rows.iter()
        .map(|row| {
            let kind = match column::<i64>(row, 0, "lease.kind")? {
                1 => LeaseKind::Queue,
                2 => LeaseKind::Ledger,
                _ => return Err(Error::Row { column: "lease.kind" }.into()),
            };
            Ok(LeaseRow {
                kind,
                part: number(row, 1, "lease.part")?,
                owner: column(row, 2, "lease.owner")?,
                epoch: column(row, 3, "lease.epoch")?,
            })
        })
        .collect()
}

/// Kinds, parts and epochs.
fn columns(leases: &[LeaseRow]) -> [Vec<i64>; 3] {
    [
        leases.iter().map(|lease| lease.kind as i64).collect(),
        leases.iter().map(|lease| i64::from(lease.part)).collect(),
        leases.iter().map(|lease| lease.epoch).collect(),
    ]
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(number: i64, seen: i64) -> Taken {
        Taken { number, incarnation: 7 + number, is_ours: false, seen }
    }

    #[test]
    fn a_node_gets_its_own_seat_back_or_the_first_free_one() {
        assert_eq!(choose(&[], 0), Some((0, None)));
        assert_eq!(choose(&[seat(0, 5), seat(2, 5)], 6), Some((1, None)));
        let ours = Taken { is_ours: true, ..seat(2, 5) };
        assert_eq!(choose(&[seat(0, 5), ours], 6), Some((2, Some(9))));
        let all: Vec<Taken> = (0..SEATS).map(|number| seat(number, 1_000 + number)).collect();
        assert_eq!(choose(&all, 2_000), None, "all are alive");
        assert_eq!(choose(&all, GONE_AFTER_MICROS + 1_001), Some((0, Some(7))));
    }
}
