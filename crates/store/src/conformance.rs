//! The story that every engine must pass, told in the verbs of [`Engine`] alone. An engine adds a [`Ground`] that
//! opens it again and again on the same files, and a test that calls [`story`].

mod accepting;
mod accounts;
mod authority;
mod delivering;
mod importing;
mod keeping;
pub(crate) mod place;
mod postgres;
pub(crate) mod rows;

use crate::engine::{Engine, LeaseKind, PartLease};
use crate::sqlite::{SqliteEngine, SqliteSettings};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Where an engine's data lie.
#[async_trait]
trait Ground {
    /// Opens the engine on the same data as before.
    async fn open(&self) -> Arc<dyn Engine>;
}

/// The lease of the partition that the story's rows are in.
async fn lease(engine: &dyn Engine) -> PartLease {
    let Some(sharing) = engine.sharing() else { return PartLease { part: 0, epoch: 0 } };
    let pulse = sharing.look(Duration::from_secs(5)).await.unwrap();
    let held = pulse.leases.iter().find(|lease| lease.kind == LeaseKind::Queue && lease.part == 0).unwrap();
    PartLease { part: 0, epoch: held.epoch }
}

/// Closes and opens: what was answered must be there again.
async fn again(ground: &dyn Ground, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
    engine.close().await;
    drop(engine);
    ground.open().await
}

async fn story(ground: &dyn Ground) {
    let engine = ground.open().await;
    accounts::tell(&*engine).await;
    accounts::tell_of_persons(&*engine).await;
    accounts::tell_of_wishes(&*engine).await;
    keeping::tell_of_keys(&*engine).await;
    accepting::tell(&*engine).await;
    accepting::tell_of_races(&*engine).await;
    let engine = again(ground, engine).await;
    delivering::tell_of_attempts(&*engine).await;
    let engine = again(ground, engine).await;
    delivering::tell_of_recovery(&*engine).await;
    delivering::tell_of_holds(&*engine).await;
    delivering::tell_of_a_taken_number(&*engine).await;
    delivering::tell_of_ends(&*engine).await;
    keeping::tell_of_the_ledger(&*engine).await;
    let engine = again(ground, engine).await;
    keeping::tell_what_lasted(&*engine).await;
    engine.close().await;
    assert!(matches!(engine.append(Vec::new()).await, Err(crate::error::Error::Closed)));
}

struct Folder(TempDir);

#[async_trait]
impl Ground for Folder {
    async fn open(&self) -> Arc<dyn Engine> {
        Arc::new(SqliteEngine::open(self.0.path(), SqliteSettings::default()).unwrap())
    }
}

#[tokio::test]
async fn sqlite_tells_the_story() {
    story(&Folder(tempfile::tempdir().unwrap())).await;
}
