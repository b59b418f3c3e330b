//! Logs: to standard error, filtered by `POSTERN_LOG`. No line holds personal data (never 8).

use tracing_subscriber::EnvFilter;

/// How much is said when `POSTERN_LOG` is not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Default {
    /// Nothing: whoever asked for quiet gets it. A command that fails still says why.
    Silent,
    /// Warnings and errors.
    Quiet,
    /// What an operator wants to see.
    Usual,
}

/// Starts logging; a second call does nothing.
pub fn start(default: Default) {
    let words = match default {
        Default::Silent => "off",
        Default::Quiet => "warn",
        Default::Usual => "info",
    };
    let filter = EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new(words));
    let started = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    drop(started);
}
