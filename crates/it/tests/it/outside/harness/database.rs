//! The databases of nodes in a run on PostgreSQL (`POSTERN_TEST_STORE=postgres`), by data folder: a node that starts
//! again on its folder finds what it had.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use testkit::postgres::{TestDatabase, database, wanted};

/// Which engine a node is to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    /// That of the run.
    OfTheRun,
    /// SQLite in any run: the test is about its files.
    Sqlite,
}

/// Held to the end of the process: a test may stop a node and go on with its data.
static DATABASES: LazyLock<Mutex<HashMap<PathBuf, TestDatabase>>> = LazyLock::new(Mutex::default);

/// Sees to it that a data folder has its databases, where the run wants any.
pub(crate) async fn provide(data: &Path) {
    if wanted() && arguments(data).is_empty() {
        let made = database().await;
        DATABASES.lock().unwrap().insert(data.to_owned(), made);
    }
}

/// The arguments that name them; none where the node keeps its rows in the folder.
pub(crate) fn arguments(data: &Path) -> Vec<String> {
    let databases = DATABASES.lock().unwrap();
    let Some(database) = databases.get(data) else { return Vec::new() };
    ["--store", &database.url, "--keys", &database.keys_url].map(str::to_owned).to_vec()
}
