//! Debian packages: foreign clients, verifiers and relays that tests and the benchmark speak to.
//!
//! Installed only by root; anyone else is told the one line to run. No service is started: a policy file that
//! forbids it is put in place for the time of the installation where there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::run;

/// Package, and what it is for.
pub(crate) const PACKAGES: &[(&str, &str)] = &[
    ("libmail-dkim-perl", "a DKIM verifier that is not ours"),
    ("libcryptx-perl", "Ed25519 for that verifier"),
    ("swaks", "an SMTP client that is not ours"),
    ("msmtp", "another, which knows SCRAM"),
    ("chromium", "a browser for the console and the mailbox page"),
    ("postfix", "smtp-source and smtp-sink, the relay we compare ourselves with, and a real exchanger"),
    ("postgresql", "the database server that clusters for tests are made of; none is left running"),
    ("postgresql-client", "psql, by which tests make and look into databases"),
    ("pgbouncer", "a pooler, in front of which the store must refuse to work in transaction mode"),
    ("pebble", "a certificate authority that is not ours, for certificates by ACME"),
    ("systemd", "systemd-analyze, which judges the unit of the package; no service manager is started"),
    ("nsd", "a DNS server that is not ours, with signed zones for DANE"),
    ("ldnsutils", "the signer of those zones"),
    ("faketime", "nodes whose clocks are wrong, with the library that does it"),
];

const VENV: &str = "python3-venv";
/// Needed for the table of npm packages, and wanted from Debian only where no other node is there.
const NODE: &[(&str, &str)] = &[("node", "nodejs"), ("npm", "npm")];
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The packages of the table that are not installed, plus Python's venv module and node where they lack.
pub(crate) fn missing() -> Result<Vec<&'static str>> {
    let names: Vec<&str> = PACKAGES.iter().map(|(name, _)| *name).collect();
    let listed = run::command("dpkg-query").args(["-W", "-f=${Package} ${db:Status-Status}\n"]).args(&names).output();
    let listed = match listed {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => return without_dpkg(),
    };
    let mut missing: Vec<&'static str> = Vec::new();
    for (name, _) in PACKAGES {
        if !listed.lines().any(|line| line == format!("{name} installed")) {
            missing.push(name);
        }
    }
    let venv = run::command("python3").args(["-c", "import venv, ensurepip"]).output();
    if !venv.is_ok_and(|output| output.status.success()) {
        missing.push(VENV);
    }
    missing.extend(NODE.iter().filter(|(program, _)| run::which(program).is_none()).map(|(_, package)| *package));
    Ok(missing)
}

/// Installs `missing`; no-op when it is empty.
pub(crate) fn install(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !run::is_root() {
        bail!("packages are missing; run:\n  sudo {line}");
    }
    println!("setup: {line}");
    let _policy = NoServices::declare()?;
    run::check(apt().args(["-q", "update"]))?;
    run::check(apt().args(["-q", "-y", "install", "--no-install-recommends"]).args(missing))
}

fn apt() -> std::process::Command {
    let mut apt = run::command("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// On a system without dpkg the programs themselves are looked for; nothing can be installed there.
fn without_dpkg() -> Result<Vec<&'static str>> {
    let programs = [
        "swaks",
        "msmtp",
        "chromium",
        "smtp-source",
        "smtp-sink",
        "python3",
        "perl",
        "node",
        "npm",
        "psql",
        "pgbouncer",
        "faketime",
        "pebble",
        "nsd",
        "ldns-signzone",
    ];
    let absent: Vec<&str> = programs.into_iter().filter(|program| run::which(program).is_none()).collect();
    if absent.is_empty() {
        return Ok(Vec::new());
    }
    bail!("this is not Debian, so setup cannot install; please bring these programs: {}", absent.join(", "))
}

/// While it lives, packages being installed start no daemon. Whoever already has a policy keeps it.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn declare() -> Result<Self> {
        let file = Path::new(POLICY);
        if file.exists() {
            return Ok(Self { ours: false });
        }
        fs::write(file, "#!/bin/sh\nexit 101\n").with_context(|| format!("{POLICY} cannot be written"))?;
        let guard = Self { ours: true };
        fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
        Ok(guard)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            eprintln!("setup: {POLICY} could not be removed; please remove it by hand");
        }
    }
}
