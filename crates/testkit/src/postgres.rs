//! PostgreSQL for tests: temporary clusters on loopback, killed, halted and promoted for real.
//!
//! Invariants: a cluster lives in one folder below the temporary one, listens on 127.0.0.1 alone, never runs as root,
//! and is gone with its folder when its [`Cluster`] is dropped or the process that made it ends in whatever way
//! ([`keeper`]). Nothing of a machine's own PostgreSQL is touched but its programs.

mod cluster;
mod disk;
mod keeper;
mod pooler;
mod server;
mod standby;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::OnceCell;

pub use cluster::{Builder, Cluster, SUPERUSER};
pub use disk::{Disk, can_limit_disks};
pub use pooler::{Pooler, Pooling};
pub use standby::Replication;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Major {
    /// The oldest that we support: Debian 12's.
    Fifteen,
    /// A newer one, of the npm package that `cargo xtask setup` brings.
    Newer,
}

/// Whether commits outlive a loss of power. Both outlive the death of the server's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushing {
    /// As in production.
    On,
    /// For speed.
    Off,
}

/// How a new database comes about.
#[derive(Debug, Clone, Copy)]
enum Copying {
    /// Files are copied between two checkpoints.
    ByFile,
    /// Pages are, through the log of changes.
    Logged,
}

impl Copying {
    fn word(self) -> &'static str {
        match self {
            Self::ByFile => "FILE_COPY",
            Self::Logged => "WAL_LOG",
        }
    }
}

/// A running cluster that tests may share: the URL of a superuser.
pub const SHARED_CLUSTER: &str = "POSTERN_TEST_POSTGRES";
/// The engine for tests that can use either: `postgres`, or anything else for SQLite.
pub const STORE: &str = "POSTERN_TEST_STORE";

/// Two empty databases, dropped (not waited for) with this value.
#[derive(Debug)]
pub struct TestDatabase {
    /// The main database.
    pub url: String,
    /// The one for keys.
    pub keys_url: String,
    admin: String,
    names: [String; 2],
}

/// A fresh pair of databases in the cluster that [`SHARED_CLUSTER`] names, else in one of this process's own.
///
/// # Panics
/// When there is no server to be had.
pub async fn database() -> TestDatabase {
    static OWN: OnceCell<Cluster> = OnceCell::const_new();
    let admin = match shared() {
        Some(url) => url,
        None => {
            OWN.get_or_init(|| Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start()).await.url("postgres")
        }
    };
    // Quick where nothing is flushed, which is what clusters that are shared are for.
    pair(admin, Copying::ByFile).await
}

/// Whether this run of the tests asks for PostgreSQL where a test can use either engine.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "which engine is a setting of the test run")]
pub fn wanted() -> bool {
    std::env::var_os(STORE).is_some_and(|value| value == "postgres")
}

/// The URL of a database of several servers, of which the one that takes writes is used.
#[must_use]
pub fn url_of(servers: &[&Cluster], database: &str) -> String {
    let hosts: Vec<String> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
    let hosts = hosts.join(",");
    format!("postgres://{SUPERUSER}@{hosts}/{database}?target_session_attrs=read-write&connect_timeout=2")
}

async fn pair(admin: String, copying: Copying) -> TestDatabase {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let stem = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let names = [format!("{stem}_main"), format!("{stem}_keys")];
    let commands =
        names.each_ref().map(|name| format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY {}", copying.word()));
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    if let Err(error) = server::ask(&admin, &commands).await {
        panic!("no databases for a test: {error}");
    }
    let [url, keys_url] = names.each_ref().map(|name| in_database(&admin, name));
    TestDatabase { url, keys_url, admin, names }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let commands = self.names.each_ref().map(|name| format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        server::ask_without_waiting(&self.admin, &commands);
    }
}

#[expect(clippy::disallowed_methods, reason = "a shared cluster is a setting of the test run")]
fn shared() -> Option<String> {
    std::env::var(SHARED_CLUSTER).ok().filter(|url| !url.is_empty())
}

/// The same URL with another database.
fn in_database(url: &str, database: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(address, rest)| (address, Some(rest)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address.get(authority..).and_then(|rest| rest.find('/')).map_or(address.len(), |at| authority + at);
    let server = address.get(..end).unwrap_or(address);
    match parameters {
        Some(parameters) => format!("{server}/{database}?{parameters}"),
        None => format!("{server}/{database}"),
    }
}

/// The folder of tools that `cargo xtask setup` fills.
#[expect(clippy::disallowed_methods, reason = "where the foreign tools are is a setting of the test run")]
fn tools() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("POSTERN_TOOLS").map_or_else(|| workspace.join(".tools"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::in_database;

    #[test]
    fn a_url_is_turned_to_another_database() {
        for (from, to) in [
            ("postgres://a@127.0.0.1:5", "postgres://a@127.0.0.1:5/x"),
            ("postgres://a@127.0.0.1:5/postgres", "postgres://a@127.0.0.1:5/x"),
            ("postgres://a@h:5,i:6/p?sslmode=disable", "postgres://a@h:5,i:6/x?sslmode=disable"),
            ("postgres://a@h?host=/tmp/s", "postgres://a@h/x?host=/tmp/s"),
        ] {
            assert_eq!(in_database(from, "x"), to);
        }
    }
}
