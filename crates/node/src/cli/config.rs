//! `postern config`: checks and shows settings without starting anything.

use crate::config::check::{self, Finding, Level};
use crate::config::{Flags, Source, build, reference};
use std::path::PathBuf;

#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Validate a settings file and everything it names, and start nothing.
    Check {
        /// The settings file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the effective settings, each with the place it comes from. Secrets are hidden.
    Show(Box<Show>),
    /// Print a settings file with every key in a comment.
    Template,
    /// Print docs/configuration.md.
    Reference,
}

#[derive(clap::Args, Debug)]
pub(super) struct Show {
    /// The settings file. Without it, what the environment and the flags say.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// Checks, shows, prints.
///
/// # Errors
/// When a file cannot be read, or something in it is wrong.
pub(super) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Check { file } => checked(Source { file: Some(file), flags: Flags::default() }),
        Command::Show(show) => {
            let values = Source { file: show.file, flags: show.flags }.read()?;
            say(&reference::effective(&values));
            build::settings(&values).map(drop)
        }
        Command::Template => {
            say(&reference::template());
            Ok(())
        }
        Command::Reference => {
            say(&reference::page());
            Ok(())
        }
    }
}

fn checked(source: Source) -> anyhow::Result<()> {
    let (values, problems) = source.look()?;
    let mut found: Vec<Finding> = problems.into_iter().map(|what| Finding { level: Level::Wrong, what }).collect();
    if found.is_empty() {
        found = check::all(&values, source.file.as_deref());
    }
    say(&found.iter().map(|one| format!("{:<8} {}\n", one.level.word(), one.what)).collect::<String>());
    match found.iter().filter(|one| one.level == Level::Wrong).count() {
        0 => Ok(()),
        1 => anyhow::bail!("one thing is wrong; nothing was started"),
        wrong => anyhow::bail!("{wrong} things are wrong; nothing was started"),
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn say(text: &str) {
    println!("{}", text.trim_end());
}
