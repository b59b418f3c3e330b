//! A Python environment in `.tools/venv` with verifiers that we did not write.

use anyhow::{Context, Result};

use super::TOOLS;
use crate::repo::Repo;
use crate::run;

/// Package, exact version, and what it is for.
pub(crate) const PACKAGES: &[(&str, &str, &str)] = &[
    ("dkimpy", "1.1.8", "a DKIM verifier that is not ours"),
    ("pynacl", "1.6.2", "Ed25519 for that verifier"),
    ("dnspython", "2.9.2", "dkimpy needs it at import; tests give keys by a function"),
    ("authheaders", "0.16.3", "Authentication-Results with DMARC that are not ours"),
    ("pyspf", "2.0.14", "SPF for those"),
    ("checkdmarc", "6.0.4", "a look at SPF and DMARC records that is not ours"),
    ("pymerkle", "7.0.0", "an RFC 6962 tree that is not ours"),
    ("cryptography", "50.0.2", "Ed25519 and AES-GCM that are not ours"),
    ("moto", "5.2.5", "a bucket that is not ours, and botocore's signatures"),
    ("flask", "3.1.3", "moto's server stands on it"),
    ("flask-cors", "6.0.5", "moto's server stands on it"),
];

/// Whether the environment has an interpreter; the stamp says whether its packages are the listed ones.
pub(crate) fn present(repo: &Repo) -> bool {
    repo.path(TOOLS).join("venv/bin/python").exists()
}

/// Makes the environment and installs the listed versions.
pub(crate) fn install(repo: &Repo) -> Result<()> {
    let venv = repo.path(TOOLS).join("venv");
    // --clear: a half-made environment of a broken run is replaced, not repaired.
    run::check(run::command("python3").args(["-m", "venv", "--clear"]).arg(&venv))
        .context("the Python environment cannot be made (Debian: python3-venv)")?;
    let wanted = PACKAGES.iter().map(|(name, version, _)| format!("{name}=={version}"));
    run::check(
        run::command(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"])
            .args(wanted),
    )
}
