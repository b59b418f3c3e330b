//! `postern suppressions`: a controller's suppression list, beside no node of the same data folder.

use super::consent::address;
use super::house::House;
use super::said::say;
use anyhow::{Context as _, bail};
use marketing::import::{Format, format_from};
use marketing::suppressions::{REASONS, SCOPES, Said, Sheet, parse_entry, reason_from, scope_from, take_in};
use model::ControllerId;
use model::person::{SuppressionReason, SuppressionScope};
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Store;
use store::permission::{Lifted, SuppressionCursor, SuppressionFilter};

/// Entries read at once.
const PAGE: usize = 500;
/// Octets by which a format is guessed.
const SAMPLE: u64 = 8 * 1024;

/// Subcommands of `postern suppressions`.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Write the list to standard output, as JSON Lines.
    List(List),
    /// Suppress a person.
    Add(Add),
    /// Take an entry back that you or a bounce made. What a person wished, he alone takes back.
    Lift(Lift),
    /// Add the entries of a file: CSV, JSON Lines or one address a line. Nothing is lifted.
    Import(Import),
    /// Write the list to a file.
    Export(Export),
}

/// Which entries.
#[derive(clap::Args, Debug)]
struct Which {
    /// Of this scope alone: all, marketing, delivery, purpose:NAME, list:NAME.
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// For this reason alone.
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
}

/// Arguments of `list`.
#[derive(clap::Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    house: House,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `add`.
#[derive(clap::Args, Debug)]
pub(super) struct Add {
    #[command(flatten)]
    house: House,
    /// A file with the person's address, or - for standard input: arguments of commands are seen by other users.
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    address: PathBuf,
    #[command(flatten)]
    what: What,
}

/// How far, and why.
#[derive(clap::Args, Debug)]
struct What {
    /// all, marketing, delivery, purpose:NAME, list:NAME or stream:NAME.
    #[arg(long, value_name = "SCOPE", default_value = "marketing")]
    scope: String,
    /// controller, opt-out, complaint or objection.
    #[arg(long, value_name = "WORD", default_value = "controller")]
    reason: String,
}

/// Arguments of `lift`.
#[derive(clap::Args, Debug)]
pub(super) struct Lift {
    #[command(flatten)]
    house: House,
    /// The entry's id, as `list` shows it (per_….SCOPE).
    #[arg(value_name = "ID")]
    id: String,
}

/// Arguments of `import`.
#[derive(clap::Args, Debug)]
pub(super) struct Import {
    #[command(flatten)]
    house: House,
    /// The file. Columns `scope` and `reason` speak for their row.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    what: What,
    /// csv, jsonl or list. Without it, by the name and the first octets.
    #[arg(long, value_name = "WORD")]
    format: Option<String>,
}

/// Arguments of `export`.
#[derive(clap::Args, Debug)]
pub(super) struct Export {
    #[command(flatten)]
    house: House,
    #[command(flatten)]
    which: Which,
    /// csv or jsonl.
    #[arg(long, value_name = "WORD", default_value = "csv")]
    format: String,
    /// The file to make; it must not exist.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Runs one.
///
/// # Errors
/// When it was not done, saying why.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let house = match &command {
        Command::List(List { house, .. })
        | Command::Add(Add { house, .. })
        | Command::Lift(Lift { house, .. })
        | Command::Import(Import { house, .. })
        | Command::Export(Export { house, .. }) => house,
    };
    let (store, controller) = house.open("suppressions", "/v1/suppressions").await?;
    let outcome = work(&store, controller, &command).await;
    store.close().await;
    outcome
}

async fn work(store: &Arc<Store>, controller: ControllerId, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List(asked) => {
            let filter = asked.which.filter(store, controller)?;
            written(store, controller, filter, Sheet::JsonLines, &mut std::io::stdout()).await
        }
        Command::Export(asked) => {
            let filter = asked.which.filter(store, controller)?;
            let sheet = Sheet::from_word(&asked.format).context("--format is csv or jsonl")?;
            let to = &asked.to;
            let file = File::create_new(to).with_context(|| format!("cannot make {}", to.display()))?;
            let mut out = BufWriter::new(file);
            written(store, controller, filter, sheet, &mut out).await?;
            out.flush().with_context(|| format!("cannot write {}", to.display()))
        }
        Command::Add(asked) => {
            let (scope, reason) = asked.what.read(store, controller)?;
            let changed = store.suppress(controller, &address(&asked.address)?, scope, reason).await?;
            say(if changed { "suppressed" } else { "it stood already" });
            Ok(())
        }
        Command::Lift(asked) => {
            let (tag, scope) =
                parse_entry(store, controller, &asked.id).with_context(|| format!("{:?} is no entry", asked.id))?;
            match store.lift_suppression(controller, tag, scope).await? {
                Lifted::Done => say("lifted"),
                Lifted::Absent => bail!("there is no such entry of this controller"),
                Lifted::Stands(reason) => bail!(
                    "it stands, for its reason is {}: only the person himself takes it back, on his own page \
                     (GDPR Art. 7(3), 21(3))",
                    reason.as_str()
                ),
            }
            Ok(())
        }
        Command::Import(asked) => {
            let (scope, reason) = asked.what.read(store, controller)?;
            let (file, format) = opened(&asked.file, asked.format.as_deref())?;
            let taken = take_in(store, controller, Said { format, scope, reason }, file).await?;
            say(&format!("{:#}", taken.to_json()));
            Ok(())
        }
    }
}

fn opened(path: &Path, format: Option<&str>) -> anyhow::Result<(File, Format)> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    if let Some(word) = format {
        return Ok((file, format_from(word).context("--format is csv, jsonl or list")?));
    }
    let mut sample = Vec::new();
    (&mut file).take(SAMPLE).read_to_end(&mut sample)?;
    file.rewind()?;
    let format = Format::guess(&path.to_string_lossy(), &sample);
    Ok((file, format.context("the file is neither CSV nor JSON Lines nor a list; say --format")?))
}

async fn written(
    store: &Store,
    controller: ControllerId,
    filter: SuppressionFilter,
    sheet: Sheet,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let (mut text, mut after) = (sheet.head(), SuppressionCursor::default());
    loop {
        let (entries, next) = store.suppressions(controller, filter, &after, PAGE).await?;
        for entry in &entries {
            sheet.write(&mut text, store, controller, entry);
        }
        out.write_all(text.as_bytes())?;
        text.clear();
        let Some(next) = next else { return Ok(()) };
        after = next;
    }
}

impl Which {
    fn filter(&self, store: &Store, controller: ControllerId) -> anyhow::Result<SuppressionFilter> {
        let scope = self.scope.as_deref().map(|word| scoped(store, controller, word)).transpose()?;
        let reason = match &self.reason {
            Some(word) => Some(SuppressionReason::from_word(word).context("--reason: there is no such reason")?),
            None => None,
        };
        Ok(SuppressionFilter { scope, reason })
    }
}

impl What {
    fn read(&self, store: &Store, controller: ControllerId) -> anyhow::Result<(SuppressionScope, SuppressionReason)> {
        let reason = reason_from(&self.reason).with_context(|| format!("--reason is {REASONS}"))?;
        Ok((scoped(store, controller, &self.scope)?, reason))
    }
}

fn scoped(store: &Store, controller: ControllerId, word: &str) -> anyhow::Result<SuppressionScope> {
    scope_from(store, controller, word).with_context(|| format!("--scope is {SCOPES}, with a name that is there"))
}
