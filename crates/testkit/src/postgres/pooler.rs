//! A pooler (pgbouncer) between clients and a cluster.
//!
//! In transaction mode a client gets another session after each transaction, so that prepared statements and session
//! settings are lost: what the store must notice and refuse.

use std::process::{Child, Stdio};

use super::cluster::{Cluster, Place, SUPERUSER, claim, fail};
use super::keeper::Keeper;
use super::server::{self, Outcome, off_the_runtime};
use crate::wait::{breathe, within};

/// For how long a client keeps its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// As long as it is connected.
    Session,
    /// A transaction long.
    Transaction,
}

/// A running pooler; gone when dropped.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    process: Child,
    _keeper: Keeper,
}

impl Pooler {
    /// A pooler before this cluster, for all of its databases.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start(cluster: &Cluster, pooling: Pooling) -> Self {
        let (place, keeper) = claim(cluster.major, cluster.ground()).await;
        let (port, target) = (place.port, cluster.port());
        let process = off_the_runtime(move || spawn(&place, target, pooling)).await;
        let pooler = Self { port, process: process.unwrap_or_else(|error| fail(&error)), _keeper: keeper };
        within("a pooler that answers", async {
            while server::ask(&pooler.url("postgres"), &["SHOW port"]).await.is_err() {
                breathe().await;
            }
        })
        .await;
        pooler
    }

    /// The superuser's URL of a database, through the pooler.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(place: &Place, target: u16, pooling: Pooling) -> Outcome<Child> {
    let mode = match pooling {
        Pooling::Session => "session",
        Pooling::Transaction => "transaction",
    };
    let (port, folder) = (place.port, place.folder.display());
    let text = format!(
        "[databases]\n* = host=127.0.0.1 port={target} user={SUPERUSER}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir = {folder}\n\
         logfile = {folder}/log\nauth_type = any\npool_mode = {mode}\n"
    );
    let file = place.folder.join("pgbouncer.ini");
    let written = std::fs::write(&file, text).and_then(|()| place.programs.own(&file));
    written.map_err(|error| format!("settings of a pooler cannot be written: {error}"))?;
    let mut command = place.programs.as_account("pgbouncer".as_ref());
    let spawned = command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    spawned.map_err(|error| format!("pgbouncer cannot be started, run cargo xtask setup: {error}"))
}
