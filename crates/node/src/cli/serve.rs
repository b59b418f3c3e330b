//! The arguments of `postern serve`: a settings file, and every key as a flag.

use crate::config::{Flags, Source, build};
use crate::reload::Live;
use crate::telling::Telling;
use std::path::PathBuf;

/// The arguments of `postern serve`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Arguments {
    /// The settings file, as TOML. What flags and the environment say stands before it.
    #[arg(long, value_name = "FILE", env = "POSTERN_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Write addresses there as JSON, once everything listens.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print and log nothing, unless POSTERN_LOG or the settings say what to log; only a failure to start or to stop
    /// is told.
    #[arg(long)]
    pub(super) quiet: bool,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the settings do not go together, or something cannot be opened.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let telling = Telling { json: arguments.json, quiet: arguments.quiet };
    let source = Source { file: arguments.config, flags: arguments.flags };
    let values = source.read()?;
    let settings = build::settings(&values)?;
    let live = Live::new(source, values);
    live.begin()?;
    crate::serve::run(settings, live, &telling).await
}
