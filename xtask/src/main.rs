//! `cargo xtask`: the one command a developer and CI need.
//!
//! Every check of the house is a function here, run both by `cargo xtask test` and by this package's own tests.
//! It never writes outside the repository, but for Debian packages (`setup`, as root) and a bench folder.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]
#![expect(clippy::disallowed_methods, reason = "a tool reads the clock and environment itself; nothing is injected")]

mod bench;
mod citations;
mod deny;
mod http;
mod keep;
mod package;
mod postgres;
mod repo;
mod run;
mod setup;
mod stage;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::repo::Repo;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        bail!("no command given\n{USAGE}");
    };
    let repo = Repo::find()?;
    match command.as_str() {
        "setup" => setup::run(&repo),
        "test" => stage::run(&repo, rest),
        "tidy" => tidy::run(&repo),
        "deny" => deny::run(&repo),
        "citations" => citations::run(&repo, rest),
        "package" => package::run(&repo, rest),
        "keep" => keep::run(&repo, rest),
        "bench" => bench::run(&repo, rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown command {other:?}\n{USAGE}"),
    }
}

const USAGE: &str = "\
cargo xtask setup                               install what the tests need
cargo xtask test [--long] [--only STAGE]        every stage, with a table at the end
cargo xtask tidy                                walls, nevers, sizes and words
cargo xtask deny                                banned crates, licences, sources
cargo xtask citations [--check]                 write (or check) docs/citations.md
cargo xtask package [--binary F] [--to DIR]     a Debian package of the release build, in target/package
cargo xtask keep NAME --binary F                a data folder of a release, for the test of upgrades
cargo xtask bench smtp [--store postgres] [--messages N] [--runs K] [--no-postfix] [--no-postern] [--dir D] [--write]
cargo xtask bench nodes|ledger|import [--messages N] [--runs K] [--dir D] [--write]
cargo xtask bench backlog [--messages N] [--dir D] [--write]";
