//! SIGHUP: the settings are read again, and what can change while a node runs does.
//!
//! Invariants: everything is read and judged before anything changes; what is wrong changes nothing. The log names
//! keys, never their values.

use crate::certificates::Shown;
use crate::config::key::Reload;
use crate::config::{Source, Values, build, keys};
use crate::log;
use crate::running::Running;
use anyhow::Context as _;
use smtpd::Connections;
use std::path::Path;
use std::sync::Arc;

/// The values in force, and where they come from.
pub(crate) struct Live {
    source: Source,
    values: Values,
}

/// What can change while a node runs.
pub(crate) struct Changeable<'n> {
    pub(crate) data: &'n Path,
    pub(crate) certificate: &'n Shown,
    pub(crate) connections: &'n Arc<Connections>,
    pub(crate) running: &'n Running,
}

impl Live {
    pub(crate) const fn new(source: Source, values: Values) -> Self {
        Self { source, values }
    }

    /// What the settings say of logging holds from here; what had better be elsewhere is told.
    ///
    /// # Errors
    /// When it is no filter.
    pub(crate) fn begin(&self) -> anyhow::Result<()> {
        logging(&self.values)?;
        for secret in build::secrets_in_file(&self.values) {
            tracing::warn!("{secret}");
        }
        Ok(())
    }

    /// Reads everything again. Says in the log what became of it.
    pub(crate) fn again(&mut self, node: &Changeable<'_>) {
        match self.changed(node) {
            Ok(values) => {
                told(&values, &self.values);
                self.keep(values);
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the settings stay as they were: what was read is wrong");
            }
        }
    }

    /// What waits for a start is told again by every SIGHUP until then: it is compared with what the node runs on.
    fn keep(&mut self, values: Values) {
        self.values.take_over(values, |key| key.reload == Reload::Signal);
    }

    fn changed(&self, node: &Changeable<'_>) -> anyhow::Result<Values> {
        let values = self.source.read()?;
        let settings = build::settings(&values)?;
        if let Some(filter) = values.text(&keys::LOG) {
            log::filter(filter).with_context(|| values.name(&keys::LOG))?;
        }
        let certificate = settings.certificate.read(node.data)?;
        // From here on nothing fails.
        node.certificate.show(certificate);
        node.connections.rebound(settings.limits);
        node.running.reshape(settings.delivery.shaping, settings.delivery.sites);
        logging(&values)?;
        Ok(values)
    }
}

/// Which keys have changed, and when that holds.
fn told(values: &Values, before: &Values) {
    let changed = |when: Reload| {
        let keys = values.changed(before).filter(|key| key.reload == when).map(|key| key.name);
        keys.collect::<Vec<_>>().join(", ")
    };
    let (now, later) = (changed(Reload::Signal), changed(Reload::Restart));
    tracing::info!(changed = now, "the settings were read again, certificate and key with them");
    if !later.is_empty() {
        tracing::warn!(keys = later, "these settings have changed, and wait for the next start");
    }
}

/// Without a word about it, what the command and `POSTERN_LOG` said at the start stands.
fn logging(values: &Values) -> anyhow::Result<()> {
    match values.text(&keys::LOG) {
        Some(filter) if values.is_said(&keys::LOG) => {
            log::set(log::filter(filter).with_context(|| values.name(&keys::LOG))?);
            Ok(())
        }
        _ => Ok(()),
    }
}
