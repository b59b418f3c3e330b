//! A server under measurement: its process tree's CPU time and memory, read from /proc, and its end.
//!
//! CPU time counts the children that have ended, as far as their parent has waited for them; all peers' parents do.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::run;

/// A running server; it is ended when this value goes.
pub(crate) struct Server {
    child: Child,
    /// Runs before the signal, for a server that has a command of its own to stop it.
    stop: Option<Command>,
}

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

impl Server {
    /// Starts it with standard error into the log, a file.
    pub(crate) fn start(command: &mut Command, log: &std::path::Path) -> Result<Self> {
        let log = fs::File::create(log).context("the server's log cannot be made")?;
        let output = log.try_clone()?;
        let child = command.stdin(Stdio::null()).stdout(output).stderr(log).spawn();
        let child = child.with_context(|| format!("{} cannot be started", command.get_program().to_string_lossy()))?;
        Ok(Self { child, stop: None })
    }

    pub(super) fn stopped_by(mut self, stop: Command) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Waits until `ready`, or says that the server ended or took too long.
    pub(crate) fn until(&mut self, what: &str, mut ready: impl FnMut() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status} before {what}");
            }
            if started.elapsed() > PATIENCE {
                bail!("the server did not reach {what} within {} s", PATIENCE.as_secs());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Ends it without a chance to tell anybody (SIGKILL).
    pub(super) fn kill9(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// CPU seconds of the tree so far.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let ticks: u64 = self.tree().iter().filter_map(|pid| Stat::of(*pid)).map(|stat| stat.ticks).sum();
        // USER_HZ is 100 on every Linux that Rust runs on.
        seconds(ticks)
    }

    /// MiB in use now: proportional for a tree, so that shared pages count once.
    pub(super) fn resident_mib(&self) -> f64 {
        let tree = self.tree();
        let kib: u64 = match tree.as_slice() {
            [pid] => field(*pid, "status", "VmRSS:"),
            many => many.iter().map(|pid| field(*pid, "smaps_rollup", "Pss:")).sum(),
        };
        mib(kib)
    }

    /// The most MiB ever in use, where the kernel keeps it: for a server of a single process.
    pub(super) fn peak_mib(&self) -> Option<f64> {
        match self.tree().as_slice() {
            [pid] => Some(mib(field(*pid, "status", "VmHWM:"))),
            _ => None,
        }
    }

    fn tree(&self) -> Vec<u32> {
        let all: Vec<(u32, u32)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, Stat::of(pid)?.parent)))
            .collect();
        let mut tree = vec![self.child.id()];
        let mut next = 0;
        while let Some(parent) = tree.get(next).copied() {
            tree.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        tree
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        if let Some(stop) = &mut self.stop {
            let _ = stop.output();
        } else {
            let _ = run::command("kill").args(["-TERM", &pid]).output();
        }
        let started = Instant::now();
        while started.elapsed() < PATIENCE / 2 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        eprintln!("bench: process {pid} did not end by itself and is killed");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most MiB that a process of ours ever had in use; 0 when it is gone.
pub(super) fn peak_mib_of(pid: u32) -> f64 {
    mib(field(pid, "status", "VmHWM:"))
}

/// CPU seconds of a process of ours so far, and of its children; 0 when it is gone.
pub(super) fn cpu_seconds_of(pid: u32) -> f64 {
    Stat::of(pid).map_or(0.0, |stat| seconds(stat.ticks))
}

/// What /proc/PID/stat says.
struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program, in brackets, may hold blanks and brackets: fields are counted after the last one.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        // utime, stime, and the same of the children that were waited for.
        let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        Some(Self { parent: fields.get(1)?.parse().ok()?, ticks })
    }
}

/// A field in KiB of a file of /proc/PID, 0 when it is not there.
fn field(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a benchmark are far below 2^52")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "KiB of a process are far below 2^52")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_measured_with_its_children_and_ended() -> Result<()> {
        let log = std::env::temp_dir().join(format!("xtask-process-{}", std::process::id()));
        let mut shell = Command::new("sh");
        // Ended children leave their time with the parent that waits for them.
        let busy = "sh -c 'i=0; while [ $i -lt 2000000 ]; do i=$((i+1)); done'";
        shell.args(["-c", &format!("{busy}; echo ready; exec tail -f /dev/null")]);
        let mut server = Server::start(&mut shell, &log)?;
        let file = log.clone();
        server.until("its line", || fs::read_to_string(&file).is_ok_and(|text| text.contains("ready")))?;
        assert!(server.cpu_seconds() > 0.05, "{}", server.cpu_seconds());
        assert!(server.resident_mib() > 0.1);
        let pid = server.child.id();
        drop(server);
        fs::remove_file(log)?;
        assert!(Stat::of(pid).is_none());
        Ok(())
    }

    #[test]
    fn a_server_that_ends_early_is_an_error() -> Result<()> {
        let log = std::env::temp_dir().join(format!("xtask-early-{}", std::process::id()));
        let mut server = Server::start(&mut Command::new("false"), &log)?;
        assert!(server.until("anything", || false).is_err());
        fs::remove_file(log)?;
        Ok(())
    }
}
