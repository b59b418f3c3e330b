//! Logs: to standard error, filtered by `POSTERN_LOG` or the settings. No line holds personal data (never 8).

use anyhow::Context as _;
use std::sync::OnceLock;
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

/// Puts another filter in the place of the one in force.
type Change = Box<dyn Fn(EnvFilter) + Send + Sync>;

static CHANGE: OnceLock<Change> = OnceLock::new();

/// Starts logging; a second call does nothing.
pub fn start(default: Default) {
    let words = match default {
        Default::Silent => "off",
        Default::Quiet => "warn",
        Default::Usual => "info",
    };
    let filter = EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new(words));
    let built = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_filter_reloading();
    let handle = built.reload_handle();
    if built.try_init().is_ok() {
        // It fails only when logging has ended.
        drop(CHANGE.set(Box::new(move |filter| drop(handle.reload(filter)))));
    }
}

/// A filter as it is written.
///
/// # Errors
/// When it is none.
pub(crate) fn filter(text: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(text).with_context(|| format!("{text:?} is no filter, such as info or mta=debug,warn"))
}

/// Logs by another filter from now on.
pub(crate) fn set(filter: EnvFilter) {
    if let Some(change) = CHANGE.get() {
        change(filter);
    }
}
