//! `postern import`: takes a file of contacts in, takes an import back, or says how its people were informed, beside no
//! node of the same data folder.

use crate::clock::SystemClock;
use crate::settings::{Joining, StoreArguments, StoreSettings};
use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use marketing::import::{
    Echo, Format, Imported, Informing, Mode, Notes, Progress, ReportFormat, ReportWriter, Tell, Words, format_from,
    run as take_in,
};
use model::{BatchId, Clock as _, ControllerId};
use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{BodyPlacement, CreateKey, Homing, Roles, Store};

/// Octets by which a format is guessed.
const SAMPLE: usize = 8 * 1024;
/// Octets that are written to the report at once.
const REPORT_BUFFER: usize = 256 * 1024;

/// Arguments of `import`.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The file: CSV, JSON Lines, or one address a line.
    #[arg(value_name = "FILE", required_unless_present_any = ["undo", "informed"])]
    #[arg(conflicts_with_all = ["undo", "informed"])]
    file: Option<PathBuf>,
    /// The data folder. On SQLite no node may use it meanwhile; on PostgreSQL name an empty one, for this command
    /// alone.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
    /// The key over all keys. Without it, master.key in the data folder.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// Whose contacts they are: the controller's name or id (ctl_…).
    #[arg(long, value_name = "NAME|ID")]
    controller: String,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    form: Form,
    /// Write nothing; say what would become of each row.
    #[arg(long)]
    dry_run: bool,
    /// Say of each row what became of it: CSV, or JSON Lines when the name ends with .jsonl. No addresses are in it.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the receipt there too. With its nonce you can show what the ledger's entry is about; nobody else keeps it.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Take this import back (imp_…).
    #[arg(long, value_name = "ID")]
    undo: Option<String>,
    #[command(flatten)]
    informing: InformingArguments,
    /// Say nothing but the result.
    #[arg(long)]
    quiet: bool,
}

/// What is said of the whole file. What a row says itself stands before it.
#[derive(clap::Args, Debug)]
struct Said {
    /// For what: a purpose of the controller. May be given several times.
    #[arg(long, value_name = "NAME")]
    purpose: Vec<String>,
    /// Where the contacts came from, in words (GDPR Art. 14(2)(f)).
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// How they were collected: form, double_opt_in, paper, verbal, api, existing_customer, other.
    #[arg(long, value_name = "WORD")]
    method: Option<String>,
    /// The notice that was shown: its id, its SHA-256, or NAME:VERSION:LANGUAGE of a document that is kept. Any other
    /// reference is kept as it is, and the evidence counts as unverified.
    #[arg(long, value_name = "REFERENCE")]
    notice: Option<String>,
    /// The lawful basis: consent, soft-opt-in, contract, legal-obligation.
    #[arg(long, value_name = "WORD")]
    basis: Option<String>,
    /// Of a soft opt-in, beside the method existing_customer: similar-products, opt-out-at-collection (both are needed;
    /// ePrivacy Art. 13(2)).
    #[arg(long, value_name = "WORDS")]
    soft_opt_in: Option<String>,
    /// From whom the data were obtained: person or third-party (GDPR Art. 14). Without it, the method other means
    /// third-party.
    #[arg(long, value_name = "WORD")]
    obtained: Option<String>,
    /// The first day on which they were collected.
    #[arg(long, value_name = "DATE", requires = "collected_until")]
    collected_from: Option<String>,
    /// The last day.
    #[arg(long, value_name = "DATE", requires = "collected_from")]
    collected_until: Option<String>,
}

/// How the people of an import were informed whose data came from somebody else (GDPR Art. 14).
#[derive(clap::Args, Debug)]
struct InformingArguments {
    /// Say of this import (imp_…) that its people were informed: with --on and --how, and --notice for what they got;
    /// or with --exemption and --assessment. It is your word; the ledger has an entry of it.
    #[arg(long, value_name = "ID", conflicts_with = "undo")]
    informed: Option<String>,
    /// The day on which the last of them was informed: YYYY-MM-DD.
    #[arg(long, value_name = "DATE", requires = "informed")]
    on: Option<String>,
    /// How they were informed, in words.
    #[arg(long, value_name = "TEXT", requires = "informed")]
    how: Option<String>,
    /// Why they need not be: a, b, c or d, the letter of GDPR Art. 14(5).
    #[arg(long, value_name = "LETTER", requires = "informed")]
    exemption: Option<String>,
    /// Where the assessment of that is.
    #[arg(long, value_name = "TEXT", requires = "informed")]
    assessment: Option<String>,
}

/// How the file is written.
#[derive(clap::Args, Debug)]
struct Form {
    /// Which column is what: FIELD=COLUMN, with email, language, given_at, method, source, notice, basis, confirmed,
    /// purpose, soft_opt_in, obtained for FIELD. Without any, columns are taken by their usual names.
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// csv, jsonl or list. Without it, by the name and the first octets.
    #[arg(long, value_name = "WORD")]
    format: Option<String>,
    /// utf-8 (without it), utf-16le, utf-16be or windows-1252.
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// The first row is a row like the others; columns are named 1, 2 and so on.
    #[arg(long)]
    no_header: bool,
    /// In dates such as 03/04/2021 the day comes first (`day`) or the month (`month`).
    #[arg(long, value_name = "day|month")]
    date_order: Option<String>,
}

/// Imports, or takes an import back.
///
/// # Errors
/// When nothing was imported, or not all was taken back.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = StoreSettings {
        place: arguments.store.place()?,
        bodies: BodyPlacement::Rows,
        master_key: arguments.master_key.clone(),
        create_key: CreateKey::Never,
    };
    let joining = Joining { name: "import".to_owned(), roles: Roles::NONE, homing: Homing::ByDomain, region: None };
    let store = settings.open(&arguments.data, joining).await.context(
        "a file is imported on a data folder that no node uses; to import while a node serves, post it to /v1/imports",
    )?;
    let outcome = work(&store, &arguments).await;
    store.close().await;
    say(&outcome?);
    Ok(())
}

async fn work(store: &Arc<Store>, arguments: &Arguments) -> anyhow::Result<String> {
    let named = store.controller_named(&arguments.controller);
    let controller = named.or_else(|| store.parse_public::<ControllerId>(&arguments.controller));
    let controller = controller.with_context(|| format!("there is no controller {:?}", arguments.controller))?;
    if let Some(id) = &arguments.undo {
        let id: BatchId = store.parse_public(id).with_context(|| format!("{id:?} is no import"))?;
        let undone = store.undo_import(controller, id).await?;
        return Ok(format!(
            "undone: {} bases, {} addresses, {} rows in quarantine are gone; wishes stay",
            undone.bases, undone.addresses, undone.quarantined
        ));
    }
    if let Some(id) = &arguments.informing.informed {
        let id: BatchId = store.parse_public(id).with_context(|| format!("{id:?} is no import"))?;
        let said = arguments.informing().said(SystemClock.now());
        let said = said.map_err(|fault| anyhow::anyhow!("--{}: {}", fault.field, fault.fault))?;
        store.people_informed(controller, id, &said).await?;
        return Ok(format!("it is on record that the people of {} were informed", store.public_id(id)));
    }
    let path = arguments.file.as_deref().context("no file was named")?;
    let (file, length, format) = open(path, arguments.form.format.as_deref())?;
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Write };
    let plan = arguments.words().plan(store, controller, SystemClock.now(), format, mode);
    let plan = plan.map_err(|fault| anyhow::anyhow!("--{}: {}", fault.field.replace('_', "-"), fault.fault))?;
    let teller = teller(arguments.quiet, length, store);
    let imported = take_in(store, plan, file, arguments.notes()?, &teller.tell).await;
    teller.bar.finish_and_clear();
    let imported = imported?;
    arguments.farewell(store, &imported)
}

/// The file, its length, and how it is written.
fn open(path: &Path, format: Option<&str>) -> anyhow::Result<(File, u64, Format)> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let length = file.metadata().map_or(0, |about| about.len());
    let format = match format {
        Some(word) => match format_from(word) {
            Some(format) => Some(format),
            None => bail!("--format is csv, jsonl or list, not {word:?}"),
        },
        None => {
            let mut sample = Vec::with_capacity(SAMPLE);
            (&mut file).take(SAMPLE as u64).read_to_end(&mut sample)?;
            file.rewind()?;
            Format::guess(&path.to_string_lossy(), &sample)
        }
    };
    let format =
        format.context("the file is neither CSV nor JSON Lines nor a list; save it as CSV, or say --format")?;
    Ok((file, length, format))
}

impl Arguments {
    fn words(&self) -> Words {
        let (said, form) = (&self.said, &self.form);
        Words {
            purposes: said.purpose.clone(),
            source: said.source.clone(),
            method: said.method.clone(),
            notice: said.notice.clone(),
            basis: said.basis.clone(),
            soft_opt_in: said.soft_opt_in.clone(),
            obtained: said.obtained.clone(),
            collected_from: said.collected_from.clone(),
            collected_until: said.collected_until.clone(),
            map: form.map.clone(),
            encoding: form.encoding.clone(),
            header: form.no_header.then(|| "absent".to_owned()),
            date_order: form.date_order.clone(),
        }
    }

    fn informing(&self) -> Informing {
        let said = &self.informing;
        Informing {
            on: said.on.clone(),
            how: said.how.clone(),
            notice: self.said.notice.clone(),
            exemption: said.exemption.clone(),
            assessment: said.assessment.clone(),
        }
    }

    fn notes(&self) -> anyhow::Result<Notes> {
        let Some(path) = &self.report else { return Ok(None) };
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let is_lines = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("jsonl"));
        let format = if is_lines { ReportFormat::JsonLines } else { ReportFormat::Csv };
        let out = BufWriter::with_capacity(REPORT_BUFFER, file);
        Ok(Some(Box::new(ReportWriter::new(out, format, Echo::Nothing)?)))
    }

    /// The receipt, which is the command's result.
    fn farewell(&self, store: &Store, imported: &Imported) -> anyhow::Result<String> {
        let text = format!("{:#}", imported.to_json(store));
        if let (Some(path), true) = (&self.receipt, imported.receipt.is_some()) {
            let mut file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            writeln!(file, "{text}").with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(text)
    }
}

/// Says how far it is.
struct Teller {
    bar: ProgressBar,
    tell: Tell,
}

fn teller(quiet: bool, length: u64, store: &Arc<Store>) -> Teller {
    let is_shown = !quiet && std::io::stderr().is_terminal();
    let bar = if is_shown {
        ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
    } else {
        ProgressBar::hidden()
    };
    let style = |text: &str| ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style("reading {wide_bar} {bytes} of {total_bytes}, {eta} left"));
    let (shown, store) = (bar.clone(), Arc::clone(store));
    let tell: Tell = Arc::new(move |progress| match progress {
        // Said at once: with it, what is cut short can be taken back.
        Progress::Begun(id) if !quiet => {
            let line = format!("import {}", store.public_id(id));
            if shown.is_hidden() { note(&line) } else { shown.println(line) }
        }
        Progress::Begun(_) => {}
        Progress::Read(octets) => shown.set_position(octets),
        Progress::Written(rows, of) => {
            if shown.length() != Some(of) {
                shown.set_length(of);
                shown.set_style(style("writing {wide_bar} {human_pos} of {human_len} rows, {per_sec}, {eta} left"));
                shown.reset_eta();
            }
            shown.set_position(rows);
        }
    });
    Teller { bar, tell }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the id of the import, where nobody draws a bar")]
fn note(text: &str) {
    eprintln!("{text}");
}
