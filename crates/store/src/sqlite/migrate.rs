//! Forward-only migrations: numbered SQL texts, embedded, each run once and remembered with its SHA-256.
//!
//! Invariants: a migration and its record are one transaction; a text that has run is never altered.
//! Never: a step back; work on a database made by a newer version.

use crate::error::{Error, Result};
use crate::sqlite::fault;
use aws_lc_rs::digest;
use rusqlite::{Connection, params};

/// One step. Its number is its place in the list, from 1.
pub(super) struct Migration {
    /// File name, for the record.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) text: &'static str,
}

/// Steps of the main database.
pub(super) const MAIN: &[Migration] = &[
    Migration { name: "main_0001", text: include_str!("migrations/main_0001.sql") },
    Migration { name: "main_0002", text: include_str!("migrations/main_0002.sql") },
    Migration { name: "main_0003", text: include_str!("migrations/main_0003.sql") },
    Migration { name: "main_0004", text: include_str!("migrations/main_0004.sql") },
    Migration { name: "main_0005", text: include_str!("migrations/main_0005.sql") },
    Migration { name: "main_0006", text: include_str!("migrations/main_0006.sql") },
    Migration { name: "main_0007", text: include_str!("migrations/main_0007.sql") },
    Migration { name: "main_0008", text: include_str!("migrations/main_0008.sql") },
    Migration { name: "main_0009", text: include_str!("migrations/main_0009.sql") },
    Migration { name: "main_0010", text: include_str!("migrations/main_0010.sql") },
    Migration { name: "main_0011", text: include_str!("migrations/main_0011.sql") },
    Migration { name: "main_0012", text: include_str!("migrations/main_0012.sql") },
    Migration { name: "main_0013", text: include_str!("migrations/main_0013.sql") },
    Migration { name: "main_0014", text: include_str!("migrations/main_0014.sql") },
    Migration { name: "main_0015", text: include_str!("migrations/main_0015.sql") },
    Migration { name: "main_0016", text: include_str!("migrations/main_0016.sql") },
    Migration { name: "main_0017", text: include_str!("migrations/main_0017.sql") },
    Migration { name: "main_0018", text: include_str!("migrations/main_0018.sql") },
    Migration { name: "main_0019", text: include_str!("migrations/main_0019.sql") },
    Migration { name: "main_0020", text: include_str!("migrations/main_0020.sql") },
    Migration { name: "main_0021", text: include_str!("migrations/main_0021.sql") },
    Migration { name: "main_0022", text: include_str!("migrations/main_0022.sql") },
    Migration { name: "main_0023", text: include_str!("migrations/main_0023.sql") },
    Migration { name: "main_0024", text: include_str!("migrations/main_0024.sql") },
    Migration { name: "main_0025", text: include_str!("migrations/main_0025.sql") },
    Migration { name: "main_0026", text: include_str!("migrations/main_0026.sql") },
    Migration { name: "main_0027", text: include_str!("migrations/main_0027.sql") },
    Migration { name: "main_0028", text: include_str!("migrations/main_0028.sql") },
    Migration { name: "main_0029", text: include_str!("migrations/main_0029.sql") },
    Migration { name: "main_0030", text: include_str!("migrations/main_0030.sql") },
];

/// Steps of the keys database.
pub(super) const KEYS: &[Migration] = &[
    Migration { name: "keys_0001", text: include_str!("migrations/keys_0001.sql") },
    Migration { name: "keys_0002", text: include_str!("migrations/keys_0002.sql") },
];

const RECORD: &str = "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, \
    sha256 BLOB NOT NULL) STRICT";

/// Brings a database to the newest form.
///
/// # Errors
/// [`Error::NewerSchema`] when a newer version made it; [`Error::Engine`] when a step's text was altered.
pub(super) fn run(connection: &Connection, steps: &[Migration]) -> Result<()> {
    connection.execute_batch("BEGIN EXCLUSIVE").map_err(fault)?;
    match apply(connection, steps) {
        Ok(()) => connection.execute_batch("COMMIT").map_err(fault),
        Err(error) => {
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK").map_err(fault)?;
            }
            Err(error)
        }
    }
}

fn apply(connection: &Connection, steps: &[Migration]) -> Result<()> {
    connection.execute_batch(RECORD).map_err(fault)?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let found: i64 =
        connection.query_row("SELECT COALESCE(MAX(number), 0) FROM migration", [], |row| row.get(0)).map_err(fault)?;
    if found > known {
        return Err(Error::NewerSchema { found, known });
    }
    for (number, step) in (1_i64..).zip(steps) {
        let hash = digest::digest(&digest::SHA256, step.text.as_bytes());
        if number > found {
            connection.execute_batch(step.text).map_err(fault)?;
            connection
                .execute(
                    "INSERT INTO migration (number, name, sha256) VALUES (?1, ?2, ?3)",
                    params![number, step.name, hash.as_ref()],
                )
                .map_err(fault)?;
            continue;
        }
        let recorded: Vec<u8> = connection
            .query_row("SELECT sha256 FROM migration WHERE number = ?1", [number], |row| row.get(0))
            .map_err(fault)?;
        if recorded != hash.as_ref() {
            return Err(Error::Engine(format!(
                "migration {} has run with another text; use the right binary",
                step.name
            )));
        }
    }
    Ok(())
}
