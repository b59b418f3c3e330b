//! `bench ledger`: how many entries a second the ledger of one controller takes, while they are written.
//!
//! The entries are those of real messages, kept as they were written. Several writers then insert them again, a hundred
//! in a commit as a busy node does, and the shipped binary gives them their places meanwhile. At the end it verifies
//! what it published.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::ground::Ground;
use super::load::Load;
use super::sites::Sites;
use super::{Options, machine, table};
use crate::postgres::Cluster;
use crate::repo::Repo;
use crate::run;

/// Entries that are written.
const ENTRIES: u32 = 100_000;
/// Real messages, whose entries these are.
const MESSAGES: u32 = 500;
/// Connections that write, and entries of a commit of theirs.
const WRITERS: u32 = 4;
const BATCH: u32 = 100;
const EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(120);
/// What is aimed at.
const AIM: f64 = 5_000.0;

/// What was seen in one run.
struct Sample {
    /// Entries a second until the last had its place.
    placed: f64,
    /// Entries a second as the writers got them in.
    written: f64,
    /// The most that waited for their places at once.
    waiting: u32,
}

/// Runs the benchmark and prints a table.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<()> {
    run::check(run::cargo(repo).args(["build", "--release", "-p", "postern"]))?;
    fs::create_dir_all(&options.folder)?;
    let cluster = Cluster::flushing(repo)?;
    let entries = options.messages.unwrap_or(ENTRIES).next_multiple_of(WRITERS * BATCH);
    let mut samples = Vec::new();
    for round in 1..=options.runs {
        let ground = Ground::prepare(repo, &options.folder.join("ledger"), &cluster, &format!("ledger_{round}"))?;
        let sample = measure(repo, options, &ground, entries)?;
        let Sample { placed, written, waiting } = sample;
        println!("run {round}: {placed:.0} entries/s placed, {written:.0} written, {waiting} waiting at most");
        samples.push(sample);
    }
    let of = |value: fn(&Sample) -> f64| table::median(samples.iter().map(value).collect()).unwrap_or_default();
    let (placed, written) = (of(|sample| sample.placed), of(|sample| sample.written));
    let waiting = of(|sample| f64::from(sample.waiting));
    let text = format!(
        "| entries/s with their places | entries/s written | waiting at most |\n|---|---|---|\n\
         | {placed:.0} | {written:.0} | {waiting:.0} |\n\n\
         Median of {} run(s), {entries} entries of one controller, {WRITERS} writers with {BATCH} in a commit, one \
         node, PostgreSQL with fsync, all on the same machine; verified afterwards.\n{}; {}.\n\n\
         Goal: at least {AIM:.0} entries/s: {}.",
        options.runs,
        machine::line(&options.folder)?,
        machine::commit(repo),
        if placed >= AIM { "met" } else { "MISSED" },
    );
    println!("\n{text}");
    fs::remove_dir_all(&options.folder)?;
    if options.write {
        table::write(repo, "ledger", &text)?;
    }
    Ok(())
}

fn measure(repo: &Repo, options: &Options, ground: &Ground, entries: u32) -> Result<Sample> {
    let mut sites = Sites::start(repo, 1, 0)?;
    let node = ground.node(0, &sites, &[])?;
    keep_entries(ground, &mut sites, &Load::new(&options.folder, &ground.domain)?, node.port)?;
    let before: u32 = ask(ground, "SELECT max(size) FROM ledger_head")?;
    let script = ground.data(0).join("entries.sql");
    fs::write(&script, format!("{INSERT}\n").repeat(usize::try_from(entries / WRITERS / BATCH)?))?;

    let began = Instant::now();
    let writers = (0..WRITERS).map(|_| {
        let mut psql = run::command("psql");
        psql.args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file"]).arg(&script).arg(&ground.url);
        psql.spawn().context("psql cannot be started")
    });
    let mut writers = writers.collect::<Result<Vec<_>>>()?;
    let (mut written, mut waiting) = (None, 0);
    loop {
        if written.is_none() && writers.iter_mut().all(|writer| matches!(writer.try_wait(), Ok(Some(_)))) {
            written = Some(began.elapsed());
        }
        let placed = ask(ground, "SELECT max(size) FROM ledger_head")? - before;
        if placed >= entries {
            break;
        }
        waiting = waiting.max(ask(ground, "SELECT count(*) FROM ledger_inbox")?);
        if began.elapsed() > PATIENCE {
            bail!("only {placed} of {entries} entries got their places");
        }
        sleep(EVERY);
    }
    let placed = began.elapsed();
    // A clean end exports what is not exported yet.
    drop(node);
    let mut verify = run::command(repo.path("target/release/postern"));
    verify.args(["ledger", "verify", "--data"]).arg(ground.data(0)).args(["--controller", &ground.controller]);
    let said = run::output(&mut verify)?;
    if !said.contains(&(before + entries).to_string()) {
        bail!("the log that was published does not have {} entries: {said}", before + entries);
    }
    let rate = |took: Duration| f64::from(entries) / took.as_secs_f64();
    Ok(Sample { placed: rate(placed), written: rate(written.unwrap_or(placed)), waiting })
}

/// Sends real messages while a copy of each entry is kept.
fn keep_entries(ground: &Ground, sites: &mut Sites, load: &Load, port: u16) -> Result<()> {
    sql(ground, KEEP)?;
    load.start_to("d0.example", "10", port, MESSAGES)?.wait()?;
    let started = Instant::now();
    while sites.look()?.taken < MESSAGES || ask(ground, "SELECT count(*) FROM ledger_inbox")? > 0 {
        if started.elapsed() > PATIENCE {
            bail!("the messages whose entries are wanted did not arrive");
        }
        sleep(EVERY);
    }
    // The last outcomes are still being written.
    sleep(Duration::from_secs(1));
    sql(ground, "DROP TRIGGER keep ON ledger_inbox")
}

const KEEP: &str = "
CREATE TABLE kept (controller BIGINT, entry BYTEA, part BIGINT, number BIGINT GENERATED ALWAYS AS IDENTITY);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO kept (controller, entry, part) VALUES (NEW.controller, NEW.entry, NEW.part); RETURN NULL;
END $$;
CREATE TRIGGER keep AFTER INSERT ON ledger_inbox FOR EACH ROW EXECUTE FUNCTION keep();";

/// A hundred of them, from any place on.
const INSERT: &str = "INSERT INTO ledger_inbox (controller, entry, part) \
    SELECT controller, entry, part FROM kept WHERE number > (random() * 300)::bigint ORDER BY number LIMIT 100;";

fn sql(ground: &Ground, text: &str) -> Result<()> {
    run::check(run::command("psql").args(["--quiet", "--no-psqlrc", "--command", text, &ground.url]))
}

fn ask(ground: &Ground, text: &str) -> Result<u32> {
    let mut psql = run::command("psql");
    psql.args(["--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--command", text, &ground.url]);
    run::output(&mut psql)?.trim().parse().with_context(|| format!("no number answers {text}"))
}
