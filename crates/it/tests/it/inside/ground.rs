//! Where a node's data lie: a folder, and beside it a pair of databases when the run is one on PostgreSQL
//! (`POSTERN_TEST_STORE=postgres`).

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use store::{BodyPlacement, ClockSource, Options, PostgresSettings, Roles, Store};
use tempfile::TempDir;
use testkit::ManualClock;
use testkit::postgres::TestDatabase;

/// A folder and, on PostgreSQL, databases. Dropped, all of it goes.
pub(crate) struct Ground {
    folder: TempDir,
    database: Option<TestDatabase>,
}

impl Ground {
    /// An empty one, of the kind that this run is about.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if !testkit::postgres::wanted() {
            return Self { folder, database: None };
        }
        // A folder that nodes share is the operator's to make.
        std::fs::create_dir(folder.path().join("bodies")).unwrap();
        Self { folder, database: Some(testkit::postgres::database().await) }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Opens the store that is here, or a new one.
    pub(crate) async fn open(&self, clock: &Arc<ManualClock>) -> Arc<Store> {
        let mut options = Options::new(Arc::clone(clock) as Arc<dyn model::Clock>, self.path());
        options.region = Some("EEA".to_owned());
        let Some(database) = &self.database else {
            return Store::open_sqlite(self.path(), options).await.unwrap();
        };
        let settings = PostgresSettings {
            url: database.url.clone(),
            keys_url: Some(database.keys_url.clone()),
            ca: None,
            name: "house".to_owned(),
            roles: Roles::ALL,
            // The test moves the clock.
            clock: ClockSource::Given,
            bodies: BodyPlacement::Folder(self.path().join("bodies")),
        };
        Store::open_postgres(self.path(), settings, options).await.unwrap()
    }

    /// How many bodies lie outside the rows. A folder that nodes share has a mark of its installation beside them.
    pub(crate) fn bodies(&self) -> usize {
        let names = std::fs::read_dir(self.path().join("bodies")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| u64::from_str_radix(&name.to_string_lossy(), 16).is_ok()).count()
    }

    /// Puts what the databases hold into the folder as text, for a search that goes over files.
    pub(crate) fn spill(&self, name: &str) {
        let Some(database) = &self.database else { return };
        for (which, url) in [("main", &database.url), ("keys", &database.keys_url)] {
            let file = self.path().join(format!("{name}-{which}.sql"));
            let dumped = Command::new("pg_dump").arg("--data-only").arg("--file").arg(&file).arg(url).status().unwrap();
            assert!(dumped.success(), "pg_dump writes {}", file.display());
        }
    }
}
