//! `cargo xtask bench`: what Postern costs, beside a yardstick and a stock Postfix, on this machine and now.
//!
//! All peers run alone, one after the other and in turns, with the same loader, sink, disk and bodies (4 KiB that do
//! not compress). Absolute figures drift with the machine; ratios inside one run are what counts.

mod backlog;
mod decisions;
mod fanout;
mod ground;
mod import;
mod ledger;
mod load;
mod machine;
mod nodes;
mod peers;
mod process;
mod sink;
mod sites;
mod smtp;
mod table;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

pub(crate) use peers::free_ports;
pub(crate) use process::Server;

use crate::repo::Repo;

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    messages: Option<u32>,
    runs: u32,
    postfix: bool,
    postern: bool,
    /// Also, or for some benchmarks only, on PostgreSQL.
    postgres: bool,
    write: bool,
    /// Queues and logs lie below it: it has to be on a real disk, and every account has to be able to enter it.
    folder: PathBuf,
}

/// Runs one benchmark.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let Some((which, rest)) = arguments.split_first() else {
        bail!("bench needs a name: smtp, backlog, nodes, fanout, ledger, import or decisions");
    };
    let options = Options::parse(rest)?;
    match which.as_str() {
        "smtp" => smtp::run(repo, &options),
        "backlog" => backlog::run(repo, &options),
        "nodes" => nodes::run(repo, &options),
        "fanout" => fanout::run(repo, &options),
        "ledger" => ledger::run(repo, &options),
        "import" => import::run(repo, &options),
        "decisions" => decisions::run(repo, &options),
        other => bail!("no benchmark {other:?}; there are smtp, backlog, nodes, fanout, ledger, import and decisions"),
    }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let folder = PathBuf::from(format!("/var/tmp/postern-bench-{}", std::process::id()));
        let mut options =
            Self { messages: None, runs: 3, postfix: true, postern: true, postgres: false, write: false, folder };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--messages" => options.messages = Some(count(value()?)?),
                "--runs" => options.runs = count(value()?)?,
                "--dir" => options.folder = PathBuf::from(value()?).join("postern-bench"),
                "--no-postfix" => options.postfix = false,
                "--no-postern" => options.postern = false,
                "--store" => match value()?.as_str() {
                    "sqlite" => options.postgres = false,
                    "postgres" => options.postgres = true,
                    other => bail!("--store is sqlite or postgres, not {other:?}"),
                },
                "--write" => options.write = true,
                other => bail!("unknown argument {other:?}"),
            }
        }
        Ok(options)
    }
}

fn count(text: &str) -> Result<u32> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => bail!("{text:?} is not a count of at least 1"),
    }
}
