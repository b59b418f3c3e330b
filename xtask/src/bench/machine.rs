//! What the figures were measured on: the machine, its disk at that moment, and the commit.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::repo::Repo;
use crate::run;

/// One line about the machine, with the time of a small sync in `folder` now.
pub(super) fn line(folder: &Path) -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = value(&cpu, "model name").unwrap_or("an unknown processor").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux").trim_matches('"');
    let sync = sync_milliseconds(folder)?;
    let gib = kib / 1024 / 1024;
    let kernel = kernel.trim();
    Ok(format!("{model}, {cores} cores, {gib} GiB, {name}, Linux {kernel}, sync of 4 KiB {sync:.2} ms (median)"))
}

/// The commit, and whether the work tree differs from it.
pub(super) fn commit(repo: &Repo) -> String {
    let git = |arguments: &[&str]| run::output(run::command("git").arg("-C").arg(repo.path(".")).args(arguments));
    let Ok(head) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "no commit yet".to_owned();
    };
    let changed = git(&["status", "--porcelain"]).is_ok_and(|text| !text.trim().is_empty());
    format!("commit {}{}", head.trim(), if changed { " with changes" } else { "" })
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim())
}

fn sync_milliseconds(folder: &Path) -> Result<f64> {
    let path = folder.join("sync-probe");
    let mut file = fs::File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..51 {
        let started = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        took.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    fs::remove_file(path)?;
    took.sort_by(f64::total_cmp);
    Ok(took.get(25).copied().unwrap_or_default())
}
