//! `postern backup` and `postern restore`: a store on SQLite, in two files that lie in two places.

use super::said::say;
use crate::clock::SystemClock;
use crate::settings::{Joining, StorePlace, StoreSettings};
use anyhow::{Context as _, bail};
use duties::agreement;
use model::Clock as _;
use model::agreement::AgreementState;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::backup::{Backup, BackupPlan, KEYS_KEPT_DAYS, RestorePlan, back_up, restore};
use store::permission::Side;
use store::{BodyPlacement, CreateKey, Store};

/// Arguments of `postern backup`.
#[derive(clap::Args, Debug)]
pub(super) struct BackupArguments {
    /// The data folder. A node may serve it meanwhile.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    /// The key over all keys. Without it, master.key in the data folder. It is in no backup: keep it elsewhere.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// The folder for the main part: messages, contacts, evidence, ledger, all sealed.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The folder for the part with the keys: another one, which should lie elsewhere. Without it, the main part is
    /// noise.
    #[arg(long, value_name = "DIR")]
    keys_to: PathBuf,
    /// Days after which parts with keys are removed from their folder, so that what was erased is gone from backups,
    /// too.
    #[arg(long, value_name = "DAYS", default_value_t = KEYS_KEPT_DAYS,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(KEYS_KEPT_DAYS)))]
    keep_days: u32,
}

/// Arguments of `postern restore`.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("log").required(true)))]
pub(super) struct RestoreArguments {
    /// The main part of a backup (postern-main-….backup).
    #[arg(long, value_name = "FILE")]
    main: PathBuf,
    /// The part with the keys of the same backup (postern-keys-….backup).
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The key over all keys.
    #[arg(long, value_name = "FILE")]
    master_key: PathBuf,
    /// The data folder. It is made.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The folder with the log of what people decided since the backup was made. It is made up for before anything is
    /// served.
    #[arg(long, value_name = "DIR", group = "log")]
    tombstones: Option<PathBuf>,
    /// There is no such log: every agreement is suspended, so that nothing is sent until the operator takes it up again
    /// for each controller that has confirmed his lists.
    #[arg(long, group = "log")]
    without_tombstones: bool,
}

/// Makes a backup.
///
/// # Errors
/// When it was not made, saying why.
pub(super) async fn run_backup(arguments: BackupArguments) -> anyhow::Result<()> {
    let BackupArguments { data, master_key, to, keys_to, keep_days } = arguments;
    owned_by_us(&data)?;
    let master_key = master_key.unwrap_or_else(|| data.join("master.key"));
    let plan = BackupPlan { data, master_key, to, keys_to, keep_days, now: SystemClock.now() };
    let made = tokio::task::spawn_blocking(move || back_up(&plan)).await.context("the backup fell over")??;
    say(&told(&made));
    Ok(())
}

fn told(made: &Backup) -> String {
    let mut lines = vec![
        format!("main  {}  {} octets, {} bodies in files", made.main.display(), made.main_octets, made.bodies),
        format!("keys  {}  {} octets", made.keys.display(), made.keys_octets),
    ];
    lines.extend(made.removed.iter().map(|path| format!("gone  {}  its days are over", path.display())));
    lines.push("The master key is in neither: keep a copy of it in a third place.".to_owned());
    lines.join("\n")
}

/// Whoever reads a database writes files beside it: those of another user would keep the node from its own.
fn owned_by_us(data: &Path) -> anyhow::Result<()> {
    let owner = std::fs::metadata(data).with_context(|| format!("cannot look at {}", data.display()))?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        bail!("{} belongs to user {owner}: run this as that user", data.display());
    }
    if !data.join("main.db").exists() {
        bail!(
            "{} holds no database; a store on PostgreSQL is kept by its own tools, the main database first and that of \
             keys second",
            data.display()
        );
    }
    Ok(())
}

/// Puts one back.
///
/// # Errors
/// When it was not, saying why; then the folder is not there.
pub(super) async fn run_restore(arguments: RestoreArguments) -> anyhow::Result<()> {
    let RestoreArguments { main, keys, master_key, data, tombstones, without_tombstones: _ } = arguments;
    let plan = RestorePlan { main, keys, master_key: master_key.clone(), data: data.clone() };
    tokio::task::spawn_blocking(move || restore(&plan)).await.context("the restoring fell over")??;
    let made_up = make_up(&data, master_key, tombstones.as_deref()).await;
    match made_up {
        Ok(text) => say(&text),
        Err(error) => {
            // It is as if nothing had been done: the same command can be given again.
            std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
            return Err(error);
        }
    }
    Ok(())
}

/// What was decided since, or nothing at all before somebody has looked.
async fn make_up(data: &Path, master_key: PathBuf, log: Option<&Path>) -> anyhow::Result<String> {
    let settings = StoreSettings {
        place: StorePlace::Sqlite,
        bodies: BodyPlacement::Rows,
        master_key: Some(master_key),
        create_key: CreateKey::Never,
    };
    let store = settings.open(data, Joining::beside_nodes("restore")).await?;
    store.doubt_queue().await?;
    let outcome = match log {
        Some(log) => replayed(&store, log).await,
        None => suspended(&store).await,
    };
    store.close().await;
    outcome
}

async fn replayed(store: &Store, log: &Path) -> anyhow::Result<String> {
    let replayed = store.keep_tombstones(log).await?;
    Ok(format!(
        "Restored. Of {} people in {} newer records of the log, {} had decided something that this backup did not \
         know; it holds now.{}\nStart the node with --tombstones {}. What waited in the queue is sent, and marked as \
         perhaps sent before.",
        replayed.persons,
        replayed.records,
        replayed.changed,
        match replayed.unknown {
            0 => String::new(),
            unknown => format!(" {unknown} were of controllers that this backup does not know, and are lost."),
        },
        log.display()
    ))
}

async fn suspended(store: &Arc<Store>) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for controller in store.controllers() {
        for paper in agreement::papers(store, controller).await? {
            if paper.state() == AgreementState::InForce {
                agreement::turn(store, controller, paper.id, AgreementState::Suspended, Side::Processor).await?;
                lines.push(format!("suspended  {}  of {}", store.public_id(paper.id), store.public_id(controller)));
            }
        }
    }
    store.end_tombstones().await?;
    lines.push(
        "Restored, without what people decided since: nothing is sent for a controller until `postern agreement \
         resume` was run for it. Do that when he has confirmed who opted out since the backup was made."
            .to_owned(),
    );
    Ok(lines.join("\n"))
}
