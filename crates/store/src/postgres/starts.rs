//! Attempts begin: a batch of starts is one statement, and so a transaction by itself.
//!
//! A start is fenced: the statement looks at the lease, at the number of the attempt and at who began before. A take
//! of the partition that commits later finds the row begun; one that committed before lets nothing begin.
//! Invariants: said twice by the same node, a start is begun twice, which is once. The generation beside it is as of
//! the statement: a wish that commits between it and the commit is heard of with the next news.

use super::Core;
use super::batch::{Size, Work};
use super::columns::{Set as _, columns};
use super::db::{Fault, Param, alone, column};
use crate::engine::{StartAnswer, StartRow};
use crate::statement as sql;
use std::collections::HashMap;
use std::sync::Arc;

columns! {
    /// A start.
    Begun => Begins {
        id: i64,
        attempt: i64,
        at: i64,
        part: i64,
        epoch: i64,
    }
}

/// Begins attempts.
pub(super) struct Starting {
    pub(super) core: Arc<Core>,
}

impl Work for Starting {
    type Job = StartRow;
    type Answer = StartAnswer;

    fn size(_: &StartRow) -> Size {
        Size { rows: 1, octets: 0 }
    }

    async fn together(&self, jobs: &[StartRow]) -> Result<Vec<StartAnswer>, Fault> {
        let nothing = StartAnswer { begun: false, generation: None };
        // Who has no seat holds no lease.
        let Some(seat) = *self.core.seat.read() else { return Ok(vec![nothing; jobs.len()]) };
        let mut sorted: Vec<&StartRow> = jobs.iter().collect();
        sorted.sort_unstable_by_key(|row| (row.id, row.attempt));
        let mut begins = Begins::default();
        for row in sorted {
            begins.push(Begun {
                id: row.id,
                attempt: i64::from(row.attempt),
                at: row.at.micros(),
                part: i64::from(row.lease.part),
                epoch: row.lease.epoch,
            });
        }
        let mut params = begins.params();
        params.push(&seat.incarnation as Param<'_>);
        let rows = alone(&self.core.main, &sql::STARTS, &params).await?;
        let mut begun: HashMap<(i64, i64), Option<i64>> = HashMap::with_capacity(rows.len());
        for row in &rows {
            let which = (column(row, 0, "queue.id")?, column(row, 1, "queue.attempts")?);
            begun.insert(which, column(row, 2, "generation.value")?);
        }
        let answer = |row: &StartRow| {
            let found = begun.get(&(row.id, i64::from(row.attempt)));
            found.map_or(nothing, |generation| StartAnswer { begun: true, generation: *generation })
        };
        Ok(jobs.iter().map(answer).collect())
    }
}
