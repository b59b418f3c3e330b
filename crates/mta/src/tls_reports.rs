//! Reports on TLS to receiving domains, as text and as mail (RFC 8460).
//!
//! What delivery counted for a domain on a day becomes one JSON document; it leaves as a message of the operator's own
//! account, through the one way in, or as a POST (`delivery::reports`). Delivery is given one of these by whoever
//! starts it; without, nothing is counted and nobody is told anything.
//! Invariants: one document for a domain and day, under an id that is made of both; in it are names of hosts, addresses
//! of this node and counts, nothing of a message or a person.
//! Standards: RFC 8460 §4.4 (document), §5.1 (file name), §5.3 (message).

use crate::error::Error;
use crate::submission::{Answer, Idempotency, Submission};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use mail::address::Address;
use mail::message::{append_field, rfc5322_date};
use model::message::{Draft, Heads, Notice};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use store::{Authority, TlsSessions};

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// RFC 2045 §6.8: characters of a line of base64.
const LINE: usize = 76;
/// What a POST and a part of the message say of the document.
pub(crate) const MEDIA_TYPE: &str = "application/tlsrpt+gzip";

/// Who reports.
#[derive(Clone)]
pub struct TlsReports {
    submission: Arc<Submission>,
    by: String,
    organization: String,
    contact: String,
}

impl std::fmt::Debug for TlsReports {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("TlsReports")
    }
}

/// A report on one domain and day.
pub(crate) struct Report {
    domain: String,
    /// Who reports: the domain of the operator's own mail.
    submitter: String,
    id: String,
    file: String,
    /// The document, compressed.
    pub(crate) octets: Vec<u8>,
}

/// What a domain's policy of MTA-STS says, for the document.
#[derive(Default)]
pub(crate) struct Stated {
    pub(crate) lines: Vec<String>,
    pub(crate) hosts: Vec<String>,
}

impl TlsReports {
    /// In the name of the controller `by`, the operator's own account, as `organization`, who is asked at `contact`.
    #[must_use]
    pub fn new(submission: Arc<Submission>, by: &str, organization: &str, contact: &str) -> Self {
        let (by, organization, contact) = (by.to_owned(), organization.to_owned(), contact.to_owned());
        Self { submission, by, organization, contact }
    }

    /// Who writes, and from where; nothing while the account is not there, or has no verified domain.
    fn sender(&self) -> Option<(Authority, Address)> {
        let store = self.submission.store();
        let controller = store.controller_named(&self.by)?;
        let domain = store.first_domain(controller)?;
        Some((store.system_authority(controller)?, Address::parse(&format!("tls-reports@{domain}")).ok()?))
    }

    /// The report on a day. Nothing while nobody can write it.
    pub(crate) fn report(&self, day: i64, domain: &str, sessions: &[TlsSessions], stated: &Stated) -> Option<Report> {
        let (_, from) = self.sender()?;
        let submitter = from.domain().to_string();
        let id = format!("{}.{domain}", date(day));
        let document = json!({
            "organization-name": self.organization,
            "date-range": {
                "start-datetime": format!("{}T00:00:00Z", date(day)),
                "end-datetime": format!("{}T23:59:59Z", date(day)),
            },
            "contact-info": self.contact,
            "report-id": format!("{id}@{submitter}"),
            "policies": policies(domain, sessions, stated),
        });
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(document.to_string().as_bytes()).ok()?;
        let octets = packed.finish().ok()?;
        let (start, end) = (day * DAY_S, day * DAY_S + DAY_S - 1);
        let file = format!("{submitter}!{domain}!{start}!{end}!{}.json.gz", date(day));
        Some(Report { domain: domain.to_owned(), submitter, id, file, octets })
    }

    /// Hands it in for an address. `false`: the gate refuses it.
    ///
    /// # Errors
    /// When it could not be taken in: it is to be handed in again, and leaves once.
    pub(crate) async fn send(&self, report: &Report, to: &Address) -> Result<bool, Error> {
        let Some((authority, from)) = self.sender() else { return Ok(false) };
        let store = self.submission.store();
        let id = store.new_message_id();
        let message_id = format!("{}@{}", store.public_id(id), from.domain());
        let unix_s = u64::try_from(store.now().seconds()).unwrap_or_default();
        let Ok(head) = report.head(&from, to, &message_id, unix_s) else { return Ok(false) };
        let draft = Draft {
            stream: authority.stream().id,
            purpose: authority.stream().default_purpose(),
            from,
            reverse_path: None,
            recipients: vec![to.clone()],
            heads: Heads::Same(Bytes::from(head)),
            body: Bytes::from(report.body()),
            metadata: String::new(),
            // Nobody is told what becomes of it.
            notices: vec![Notice::notification()],
        };
        // A crash between this commit and that of the day's end: what is handed in again is this one.
        let place = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, to.to_wire().as_bytes());
        let key = format!("tls-report:{}:{}", report.id, STANDARD.encode(place));
        let once =
            move |_: &[Answer]| Some(Idempotency { key: key.clone(), request_hash: [0; 32], answer: Vec::new() });
        match self.submission.accept_as(&authority, draft, vec![id], once).await {
            Ok(answers) => Ok(!answers.iter().any(|answer| matches!(answer, Answer::Refused(_)))),
            Err(Error::Repeated) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Report {
    fn boundary(&self) -> String {
        // It cannot stand in a line of base64, nor in the text.
        format!("=_tlsrpt_{}", self.id.len())
    }

    /// RFC 8460 §5.3.
    fn head(
        &self,
        from: &Address,
        to: &Address,
        message_id: &str,
        unix_s: u64,
    ) -> Result<Vec<u8>, mail::message::FieldError> {
        let Self { domain, submitter, id, .. } = self;
        let mut head = Vec::with_capacity(1_024);
        let subject = format!("Report Domain: {domain} Submitter: {submitter} Report-ID: <{id}@{submitter}>");
        let content_type = format!("multipart/report; report-type=\"tlsrpt\"; boundary=\"{}\"", self.boundary());
        append_field("Date", &rfc5322_date(unix_s), &mut head)?;
        append_field("From", &format!("<{}>", from.to_wire()), &mut head)?;
        append_field("To", &format!("<{}>", to.to_wire()), &mut head)?;
        append_field("Message-ID", &format!("<{message_id}>"), &mut head)?;
        append_field("Subject", &subject, &mut head)?;
        append_field("TLS-Report-Domain", domain, &mut head)?;
        append_field("TLS-Report-Submitter", submitter, &mut head)?;
        append_field("Auto-Submitted", "auto-generated", &mut head)?;
        append_field("MIME-Version", "1.0", &mut head)?;
        append_field("Content-Type", &content_type, &mut head)?;
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }

    fn body(&self) -> Vec<u8> {
        let Self { domain, submitter, file, .. } = self;
        let boundary = self.boundary();
        let mut body = format!(
            "--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             This is a report on TLS of connections from {submitter}\r\nto the exchangers of {domain} (RFC 8460).\r\n\
             --{boundary}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"{file}\"\r\n\r\n"
        );
        let text = STANDARD.encode(&self.octets);
        for line in text.as_bytes().chunks(LINE) {
            body.push_str(std::str::from_utf8(line).unwrap_or_default());
            body.push_str("\r\n");
        }
        body.push_str(&format!("--{boundary}--\r\n"));
        body.into_bytes()
    }
}

/// RFC 8460 §4.4: one element for each type of policy that was met.
fn policies(domain: &str, sessions: &[TlsSessions], stated: &Stated) -> Vec<Value> {
    let mut by_type: BTreeMap<&str, Vec<&TlsSessions>> = BTreeMap::new();
    for one in sessions {
        by_type.entry(one.policy.as_str()).or_default().push(one);
    }
    let policy = |(kind, sessions): (&str, Vec<&TlsSessions>)| {
        let mut policy = json!({"policy-type": kind, "policy-domain": domain});
        if kind == "sts" {
            policy["policy-string"] = json!(stated.lines);
            policy["mx-host"] = json!(stated.hosts);
        }
        let mut lines: Vec<&str> = sessions.iter().flat_map(|one| one.stated.lines()).collect();
        lines.sort_unstable();
        lines.dedup();
        if kind == "tlsa" {
            policy["policy-string"] = json!(lines);
        }
        let sum = |failed: bool| -> u64 {
            sessions.iter().filter(|one| one.failure.is_empty() != failed).map(|one| one.sessions).sum()
        };
        let failures = sessions.iter().filter(|one| !one.failure.is_empty());
        let details: Vec<Value> = failures.map(|one| failure(one)).collect();
        json!({
            "policy": policy,
            "summary": {"total-successful-session-count": sum(false), "total-failure-session-count": sum(true)},
            "failure-details": details,
        })
    };
    by_type.into_iter().map(policy).collect()
}

fn failure(one: &TlsSessions) -> Value {
    let mut said = json!({"result-type": one.failure, "failed-session-count": one.sessions});
    if !one.local.is_empty() {
        said["sending-mta-ip"] = json!(one.local);
    }
    if !one.host.is_empty() {
        said["receiving-mx-hostname"] = json!(one.host);
    }
    said
}

/// `2026-03-01` of days since 1970: the date of RFC 3339, from that of RFC 5322.
fn date(day: i64) -> String {
    let text = rfc5322_date(u64::try_from(day.saturating_mul(DAY_S)).unwrap_or_default());
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty()).skip(1);
    let (number, month, year) = (words.next(), words.next(), words.next());
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = month.and_then(|month| months.iter().position(|known| *known == month)).unwrap_or_default() + 1;
    format!("{}-{month:02}-{:0>2}", year.unwrap_or_default(), number.unwrap_or_default())
}
