//! One temporary cluster: made, started, killed, halted, started again.
//!
//! Whatever is asked of a cluster and fails panics with the server's last words: then the test has failed.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal};

use super::disk::Disk;
use super::keeper::{self, Keeper};
use super::server::{self, Outcome, Programs, finish, off_the_runtime};
use super::{Copying, Flushing, Major};
use crate::ports::base_port;
use crate::wait::{breathe, within};

/// The account inside every cluster; it needs no password.
pub const SUPERUSER: &str = "postgres";

/// What a cluster is to be, before it is.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    major: Major,
    flushing: Flushing,
    disk: Disk,
    settings: Vec<(String, String)>,
    certificate: Option<(String, String)>,
}

/// A running cluster; gone when dropped.
#[derive(Debug)]
pub struct Cluster {
    pub(super) place: Arc<Place>,
    pub(super) major: Major,
    /// Ends the server, and must go first.
    _keeper: Keeper,
}

/// Where a cluster is and how its programs are run.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) data: PathBuf,
    pub(super) port: u16,
    pub(super) programs: Programs,
}

impl Builder {
    /// Whether commits are flushed to disk; they are, if nothing else is said.
    pub fn flushing(mut self, flushing: Flushing) -> Self {
        self.flushing = flushing;
        self
    }

    /// The room it has.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// A setting that it starts with.
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// TLS with this certificate chain and key, both as PEM; connections without it are still taken.
    pub fn tls(mut self, chain: &str, key: &str) -> Self {
        self.certificate = Some((chain.to_owned(), key.to_owned()));
        self
    }

    /// Makes and starts it.
    ///
    /// # Panics
    /// When that fails.
    pub async fn start(self) -> Cluster {
        let major = self.major;
        let (place, keeper) = claim(major, server::ground(self.flushing)).await;
        let made = Arc::clone(&place);
        off_the_runtime(move || self.make(&made).and_then(|()| made.start()))
            .await
            .unwrap_or_else(|error| fail(&error));
        Cluster { place, major, _keeper: keeper }
    }

    fn make(&self, place: &Place) -> Outcome<()> {
        self.disk.prepare(place)?;
        let mut initdb = place.programs.command("initdb");
        initdb.args(["--no-sync", "--no-instructions", "-A", "trust", "-U", SUPERUSER, "-E", "UTF8", "--locale=C"]);
        if matches!(self.disk, Disk::Tables(_)) {
            initdb.arg("--waldir").arg(place.folder.join("wal"));
        }
        finish(initdb.arg("-D").arg(&place.data), "initdb")?;
        let mut settings: Vec<(&str, String)> =
            BASIC.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if self.flushing == Flushing::Off {
            settings.extend([("fsync", "off".to_owned()), ("full_page_writes", "off".to_owned())]);
        }
        if let Some((chain, key)) = &self.certificate {
            place.write("server.crt", chain)?;
            place.write("server.key", key)?;
            settings.push(("ssl", "on".to_owned()));
        }
        settings.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
        place.configure(&settings)?;
        place.configure(&place.own_settings())
    }
}

/// What every cluster starts with; a later setting of the same name counts.
const BASIC: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "200"),
    ("shared_buffers", "128MB"),
    ("autovacuum", "on"),
    // What a killed server leaves then lies in its folder.
    ("dynamic_shared_memory_type", "mmap"),
    ("wal_log_hints", "on"),
    ("wal_retrieve_retry_interval", "200ms"),
    ("log_min_messages", "warning"),
    ("log_line_prefix", "%m [%p] %a "),
    ("log_min_error_statement", "panic"),
];

impl Cluster {
    /// A cluster of this major with the settings of production.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start(major: Major) -> Self {
        Self::builder(major).start().await
    }

    /// A cluster that is to differ from that.
    pub fn builder(major: Major) -> Builder {
        Builder { major, flushing: Flushing::On, disk: Disk::Ample, settings: Vec::new(), certificate: None }
    }

    pub(super) fn new(place: Arc<Place>, major: Major, keeper: Keeper) -> Self {
        Self { place, major, _keeper: keeper }
    }

    /// The superuser's URL of a database; `postgres` is always there.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.place.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.place.port
    }

    /// Everything of the cluster lies below it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.place.folder.join("log"))
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// A new empty database, as its URL.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn create_database(&self, name: &str) -> String {
        self.ask("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        self.url(name)
    }

    /// A fresh pair of databases, as [`super::database`] makes them.
    ///
    /// # Panics
    /// When they cannot be made.
    pub async fn pair(&self) -> super::TestDatabase {
        super::pair(self.url("postgres"), Copying::Logged).await
    }

    /// Runs one SQL command as the superuser: rows as lines, columns between `|`.
    ///
    /// # Panics
    /// When it fails.
    pub async fn ask(&self, database: &str, command: &str) -> String {
        self.try_to_ask(database, command).await.unwrap_or_else(|error| fail(&error))
    }

    /// The same; the error is what psql said.
    ///
    /// # Errors
    /// When the command fails, or there is no answering server.
    pub async fn try_to_ask(&self, database: &str, command: &str) -> Result<String, String> {
        server::ask(&self.url(database), &[command]).await
    }

    /// Sets a value for good and makes the running server read it. What needs a restart counts after
    /// [`Self::start_again`].
    ///
    /// # Panics
    /// When the server does not answer or does not know the setting.
    pub async fn set(&self, name: &str, value: &str) {
        self.ask("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'")).await;
        self.control(&["reload"]).await;
    }

    /// SIGKILL for the server and all its processes, as a loss of power would end them.
    ///
    /// # Panics
    /// When they are not gone soon.
    pub async fn kill(&self) {
        within("the end of a killed server", async {
            loop {
                let processes = self.place.processes();
                if processes.is_empty() {
                    return;
                }
                keeper::signal(&processes, self.place.server(), Signal::KILL);
                breathe().await;
            }
        })
        .await;
    }

    /// SIGSTOP for all its processes: it hangs, its connections stay open and say nothing.
    pub fn halt(&self) {
        keeper::signal(&self.place.processes(), self.place.server(), Signal::STOP);
    }

    /// SIGCONT after [`Self::halt`].
    pub fn go_on(&self) {
        keeper::signal(&self.place.processes(), self.place.server(), Signal::CONT);
    }

    /// Ends it as an administrator does: clients are thrown out, nothing has to be recovered.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(&self) {
        self.control(&["stop", "-m", "fast"]).await;
    }

    /// Starts it after [`Self::kill`] or [`Self::stop`] and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start_again(&self) {
        let place = Arc::clone(&self.place);
        off_the_runtime(move || place.start()).await.unwrap_or_else(|error| fail(&error));
    }

    /// Where its folder is.
    pub(super) fn ground(&self) -> PathBuf {
        self.place.folder.parent().map_or_else(std::env::temp_dir, Path::to_path_buf)
    }

    pub(super) async fn control(&self, arguments: &[&str]) {
        let place = Arc::clone(&self.place);
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        off_the_runtime(move || place.control(&arguments)).await.unwrap_or_else(|error| fail(&error));
    }
}

impl Place {
    /// Starts the server and waits until it takes connections.
    pub(super) fn start(&self) -> Outcome<()> {
        let log = self.folder.join("log");
        if self.processes().is_empty() {
            // A killed server whose number nobody has collected yet would pass for a running one. Not there: good.
            let _ = fs::remove_file(self.data.join("postmaster.pid"));
            let _ = fs::remove_file(self.folder.join(format!(".s.PGSQL.{}.lock", self.port)));
        }
        let mut command = self.programs.command("pg_ctl");
        // A unit of work after a crash is the longest start there is.
        command.args(["start", "-w", "-t", "60", "-s", "-D"]).arg(&self.data).arg("-l").arg(&log);
        finish(&mut command, "pg_ctl").map(drop).map_err(|error| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            format!("{error}\n{log}")
        })
    }

    fn control(&self, arguments: &[String]) -> Outcome<()> {
        let mut command = self.programs.command("pg_ctl");
        finish(command.args(arguments).args(["-s", "-D"]).arg(&self.data), "pg_ctl").map(drop)
    }

    /// All processes of the server.
    fn processes(&self) -> Vec<Pid> {
        keeper::working_in(&self.data)
    }

    /// The first of them.
    fn server(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok().and_then(Pid::from_raw)
    }

    /// What differs from a cluster to its copy.
    pub(super) fn own_settings(&self) -> Vec<(&'static str, String)> {
        let sockets = self.folder.to_string_lossy().into_owned();
        vec![("port", self.port.to_string()), ("unix_socket_directories", sockets)]
    }

    /// Adds settings to its file.
    pub(super) fn configure(&self, settings: &[(&str, String)]) -> Outcome<()> {
        let mut text = String::new();
        for (name, value) in settings {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        let file = fs::OpenOptions::new().append(true).open(self.data.join("postgresql.conf"));
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| format!("settings cannot be written: {error}"))
    }

    /// Writes a file into the data folder that only the server's account may read.
    pub(super) fn write(&self, name: &str, text: &str) -> Outcome<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.data.join(name);
        let file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes())).and_then(|()| self.programs.own(&path));
        written.map_err(|error| format!("{name} cannot be written: {error}"))
    }
}

/// A folder below `ground`, a port and a keeper for a new cluster.
pub(super) async fn claim(major: Major, ground: PathBuf) -> (Arc<Place>, Keeper) {
    off_the_runtime(move || claim_here(major, &ground)).await.unwrap_or_else(|error| fail(&error))
}

fn claim_here(major: Major, ground: &Path) -> Outcome<(Arc<Place>, Keeper)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let ground = fs::canonicalize(ground).map_err(|error| format!("{}: {error}", ground.display()))?;
    let name = format!("postern-postgres-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = ground.join(name);
    let keeper = Keeper::of(&folder).map_err(|error| format!("no keeper for a cluster: {error}"))?;
    fs::create_dir(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let programs = Programs::of(major, &folder)?;
    let data = folder.join("data");
    Ok((Arc::new(Place { folder, data, port: base_port(), programs }), keeper))
}

pub(super) fn fail(error: &str) -> ! {
    panic!("a temporary PostgreSQL: {error}")
}
