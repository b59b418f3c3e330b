//! What is left to do, in order, after what can be seen from here was looked at: records, ports, the machine's name.

use super::asking::tell;
use super::records::{Of, Record};
use super::{Made, Plan, shown};
use crate::certificates::Certificate;
use mta::Names;
use mta::health::{self, Finding, Level, Sender};
use mta::names::Found;
use std::fmt::Write as _;
use store::Roles;

/// How a thing was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Yes,
    No,
    Unknown,
}

impl Seen {
    const fn word(self) -> &'static str {
        match self {
            Self::Yes => "there",
            Self::No => "missing",
            Self::Unknown => "not known",
        }
    }
}

/// Looks, and says what is left.
pub(super) async fn say(plan: &Plan, made: &Made, offline: bool) {
    let host = plan.settings.hostname.as_str();
    let names = if offline { None } else { Names::new(plan.settings.delivery.resolver).ok() };
    let records = made.records.records(host);
    let mut steps = Vec::new();
    let senders = match &names {
        Some(names) => own_name(names, host, &mut steps).await,
        None => Vec::new(),
    };
    let mut zone = format!("\nDNS records of {}:\n", made.domain);
    let mut missing = 0;
    for record in &records {
        let seen = look(names.as_ref(), &senders, record).await;
        missing += usize::from(seen != Seen::Yes);
        let _ = write!(zone, "\n; {} ({})\n{}\n", record.why, seen.word(), record.line());
    }
    if plan.settings.doors.inbound.is_some() {
        let record = made.records.tls_reports();
        let seen = look(names.as_ref(), &senders, &record).await.word();
        let _ = write!(zone, "\n; optional: {} ({seen}, and not counted below)\n{}\n", record.why, record.line());
    }
    tell(&zone);
    if missing > 0 {
        steps.insert(0, format!("Publish the {missing} DNS records above that are not there yet."));
    }
    if names.is_some() {
        steps.extend(ports(plan).await);
    }
    steps.extend(further(plan, made));
    let mut text = "What is left, in this order:\n".to_owned();
    for (number, step) in (1..).zip(&steps) {
        let _ = writeln!(text, "  {number}. {step}");
    }
    tell(&text);
}

async fn look(names: Option<&Names>, senders: &[Sender], record: &Record) -> Seen {
    let Some(names) = names else { return Seen::Unknown };
    let found = match record.of {
        Of::Key => vec![health::key_published(names, &record.name, &record.value).await],
        Of::ReturnPath => health::spf_record(names, &record.name, senders).await,
        Of::Policy => return begins(names, &record.name, "v=DMARC1").await,
        Of::TlsReports => return begins(names, &record.name, "v=TLSRPTv1").await,
        Of::Exchanger => return exchanger(names, record).await,
    };
    let is_so = |found: &Finding| found.level == Level::Good;
    match (found.iter().all(is_so), found.iter().any(Finding::is_unanswered)) {
        (_, true) => Seen::Unknown,
        (true, _) => Seen::Yes,
        (false, _) => Seen::No,
    }
}

/// Whatever it asks for: the domain's own stays.
async fn begins(names: &Names, name: &str, with: &str) -> Seen {
    match names.texts(name).await {
        Found::Some(texts) if texts.iter().any(|text| text.starts_with(with)) => Seen::Yes,
        Found::Some(_) | Found::None => Seen::No,
        Found::NoAnswer => Seen::Unknown,
    }
}

async fn exchanger(names: &Names, record: &Record) -> Seen {
    match names.exchangers(&record.name).await {
        Found::Some(hosts) if hosts.iter().any(|host| record.value.ends_with(&format!(" {host}"))) => Seen::Yes,
        Found::Some(_) | Found::None => Seen::No,
        Found::NoAnswer => Seen::Unknown,
    }
}

/// The machine's name and the names of its addresses, as `postern check` sees them. What is left goes to `steps`.
async fn own_name(names: &Names, host: &str, steps: &mut Vec<String>) -> Vec<Sender> {
    let (senders, found) = match health::senders_of(names, host).await {
        Ok(senders) => {
            let found = health::names_of_senders(names, &senders).await;
            (senders, found)
        }
        Err(finding) => (Vec::new(), vec![finding]),
    };
    for finding in found {
        if let Some(remedy) = finding.remedy {
            steps.push(format!("{}: {}. {}.", finding.about, finding.what, capital(&remedy)));
        }
    }
    senders
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Can the doors be opened by who runs this? They are closed again at once.
async fn ports(plan: &Plan) -> Vec<String> {
    let mut steps = Vec::new();
    for (name, address) in plan.settings.doors.named() {
        if let Err(web::Error::Bind { source, .. }) = web::Listener::bind(address, web::Router::new(), None).await {
            let what = match source.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "this account may not; the systemd unit gives the right to ports below 1024".to_owned()
                }
                std::io::ErrorKind::AddrInUse => {
                    "something listens there already; stop it, or choose another".to_owned()
                }
                _ => source.to_string(),
            };
            steps.push(format!("See to {name} on {address}: {what}."));
        }
    }
    steps
}

fn further(plan: &Plan, made: &Made) -> Vec<String> {
    let settings = &plan.settings;
    let mut steps = Vec::new();
    if matches!(settings.certificate, Certificate::Own { .. }) {
        let what = "Get a certificate for the node's name and give it as tls.certificate and tls.key; until then it \
                    shows one of its own, which clients have to be told to trust (ca.pem in the data folder).";
        steps.push(what.to_owned());
    }
    if made.newsletter {
        let what = "Publish a notice and a sign-up form (docs/operations.md): the newsletter goes to who confirmed.";
        steps.push(what.to_owned());
    }
    if made.new {
        let what = "Have your counsel read the agreement that was signed: postern agreement list, show.";
        steps.push(what.to_owned());
    }
    let key = settings.store.master_key.clone().unwrap_or_else(|| settings.data.join("master.key"));
    steps.push(format!("Copy {} to a safe place that is not the backup.", shown(&key)));
    let file = shown(&plan.file);
    if settings.roles.contains(Roles::DELIVER) && settings.delivery.smarthost.is_none() {
        steps.push("See that the provider lets connections to port 25 out.".to_owned());
    }
    steps.push(format!("Check and start it: postern config check {file} && postern serve --config {file}"));
    steps.push(format!("When the records are there: postern check --config {file}"));
    steps
}
