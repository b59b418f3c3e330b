//! `cargo xtask test`: every stage in order, each with a budget in minutes, and one table at the end.
//!
//! A failing stage does not stop the following ones: one run says everything. The exit code is 0 only when all
//! stages that were asked for passed. Of a whole run, what is left out is in the table too, with the reason.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::postgres::{Cluster, Major};
use crate::repo::Repo;
use crate::{citations, deny, run, setup, tidy};

/// One stage.
struct Stage {
    name: &'static str,
    /// Minutes it should take at most on two cores with nothing built yet.
    budget: u32,
    /// Runs only with `--long`.
    long: bool,
    run: fn(&Repo, Asked) -> Result<()>,
}

/// What the caller asked for, as far as a stage has to know.
#[derive(Debug, Clone, Copy)]
struct Asked {
    long: bool,
}

/// Cheap stages first; the documentation tests before the others, so that their summary is not the last one.
const STAGES: &[Stage] = &[
    Stage { name: "setup", budget: 8, long: false, run: |repo, _| setup::run(repo) },
    Stage { name: "fmt", budget: 1, long: false, run: |repo, _| cargo(repo, &["fmt", "--all", "--check"]) },
    Stage { name: "tidy", budget: 1, long: false, run: |repo, _| tidy::run(repo) },
    Stage { name: "deny", budget: 1, long: false, run: |repo, _| deny::run(repo) },
    Stage { name: "citations", budget: 1, long: false, run: |repo, _| citations::run(repo, &["--check".to_owned()]) },
    Stage { name: "clippy", budget: 15, long: false, run: |repo, _| cargo(repo, CLIPPY) },
    Stage { name: "doctests", budget: 5, long: false, run: |repo, _| cargo(repo, DOCTESTS) },
    Stage { name: "tests", budget: 30, long: false, run: tests },
    Stage { name: "postgres", budget: 15, long: false, run: |repo, _| postgres(repo) },
    Stage { name: "long", budget: 60, long: true, run: long },
];

const CLIPPY: &[&str] = &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
/// The packages whose tests can use either engine, and those of them that stand closest to the server.
const ON_EITHER_ENGINE: &[&str] = &["store", "it", "mta", "web", "smtpd"];
const ON_ANY_MAJOR: &[&str] = &["store"];
/// What says itself on which engine it runs: once is enough.
const ON_ITS_OWN_ENGINE: &[&str] = &[
    "outside::clock_skew",
    "outside::database_away",
    "outside::database_refused",
    "outside::failover",
    "outside::moving",
    "outside::nodes",
];
const DOCTESTS: &[&str] = &["test", "--quiet", "--doc", "-p", "mail", "-p", "gate"];

/// How a stage ended.
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun(&'static str),
}

/// Runs the stages that the arguments ask for.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let (asked, only) = parse(arguments)?;
    let mut outcomes = Vec::new();
    for stage in STAGES {
        let outcome = match &only {
            Some(name) if name != stage.name => continue,
            None if stage.long && !asked.long => Outcome::NotRun("not run without --long"),
            _ => perform(repo, stage, asked),
        };
        outcomes.push((stage, outcome));
    }
    let failed: Vec<&str> = outcomes.iter().filter_map(|(stage, outcome)| failed(stage, outcome)).collect();
    println!("\n{}", table(&outcomes));
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "));
}

fn parse(arguments: &[String]) -> Result<(Asked, Option<String>)> {
    let mut asked = Asked { long: false };
    let mut only = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--long" => asked.long = true,
            "--only" => only = Some(rest.next().context("--only needs the name of a stage")?.clone()),
            other => bail!("unknown argument {other:?}; test takes --long and --only STAGE"),
        }
    }
    let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
    match &only {
        Some(name) if !names.contains(&name.as_str()) => bail!("no stage {name:?}; there are {}", names.join(", ")),
        _ => Ok((asked, only)),
    }
}

fn perform(repo: &Repo, stage: &Stage, asked: Asked) -> Outcome {
    println!("\n== {} (budget {} min)", stage.name, stage.budget);
    let started = Instant::now();
    let result = (stage.run)(repo, asked);
    let took = started.elapsed();
    match result {
        Ok(()) => Outcome::Passed(took),
        Err(error) => {
            println!("{}: {error:#}", stage.name);
            Outcome::Failed(took)
        }
    }
}

fn failed<'a>(stage: &Stage, outcome: &Outcome) -> Option<&'a str> {
    matches!(outcome, Outcome::Failed(_)).then_some(stage.name)
}

/// The whole suite of every crate: units, dialogues, conformance, the whole node, foreign clients and verifiers. What
/// can use either engine uses SQLite.
fn tests(repo: &Repo, _: Asked) -> Result<()> {
    let cluster = Cluster::start(repo, Major::Fifteen)?;
    suite(repo, &["--workspace"], &[], &[], &cluster)
}

/// The same on PostgreSQL, for what can use either engine.
fn postgres(repo: &Repo) -> Result<()> {
    let engine = ("POSTERN_TEST_STORE", "postgres");
    let oldest = Cluster::start(repo, Major::Fifteen)
        .and_then(|cluster| suite(repo, &packages(ON_EITHER_ENGINE), ON_ITS_OWN_ENGINE, &[engine], &cluster));
    // One failing major does not hide what the other has to say.
    let newer = Cluster::start(repo, Major::Newer)
        .and_then(|cluster| suite(repo, &packages(ON_ANY_MAJOR), &[], &[engine], &cluster));
    oldest.context("on the oldest major").and(newer.context("on the newer major"))
}

fn packages(names: &'static [&'static str]) -> Vec<&'static str> {
    names.iter().flat_map(|name| ["--package", name]).collect()
}

/// Units and integration tests of some packages, without some of them, with this cluster for those that need a server.
fn suite(
    repo: &Repo,
    packages: &[&str],
    without: &[&str],
    environment: &[(&str, &str)],
    cluster: &Cluster,
) -> Result<()> {
    // The binary that `it` runs, before the runner's clock on a test ticks: it is another set of features than the
    // workspace's as a whole, so on a fresh machine it compiles for minutes.
    cargo(repo, &["build", "--package", "postern"])?;
    let mut cargo = run::cargo(repo);
    if run::which("cargo-nextest").is_some() {
        cargo.args(["nextest", "run", "--no-fail-fast"]).args(packages);
    } else {
        cargo.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]).args(packages);
    }
    if !without.is_empty() {
        // Both runners know it.
        cargo.arg("--").args(without.iter().flat_map(|name| ["--skip", name]));
    }
    let cargo = cargo.env("POSTERN_TOOLS", repo.path(setup::TOOLS)).envs(environment.iter().copied());
    run::check(cluster.give_to(cargo))
}

/// The campaigns that take too long for every change: test target `long` of package `it`.
fn long(repo: &Repo, asked: Asked) -> Result<()> {
    let metadata = run::metadata(repo, &["--no-deps"])?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let it = packages.iter().find(|package| package["name"] == "it").context("there is no package `it`")?;
    let targets = it["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !asked.long || !targets.iter().any(|target| target["name"] == "long") {
        bail!("package `it` has no test target `long` (with required-features = [\"long\"])");
    }
    let mut cargo = run::cargo(repo);
    cargo.args(["test", "--release", "-p", "it", "--features", "long", "--test", "long"]);
    run::check(cargo.env("POSTERN_LONG", "1").env("POSTERN_TOOLS", repo.path(setup::TOOLS)))
}

fn cargo(repo: &Repo, arguments: &[&str]) -> Result<()> {
    let mut cargo = run::cargo(repo);
    // Tests find foreign verifiers there.
    run::check(cargo.args(arguments).env("POSTERN_TOOLS", repo.path(setup::TOOLS)))
}

fn table(outcomes: &[(&Stage, Outcome)]) -> String {
    let mut text = String::from("| stage | result | seconds | budget |\n|---|---|---|---|\n");
    for (stage, outcome) in outcomes {
        let (result, took) = match outcome {
            Outcome::Passed(took) => ("passed", Some(took)),
            Outcome::Failed(took) => ("FAILED", Some(took)),
            Outcome::NotRun(why) => (*why, None),
        };
        let seconds = took.map_or_else(|| "–".to_owned(), |took| format!("{:.1}", took.as_secs_f64()));
        let over = took.is_some_and(|took| *took > Duration::from_secs(60) * stage.budget);
        let budget = if over { " (over)" } else { "" };
        text.push_str(&format!("| {} | {result} | {seconds} | {} min{budget} |\n", stage.name, stage.budget));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_and_unknown_ones_refused() -> Result<()> {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(!parse(&words(""))?.0.long);
        assert!(parse(&words("--long"))?.0.long);
        assert_eq!(parse(&words("--only tidy"))?.1.as_deref(), Some("tidy"));
        for bad in ["--only", "--only nothing", "--quick"] {
            assert!(parse(&words(bad)).is_err(), "{bad}");
        }
        Ok(())
    }

    #[test]
    fn the_table_says_what_failed_what_was_slow_and_what_did_not_run() {
        let stage = |name, budget| Stage { name, budget, long: false, run: |_, _| Ok(()) };
        let (quick, slow, later) = (stage("quick", 1), stage("slow", 1), stage("later", 1));
        let text = table(&[
            (&quick, Outcome::Passed(Duration::from_secs(3))),
            (&slow, Outcome::Failed(Duration::from_secs(61))),
            (&later, Outcome::NotRun("not run without --long")),
        ]);
        assert!(text.contains("| quick | passed | 3.0 | 1 min |"), "{text}");
        assert!(text.contains("| slow | FAILED | 61.0 | 1 min (over) |"), "{text}");
        assert!(text.contains("| later | not run without --long | – | 1 min |"), "{text}");
    }
}
