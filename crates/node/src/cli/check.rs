//! `postern check`: what an operator should know before receivers tell him, beside a running node or without one.
//!
//! Invariants: nothing is made or changed; each finding says what it is about, what was seen and what to do; what could
//! not be asked is a finding, and never a silence. Exit code: 0 all is well, 1 something should be otherwise, 2
//! something must be, 3 it could not be looked at all.

mod certificates;
mod clock;
mod disk;
mod mail;
mod sntp;
mod standing;

use super::complain;
use super::said::say;
use crate::config::{Flags, Source, build};
use crate::settings::Settings;
use mta::Names;
use mta::health::{self, Finding, Level, Sender};
use serde_json::{Value, json};
use standing::Standing;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// It could not be looked at all: settings that cannot be read, a store that does not open.
const NOT_LOOKED: u8 = 3;

/// Arguments of `postern check`.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The settings file of the node. What flags and the environment say stands before it.
    #[arg(long, value_name = "FILE", env = "POSTERN_CONFIG")]
    config: Option<PathBuf>,
    /// Look at this alone; may be given several times.
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Part>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

/// What is looked at.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// What the addresses are called that mail leaves from.
    Ptr,
    /// Whether domains let these addresses send.
    Spf,
    /// Whether domains publish the keys that sign.
    Dkim,
    /// Whether domains have a policy, and mail passes it.
    Dmarc,
    /// Whether names that failures return to say how securely.
    MtaSts,
    /// Whether block lists that you named speak of the addresses.
    Blocklists,
    /// Whether the resolver hands on DNSSEC proofs.
    Resolver,
    /// Whether the clock is right.
    Clock,
    /// How much room is left, and for how long.
    Disk,
    /// How long certificates hold, and for which names.
    Certificates,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Ptr => "ptr",
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::MtaSts => "mta-sts",
            Self::Blocklists => "blocklists",
            Self::Resolver => "resolver",
            Self::Clock => "clock",
            Self::Disk => "disk",
            Self::Certificates => "certificates",
        }
    }
}

/// What was found, in the order in which it was looked at.
struct Report {
    only: Vec<Part>,
    found: Vec<(Part, Finding)>,
}

impl Report {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn add(&mut self, part: Part, findings: impl IntoIterator<Item = Finding>) {
        if self.wants(part) {
            self.found.extend(findings.into_iter().map(|finding| (part, finding)));
        }
    }
}

/// Looks, tells, and says by the exit code how it stands.
pub(super) async fn run(arguments: Arguments) -> ExitCode {
    match looked(&arguments).await {
        Ok(report) => {
            let told = if arguments.json { described(&report.found).to_string() } else { text(&report.found) };
            say(told.trim_end());
            match worst(&report.found) {
                Level::Good | Level::Note => ExitCode::SUCCESS,
                Level::Warning => ExitCode::from(1),
                Level::Wrong => ExitCode::from(2),
            }
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(NOT_LOOKED)
        }
    }
}

async fn looked(arguments: &Arguments) -> anyhow::Result<Report> {
    let source = Source { file: arguments.config.clone(), flags: arguments.flags.clone() };
    let settings = build::settings(&source.read()?)?;
    let mut report = Report { only: arguments.only.clone(), found: Vec::new() };
    let standing = Standing::of(&settings).await?;
    let names = Names::new(settings.delivery.resolver)?;
    if report.wants(Part::Resolver) {
        report.add(Part::Resolver, [health::resolver(&settings.delivery).await]);
    }
    let senders = senders(&names, &settings, &mut report).await;
    if report.wants(Part::Ptr) {
        report.add(Part::Ptr, health::names_of_senders(&names, &senders).await);
    }
    mail::look(&names, &settings, &standing, &senders, &mut report).await;
    if report.wants(Part::Blocklists) {
        report.add(Part::Blocklists, health::listed(&names, &senders, &settings.check.blocklists).await);
    }
    if report.wants(Part::Clock) {
        report.add(Part::Clock, clock::look(&settings, &standing).await);
    }
    if report.wants(Part::Disk) {
        report.add(Part::Disk, disk::look(&settings, &standing));
    }
    if report.wants(Part::Certificates) {
        report.add(Part::Certificates, certificates::look(&settings, &standing));
    }
    Ok(report)
}

/// The addresses that mail leaves from: as `check.addresses` says; else those of the pools, and those of the node's
/// name (RFC 5321 §4.1.4) where a pool has none of its own.
async fn senders(names: &Names, settings: &Settings, report: &mut Report) -> Vec<Sender> {
    let host = settings.hostname.as_str();
    if settings.delivery.smarthost.is_some() {
        let what = "mail leaves by the relay of delivery.sink: names of addresses, and what SPF says of them, are his";
        report.add(Part::Ptr, [Finding::note(host, what)]);
        return Vec::new();
    }
    if !settings.check.senders.is_empty() {
        return settings.check.senders.clone();
    }
    let own = settings.delivery.egress.addresses().iter();
    let own = own.filter_map(|own| Some(Sender { address: own.address?, name: own.ehlo.clone() }));
    let mut senders: Vec<Sender> = own.collect();
    // Some pool leaves from whichever address the system chooses.
    if settings.delivery.egress.addresses().iter().any(|own| own.address.is_none()) {
        match health::senders_of(names, host).await {
            Ok(of_host) => senders.extend(of_host),
            Err(finding) => report.add(Part::Ptr, [finding]),
        }
    }
    senders
}

fn worst(found: &[(Part, Finding)]) -> Level {
    found.iter().map(|(_, finding)| finding.level).max().unwrap_or(Level::Good)
}

fn described(found: &[(Part, Finding)]) -> Value {
    let findings: Vec<Value> = found
        .iter()
        .map(|(part, Finding { level, about, what, remedy })| {
            json!({"check": part.name(), "level": level.word(), "about": about, "what": what, "remedy": remedy})
        })
        .collect();
    json!({"worst": worst(found).word(), "findings": findings})
}

fn text(found: &[(Part, Finding)]) -> String {
    let mut text = String::new();
    for (part, Finding { level, about, what, remedy }) in found {
        let _ = writeln!(text, "{:<8} {:<13} {about}: {what}", level.word(), part.name());
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:22} {remedy}", "");
        }
    }
    let count = |level| found.iter().filter(|(_, finding)| finding.level == level).count();
    let _ = match (count(Level::Wrong), count(Level::Warning)) {
        (0, 0) => writeln!(text, "\nAll is well."),
        (0, warnings) => writeln!(text, "\nNothing is wrong; {warnings} to look at (warning)."),
        (wrong, warnings) => writeln!(text, "\n{wrong} wrong, {warnings} to look at (warning)."),
    };
    text
}
