//! Child processes: always without standard input, always with an error that names the command.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repo::Repo;

/// A command that cannot read this process's standard input.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Cargo, as the one that runs us, in the root of the repository.
pub(crate) fn cargo(repo: &Repo) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repo.path("."));
    cargo
}

/// Runs to the end with inherited output; an exit other than 0 is an error.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{} cannot be started", described(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", described(command));
    }
    Ok(())
}

/// Runs to the end and returns standard output; an exit other than 0 is an error that shows standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{} cannot be started", described(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", described(command), output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `cargo metadata` as JSON; `extra` are further arguments.
pub(crate) fn metadata(repo: &Repo, extra: &[&str]) -> Result<Value> {
    let text = output(cargo(repo).args(["metadata", "--format-version", "1"]).args(extra))?;
    serde_json::from_str(&text).context("cargo metadata did not print JSON")
}

/// Builds a program of `testkit`, and says where it is.
pub(crate) fn testkit(repo: &Repo, program: &str) -> Result<PathBuf> {
    // With the features of the whole workspace, so that nothing is compiled twice.
    check(cargo(repo).args(["build", "--quiet", "--workspace", "--bin", program]))?;
    let metadata = metadata(repo, &["--no-deps"])?;
    let target = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(Path::new(target).join("debug").join(program))
}

/// Where a program of ours is that was built as it is shipped.
pub(crate) fn release_binary(repo: &Repo, program: &str) -> Result<PathBuf> {
    let metadata = metadata(repo, &["--no-deps"])?;
    let target = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(Path::new(target).join("release").join(program))
}

/// Where a program is, in PATH or in the administrators' folders that a plain account's PATH often lacks.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(administrators).map(|folder| folder.join(program)).find(|file| is_program(file))
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    // The owner of /proc/self is the effective account.
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|entry| entry.is_file() && entry.permissions().mode() & 0o111 != 0)
}

fn described(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
