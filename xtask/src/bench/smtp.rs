//! `bench smtp`: accepted and delivered messages a second, CPU and memory, for each peer in turns.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::load::Load;
use super::peers::{Peer, Started, Yardsticks};
use super::sink::Sink;
use super::table::{Sample, Table};
use super::{Options, machine, table};
use crate::repo::Repo;
use crate::run;

const MESSAGES: u32 = 10_000;
/// Sent before the clock starts, so that processes are forked, pools filled and pages touched.
const WARM_UP: u32 = 500;
/// A sink that takes nothing for so long will take nothing more.
const STALLED: Duration = Duration::from_secs(60);
/// How often memory of a tree is looked at: reading it costs the very CPU that is measured.
const MEMORY_EVERY: Duration = Duration::from_secs(1);

/// Runs the benchmark and prints one table.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let mut peers = vec![Peer::Floor];
    peers.extend(options.postfix.then_some(Peer::Postfix));
    if options.postern {
        run::check(run::cargo(repo).args(["build", "--release", "-p", "postern"]))?;
        peers.push(if options.postgres { Peer::PosternOnPostgres } else { Peer::Postern });
    }
    let yardsticks = Yardsticks::build(repo, &options.folder)?;
    let messages = options.messages.unwrap_or(MESSAGES);
    let mut table = Table::new(messages, options.runs);
    let mut failed = Vec::new();
    for round in 1..=options.runs {
        for peer in &peers {
            match measure(repo, &yardsticks, *peer, messages) {
                Ok(sample) => {
                    println!("run {round}, {}: {sample}", peer.name());
                    table.add(*peer, sample);
                }
                Err(error) => {
                    eprintln!("run {round}, {}: {error:#}", peer.name());
                    failed.push(peer.name());
                }
            }
        }
    }
    let text = table.render(&machine::line(&options.folder)?, &machine::commit(repo));
    println!("\n{text}");
    if !failed.is_empty() {
        bail!("not everything could be measured ({}); files are in {}", failed.join(", "), options.folder.display());
    }
    std::fs::remove_dir_all(&options.folder)?;
    if options.write {
        table::write(repo, if options.postgres { "smtp-postgres" } else { "smtp" }, &text)?;
    }
    Ok(())
}

fn measure(repo: &Repo, yardsticks: &Yardsticks, peer: Peer, messages: u32) -> Result<Sample> {
    let mut sink = Sink::start(yardsticks)?;
    let folder = yardsticks.folder.join("peer");
    let started = peer.start(repo, yardsticks, &folder, sink.port)?;
    let load = Load::new(&yardsticks.folder, &started.domain)?;
    load.send(started.port, WARM_UP)?;
    arrived(&mut sink, WARM_UP)?;
    // The warm-up's outcomes are still being written: let them not count.
    sleep(Duration::from_secs(1));
    one_run(&started, &mut sink, &load, messages)
}

fn one_run(peer: &Started, sink: &mut Sink, load: &Load, messages: u32) -> Result<Sample> {
    let before = sink.count()?;
    let cpu_before = peer.server.cpu_seconds();
    let mut loader = load.start(peer.port, messages)?;
    let (mut accepted, mut delivered) = (None, None);
    let mut peak = peer.server.resident_mib();
    let mut looked = Instant::now();
    let mut progress = (before, Instant::now());
    while accepted.is_none() || delivered.is_none() {
        if accepted.is_none() && loader.finished()? {
            accepted = Some(loader.started.elapsed());
        }
        let count = sink.count()?;
        if delivered.is_none() && count >= before + messages {
            delivered = Some(loader.started.elapsed());
        }
        if count != progress.0 {
            progress = (count, Instant::now());
        }
        if progress.1.elapsed() > STALLED {
            bail!("only {} of {messages} messages arrived", count - before);
        }
        if looked.elapsed() > MEMORY_EVERY {
            peak = peak.max(peer.server.resident_mib());
            looked = Instant::now();
        }
        sleep(Duration::from_millis(5));
    }
    // Outcomes of the last deliveries are part of the work.
    sleep(Duration::from_millis(500));
    let cpu = peer.server.cpu_seconds() - cpu_before;
    let rate = |took: Option<Duration>| f64::from(messages) / took.unwrap_or_default().as_secs_f64();
    Ok(Sample {
        accepted: rate(accepted),
        delivered: rate(delivered),
        cpu: cpu * 1000.0 / f64::from(messages),
        peak: peer.server.peak_mib().unwrap_or(peak),
    })
}

fn arrived(sink: &mut Sink, count: u32) -> Result<()> {
    let started = Instant::now();
    while sink.count()? < count {
        if started.elapsed() > STALLED {
            bail!("the warm-up did not arrive at the sink: {} of {count}", sink.count()?);
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
