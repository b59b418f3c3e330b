//! `bench import`: how long a file of contacts with their consent evidence takes, and how much memory.
//!
//! The file says of each contact when and where the consent was given; a tenth of the sources alternate. Each run
//! imports it with the shipped binary into a fresh store with one controller, as an operator does.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::peers::free_ports;
use super::process::{Server, cpu_seconds_of, peak_mib_of};
use super::{Options, machine, table};
use crate::repo::Repo;
use crate::run;

/// Contacts of the file.
const CONTACTS: u32 = 1_000_000;
const EVERY: Duration = Duration::from_millis(10);
/// What is aimed at.
const SECONDS_AIM: f64 = 30.0;
const MIB_AIM: f64 = 200.0;

/// What was seen in one run.
struct Sample {
    seconds: f64,
    /// User and system: what it would take at least, had it the machine for itself, is half of it on two cores.
    cpu_seconds: f64,
    peak_mib: f64,
    store_mib: f64,
}

/// Runs the benchmark and prints a table.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<()> {
    run::check(run::cargo(repo).args(["build", "--release", "-p", "postern"]))?;
    fs::create_dir_all(&options.folder)?;
    let contacts = options.messages.unwrap_or(CONTACTS);
    let file = options.folder.join("contacts.csv");
    let octets = write_file(&file, contacts)?;
    let program = run::release_binary(repo, "postern")?;
    let mut samples = Vec::new();
    for round in 1..=options.runs {
        let sample = measure(&program, options, &file, contacts)?;
        let Sample { seconds, cpu_seconds, peak_mib, store_mib } = sample;
        println!(
            "run {round}: {seconds:.1} s, {cpu_seconds:.1} CPU s, {peak_mib:.0} MiB at the peak, {store_mib:.0} MiB \
             in the store"
        );
        samples.push(sample);
    }
    let of = |value: fn(&Sample) -> f64| table::median(samples.iter().map(value).collect()).unwrap_or_default();
    let (seconds, peak) = (of(|sample| sample.seconds), of(|sample| sample.peak_mib));
    let (store, cpu) = (of(|sample| sample.store_mib), of(|sample| sample.cpu_seconds));
    let text = format!(
        "| seconds | CPU seconds | contacts/s | peak MiB | MiB in the store |\n|---|---|---|---|---|\n\
         | {seconds:.1} | {cpu:.1} | {:.0} | {peak:.0} | {store:.0} |\n\n\
         Median of {} run(s), a CSV file of {contacts} contacts ({:.0} MiB) with date and source of each, on SQLite; \
         opening and closing the store are in it.\n{}; {}.\n\n\
         Goal: at most {SECONDS_AIM:.0} s and {MIB_AIM:.0} MiB for a million: {}.",
        f64::from(contacts) / seconds,
        options.runs,
        octets as f64 / 1_048_576.0,
        machine::line(&options.folder)?,
        machine::commit(repo),
        if seconds <= SECONDS_AIM && peak <= MIB_AIM { "met" } else { "MISSED" },
    );
    println!("\n{text}");
    fs::remove_dir_all(&options.folder)?;
    if options.write {
        table::write(repo, "import", &text)?;
    }
    Ok(())
}

pub(super) fn write_file(path: &Path, contacts: u32) -> Result<u64> {
    let mut out = BufWriter::new(File::create(path).context("the file of contacts cannot be made")?);
    out.write_all(b"email,consent_at,source\r\n")?;
    let mut row = String::new();
    for number in 0..contacts {
        // Spread like real addresses: not in the order of anything.
        let mixed = number.wrapping_mul(2_654_435_761);
        let place = if number % 10 == 0 { "summer fair 2025" } else { "sign-up form of the shop" };
        let (day, hour) = (1 + mixed % 28, mixed % 24);
        row.clear();
        write!(row, "{},2025-03-{day:02}T{hour:02}:15:00Z,{place}\r\n", address(number))?;
        out.write_all(row.as_bytes())?;
    }
    out.flush()?;
    Ok(fs::metadata(path)?.len())
}

/// The address of a contact of the file.
pub(super) fn address(number: u32) -> String {
    let mixed = number.wrapping_mul(2_654_435_761);
    format!("person.{mixed:08x}@dest{}.example", mixed % 500)
}

fn measure(program: &Path, options: &Options, file: &Path, contacts: u32) -> Result<Sample> {
    let data = options.folder.join("data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let controller = admit(program, &options.folder, &data)?;
    let began = Instant::now();
    let mut command = run::command(program);
    command.arg("import").arg(file).arg("--data").arg(&data).args(["--controller", &controller, "--quiet"]);
    command.args(["--purpose", "newsletter", "--method", "double_opt_in", "--basis", "consent"]);
    command.args(["--source", "sign-up form of the shop", "--notice", "newsletter:3"]);
    let mut child = command.stdout(Stdio::piped()).spawn().context("the import cannot be started")?;
    let (mut peak_mib, mut cpu_seconds) = (0.0_f64, 0.0_f64);
    while child.try_wait()?.is_none() {
        peak_mib = peak_mib.max(peak_mib_of(child.id()));
        cpu_seconds = cpu_seconds.max(cpu_seconds_of(child.id()));
        sleep(EVERY);
    }
    let seconds = began.elapsed().as_secs_f64();
    let said = child.wait_with_output()?;
    if !said.status.success() {
        bail!("the import ended with {}", said.status);
    }
    let said: Value = serde_json::from_slice(&said.stdout).context("the receipt is not JSON")?;
    if said["counts"]["contacts"] != contacts {
        bail!("not every contact came in: {said}");
    }
    let octets: u64 = ["main.db", "keys.db"]
        .iter()
        .filter_map(|name| fs::metadata(data.join(name)).ok())
        .map(|about| about.len())
        .sum();
    Ok(Sample { seconds, cpu_seconds, peak_mib, store_mib: octets as f64 / 1_048_576.0 })
}

/// A store with one controller, made by a demo that ends again; its id.
pub(super) fn admit(program: &Path, folder: &Path, data: &Path) -> Result<String> {
    let said = folder.join("demo.json");
    let _ = fs::remove_file(&said);
    let mut command = run::command(program);
    command.arg("demo").arg("--data").arg(data).args(["--base-port", &free_ports(8)?.to_string()]);
    command.arg("--json").arg(&said).arg("--quiet");
    let mut server = Server::start(&mut command, &folder.join("demo.log"))?;
    server.until("its demo file", || said.exists())?;
    drop(server);
    let said: Value = serde_json::from_str(&fs::read_to_string(&said)?).context("the demo file is not JSON")?;
    said["controller"].as_str().map(str::to_owned).context("the demo file names no controller")
}
