//! What nodes do with names from time to time: look for their records, order their certificates. One node at a time:
//! whoever takes a name in hand moves its due moment on, so that a node that dies with it leaves it to another.

use super::*;
use std::time::Duration;

/// A name whose record is to be looked for.
#[derive(Clone, Debug)]
pub struct HostToLook {
    /// Its id.
    pub id: HostId,
    /// Whose.
    pub controller: ControllerId,
    /// A-labels in small letters.
    pub name: String,
    /// What its record must say.
    pub token: String,
    /// Since when it is missing.
    pub missing: Option<Timestamp>,
    due: Timestamp,
}

/// A name for which a certificate is to be ordered.
#[derive(Clone, Debug)]
pub struct HostToOrder {
    /// Its id.
    pub id: HostId,
    /// Whose.
    pub controller: ControllerId,
    /// A-labels in small letters.
    pub name: String,
    /// Orders that failed since the last certificate.
    pub failures: u32,
    due: Timestamp,
}

/// What a look into DNS found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Looked<'t> {
    /// The record is there. What could not be ordered is tried again after so long at the latest.
    Seen {
        /// That long.
        order_within: Duration,
    },
    /// It is not; in words.
    Missing(&'t str),
    /// DNS did not answer; in words.
    Unknown(&'t str),
    /// It has been missing for too long; in words.
    Lapsed(&'t str),
}

/// A certificate that was issued.
#[derive(Clone, Copy)]
pub struct NewCertificate<'c> {
    /// From when it holds.
    pub starts: Timestamp,
    /// Until when.
    pub ends: Timestamp,
    /// When its successor is to be ordered.
    pub renew: Timestamp,
    /// It and those that lead to its authority, as PEM.
    pub chain: &'c [u8],
    /// Its key, as PEM.
    pub key: &'c [u8],
}

impl Store {
    /// The name is his: its record was found. False when it is in force already, for him or for another.
    ///
    /// # Errors
    /// [`Error::Exists`] when another was quicker; those of the engine.
    pub async fn verify_host(&self, controller: ControllerId, id: HostId, look_again: Duration) -> Result<bool> {
        let now = self.now();
        let values = vec![controller.0.into(), id.0.into(), now.into(), now.plus(look_again).into()];
        let step = Step::new(&sql::HOST_VERIFY, values);
        let verified = self.act(EventType::HostChanged, writes(controller, id, "verified", step)).await?;
        self.refresh_hosts().await?;
        Ok(verified)
    }

    /// Forgets names that have been retired for so long, and those that somebody else has proven meanwhile, of which
    /// their former controllers are told in the same commit.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn forget_hosts(&self, retired_for: Duration, limit: usize) -> Result<()> {
        let since = self.now().micros().saturating_sub(i64::try_from(retired_for.as_micros()).unwrap_or(i64::MAX));
        let values = vec![since.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
        let rows = self.found(&sql::HOSTS_OVER, values).await?;
        let some = !rows.is_empty();
        for mut row in rows {
            let (id, controller, name) = (HostId(row.number()?), ControllerId(row.number()?), row.text()?);
            let (retired, is_of_another) = (row.moment()?, row.number()? > 0);
            let values = vec![controller.0.into(), id.0.into(), retired.into()];
            let word = if is_of_another { "taken" } else { "forgotten" };
            let mut writes = writes(controller, id, word, Step::new(&sql::HOST_FORGET, values));
            if is_of_another {
                let text = format!("{name}: another controller proved by DNS that the name is his");
                writes.steps.push(self.told(controller, "host-taken", id.0, &text)?);
            }
            self.act(EventType::HostChanged, writes).await?;
        }
        if some { self.refresh_hosts().await } else { Ok(()) }
    }

    /// Names in force whose record is to be looked for by now.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn hosts_to_look(&self, limit: usize) -> Result<Vec<HostToLook>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.found(&sql::HOSTS_DUE, vec![self.now().into(), limit.into()]).await?;
        let read = |mut row: Columns| {
            Ok(HostToLook {
                id: HostId(row.number()?),
                controller: ControllerId(row.number()?),
                name: row.text()?,
                token: row.text()?,
                missing: row.moment_if_any()?,
                due: row.moment()?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Takes a look in hand. False when another node has.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn begin_look(&self, host: &HostToLook, lease: Duration) -> Result<bool> {
        let values = vec![host.controller.0.into(), host.id.0.into(), host.due.into(), self.now().plus(lease).into()];
        self.note(host.controller, host.id, Step::new(&sql::HOST_LOOK, values)).await
    }

    /// Records what a look found, and when the next one is due.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn looked(
        &self,
        controller: ControllerId,
        id: HostId,
        looked: Looked<'_>,
        look_again: Duration,
    ) -> Result<()> {
        let (now, (owner, host)) = (self.now(), (controller.0.into(), id.0.into()));
        let due = now.plus(look_again);
        match looked {
            Looked::Seen { order_within } => {
                let values = vec![owner, host, now.into(), due.into(), now.plus(order_within).into()];
                self.note(controller, id, Step::new(&sql::HOST_SEEN, values)).await?;
            }
            Looked::Missing(fault) => {
                let values = vec![owner, host, now.into(), due.into(), fault.into()];
                self.note(controller, id, Step::new(&sql::HOST_MISSED, values)).await?;
            }
            Looked::Unknown(fault) => {
                let values = vec![owner, host, due.into(), fault.into()];
                self.note(controller, id, Step::new(&sql::HOST_UNKNOWN, values)).await?;
            }
            Looked::Lapsed(fault) => {
                let step = Step::new(&sql::HOST_LAPSE, vec![owner, host, now.into(), fault.into()]);
                self.act(EventType::HostChanged, writes(controller, id, "lapsed", step)).await?;
                self.refresh_hosts().await?;
            }
        }
        Ok(())
    }

    /// Names that are served and for which a certificate is to be ordered by now.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn hosts_to_order(&self, limit: usize) -> Result<Vec<HostToOrder>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.found(&sql::HOST_ORDERS_DUE, vec![self.now().into(), limit.into()]).await?;
        let read = |mut row: Columns| {
            Ok(HostToOrder {
                id: HostId(row.number()?),
                controller: ControllerId(row.number()?),
                name: row.text()?,
                failures: u32::try_from(row.number()?).unwrap_or(u32::MAX),
                due: row.moment()?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Takes an order in hand. False when another node has.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn begin_order(&self, host: &HostToOrder, lease: Duration) -> Result<bool> {
        let values = vec![host.controller.0.into(), host.id.0.into(), host.due.into(), self.now().plus(lease).into()];
        self.note(host.controller, host.id, Step::new(&sql::HOST_ORDER, values)).await
    }

    /// What the authority will ask for on the name, and what every node answers then. False when it is not served.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn keep_challenge(&self, host: &HostToOrder, token: &str, answer: &str) -> Result<bool> {
        let values = vec![host.controller.0.into(), host.id.0.into(), token.into(), answer.into()];
        self.note(host.controller, host.id, Step::new(&sql::HOST_CHALLENGE, values)).await
    }

    /// A certificate was issued. False when the name is not served any more: then it is not kept.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn certify_host(&self, host: &HostToOrder, new: &NewCertificate<'_>) -> Result<bool> {
        let sealed = self.vault.seal_for_controller(host.controller.0, KEY, new.key)?;
        let values = vec![
            host.controller.0.into(),
            host.id.0.into(),
            new.starts.into(),
            new.ends.into(),
            new.chain.to_vec().into(),
            sealed.into(),
            new.renew.into(),
        ];
        let step = Step::new(&sql::HOST_CERTIFIED, values);
        let mut writes = writes(host.controller, host.id, "certified", step);
        writes.detail = crypto::sha256_of_fields(&[b"certified", &host.id.0.to_be_bytes(), new.chain]);
        let kept = self.act(EventType::HostChanged, writes).await?;
        self.refresh_hosts().await?;
        Ok(kept)
    }

    /// No certificate was issued; in words.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn order_failed(&self, host: &HostToOrder, fault: &str, wait: Duration) -> Result<()> {
        let values = vec![host.controller.0.into(), host.id.0.into(), fault.into(), self.now().plus(wait).into()];
        self.note(host.controller, host.id, Step::new(&sql::HOST_NOT_CERTIFIED, values)).await.map(drop)
    }
}
