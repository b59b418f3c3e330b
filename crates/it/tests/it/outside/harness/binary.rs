//! The binary under test: built from the source as it stands, once in a test run, whichever test asks first.

use std::env;
use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// `postern`, built like this test: for the same profile, into the same folder.
pub(crate) fn postern() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Each test may be a process of its own: the first one builds, and leaves the name of the run under a lock.
fn build() -> PathBuf {
    let this = env::current_exe().expect("a test knows its own file");
    // …/target/PROFILE/deps/it-0123456789abcdef
    let folder = this.parent().and_then(Path::parent).expect("a test lies in the deps folder of its profile");
    let binary = folder.join("postern");
    let file = folder.join("postern-under-test.lock");
    let mut lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file).unwrap();
    lock.lock().unwrap();
    let mut built_for = String::new();
    lock.read_to_string(&mut built_for).unwrap();
    let run = run_name();
    if run.as_ref().is_none_or(|run| *run != built_for) || !binary.exists() {
        cargo_build(folder);
        lock.set_len(0).unwrap();
        lock.rewind().unwrap();
        lock.write_all(run.unwrap_or_default().as_bytes()).unwrap();
    }
    assert!(binary.exists(), "cargo built postern, but not as {}", binary.display());
    binary
}

/// The name of a whole test run, where the runner gives it one.
#[expect(clippy::disallowed_methods, reason = "the runner of the tests gives its name in the environment")]
fn run_name() -> Option<String> {
    env::var("NEXTEST_RUN_ID").ok().filter(|name| !name.is_empty())
}

fn cargo_build(folder: &Path) {
    let profile = folder.file_name().and_then(|name| name.to_str()).expect("a profile's folder has its name");
    let profile = if profile == "debug" { "dev" } else { profile };
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo told this test about its package is not meant for the next cargo.
    for (name, _) in env::vars_os() {
        let told =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG") || name.starts_with("CARGO_MANIFEST"));
        if told {
            cargo.env_remove(&name);
        }
    }
    cargo.args(["build", "--quiet", "-p", "postern", "--profile", profile, "--target-dir"]).arg(target);
    let output = cargo.current_dir(workspace()).stdin(Stdio::null()).output().expect("cargo can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the binary under test cannot be built:\n{said}");
}
