//! Temporary PostgreSQL clusters for a whole run of the tests.
//!
//! They are `testkit`'s: its program holds one until its input ends, so a cluster ends with this process, however that
//! ends. xtask itself knows nothing of servers.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::repo::Repo;
use crate::run;

const PROGRAM: &str = "testkit-postgres";

/// The majors that the tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Major {
    Fifteen,
    Newer,
}

/// A running cluster; gone when dropped.
pub(crate) struct Cluster {
    holder: Child,
    url: String,
}

impl Cluster {
    /// Starts one that many test processes share.
    pub(crate) fn start(repo: &Repo, major: Major) -> Result<Self> {
        Self::held(repo, major, &[])
    }

    /// Starts one as it would serve: every commit is flushed.
    pub(crate) fn flushing(repo: &Repo) -> Result<Self> {
        Self::held(repo, Major::Fifteen, &["flushed", "shared_buffers=1GB", "max_wal_size=4GB"])
    }

    /// An empty database; its URL.
    pub(crate) fn make(&self, name: &str) -> Result<String> {
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        run::check(run::command("psql").args(["--quiet", "--command", &create, self.url.trim_end()]))?;
        let (server, _) = self.url.trim_end().rsplit_once('/').context("a URL names a database")?;
        Ok(format!("{server}/{name}"))
    }

    /// Builds the program that holds a cluster, and starts one.
    fn held(repo: &Repo, major: Major, settings: &[&str]) -> Result<Self> {
        let mut command = Command::new(run::testkit(repo, PROGRAM)?);
        command.arg(match major {
            Major::Fifteen => "fifteen",
            Major::Newer => "newer",
        });
        command.args(settings);
        command.env("POSTERN_TOOLS", repo.path(crate::setup::TOOLS));
        let holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut cluster = Self { holder: holder.context("a PostgreSQL cannot be started")?, url: String::new() };
        let output = cluster.holder.stdout.take().context("a cluster without output")?;
        BufReader::new(output).read_line(&mut cluster.url).context("a PostgreSQL that says nothing")?;
        if !cluster.url.starts_with("postgres://") {
            bail!("a PostgreSQL for the tests did not start; run cargo xtask setup");
        }
        Ok(cluster)
    }

    /// Lets a command's tests find it.
    pub(crate) fn give_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("POSTERN_TEST_POSTGRES", self.url.trim_end())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        if self.holder.wait().is_err() {
            eprintln!("a temporary PostgreSQL may have been left running");
        }
    }
}
