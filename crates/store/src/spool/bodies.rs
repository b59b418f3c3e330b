//! Bodies too large for a row: sealed octets outside the database, durable before the transaction that refers to them.
//!
//! Invariants: an object is named by the id of its body, which is used once, and is never overwritten. It belongs to
//! its [`NewBody`] until a commit may refer to it; dropped before that, it takes the object along.
//! Crash between object and transaction ⇒ an object nobody refers to: a node that is alone removes those at its next
//! start, and any node removes those that are a day old ([`collect`]).
//! Never: an octet in clear; an object removed that a row refers to.

mod collect;
mod folder;
#[cfg(feature = "s3")]
mod s3;
#[cfg(test)]
mod tests;

#[cfg(feature = "s3")]
pub use s3::{Addressing, S3Keys, S3Settings};

use super::content::ROW_BODY_OCTETS_MAX;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::vault::Vault;
use async_trait::async_trait;
use bytes::Bytes;
use collect::Rounds;
use folder::Folder;
use model::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Removals that go on behind the recording of outcomes. What finds no room is left to the collector.
const RELEASES_MAX: usize = 64;

/// Where several nodes keep bodies over 256 KiB. The same for all of them.
#[derive(Clone, Debug)]
pub enum BodyPlacement {
    /// In rows of the database, like the smaller ones.
    Rows,
    /// In a folder that all nodes see.
    Folder(PathBuf),
    /// In a bucket.
    #[cfg(feature = "s3")]
    S3(S3Settings),
}

/// A place for objects named by ids. `conformance` of it: `tests::keeping`.
#[async_trait]
pub(crate) trait BodyStore: Send + Sync + 'static {
    /// Durable when it returns. Whatever goes wrong, a part of an object is not left behind under its name; an object
    /// that is there already is an error, and stays as it is.
    async fn put(self: Arc<Self>, id: i64, sealed: Bytes) -> Result<()>;
    /// The octets that were put.
    async fn get(&self, id: i64) -> Result<Bytes>;
    /// Removes objects; one that is gone already hinders no other.
    async fn remove(&self, ids: Vec<i64>) -> Result<()>;
    /// Ids of objects, and of what a crash left of one, that lie between these two: ascending, at most `limit`. None at
    /// the end.
    async fn list(&self, after: i64, before: i64, limit: usize) -> Result<Vec<i64>>;
    /// Removes an object that no commit can refer to, if that is quickly done.
    fn discard(self: Arc<Self>, id: i64);
}

/// The place of bodies that are too large for a row.
pub(crate) struct Bodies {
    /// `None`: everything is in rows.
    outside: Option<Arc<dyn BodyStore>>,
    sharing: Sharing,
    releases: Arc<Semaphore>,
    rounds: Rounds,
}

/// Who else writes there?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    Shared,
}

/// An object that no commit refers to yet.
#[must_use = "dropped, it removes its object"]
pub(crate) struct NewBody {
    id: i64,
    place: Arc<dyn BodyStore>,
    is_kept: bool,
}

impl NewBody {
    /// A commit may refer to it from now on.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for NewBody {
    fn drop(&mut self) {
        if !self.is_kept {
            Arc::clone(&self.place).discard(self.id);
        }
    }
}

impl Bodies {
    /// Those of a node that is alone: files in `dir/bodies`. What nothing refers to is removed, whatever its age.
    pub(crate) async fn alone(dir: &Path, engine: &dyn Engine) -> Result<Self> {
        let folder = Folder::own(&dir.join("bodies"))?;
        folder.sweep(engine).await?;
        Ok(Self::over(Some(Arc::new(folder)), Sharing::Alone))
    }

    /// Those of several nodes.
    pub(crate) async fn shared(placement: BodyPlacement, vault: &Vault, clock: Arc<dyn Clock>) -> Result<Self> {
        #[cfg(not(feature = "s3"))]
        drop(clock);
        // Names the installation: two that share a folder would remove each other's mail.
        let owner = &hex(vault.secret_hash("bodies", "owner").split_at(16).0);
        let outside: Option<Arc<dyn BodyStore>> = match placement {
            BodyPlacement::Rows => None,
            BodyPlacement::Folder(dir) => Some(Arc::new(Folder::shared(&dir, owner).await?)),
            #[cfg(feature = "s3")]
            BodyPlacement::S3(settings) => Some(Arc::new(s3::S3::open(settings, owner, clock).await?)),
        };
        Ok(Self::over(outside, Sharing::Shared))
    }

    fn over(outside: Option<Arc<dyn BodyStore>>, sharing: Sharing) -> Self {
        Self { outside, sharing, releases: Arc::new(Semaphore::new(RELEASES_MAX)), rounds: Rounds::default() }
    }

    /// Does a sealed body of so many octets lie outside the rows?
    pub(super) fn takes(&self, octets: usize) -> bool {
        self.outside.is_some() && octets > ROW_BODY_OCTETS_MAX
    }

    /// Durable when it returns, in a task of its own: when the caller goes away meanwhile, so does the object.
    pub(crate) async fn write(&self, id: i64, sealed: Vec<u8>) -> Result<NewBody> {
        let place = Arc::clone(self.place()?);
        let task = tokio::spawn(async move {
            Arc::clone(&place).put(id, Bytes::from(sealed)).await?;
            Ok(NewBody { id, place, is_kept: false })
        });
        task.await.unwrap_or(Err(Error::Closed))
    }

    pub(crate) async fn read(&self, id: i64) -> Result<Bytes> {
        self.place()?.get(id).await
    }

    /// Removes bodies that no commit refers to. What cannot be removed now is removed by the collector.
    pub(super) async fn remove(&self, ids: Vec<i64>) {
        if let Ok(place) = self.place() {
            told(place.remove(ids).await);
        }
    }

    /// Removes bodies that are at their end. Where a network lies between, nobody waits for it: an outcome is recorded,
    /// and the next one must not wait for a bucket.
    pub(super) async fn release(&self, ids: Vec<i64>) {
        if self.sharing == Sharing::Alone {
            return self.remove(ids).await;
        }
        let Ok(place) = self.place() else { return };
        let Ok(room) = Arc::clone(&self.releases).try_acquire_owned() else { return };
        let place = Arc::clone(place);
        tokio::spawn(async move {
            told(place.remove(ids).await);
            drop(room);
        });
    }

    fn place(&self) -> Result<&Arc<dyn BodyStore>> {
        let nowhere = || Error::Bodies {
            place: "rows".into(),
            reason: "this body lies elsewhere: name the folder or bucket that it was put into".into(),
        };
        self.outside.as_ref().ok_or_else(nowhere)
    }
}

fn told(removed: Result<()>) {
    if let Err(error) = removed {
        tracing::warn!(%error, "bodies could not be removed; they are collected later");
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The name of an object. It says nothing about a person. Names are in the order of ids.
fn name(id: i64) -> String {
    format!("{id:016x}")
}

fn id_of(name: &str) -> Option<i64> {
    i64::from_str_radix(name, 16).ok().filter(|id| self::name(*id) == name)
}
