//! Both stores read back and compared: counts, hashes, and the trees of the ledgers.
//!
//! Each side is read by itself, from its own disk; a table whose rows are the same has the same hash. The trees are
//! computed anew from the entries, so that a ledger that was wrong before is found too.

use super::side::{PageLimit, Result, Side};
use super::tables::{LEDGER_CHUNK, LEDGER_HEAD, TABLES, Table};
use super::value::{self, Row, TableHash};
use super::{CopyStep, Work, carried, key_of};
use crate::error::Error;
use ledger::tile::BundleEntries;
use ledger::{Frontier, leaf_hash};
use std::collections::BTreeMap;

/// A table on both sides.
#[derive(Clone, Debug)]
pub struct ComparedTable {
    /// Its name.
    pub name: &'static str,
    /// Rows in the source.
    pub rows: u64,
    /// SHA-256 of the source's rows.
    pub hash: [u8; 32],
    /// Rows in the target.
    pub target_rows: u64,
    /// SHA-256 of the target's rows.
    pub target_hash: [u8; 32],
}

impl ComparedTable {
    /// Are the rows the same?
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.rows == self.target_rows && self.hash == self.target_hash
    }
}

/// What the comparison found.
#[derive(Clone, Debug)]
pub struct CopyReport {
    /// Every table.
    pub tables: Vec<ComparedTable>,
    /// Ledgers whose tree was computed anew.
    pub ledgers: u64,
    /// Their entries.
    pub entries: u64,
    /// What is wrong with ledgers, a sentence each.
    pub ledger_faults: Vec<String>,
}

impl CopyReport {
    /// Is the target whole?
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.ledger_faults.is_empty() && self.tables.iter().all(ComparedTable::is_same)
    }
}

/// Faults of ledgers that are told; after so many the target is lost anyhow.
const FAULTS_MAX: usize = 20;

/// Which side is read, and so what a row must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// As the target shall have it.
    Source,
    /// As it is.
    Target,
}

/// Reads both sides, at the same time, and compares them.
pub(super) async fn both(work: &Work<'_>, rows: u64) -> Result<CopyReport> {
    (work.tell)(CopyStep::Comparing { rows: rows.saturating_mul(2) });
    let mut trees = Trees::of(work.to, work.page).await?;
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        (work.tell)(CopyStep::Table(table.name));
        let mut count = |rows: &[Row]| {
            (work.tell)(CopyStep::Rows(rows.len() as u64));
            Ok(())
        };
        let mut count_and_grow = |rows: &[Row]| {
            (work.tell)(CopyStep::Rows(rows.len() as u64));
            if table.name == LEDGER_CHUNK { rows.iter().try_for_each(|row| trees.chunk(table, row)) } else { Ok(()) }
        };
        let source = read(work.from, table, work.page, Role::Source, &mut count);
        let target = read(work.to, table, work.page, Role::Target, &mut count_and_grow);
        let ((rows, hash), (target_rows, target_hash)) = tokio::try_join!(source, target)?;
        tables.push(ComparedTable { name: table.name, rows, hash, target_rows, target_hash });
    }
    let (ledgers, entries, ledger_faults) = trees.finish();
    Ok(CopyReport { tables, ledgers, entries, ledger_faults })
}

/// Counts and hash of a table of one side; who else wants its rows sees each page.
pub(super) async fn read(
    side: &dyn Side,
    table: &'static Table,
    limit: PageLimit,
    role: Role,
    seen: &mut (dyn FnMut(&[Row]) -> Result<()> + Send),
) -> Result<(u64, [u8; 32])> {
    let mut hash = TableHash::new(table);
    let mut after = Vec::new();
    let mut rows = side.page(table, &after, limit).await?;
    while let Some(last) = rows.last() {
        after = key_of(table, last);
        let page = if role == Role::Source { carried(table, rows)? } else { rows };
        page.iter().for_each(|row| hash.add(row));
        seen(&page)?;
        rows = side.page(table, &after, limit).await?;
    }
    let rows = hash.rows;
    Ok((rows, hash.finish()))
}

/// Trees of ledgers, computed from chunks that come by controller and index.
#[derive(Default)]
struct Trees {
    /// Heads whose tree was not computed yet: the frontier as it is kept.
    heads: BTreeMap<i64, Vec<u8>>,
    /// The ledger whose chunks come.
    current: Option<(i64, Frontier)>,
    ledgers: u64,
    entries: u64,
    faults: Vec<String>,
}

impl Trees {
    async fn of(side: &dyn Side, limit: PageLimit) -> Result<Self> {
        let table = TABLES.iter().find(|table| table.name == LEDGER_HEAD).ok_or(Error::Row { column: LEDGER_HEAD })?;
        let mut trees = Self::default();
        let mut after = Vec::new();
        loop {
            let rows = side.page(table, &after, limit).await?;
            let Some(last) = rows.last() else { return Ok(trees) };
            after = key_of(table, last);
            for row in &rows {
                let frontier = value::octets(table, row, "frontier")?.to_vec();
                let size = u64::try_from(value::integer(table, row, "size")?).unwrap_or(u64::MAX);
                let controller = value::integer(table, row, "controller")?;
                if Frontier::from_bytes(&frontier).map_or(true, |frontier| frontier.size() != size) {
                    trees.fault(format!("the head of ledger {controller} contradicts itself"));
                }
                trees.heads.insert(controller, frontier);
            }
        }
    }

    fn chunk(&mut self, table: &'static Table, row: &Row) -> Result<()> {
        let controller = value::integer(table, row, "controller")?;
        if self.current.as_ref().is_none_or(|(current, _)| *current != controller) {
            self.close_current();
            self.current = Some((controller, Frontier::new()));
        }
        let Some((_, frontier)) = &mut self.current else { return Ok(()) };
        let before = frontier.size();
        let first = value::integer(table, row, "first_index")?;
        let mut cut = None;
        for entry in BundleEntries::new(value::octets(table, row, "entries")?) {
            match entry {
                Ok(entry) => frontier.push(leaf_hash(entry)),
                Err(error) => cut = Some(error),
            }
        }
        let span = frontier.size() - before;
        self.entries += span;
        if let Some(error) = cut {
            self.fault(format!("ledger {controller}, entries from {first}: {error}"));
        }
        if u64::try_from(first) != Ok(before) || u64::try_from(value::integer(table, row, "span")?) != Ok(span) {
            self.fault(format!("ledger {controller} has a gap or an overlap at entry {before}"));
        }
        Ok(())
    }

    fn fault(&mut self, sentence: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(sentence);
        }
    }

    fn close_current(&mut self) {
        let Some((controller, frontier)) = self.current.take() else { return };
        self.ledgers += 1;
        match self.heads.remove(&controller) {
            Some(head) if head == frontier.to_bytes() => {}
            Some(_) => self.fault(format!("the entries of ledger {controller} do not make the tree of its head")),
            None => self.fault(format!("ledger {controller} has entries and no head")),
        }
    }

    fn finish(mut self) -> (u64, u64, Vec<String>) {
        self.close_current();
        let empty = Frontier::new().to_bytes();
        for (controller, _) in std::mem::take(&mut self.heads).into_iter().filter(|(_, head)| *head != empty) {
            self.fault(format!("ledger {controller} has a head and no entries"));
        }
        (self.ledgers, self.entries, self.faults)
    }
}
