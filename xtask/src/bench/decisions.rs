//! `bench decisions`: how long a dry run over 100,000 recipients takes, as a client sees it.
//!
//! The store holds twice as many contacts with their consent evidence. Of those asked about a tenth are strangers, a
//! hundredth are no addresses. The shipped binary answers over HTTP on loopback; a question is timed from its first
//! octet to the last of the answer.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::import::{address, admit, write_file};
use super::peers::free_ports;
use super::process::Server;
use super::{Options, machine, table};
use crate::http::post;
use crate::repo::Repo;
use crate::run;

/// Recipients of a question.
const RECIPIENTS: u32 = 100_000;
/// Contacts in the store for each recipient of a question.
const CONTACTS_FOR_EACH: u32 = 2;
/// Questions of a run.
const QUESTIONS: u32 = 9;
/// What is aimed at, for 100,000.
const SECONDS_AIM: f64 = 1.0;

/// Runs the benchmark and prints a table.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<()> {
    run::check(run::cargo(repo).args(["build", "--release", "-p", "postern"]))?;
    fs::create_dir_all(&options.folder)?;
    let recipients = options.messages.unwrap_or(RECIPIENTS).min(RECIPIENTS);
    let program = run::release_binary(repo, "postern")?;
    let data = options.folder.join("data");
    let controller = admit(&program, &options.folder, &data)?;
    import(&program, &options.folder, &data, &controller, recipients * CONTACTS_FOR_EACH)?;
    let question = question(recipients)?;
    let mut samples = Vec::new();
    for round in 1..=options.runs {
        let times = ask(&program, &options.folder, &data, &question, recipients)?;
        let first = times.first().copied().unwrap_or_default();
        let median = table::median(times).unwrap_or_default();
        println!("run {round}: {median:.3} s, the first question {first:.3} s");
        samples.push((first, median));
    }
    let of = |value: fn(&(f64, f64)) -> f64| table::median(samples.iter().map(value).collect()).unwrap_or_default();
    let (first, median) = (of(|sample| sample.0), of(|sample| sample.1));
    let text = format!(
        "| first question, s | seconds | recipients/s |\n|---|---|---|\n| {first:.3} | {median:.3} | {:.0} |\n\n\
         Median of {} run(s) of {QUESTIONS} questions each: `POST /v1/decisions` with {recipients} recipients, among \
         {} contacts with consent, on SQLite, over HTTP on loopback.\n{}; {}.\n\n\
         Goal: under {SECONDS_AIM:.0} s for 100,000: {}.",
        f64::from(recipients) / median,
        options.runs,
        recipients * CONTACTS_FOR_EACH,
        machine::line(&options.folder)?,
        machine::commit(repo),
        if median < SECONDS_AIM && first < SECONDS_AIM { "met" } else { "MISSED" },
    );
    println!("\n{text}");
    fs::remove_dir_all(&options.folder)?;
    if options.write {
        table::write(repo, "decisions", &text)?;
    }
    Ok(())
}

fn import(program: &Path, folder: &Path, data: &Path, controller: &str, contacts: u32) -> Result<()> {
    let file = folder.join("contacts.csv");
    write_file(&file, contacts)?;
    let mut command = run::command(program);
    command.arg("import").arg(&file).arg("--data").arg(data).args(["--controller", controller, "--quiet"]);
    command.args(["--purpose", "newsletter", "--method", "double_opt_in", "--basis", "consent"]);
    command.args(["--source", "sign-up form of the shop", "--notice", "newsletter:1"]);
    run::check(command.stdout(Stdio::null()))
}

/// The body: contacts in an order of their own, strangers and what is no address among them.
fn question(recipients: u32) -> Result<String> {
    let mut body = String::from("{\"stream\":\"newsletter\",\"recipients\":[");
    for number in 0..recipients {
        if number > 0 {
            body.push(',');
        }
        match number % 100 {
            0 => write!(body, "\"nobody {number}\"")?,
            1..=10 => write!(body, "\"stranger.{number}@elsewhere.example\"")?,
            _ => write!(body, "\"{}\"", address(number * CONTACTS_FOR_EACH))?,
        }
    }
    body.push_str("]}");
    Ok(body)
}

/// The seconds of each question to a node that was started for them.
fn ask(program: &Path, folder: &Path, data: &Path, question: &str, recipients: u32) -> Result<Vec<f64>> {
    let said = folder.join("demo.json");
    fs::remove_file(&said).context("the demo file of the run before is not there")?;
    let mut command = run::command(program);
    command.arg("demo").arg("--data").arg(data).args(["--base-port", &free_ports(8)?.to_string()]);
    command.arg("--json").arg(&said).arg("--quiet");
    let mut server = Server::start(&mut command, &folder.join("demo.log"))?;
    server.until("its demo file", || said.exists())?;
    let said: Value = serde_json::from_str(&fs::read_to_string(&said)?).context("the demo file is not JSON")?;
    let of = |name: &str| said[name].as_str().with_context(|| format!("the demo file has no {name}"));
    let (http, key) = (of("http")?.trim_start_matches("http://").to_owned(), of("api_key")?.to_owned());
    let mut times = Vec::new();
    for _ in 0..QUESTIONS {
        let began = Instant::now();
        let answer = post(&http, &key, "/v1/decisions", question)?;
        times.push(began.elapsed().as_secs_f64());
        let malformed = recipients.div_ceil(100);
        if answer["recipients"] != recipients || answer["malformed"] != malformed || answer["queued"] == 0 {
            bail!("not what was asked: {} recipients, {} malformed", answer["recipients"], answer["malformed"]);
        }
    }
    Ok(times)
}
