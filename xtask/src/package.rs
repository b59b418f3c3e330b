//! `cargo xtask package`: the Debian package, from the binary, `packaging/` and what the binary says of its settings.
//!
//! Invariants: the same commit and binary make the same octets (times are the commit's, files belong to root); nothing
//! is installed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::repo::Repo;
use crate::run;

/// Pages that go along.
const PAGES: &[&str] = &["operations.md", "configuration.md", "rules.md", "personal-data.md"];
/// What a maintainer's script is called.
const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];
/// Where the settings say that the data folder is.
const DATA: &str = "data = \"/var/lib/postern\"";

/// Builds it. Answers nothing but the path on standard output.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let (mut binary, mut to, mut compression) = (None, repo.path("target/package"), "xz".to_owned());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = || words.clone().next().map(PathBuf::from).with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--binary" => binary = Some(value()?),
            "--to" => to = value()?,
            "--compression" => compression = value()?.display().to_string(),
            other => bail!("unknown argument {other:?}; there are --binary FILE, --to DIR, --compression none|xz|zstd"),
        }
        words.next();
    }
    let binary = match binary {
        Some(binary) => binary,
        None => built(repo)?,
    };
    let made = Package { repo, binary: &binary, to: &to, compression: &compression }.make()?;
    println!("{}", made.display());
    Ok(())
}

fn built(repo: &Repo) -> Result<PathBuf> {
    run::check(run::cargo(repo).args(["build", "--release", "--locked", "-p", "postern"]))?;
    Ok(repo.path("target/release/postern"))
}

struct Package<'a> {
    repo: &'a Repo,
    binary: &'a Path,
    to: &'a Path,
    compression: &'a str,
}

impl Package<'_> {
    fn make(&self) -> Result<PathBuf> {
        let root = self.to.join("root");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        let at = self.commit_time();
        self.lay_out(&root)?;
        let (version, architecture) = (self.version(&at)?, said("dpkg", &["--print-architecture"])?);
        let control = self.control(&version, &architecture, &root)?;
        write(&root.join("DEBIAN/control"), control.as_bytes(), 0o644)?;
        write(&root.join("DEBIAN/conffiles"), b"/etc/postern/postern.toml\n", 0o644)?;
        for script in SCRIPTS {
            copy(&self.repo.path("packaging/debian").join(script), &root.join("DEBIAN").join(script), 0o755)?;
        }
        let file = self.to.join(format!("postern_{version}_{architecture}.deb"));
        let mut build = run::command("dpkg-deb");
        let compression = format!("-Z{}", self.compression);
        build.args(["--root-owner-group", &compression, "--build"]).arg(&root).arg(&file).env("SOURCE_DATE_EPOCH", &at);
        run::output(&mut build)?;
        fs::remove_dir_all(&root)?;
        Ok(file)
    }

    fn lay_out(&self, root: &Path) -> Result<()> {
        copy(self.binary, &root.join("usr/bin/postern"), 0o755)?;
        copy(
            &self.repo.path("packaging/postern.service"),
            &root.join("usr/lib/systemd/system/postern.service"),
            0o644,
        )?;
        let doc = root.join("usr/share/doc/postern");
        for page in PAGES {
            copy(&self.repo.path("docs").join(page), &doc.join(page), 0o644)?;
        }
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            copy(&self.repo.path(licence), &doc.join(licence), 0o644)?;
        }
        write(&doc.join("copyright"), COPYRIGHT.as_bytes(), 0o644)?;
        let template = run::output(run::command(self.binary).args(["config", "template"]))?;
        let settings = template.replacen(&format!("#{DATA}"), DATA, 1);
        if settings == template {
            bail!("the template of the settings has no line #{DATA}");
        }
        write(&root.join("etc/postern/postern.toml"), settings.as_bytes(), 0o640)
    }

    /// When the commit was made, in seconds since 1970; without git, 0.
    fn commit_time(&self) -> String {
        let mut git = run::command("git");
        git.current_dir(self.repo.path(".")).args(["log", "-1", "--format=%ct"]);
        run::output(&mut git).map_or_else(|_| "0".to_owned(), |time| time.trim().to_owned())
    }

    /// That of the workspace. Before the first release the commit tells versions apart.
    fn version(&self, at: &str) -> Result<String> {
        let manifest: toml::Table = fs::read_to_string(self.repo.path("Cargo.toml"))?.parse()?;
        let version = manifest.get("workspace").and_then(|of| of.get("package")).and_then(|of| of.get("version"));
        let version = version.and_then(toml::Value::as_str).context("the workspace has no version")?;
        Ok(if version == "0.0.0" { format!("{version}~{at}") } else { version.to_owned() })
    }

    fn control(&self, version: &str, architecture: &str, root: &Path) -> Result<String> {
        let libc = said("dpkg-query", &["-W", "-f=${Version}", "libc6"])?;
        let libc = libc.split('-').next().unwrap_or_default();
        let size = octets(root)? / 1024;
        Ok(format!(
            "Package: postern\nVersion: {version}\nArchitecture: {architecture}\nSection: mail\nPriority: optional\n\
             Maintainer: the authors of Postern <postern@localhost>\nInstalled-Size: {size}\n\
             Depends: libc6 (>= {libc}), libgcc-s1, adduser, ca-certificates\n\
             Description: email delivery that is a data processor by construction\n \
             Takes messages over SMTP and HTTP, signs them and delivers them, only on the\n \
             documented instructions of the controller it works for, and only when it can\n \
             show, at that moment, that it may.\n"
        ))
    }
}

const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
                         Upstream-Name: Postern\n\nFiles: *\nCopyright: the authors of Postern\n\
                         License: Apache-2.0 or MIT\n \
                         The texts are beside this file: LICENSE-APACHE and LICENSE-MIT.\n";

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    Ok(run::output(run::command(program).args(arguments))?.trim().to_owned())
}

fn write(path: &Path, octets: &[u8], mode: u32) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
        // Whatever the umask of who builds it.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(path, octets).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Into::into)
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    write(to, &fs::read(from).with_context(|| format!("cannot read {}", from.display()))?, mode)
}

/// All files below a folder.
fn octets(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { octets(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}
