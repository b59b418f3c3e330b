//! Where the values of a node come from, so that they can be read again.

use super::values::{Values, environment};
use super::{Flags, file};
use std::path::PathBuf;

/// A file, the environment and the command line.
#[derive(Clone, Default, Debug)]
pub(crate) struct Source {
    /// The file, if one is named.
    pub(crate) file: Option<PathBuf>,
    /// The command line.
    pub(crate) flags: Flags,
}

impl Source {
    /// The effective values, with everything that is wrong with them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn look(&self) -> anyhow::Result<(Values, Vec<String>)> {
        let (layer, mut problems) = match &self.file {
            Some(path) => file::read(path)?,
            None => Default::default(),
        };
        let (values, faults) = Values::of(vec![layer, environment(variable), self.flags.0.clone()]);
        problems.extend(faults);
        Ok((values, problems))
    }

    /// The effective values.
    ///
    /// # Errors
    /// When anything is wrong with them: all of it, with its places.
    pub(crate) fn read(&self) -> anyhow::Result<Values> {
        let (values, problems) = self.look()?;
        if problems.is_empty() { Ok(values) } else { anyhow::bail!(problems.join("; ")) }
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is read by node alone, here")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
