//! Where the two stores are.

use super::postgres::PostgresSide;
use super::side::{Result, Side};
use super::sqlite::SqliteSide;
use super::{CopyPlan, Refused};
use std::fmt;
use std::path::PathBuf;

/// Where a store is.
#[derive(Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// A folder with SQLite in it.
    Sqlite(PathBuf),
    /// Two databases on PostgreSQL.
    Postgres {
        /// Address of the main one.
        url: String,
        /// Address of the keys database; without one, it is the main one's with `_keys` after its name.
        keys_url: Option<String>,
        /// File with the authority that signed the server's certificate.
        ca: Option<PathBuf>,
    },
}

/// Addresses may hold a password: none is shown.
impl fmt::Debug for StorePlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(dir) => write!(out, "Sqlite({})", dir.display()),
            Self::Postgres { .. } => out.write_str("Postgres(…)"),
        }
    }
}

impl StorePlace {
    /// Reads `sqlite:FOLDER` or an address of PostgreSQL.
    ///
    /// # Errors
    /// [`Refused::Place`].
    pub fn read(text: &str, keys_url: Option<String>, ca: Option<PathBuf>) -> Result<Self> {
        match text.split_once(':') {
            Some(("sqlite", dir)) if !dir.is_empty() => Ok(Self::Sqlite(PathBuf::from(dir))),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Ok(Self::Postgres { url: text.to_owned(), keys_url, ca })
            }
            _ => Err(Refused::Place),
        }
    }
}

/// Opens both sides of a plan: the source first, so that nothing is made when there is none.
pub(super) async fn open_both(plan: &CopyPlan) -> Result<(Box<dyn Side>, Box<dyn Side>)> {
    let bodies = plan.bodies.as_deref();
    match (&plan.from, &plan.to) {
        (StorePlace::Sqlite(dir), to @ StorePlace::Postgres { .. }) => {
            if !dir.join("main.db").exists() || !dir.join("keys.db").exists() {
                return Err(Refused::NoSource { place: format!("sqlite:{}", dir.display()) });
            }
            let from = SqliteSide::open(dir)?;
            Ok((Box::new(from), Box::new(PostgresSide::open(to, bodies).await?)))
        }
        (from @ StorePlace::Postgres { .. }, StorePlace::Sqlite(dir)) => {
            let from = PostgresSide::open(from, bodies).await?;
            Ok((Box::new(from), Box::new(SqliteSide::open(dir)?)))
        }
        _ => Err(Refused::SameEngine),
    }
}
