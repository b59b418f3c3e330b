//! `postern store`: work on a store that no node uses.

use crate::clock::SystemClock;
use crate::settings::StoreUrl;
use anyhow::bail;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::Clock as _;
use model::ids::hex;
use parking_lot::Mutex;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use store::{CopyPlan, CopyReport, CopyStep, StorePlace};

/// Subcommands of `postern store`.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Copy a store from SQLite to PostgreSQL or back, and compare the two. No node may use either meanwhile. A copy
    /// that was cut short goes on when the same command is given again.
    Copy(Copy),
}

/// Arguments of `copy`.
#[derive(clap::Args, Debug)]
pub(super) struct Copy {
    /// From where: sqlite:FOLDER or postgres://ROLE@HOST/DATABASE.
    #[arg(long, value_name = "PLACE", env = "POSTERN_COPY_FROM", hide_env_values = true)]
    from: StoreUrl,
    /// To where; it must be empty.
    #[arg(long, value_name = "PLACE", env = "POSTERN_COPY_TO", hide_env_values = true)]
    to: StoreUrl,
    /// The PostgreSQL database for keys, as the nodes have it in their --keys.
    #[arg(long, value_name = "URL", env = "POSTERN_KEYS", hide_env_values = true)]
    keys: Option<StoreUrl>,
    /// File of the authority that signed the certificate of the PostgreSQL server.
    #[arg(long, value_name = "FILE")]
    store_ca: Option<PathBuf>,
    /// Where the nodes on PostgreSQL keep bodies over 256 KiB: in the database, or in a folder that all of them see.
    #[arg(long, value_name = "rows|DIR", default_value = "rows")]
    bodies: String,
    /// Say nothing but what went wrong.
    #[arg(long)]
    quiet: bool,
}

/// Runs one.
///
/// # Errors
/// When nothing was copied, or not all, or when the two stores are not the same afterwards.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Copy(arguments) = command;
    let plan = arguments.plan()?;
    let teller = Teller::new(arguments.quiet);
    let report = store::copy_store(&plan, &|step| teller.tell(step)).await;
    teller.end();
    let report = report?;
    if !arguments.quiet || !report.is_same() {
        say(&table(&report));
    }
    if !report.is_same() {
        bail!("{}", difference(&report));
    }
    if !arguments.quiet {
        say(&farewell(&plan));
    }
    Ok(())
}

impl Copy {
    fn plan(&self) -> anyhow::Result<CopyPlan> {
        let place = |text: &StoreUrl| {
            let keys = self.keys.as_ref().map(|url| url.expose().to_owned());
            StorePlace::read(text.expose(), keys, self.store_ca.clone())
        };
        let bodies = (self.bodies != "rows").then(|| PathBuf::from(&self.bodies));
        Ok(CopyPlan { from: place(&self.from)?, to: place(&self.to)?, bodies, now: SystemClock.now() })
    }
}

/// Says how far it is: a bar on a terminal, lines elsewhere.
enum Teller {
    Silent,
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

/// What was said so far.
#[derive(Default)]
struct Lines {
    work: &'static str,
    table: &'static str,
    rows: u64,
    done: u64,
    /// Twentieths that were said.
    said: u64,
}

impl Teller {
    fn new(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, true) => Self::Bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())),
            (false, false) => Self::Lines(Mutex::default()),
        }
    }

    fn tell(&self, step: CopyStep) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => draw(bar, step),
            Self::Lines(lines) => {
                if let Some(line) = lines.lock().line(step) {
                    note(&line);
                }
            }
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, step: CopyStep) {
    let begin = |work: &'static str, rows: u64, done: u64| {
        let style = ProgressStyle::with_template(
            "{prefix} {wide_bar} {human_pos} of {human_len} rows, {per_sec}, {eta} left  {msg:14}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.reset();
        bar.set_prefix(work);
        bar.set_length(rows);
        bar.set_position(done);
        // What was done before is no speed of ours.
        bar.reset_eta();
    };
    match step {
        CopyStep::Copying { rows, done } => begin("copying  ", rows, done),
        CopyStep::Comparing { rows } => begin("comparing", rows, 0),
        CopyStep::Table(table) => bar.set_message(table),
        CopyStep::Rows(rows) => bar.inc(rows),
    }
}

impl Lines {
    /// What is to be said now: each table, and each twentieth of the way.
    fn line(&mut self, step: CopyStep) -> Option<String> {
        match step {
            CopyStep::Copying { rows, done } => *self = Self { work: "copying", rows, done, ..Self::default() },
            CopyStep::Comparing { rows } => *self = Self { work: "comparing", rows, ..Self::default() },
            CopyStep::Table(table) => self.table = table,
            CopyStep::Rows(rows) => {
                self.done += rows;
                let twentieths = self.done.saturating_mul(20).checked_div(self.rows).unwrap_or(20);
                if twentieths <= self.said {
                    return None;
                }
                self.said = twentieths;
            }
        }
        let percent = self.done.saturating_mul(100).checked_div(self.rows).unwrap_or(100);
        let Self { work, table, rows, done, .. } = self;
        let space = if table.is_empty() { "" } else { " " };
        Some(format!("{work}{space}{table}: {done} of {rows} rows ({percent} %)"))
    }
}

/// What was compared, table by table.
fn table(report: &CopyReport) -> String {
    let mut lines = vec![format!("{:<14} {:>12}  {}", "table", "rows", "SHA-256 of the rows, the same on both sides")];
    for table in &report.tables {
        let line = |name: &str, rows, hash: &[u8; 32]| format!("{name:<14} {rows:>12}  {}", hex(hash));
        lines.push(line(table.name, table.rows, &table.hash));
        if !table.is_same() {
            lines.push(line("  BUT THERE", table.target_rows, &table.target_hash));
        }
    }
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    lines.push(format!(
        "{:<14} {rows:>12}  ledgers computed anew: {}, entries: {}",
        "all", report.ledgers, report.entries
    ));
    lines.extend(report.ledger_faults.iter().map(|fault| format!("WRONG: {fault}")));
    lines.join("\n")
}

fn difference(report: &CopyReport) -> String {
    let tables: Vec<&str> = report.tables.iter().filter(|table| !table.is_same()).map(|table| table.name).collect();
    let what = match tables.as_slice() {
        [] => "a ledger is not right".to_owned(),
        tables => format!("the two stores differ in {}", tables.join(", ")),
    };
    format!(
        "{what}: one of them was changed since the copy began, or is damaged; no node starts on the target; empty it, \
         look that nothing uses either store, and copy again"
    )
}

/// What is left to do by hand.
fn farewell(plan: &CopyPlan) -> String {
    let key = match (&plan.from, &plan.to) {
        (StorePlace::Sqlite(from), _) => format!(
            "Copy {} to the data folder of each node on PostgreSQL (mode 0600): without it nothing opens.",
            from.join("master.key").display()
        ),
        (_, StorePlace::Sqlite(to)) => format!(
            "Copy master.key of a node on PostgreSQL to {} (mode 0600): without it nothing opens.",
            to.join("master.key").display()
        ),
        _ => String::new(),
    };
    format!(
        "The two stores are the same. {key} Start no node on the old store any more: what waits in its queue would be \
         sent twice."
    )
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "how far it is, where nobody draws a bar")]
fn note(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::ComparedTable;

    fn compared(name: &'static str, target_rows: u64) -> ComparedTable {
        ComparedTable { name, rows: 2, hash: [1; 32], target_rows, target_hash: [1; 32] }
    }

    #[test]
    fn lines_say_each_table_and_each_twentieth_of_the_way() {
        let mut lines = Lines::default();
        let steps = [CopyStep::Copying { rows: 200, done: 100 }, CopyStep::Table("queue"), CopyStep::Rows(1)];
        let said: Vec<_> = steps.into_iter().filter_map(|step| lines.line(step)).collect();
        assert_eq!(said[1], "copying queue: 100 of 200 rows (50 %)");
        let more: Vec<_> = (0..99).filter_map(|_| lines.line(CopyStep::Rows(1))).collect();
        assert_eq!(more.len(), 10, "{more:?}");
        assert_eq!(more.last().unwrap(), "copying queue: 200 of 200 rows (100 %)");
        assert_eq!(lines.line(CopyStep::Comparing { rows: 0 }).unwrap(), "comparing: 0 of 0 rows (100 %)");
    }

    #[test]
    fn what_differs_stands_in_the_table_and_in_the_sentence() {
        let mut report = CopyReport {
            tables: vec![compared("queue", 2), compared("body", 3)],
            ledgers: 1,
            entries: 2,
            ledger_faults: Vec::new(),
        };
        assert!(table(&report).contains("BUT THERE"));
        assert!(difference(&report).starts_with("the two stores differ in body:"));
        report.tables.pop();
        assert!(report.is_same() && !table(&report).contains("BUT THERE"));
        report.ledger_faults.push("ledger 7 has a gap".to_owned());
        assert!(!report.is_same() && table(&report).contains("WRONG: ledger 7 has a gap"));
        assert!(difference(&report).starts_with("a ledger is not right:"));
    }
}
