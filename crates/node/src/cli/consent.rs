//! `postern consent`: hands the evidence of a consent over as one file, beside no node of the same data folder, and
//! checks such a file without any store.

use super::house::House;
use super::said::say;
use anyhow::{Context as _, bail, ensure};
use duties::document::consent_record::{Claim, Worth, read_evidence};
use ledger::{Entry, Folder, LogProof, VerifierKey};
use mail::address::Address;
use model::ControllerId;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store::Store;

/// Octets of a file that is looked at.
const FILE_MAX: u64 = 64 * 1024 * 1024;
/// Octets of an address on standard input.
const ADDRESS_MAX: u64 = 1_024;
/// By how much the moment of an act and that of its leaf may differ.
const APART_US_MAX: u64 = 5 * 60 * 1_000_000;
/// Exit code of a file that is whole, and is no complete evidence of a consent.
const INCOMPLETE: u8 = 3;

/// Subcommands of `postern consent`.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Write the evidence of one person's consent to one purpose: record, exact words, receipts of the ledger.
    Export(Box<Export>),
    /// Check such a file: nothing was changed, the record says what its acts say, and all of it stands in the log.
    /// Needs no store. Exit code 0: complete evidence, or withdrawn since; 1: changed or unreadable; 3: whole, and not
    /// complete.
    Verify(Verify),
}

/// Arguments of `export`.
#[derive(clap::Args, Debug)]
pub(super) struct Export {
    #[command(flatten)]
    house: House,
    /// Name of the purpose.
    #[arg(long, value_name = "NAME")]
    purpose: String,
    /// A file with the person's address, or - for standard input: arguments of commands are seen by other users.
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    address: PathBuf,
    /// Where to write the file; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Arguments of `verify`.
#[derive(clap::Args, Debug)]
pub(super) struct Verify {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log's public key as text. Without it, the one in the file is believed, and the answer says so.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// A copy of the log: each leaf must stand there, too, at the same place.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
}

/// Runs one.
///
/// # Errors
/// When nothing was written, or the file is not right, naming what is not.
pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Export(arguments) => export(&arguments).await.map(|()| ExitCode::SUCCESS),
        Command::Verify(arguments) => verify(&arguments),
    }
}

async fn export(arguments: &Export) -> anyhow::Result<()> {
    let (file, out) = (arguments.address.as_path(), &arguments.out);
    ensure!(!out.exists(), "{} exists; choose a name that does not", out.display());
    let (store, controller) = arguments.house.open("consent export", "/v1/consents/export").await?;
    let made = made(&store, controller, arguments, file).await;
    store.close().await;
    fs::write(out, made?).with_context(|| format!("cannot write {}", out.display()))?;
    say(&format!("written to {}; check with: postern consent verify {0}", out.display()));
    Ok(())
}

async fn made(store: &Store, controller: ControllerId, arguments: &Export, file: &Path) -> anyhow::Result<Vec<u8>> {
    let purpose = store.purpose_named(controller, &arguments.purpose);
    let purpose = purpose.with_context(|| format!("there is no purpose {:?}", arguments.purpose))?;
    let address = address(file)?;
    Ok(duties::consent::export(store, controller, &address, purpose).await?)
}

/// The address in a file, or on standard input (`-`).
pub(super) fn address(file: &Path) -> anyhow::Result<Address> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(ADDRESS_MAX).read_to_string(&mut text)?;
    } else {
        let open = fs::File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        open.take(ADDRESS_MAX).read_to_string(&mut text)?;
    }
    Address::parse(text.trim()).context("--address holds no address")
}

fn verify(arguments: &Verify) -> anyhow::Result<ExitCode> {
    let mut octets = Vec::new();
    let file = fs::File::open(&arguments.file).with_context(|| format!("cannot open {}", arguments.file.display()))?;
    file.take(FILE_MAX).read_to_end(&mut octets)?;
    let read = read_evidence(&octets).with_context(|| format!("{} is not right", arguments.file.display()))?;
    let (text, whose) = match &arguments.key {
        Some(key) => (key.as_str(), "the key given"),
        None => (read.log_key.as_str(), "the key in the file: compare it with the log.vkey that you trust"),
    };
    let key: VerifierKey = text.trim().parse().context("the log's key is no verifier key")?;
    let log = match &arguments.log {
        Some(path) => Some(Folder::open(path).with_context(|| format!("cannot open {}", path.display()))?),
        None => None,
    };
    let mut opened = 0;
    for claim in &read.claims {
        proven(claim, &key, log.as_ref()).with_context(|| format!("{} is not right", claim.name))?;
        opened += usize::from(claim.opening.is_some());
    }
    let words = read.notice.map_or("no words are known".to_owned(), |sha256| format!("words {sha256}"));
    let (receipts, origin) = (read.claims.len(), key.name());
    let unbound = match read.unbound {
        0 => String::new(),
        acts => format!(", {acts} of version 1, which do not say about whom they are"),
    };
    say(&format!("ok {origin}: {receipts} receipts, {opened} opened{unbound}, {words}, by {whose}"));
    Ok(graded(&read.worth))
}

/// Says what a whole file is worth (GDPR Art. 7(1)).
fn graded(worth: &Worth) -> ExitCode {
    let since = if worth.has_ended { ", and it ended since" } else { "" };
    if let Some(kind) = worth.other_basis {
        say(&format!("incomplete: it is no consent, but the record of another basis, {}{since}", kind.as_str()));
        return ExitCode::from(INCOMPLETE);
    }
    if !worth.lacks.is_empty() {
        say(&format!("incomplete: taken alone it is no evidence of consent{since}; it lacks:"));
        for defect in &worth.lacks {
            say(&format!("- {}: {} ({})", defect.field, defect.sentence, defect.article));
        }
        return ExitCode::from(INCOMPLETE);
    }
    say(if worth.has_ended {
        "withdrawn: it shows who consented, when, how, to what and to whom, and that it ended since"
    } else {
        "complete: it shows who consented, when, how, to what and to whom"
    });
    ExitCode::SUCCESS
}

/// The leaf stands in the log, and is about what the file says.
fn proven(claim: &Claim, key: &VerifierKey, log: Option<&Folder>) -> anyhow::Result<()> {
    let proof = LogProof::parse(&claim.receipt)?;
    proof.verify_enclosed(key, &[])?;
    let leaf = proof.entry().context("the receipt does not hold its leaf")?;
    let entry = Entry::decode(leaf)?;
    if let Some((blind, sha256)) = &claim.opening {
        let expected = store::permission::commitment(blind, sha256);
        ensure!(entry.commitment() == Some(&expected), "the log says that this is not what was kept");
    }
    if let Some((event, at)) = &claim.event {
        if event != entry.id() {
            bail!("the receipt is that of another event");
        }
        let at = u64::try_from(at.micros()).unwrap_or_default();
        ensure!(at.abs_diff(entry.time_us()) <= APART_US_MAX, "the log has it at another time");
    }
    // The leaf of one act may not stand for what was handed over.
    ensure!(
        !claim.is_export || entry.kind() == model::event::EventType::EvidenceExported.as_str(),
        "its leaf is no export"
    );
    if let Some(folder) = log {
        ensure!(folder.entry(proof.index())? == leaf, "the copy of the log has something else at this place");
    }
    Ok(())
}
