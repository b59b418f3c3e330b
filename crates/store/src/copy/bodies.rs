//! Folders of bodies that lie outside the rows: that of a node on SQLite, or one that nodes on PostgreSQL share.
//!
//! Invariants: a file has its name when it is whole and durable; a file of that name with other octets is never
//! written over. Files are for their owner alone (mode 0600).

use super::tables::Table;
use super::value::{self, Row, Value, weight};
use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder with a file for each body, named by the id.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// A node's own; made when it is not there.
    pub(super) fn own(dir: &Path) -> Result<Self> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| Error::file(dir, &error))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// A shared one: what is not there is not mounted.
    pub(super) fn shared(dir: &Path) -> Result<Self> {
        fs::read_dir(dir).map_err(|error| Error::file(dir, &error))?;
        Ok(Self { dir: dir.to_owned() })
    }

    fn path(&self, id: i64) -> PathBuf {
        self.dir.join(format!("{id:016x}"))
    }

    pub(super) fn read(&self, id: i64) -> Result<Vec<u8>> {
        let path = self.path(id);
        fs::read(&path).map_err(|error| Error::file(&path, &error))
    }

    /// Writes a file and syncs it. One that a copy that was cut short had written already stays.
    pub(super) fn write(&self, id: i64, octets: &[u8]) -> Result<()> {
        let path = self.path(id);
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Full,
            _ => Error::file(&path, &error),
        };
        match fs::read(&path) {
            Ok(there) if there == octets => return Ok(()),
            Ok(_) => return Err(failed(ErrorKind::AlreadyExists.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let part = path.with_extension("part");
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
        let written = opened.and_then(|mut file| file.write_all(octets).and_then(|()| file.sync_all()));
        written.and_then(|()| fs::rename(&part, &path)).map_err(failed)
    }

    /// Makes the names of what was written durable.
    pub(super) fn sync(&self) -> Result<()> {
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(|error| Error::file(&self.dir, &error))
    }

    /// Does work that waits for the disk.
    pub(super) async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let folder = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&folder)).await.map_err(|_| Error::Closed)?
    }
}

/// The rows, and those of bodies outside of them without their octets, which are durable in files now.
pub(super) fn put_outside(table: &'static Table, mut rows: Vec<Row>, folder: &Folder) -> Result<Vec<Row>> {
    let mut is_any = false;
    for row in &mut rows {
        if value::integer(table, row, "place")? == 1 {
            folder.write(value::integer(table, row, "id")?, value::octets(table, row, "sealed")?)?;
            value::set(table, row, "sealed", Value::Octets(Vec::new()))?;
            is_any = true;
        }
    }
    if is_any {
        folder.sync()?;
    }
    Ok(rows)
}

/// The rows from the first on, each with its octets, until they are too many; at least one.
pub(super) fn get_outside(table: &'static Table, rows: Vec<Row>, folder: &Folder, most: usize) -> Result<Vec<Row>> {
    let mut page = Vec::with_capacity(rows.len());
    let mut held = 0;
    for mut row in rows {
        if value::integer(table, &row, "place")? == 1 {
            let octets = folder.read(value::integer(table, &row, "id")?)?;
            value::set(table, &mut row, "sealed", Value::Octets(octets))?;
        }
        held += weight(&row);
        page.push(row);
        if held >= most {
            break;
        }
    }
    Ok(page)
}
