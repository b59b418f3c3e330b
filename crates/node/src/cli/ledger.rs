//! `postern ledger`: works on the exported folder of a log, or on a copy of it, without the store;
//! only `rebuild` opens the store.

use crate::settings::{Joining, StoreArguments, StoreSettings};
use anyhow::{Context as _, bail};
use ledger::{Audit, Checkpoint, Folder, SignedCheckpoint, VerifierKey};
use model::ControllerId;
use std::path::{Path, PathBuf};
use store::{BodyPlacement, CreateKey, Homing, LogFolder, Roles};

/// Subcommands of `postern ledger`.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Check a log from end to end: every entry, the tree, the signature, and earlier checkpoints.
    Verify(Verify),
    /// Write the offline receipt (.tlog-proof) of one entry.
    Prove(Prove),
    /// Copy a log (checkpoint, tiles, entries, public key) to another folder.
    Export(Export),
    /// Make a log folder anew from the store. No node may use the data folder meanwhile.
    Rebuild(Rebuild),
}

/// Which log.
#[derive(clap::Args, Debug)]
pub(super) struct Which {
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    data: PathBuf,
    /// The controller's id (ctl_…). Not needed with --log, or when the data folder has one log beside the operator's.
    #[arg(long, value_name = "ID")]
    controller: Option<String>,
    /// A log folder or a copy of one, instead of --data and --controller.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
}

/// Arguments of `verify`.
#[derive(clap::Args, Debug)]
pub(super) struct Verify {
    #[command(flatten)]
    which: Which,
    /// The log's public key as text; without it, the file log.vkey beside the log is believed.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// A checkpoint kept from earlier; the log must extend it. May be given several times.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
}

/// Arguments of `prove`.
#[derive(clap::Args, Debug)]
pub(super) struct Prove {
    #[command(flatten)]
    which: Which,
    /// The event id, as it stands in a message's timeline.
    #[arg(long, value_name = "ID", conflicts_with = "index")]
    event: Option<String>,
    /// The index of the entry.
    #[arg(long, value_name = "N")]
    index: Option<u64>,
    /// Where to write the receipt; without it, to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `export`.
#[derive(clap::Args, Debug)]
pub(super) struct Export {
    #[command(flatten)]
    which: Which,
    /// The folder to make; it must not exist.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Arguments of `rebuild`.
#[derive(clap::Args, Debug)]
pub(super) struct Rebuild {
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    data: PathBuf,
    /// The controller's id (ctl_…).
    #[arg(long, value_name = "ID")]
    controller: String,
    #[command(flatten)]
    store: StoreArguments,
    /// The key over all keys. Without it, master.key in the data folder.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
}

/// Runs one.
///
/// # Errors
/// When the log is not right, naming the first thing that is not; or when a file is not there.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Verify(arguments) => verify(&arguments),
        Command::Prove(arguments) => prove(&arguments),
        Command::Export(arguments) => export(&arguments),
        Command::Rebuild(arguments) => rebuild(&arguments).await,
    }
}

impl Which {
    fn folders(&self) -> anyhow::Result<Vec<PathBuf>> {
        if let Some(log) = &self.log {
            return Ok(vec![log.clone()]);
        }
        if let Some(controller) = &self.controller {
            return Ok(vec![LogFolder::path(&self.data, controller)]);
        }
        let root = self.data.join("ledger");
        let entries = std::fs::read_dir(&root)
            .with_context(|| format!("{} has no ledger; is --data the data folder?", self.data.display()))?;
        let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        folders.retain(|folder| folder.join("checkpoint").exists());
        folders.sort();
        Ok(folders)
    }

    fn one(&self) -> anyhow::Result<PathBuf> {
        let folders = self.folders()?;
        match folders.as_slice() {
            [folder] => Ok(folder.clone()),
            [] => bail!("there is no log yet"),
            _ => bail!("there are {} logs; name one with --controller", folders.len()),
        }
    }
}

fn verify(arguments: &Verify) -> anyhow::Result<()> {
    let folders = arguments.which.folders()?;
    if folders.is_empty() {
        bail!("there is no log yet");
    }
    if folders.len() > 1 && (arguments.key.is_some() || !arguments.checkpoint.is_empty()) {
        bail!("there are {} logs; name the one that the key or checkpoint belongs to with --controller", folders.len());
    }
    for folder in folders {
        let key = key(&folder, arguments.key.as_deref())?;
        let earlier =
            arguments.checkpoint.iter().map(|file| earlier(file, &key)).collect::<anyhow::Result<Vec<_>>>()?;
        let audit = Audit { log: &key, witnesses: &[], earlier: &earlier };
        let report =
            ledger::folder::verify(&folder, &audit).with_context(|| format!("{} is not right", folder.display()))?;
        say(&format!(
            "ok {}: {} entries, root {}, {} earlier checkpoint(s) extended",
            report.origin,
            report.size,
            model::ids::hex(&report.root),
            report.earlier_checked
        ));
    }
    Ok(())
}

fn key(folder: &Path, given: Option<&str>) -> anyhow::Result<VerifierKey> {
    match given {
        Some(text) => text.trim().parse().context("--key is no verifier key"),
        None => Ok(LogFolder::key(folder)?),
    }
}

/// A checkpoint that was kept counts only when the log's own key signed it.
fn earlier(file: &Path, key: &VerifierKey) -> anyhow::Result<Checkpoint> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let signed = SignedCheckpoint::parse(&bytes).with_context(|| format!("{} is no checkpoint", file.display()))?;
    Ok(signed.verify(key).with_context(|| format!("{} was not signed by this log", file.display()))?.clone())
}

fn prove(arguments: &Prove) -> anyhow::Result<()> {
    let path = arguments.which.one()?;
    let folder = Folder::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let index = match (&arguments.event, arguments.index) {
        (Some(event), _) => find(&folder, event)?,
        (None, Some(index)) => index,
        (None, None) => bail!("name the entry with --event or --index"),
    };
    let proof = folder.prove(index)?.to_string();
    match &arguments.out {
        Some(file) => std::fs::write(file, proof).with_context(|| format!("cannot write {}", file.display())),
        None => {
            say(proof.trim_end());
            Ok(())
        }
    }
}

fn find(folder: &Folder, event: &str) -> anyhow::Result<u64> {
    for (index, entry) in (0..).zip(folder.entries(0)?) {
        if ledger::Entry::decode(&entry?).is_ok_and(|entry| entry.id() == event) {
            return Ok(index);
        }
    }
    bail!("no entry has the event id {event}; the last seconds are not exported yet")
}

fn export(arguments: &Export) -> anyhow::Result<()> {
    let from = arguments.which.one()?;
    if arguments.to.exists() {
        bail!("{} exists; choose a folder that does not", arguments.to.display());
    }
    copy(&from, &arguments.to).with_context(|| format!("cannot copy to {}", arguments.to.display()))?;
    say(&format!("copied to {}; check with: postern ledger verify --log {0}", arguments.to.display()));
    Ok(())
}

/// The checkpoint is copied first: tiles only grow, so what is copied after it covers it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for name in ["checkpoint", "log.vkey"] {
        std::fs::copy(from.join(name), to.join(name))?;
    }
    copy_tree(&from.join("tile"), &to.join("tile"))
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

async fn rebuild(arguments: &Rebuild) -> anyhow::Result<()> {
    let settings = StoreSettings {
        place: arguments.store.place()?,
        bodies: BodyPlacement::Rows,
        master_key: arguments.master_key.clone(),
        create_key: CreateKey::Never,
    };
    let joining =
        Joining { name: "ledger rebuild".to_owned(), roles: Roles::NONE, homing: Homing::ByDomain, region: None };
    let store = settings.open(&arguments.data, joining).await?;
    let rebuilt = match store.parse_public::<ControllerId>(&arguments.controller) {
        Some(controller) => store.rebuild_log(controller).await.map_err(anyhow::Error::from),
        None => Err(anyhow::anyhow!("{} is no controller of this store", arguments.controller)),
    };
    store.close().await;
    say(&format!("rebuilt: {} entries", rebuilt?));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(text: &str) {
    println!("{text}");
}
