//! What is left to do, in order, after what can be seen from here was looked at: records, ports, the machine's name.

use super::asking::tell;
use super::records::Record;
use super::{Made, Plan, shown};
use crate::certificates::Certificate;
use mta::Names;
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
    let mut zone = format!("\nDNS records of {}:\n", made.domain);
    let mut missing = 0;
    for record in &records {
        let seen = look(names.as_ref(), record).await;
        missing += usize::from(seen != Seen::Yes);
        let _ = write!(zone, "\n; {} ({})\n{}\n", record.why, seen.word(), record.line());
    }
    if plan.settings.doors.inbound.is_some() {
        let record = made.records.tls_reports();
        let seen = look(names.as_ref(), &record).await.word();
        let _ = write!(zone, "\n; optional: {} ({seen}, and not counted below)\n{}\n", record.why, record.line());
    }
    tell(&zone);
    let mut steps = Vec::new();
    if missing > 0 {
        steps.push(format!("Publish the {missing} DNS records above that are not there yet."));
    }
    if let Some(names) = &names {
        steps.extend(own_name(names, host).await);
        steps.extend(ports(plan).await);
    }
    steps.extend(further(plan, made));
    let mut text = "What is left, in this order:\n".to_owned();
    for (number, step) in (1..).zip(&steps) {
        let _ = writeln!(text, "  {number}. {step}");
    }
    tell(&text);
}

async fn look(names: Option<&Names>, record: &Record) -> Seen {
    let Some(names) = names else { return Seen::Unknown };
    let found = match record.kind {
        "TXT" => match names.texts(&record.name).await {
            Found::Some(texts) => Found::Some(record.is_among(&texts)),
            Found::None => Found::None,
            Found::NoAnswer => Found::NoAnswer,
        },
        _ => match names.exchangers(&record.name).await {
            Found::Some(hosts) => Found::Some(hosts.iter().any(|host| record.value.ends_with(&format!(" {host}")))),
            Found::None => Found::None,
            Found::NoAnswer => Found::NoAnswer,
        },
    };
    match found {
        Found::Some(true) => Seen::Yes,
        Found::Some(false) | Found::None => Seen::No,
        Found::NoAnswer => Seen::Unknown,
    }
}

/// The machine's name and the name of its addresses (RFC 5321 §4.1.4, RFC 1912 §2.1).
async fn own_name(names: &Names, host: &str) -> Vec<String> {
    let addresses = match names.addresses(host).await {
        Found::Some(addresses) => addresses,
        Found::None => return vec![format!("Give {host} an A or AAAA record: it has none.")],
        Found::NoAnswer => return vec![format!("See that {host} has an A or AAAA record: DNS did not answer.")],
    };
    let mut steps = Vec::new();
    for address in addresses {
        match names.names_of(address).await {
            Found::Some(found) if found.iter().any(|name| name.eq_ignore_ascii_case(host)) => {}
            Found::Some(_) | Found::None => steps.push(format!(
                "Have the PTR record of {address} say {host} (whoever gave you the address does that): many receivers \
                 refuse mail without."
            )),
            Found::NoAnswer => steps.push(format!("See that the PTR record of {address} says {host}.")),
        }
    }
    steps
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
    steps
}
