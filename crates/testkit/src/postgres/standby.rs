//! A standby of a cluster, and its promotion.
//!
//! The copy is made while the primary serves, by the low-level interface for backups: the same way for every major,
//! because the package of the newer one has no `pg_basebackup`.

use std::fs;
use std::sync::Arc;

use super::cluster::{Cluster, Place, SUPERUSER, claim, fail};
use super::server::{self, Outcome, off_the_runtime};
use crate::wait::{breathe, within};

/// What a commit on the primary waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// Until the standby has it.
    Synchronous,
    /// For nothing: the standby may lack it.
    Asynchronous,
}

impl Cluster {
    /// A standby that follows this cluster by a slot; `name` is the slot's and the standby's, in small letters.
    /// When this returns, it streams.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn standby(&self, name: &str, replication: Replication) -> Self {
        let (place, keeper) = claim(self.major, self.ground()).await;
        self.ask("postgres", &format!("VALUES (pg_create_physical_replication_slot('{name}', true))")).await;
        let label = self.copy_to(&place).await.unwrap_or_else(|error| fail(&error));
        let primary = format!("host=127.0.0.1 port={} user={SUPERUSER} application_name={name}", self.port());
        let mut settings = place.own_settings();
        settings.extend([("primary_conninfo", primary), ("primary_slot_name", name.to_owned())]);
        let made = Arc::clone(&place);
        off_the_runtime(move || become_standby(&made, &label, &settings).and_then(|()| made.start()))
            .await
            .unwrap_or_else(|error| fail(&error));
        if replication == Replication::Synchronous {
            self.set("synchronous_standby_names", &format!("ANY 1 ({name})")).await;
        }
        let state = match replication {
            Replication::Synchronous => "quorum",
            Replication::Asynchronous => "async",
        };
        self.wait_for_standby(name, state).await;
        Self::new(place, self.major, keeper)
    }

    /// Makes a standby take writes; its commits wait for nobody.
    ///
    /// # Panics
    /// When it does not.
    pub async fn promote(&self) {
        self.control(&["promote", "-w"]).await;
        self.ask("postgres", "ALTER SYSTEM RESET synchronous_standby_names").await;
        self.control(&["reload"]).await;
    }

    /// Waits until a standby streams and counts as `state`.
    async fn wait_for_standby(&self, name: &str, state: &str) {
        within("a standby that streams", async {
            loop {
                let standbys = self.ask("postgres", "TABLE pg_stat_replication").await;
                let mut rows = standbys.lines().map(|row| row.split('|').collect::<Vec<_>>());
                if rows.any(|row| [name, "streaming", state].iter().all(|word| row.contains(word))) {
                    return;
                }
                breathe().await;
            }
        })
        .await;
    }

    /// Copies the data; answers the label that the copy needs.
    async fn copy_to(&self, place: &Place) -> Outcome<String> {
        // Files that go while they are copied are no fault: what happens meanwhile is read from the log.
        let copy = format!("\\! cp -a -- '{}' '{}' 2>'{}'", self.place.data.display(), place.data.display(), NOWHERE);
        let commands = ["VALUES (pg_backup_start('standby', true))", &copy, BACKUP_STOP];
        let said = server::ask(&self.url("postgres"), &commands).await?;
        let at = said.find("START WAL LOCATION").ok_or_else(|| format!("no label of a backup in {said:?}"))?;
        Ok(format!("{}\n", said.get(at..).unwrap_or_default().trim_end()))
    }
}

const NOWHERE: &str = "/dev/null";
const BACKUP_STOP: &str = "VALUES ((pg_backup_stop(false)).labelfile)";

fn become_standby(place: &Place, label: &str, settings: &[(&str, String)]) -> Outcome<()> {
    let fault = |error: std::io::Error| format!("a copy cannot be made a standby: {error}");
    for file in ["postmaster.pid", "postmaster.opts", "ballast"] {
        // May not be there.
        let _ = fs::remove_file(place.data.join(file));
    }
    // The log of the primary is streamed. Where it lies elsewhere, the copy has a link into the primary's own.
    let log = place.data.join("pg_wal");
    if log.is_symlink() {
        fs::remove_file(&log).map_err(fault)?;
    } else {
        fs::remove_dir_all(&log).map_err(fault)?;
    }
    fs::create_dir(&log).and_then(|()| place.programs.own(&log)).map_err(fault)?;
    for entry in fs::read_dir(place.data.join("pg_replslot")).map_err(fault)? {
        fs::remove_dir_all(entry.map_err(fault)?.path()).map_err(fault)?;
    }
    place.write("backup_label", label)?;
    place.write("standby.signal", "")?;
    place.configure(settings)
}
