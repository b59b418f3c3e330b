//! The command line. Errors are one sentence and its causes, on standard error, with exit code 1.

mod agreement;
mod ask;
mod backup;
mod check;
mod config;
mod consent;
mod credential;
mod domain;
mod egress;
mod house;
mod import;
mod key;
mod ledger;
mod messages;
mod nodes;
mod queue;
mod return_path;
mod said;
mod sendmail;
mod serve;
mod sites;
mod store;
mod suppressions;
mod why;

use crate::{demo, log, quickstart};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// It is not known whether the last commit took place; start again to recover.
pub const EXIT_POISONED: i32 = 75;

/// Postern: email delivery that is a data processor by construction.
#[derive(clap::Parser, Debug)]
#[command(name = "postern", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Run a whole node on loopback, with a sample controller and a mailbox to look into.
    Demo(Box<demo::Arguments>),
    /// From nothing to a node that may send: settings, operator, first controller, keys and a credential.
    Quickstart(Box<quickstart::Arguments>),
    /// Run a node, alone or one of several on a shared store.
    Serve(Box<serve::Arguments>),
    /// Check or show the settings of a node, without starting it.
    #[command(subcommand)]
    Config(config::Command),
    /// Look at what receivers look at, and at what runs out: names, SPF, DKIM, DMARC, certificates, disk, clock.
    Check(Box<check::Arguments>),
    /// Show the nodes that share a store, and who holds what of it.
    Nodes(nodes::Arguments),
    /// Show the sites that mail goes to and what they bear, or order limits for one while nodes run.
    #[command(subcommand)]
    Sites(sites::Command),
    /// Show the addresses that mail leaves from, or let a controller's mail go by another pool of them while nodes run.
    #[command(subcommand)]
    Egress(egress::Command),
    /// Take a file of contacts in, each with where it came from, or take an import back.
    Import(Box<import::Arguments>),
    /// Read, sign, suspend or end a controller's agreement, for the operator.
    Agreement(Box<agreement::Arguments>),
    /// Show what waits and why, beside a running node; hold, release, retry or purge it.
    Queue(Box<queue::Arguments>),
    /// Show where a message stands and what happened to it.
    #[command(subcommand)]
    Messages(messages::Command),
    /// Hand a message over as /usr/sbin/sendmail does, for cron, PHP, git and others.
    Sendmail(sendmail::Arguments),
    /// Ask a node why a message went or did not go, or how a person stands.
    Why(why::Arguments),
    /// Hand over the evidence of a person's consent as one file, or check such a file.
    #[command(subcommand)]
    Consent(consent::Command),
    /// Make, list or revoke credentials of a controller's systems.
    #[command(subcommand)]
    Credential(credential::Command),
    /// Show what a domain says of its transport security, and what this node demands of connections to it.
    #[command(subcommand)]
    Domain(domain::Command),
    /// Read or change a controller's suppression list, or move it as a file.
    #[command(subcommand)]
    Suppressions(suppressions::Command),
    /// Keep a store on SQLite, beside the node that serves it: two files, in two places.
    Backup(backup::BackupArguments),
    /// Put a backup back into a new folder, and make up for what people decided since.
    Restore(backup::RestoreArguments),
    /// Put keys in the place of others, while no node serves.
    #[command(subcommand)]
    Key(key::Command),
    /// Name where failures of a domain's mail return to, once DNS leads it to this platform.
    ReturnPath(return_path::Arguments),
    /// Check, prove, copy or rebuild a controller's ledger.
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Work on a store that no node uses.
    #[command(subcommand)]
    Store(store::Command),
}

impl Arguments {
    /// The words of the command line. A program that is called `sendmail` is that command, whatever it is a link to.
    #[must_use]
    pub fn of(words: impl Iterator<Item = OsString>) -> Self {
        use clap::Parser as _;
        let mut words: Vec<OsString> = words.collect();
        let called = words.first().map(Path::new).and_then(Path::file_name);
        if called.is_some_and(|name| name == "sendmail") {
            words.insert(1, "sendmail".into());
        }
        Self::parse_from(words)
    }
}

/// Runs a command to its end.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    log::start(match &arguments.command {
        Command::Demo(demo) if demo.quiet => log::Default::Silent,
        Command::Serve(serve) if serve.quiet => log::Default::Silent,
        Command::Demo(_) | Command::Serve(_) => log::Default::Usual,
        Command::Agreement(_)
        | Command::Backup(_)
        | Command::Check(_)
        | Command::Restore(_)
        | Command::Config(_)
        | Command::Quickstart(_)
        | Command::Import(_)
        | Command::Nodes(_)
        | Command::Sites(_)
        | Command::Egress(_)
        | Command::ReturnPath(_)
        | Command::Queue(_)
        | Command::Messages(_)
        | Command::Sendmail(_)
        | Command::Why(_)
        | Command::Key(_)
        | Command::Ledger(_)
        | Command::Consent(_)
        | Command::Credential(_)
        | Command::Domain(_)
        | Command::Suppressions(_)
        | Command::Store(_) => log::Default::Quiet,
    });
    let outcome = runtime().and_then(|runtime| {
        runtime.block_on(async {
            let done = match arguments.command {
                // Their answers have more than two sides.
                Command::Consent(command) => return consent::run(command).await,
                Command::Check(arguments) => return Ok(check::run(*arguments).await),
                Command::Demo(arguments) => demo::run(*arguments).await,
                Command::Serve(arguments) => serve::run(*arguments).await,
                Command::Quickstart(arguments) => quickstart::run(*arguments).await,
                Command::Config(command) => config::run(command),
                Command::Import(arguments) => import::run(*arguments).await,
                Command::Agreement(arguments) => agreement::run(*arguments).await,
                Command::Backup(arguments) => backup::run_backup(arguments).await,
                Command::Restore(arguments) => backup::run_restore(arguments).await,
                Command::Credential(command) => credential::run(command).await,
                Command::Domain(command) => domain::run(command).await,
                Command::Suppressions(command) => suppressions::run(command).await,
                Command::Nodes(arguments) => nodes::run(arguments).await,
                Command::Sites(command) => sites::run(command).await,
                Command::Egress(command) => egress::run(command).await,
                Command::ReturnPath(arguments) => return_path::run(arguments).await,
                Command::Queue(arguments) => queue::run(*arguments).await,
                Command::Messages(command) => messages::run(command).await,
                Command::Sendmail(arguments) => sendmail::run(arguments).await,
                Command::Why(arguments) => why::run(arguments).await,
                Command::Key(command) => key::run(command).await,
                Command::Ledger(command) => ledger::run(command).await,
                Command::Store(command) => store::run(command).await,
            };
            done.map(|()| ExitCode::SUCCESS)
        })
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            let coded = error.downcast_ref::<sendmail::NotSent>();
            coded.map_or(ExitCode::FAILURE, |not_sent| ExitCode::from(not_sent.code))
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("postern").build()?)
}

#[expect(clippy::print_stderr, reason = "the one place where a failed command says why")]
fn complain(error: &anyhow::Error) {
    eprintln!("postern: {error:#}");
}
