//! What a node tells once everything listens: a file for programs, text for people.

use crate::files;
use serde_json::Value;
use std::path::PathBuf;

/// Whom a node tells, and what.
#[derive(Clone, Debug)]
pub struct Telling {
    /// The file for programs, readable by its owner alone.
    pub json: Option<PathBuf>,
    /// Nothing is printed.
    pub quiet: bool,
}

impl Telling {
    /// Whoever waits for the file must not read the one of an earlier start.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn forget(&self) -> anyhow::Result<()> {
        self.json.as_deref().map_or(Ok(()), files::remove)
    }

    /// Tells where everything is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn tell(&self, described: &Value, text: impl FnOnce(&Value) -> String) -> anyhow::Result<()> {
        if let Some(file) = &self.json {
            files::replace(file, &serde_json::to_vec_pretty(described)?)?;
        }
        self.print(|| text(described));
        Ok(())
    }

    /// The node was asked to end.
    pub fn stopping(&self) {
        self.print(|| "stopping: letting what is under way end".to_owned());
    }

    #[expect(clippy::print_stdout, reason = "this is what the command is for")]
    fn print(&self, text: impl FnOnce() -> String) {
        if !self.quiet {
            println!("{}", text());
        }
    }
}
