//! `bench backlog`: what accepting costs, and how much memory waits with it, when nothing can leave.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::load::Load;
use super::peers::{Peer, Yardsticks, answers};
use super::{Options, machine, table};
use crate::repo::Repo;
use crate::run;

const MESSAGES: u32 = 100_000;
/// A port on which, on no machine of ours, anybody listens.
const NOBODY: u16 = 1;
/// MiB resident with everything queued.
const AIM: f64 = 150.0;

/// Accepts with a next hop that refuses every connection, and prints memory before, after and at its peak.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<()> {
    run::check(run::cargo(repo).args(["build", "--release", "-p", "postern"]))?;
    let yardsticks = Yardsticks::build(repo, &options.folder)?;
    let messages = options.messages.unwrap_or(MESSAGES);
    if answers(NOBODY) {
        bail!("somebody listens on port {NOBODY} of loopback");
    }
    let peer = Peer::Postern.start(repo, &yardsticks, &options.folder.join("peer"), NOBODY)?;
    let load = Load::new(&options.folder, &peer.domain)?;
    let before = peer.server.resident_mib();
    let cpu_before = peer.server.cpu_seconds();
    let started = Instant::now();
    load.send(peer.port, messages)?;
    let rate = f64::from(messages) / started.elapsed().as_secs_f64();
    let cpu = (peer.server.cpu_seconds() - cpu_before) * 1000.0 / f64::from(messages);
    // Retries are being scheduled: what stays is what counts.
    sleep(Duration::from_secs(5));
    let after = peer.server.resident_mib();
    let peak = peer.server.peak_mib().unwrap_or(after);
    drop(peer);
    let text = format!(
        "| queued | accepted/s | CPU s per 1,000 | MiB before | MiB with all queued | peak MiB |\n\
         |---|---|---|---|---|---|\n\
         | {messages} | {rate:.0} | {cpu:.2} | {before:.0} | {after:.0} | {peak:.0} |\n\n\
         4 KiB that do not compress, 50 sessions, next hop refuses connections. {}; {}.\n\n\
         Goal: below {AIM:.0} MiB: {}.",
        machine::line(&options.folder)?,
        machine::commit(repo),
        if after < AIM { "met" } else { "MISSED" },
    );
    println!("\n{text}");
    std::fs::remove_dir_all(&options.folder)?;
    if options.write {
        table::write(repo, "backlog", &text)?;
    }
    Ok(())
}
