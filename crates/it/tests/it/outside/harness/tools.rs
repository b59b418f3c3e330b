//! Programs that others wrote, and ours: run to their end, never longer than a minute.

use super::binary::{postern, workspace};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian has the library that shows programs another time.
pub(crate) const FAKETIME_LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Seconds after which a program is ended.
const LIMIT_S: &str = "60";
/// What `timeout` answers when the program is not there.
const ABSENT: i32 = 127;
/// What it answers when the time is over.
const TOO_LONG: i32 = 124;

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Its exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Said {
    /// Its standard output, when it was content.
    pub(crate) fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Its one sentence on standard error, when it refused as our binary does: exit code 1, nothing on the output.
    pub(crate) fn refusal(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (1, ""), "{self:?}");
        self.err
    }
}

/// Runs a program to its end, off the threads that serve the test's sockets.
pub(crate) async fn run(program: impl AsRef<OsStr>, arguments: &[&str]) -> Said {
    let program = program.as_ref().to_owned();
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    tokio::task::spawn_blocking(move || run_here(&program, &arguments)).await.unwrap()
}

fn run_here(program: &OsStr, arguments: &[String]) -> Said {
    let mut command = Command::new("timeout");
    command.args(["-k", "2", LIMIT_S]).arg(program).args(arguments).stdin(Stdio::null());
    let output = command.output().expect("coreutils has timeout");
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    let said = Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    let name = program.to_string_lossy();
    assert_ne!(said.code, ABSENT, "{name} is missing; run cargo xtask setup");
    assert_ne!(said.code, TOO_LONG, "{name} did not end within {LIMIT_S} s: {said:?}");
    said
}

/// Our own binary, for a command that ends by itself.
pub(crate) async fn run_postern(arguments: &[&str]) -> Said {
    run(postern(), arguments).await
}

/// A Python program, with the packages of the tests' environment.
pub(crate) async fn run_python(arguments: &[&str]) -> Said {
    run(python(), arguments).await
}

/// Where the foreign tools are.
#[expect(clippy::disallowed_methods, reason = "where the foreign tools are is a setting of the test run")]
pub(crate) fn tools() -> PathBuf {
    env::var_os("POSTERN_TOOLS").map_or_else(|| workspace().join(".tools"), PathBuf::from)
}

/// The interpreter that `cargo xtask setup` made.
fn python() -> PathBuf {
    let python = tools().join("venv/bin/python");
    assert!(python.exists(), "{} is missing; run cargo xtask setup", python.display());
    python
}

/// A path as an argument.
pub(crate) fn word(path: &Path) -> &str {
    path.to_str().expect("the tests' folders have plain names")
}
