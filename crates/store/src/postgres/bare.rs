//! The two databases without an engine: for work on a store that no node uses.
//!
//! Invariants: both have been looked at as at a node's start, have the newest form, and belong together.

use super::db::{Db, Fault};
use super::keep;
use super::open::{self, Sizes};
use crate::error::Result;
use deadpool_postgres::Object;
use model::Timestamp;
use std::path::Path;

/// Connections: one that works, one that keeps nodes away, and those that look and make room meanwhile.
const SIZES: Sizes = Sizes { main: 4, keys: 2 };

/// Two databases.
pub(crate) struct Bare {
    main: Db,
    keys: Db,
    place: String,
}

impl Bare {
    /// Opens the databases at these addresses; tables are made where there are none.
    ///
    /// # Errors
    /// Those of a node's start.
    pub(crate) async fn open(url: &str, keys_url: Option<&str>, ca: Option<&Path>) -> Result<Self> {
        let pair = open::open(url, keys_url, ca, SIZES).await?;
        let place = format!("postgres://{}/{}", pair.main_at.hosts, pair.main_at.database);
        Ok(Self { main: pair.main, keys: pair.keys, place })
    }

    /// What it is called, without a password.
    pub(crate) fn place(&self) -> String {
        self.place.clone()
    }

    /// A connection to the main database.
    pub(crate) async fn main(&self) -> Result<Object> {
        self.main.connection().await.map_err(Fault::into_error)
    }

    /// A connection to the keys database.
    pub(crate) async fn keys(&self) -> Result<Object> {
        self.keys.connection().await.map_err(Fault::into_error)
    }

    /// Makes partitions for rows from a moment until some time after the present one.
    pub(crate) async fn make_room(&self, from: Timestamp, now: Timestamp) -> Result<()> {
        keep::make(&self.main, from, now).await
    }
}

/// What a failure of PostgreSQL means, without the server's own words.
pub(crate) fn fault_of(error: &tokio_postgres::Error) -> crate::Error {
    Fault::of(error).into_error()
}
