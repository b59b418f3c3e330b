//! The far end for nodes among many sites: slow ones, by testkit's program, which is asked over its own input.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::run;

const PROGRAM: &str = "testkit-sites";

/// Running sites; gone when dropped.
pub(super) struct Sites {
    program: Child,
    asking: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Address of the DNS server that names them.
    pub(super) dns: String,
    /// The port of all their exchangers.
    pub(super) mx_port: String,
}

/// What has come so far.
pub(super) struct Seen {
    pub(super) taken: u32,
    /// Connections open now.
    pub(super) open: u32,
    /// By site, how the sender of its last message called itself.
    pub(super) last: BTreeMap<String, String>,
}

impl Sites {
    /// Starts so many sites that wait so many milliseconds before each reply.
    pub(super) fn start(repo: &Repo, sites: u32, delay: u32) -> Result<Self> {
        let program = run::testkit(repo, PROGRAM)?;
        let mut command = run::command(program);
        command.args([sites.to_string(), delay.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().context("the sites cannot be started")?;
        let asking = program.stdin.take();
        let mut answers = BufReader::new(program.stdout.take().context("sites without output")?);
        let mut first = String::new();
        answers.read_line(&mut first)?;
        let (dns, mx_port) = first.trim().split_once(' ').context("the sites do not say where they are")?;
        let (dns, mx_port) = (dns.to_owned(), mx_port.to_owned());
        Ok(Self { program, asking, answers, dns, mx_port })
    }

    /// Asks what has come.
    pub(super) fn look(&mut self) -> Result<Seen> {
        self.asking.as_mut().context("the sites are gone")?.write_all(b"\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let taken = words.next().and_then(|word| word.parse().ok()).context("the sites do not count")?;
        let open = words.next().and_then(|word| word.parse().ok()).context("the sites do not count")?;
        let last = words.filter_map(|word| word.split_once('=')).map(|(site, name)| (site.into(), name.into()));
        Ok(Seen { taken, open, last: last.collect() })
    }
}

impl Seen {
    /// The sites whose last message came from this sender.
    pub(super) fn of(&self, name: &str) -> Vec<String> {
        self.last.iter().filter(|(_, last)| *last == name).map(|(site, _)| site.clone()).collect()
    }
}

impl Drop for Sites {
    fn drop(&mut self) {
        drop(self.asking.take());
        let _ = self.program.wait();
    }
}
