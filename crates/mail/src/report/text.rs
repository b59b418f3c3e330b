//! Bounces of systems that do not write RFC 3464: by what they say, in a table with sources.
//!
//! A row is recognised by marks that must all be there. Rows are tried in order; samples of each are in
//! `tests/reports/`. Only a message that can be a bounce is looked at: with an empty return path, or from a mailer.
//! Invariants: a text that is not recognised is no bounce; only the part before the returned message is looked at.
//! Never: a suppression by the text of a person: the marks are those of programs.

use super::mime::Mail;
use super::{Action, DeliveryReport, Envelope, Fate, TEXT_OCTETS_MAX, codes_in, cut};

/// Of the table: raised when a row changes its meaning.
pub(super) const VERSION: u32 = 1;
/// So much of a text is looked at, in octets.
const LOOKED_AT_MAX: usize = 16 * 1024;
/// Who sends bounces, before the `@` of From.
const MAILERS: [&str; 6] = ["mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mail-delivery", "daemon"];

/// A form of bounces.
pub(super) struct Form {
    pub(super) id: &'static str,
    /// Whose.
    pub(super) system: &'static str,
    /// Where it is described.
    pub(super) source: &'static str,
    /// A field that must be there, in lower case; or nothing.
    field: &'static str,
    /// How the text begins, in lower case; or nothing. What quotes a bounce does not begin with it.
    begins: &'static str,
    /// All of them stand in the text, in lower case.
    marks: &'static [&'static str],
    /// Behind this comes the text that counts; or nothing: all of it.
    after: &'static str,
    action: Action,
}

/// Where the returned message begins.
const RETURNED: [&str; 7] = [
    "--- below this line is a copy of the message",
    "------ this is a copy of the message, including all the headers",
    "----- original message -----",
    "--- the header of the original message is following",
    "----- message header follows -----",
    "--- original message follows",
    "-----original message-----",
];

/// The forms, tried in order: what delays before what fails, since both say much of the same.
pub(super) const FORMS: &[Form] = &[
    Form {
        id: "exim-delay",
        system: "Exim: still trying",
        source: "Exim specification, `warn_message_file`",
        field: "",
        begins: "this message was created automatically",
        marks: &["by mail delivery software", "has not yet been delivered"],
        after: "",
        action: Action::Delayed,
    },
    Form {
        id: "exim",
        system: "Exim",
        source: "Exim specification, `bounce_message_file` and X-Failed-Recipients",
        field: "x-failed-recipients",
        begins: "this message was created automatically",
        marks: &["by mail delivery software"],
        after: "permanent error",
        action: Action::Failed,
    },
    Form {
        id: "gmail-delay",
        system: "Gmail: still trying",
        source: "Google Workspace Admin Help, `About bounce messages`",
        field: "",
        begins: "",
        marks: &["delivery to the following recipient has been delayed"],
        after: "",
        action: Action::Delayed,
    },
    Form {
        id: "gmail",
        system: "Gmail",
        source: "Google Workspace Admin Help, `About bounce messages`",
        field: "",
        begins: "delivery to the following recipient",
        marks: &["delivery to the following recipient failed permanently"],
        after: "technical details of permanent failure",
        action: Action::Failed,
    },
    Form {
        id: "qmail",
        system: "qmail, and others that write QSBMF",
        source: "cr.yp.to/proto/qsbmf.txt; qmail-send(8)",
        field: "",
        begins: "hi. this is the",
        marks: &["addresses"],
        after: "addresses.",
        action: Action::Failed,
    },
    Form {
        id: "postfix",
        system: "Postfix: its text without the report",
        source: "Postfix bounce(5), template failure_template",
        field: "",
        begins: "this is the mail system",
        marks: &["at host", "could not be delivered"],
        after: "the mail system",
        action: Action::Failed,
    },
    Form {
        id: "sendmail",
        system: "Sendmail",
        source: "Sendmail Installation and Operation Guide, error messages",
        field: "",
        begins: "",
        marks: &["the following addresses had permanent fatal errors"],
        after: "transcript of session follows",
        action: Action::Failed,
    },
    Form {
        id: "exchange",
        system: "Microsoft Exchange",
        source: "Microsoft Learn, `Email non-delivery reports and SMTP errors in Exchange`",
        field: "",
        begins: "",
        marks: &["did not reach some or all of the intended recipients"],
        after: "",
        action: Action::Failed,
    },
    Form {
        id: "courier",
        system: "Courier",
        source: "Courier courierd(8), bounce templates",
        field: "",
        begins: "",
        marks: &["undeliverable mail", "cannot be delivered"],
        after: "cannot be delivered",
        action: Action::Failed,
    },
];

/// The report, if the text is one of the table.
pub(super) fn report(mail: &Mail<'_>, envelope: Envelope) -> Option<DeliveryReport> {
    let from = mail.fields.get("from").unwrap_or_default().to_ascii_lowercase();
    if envelope == Envelope::Named && !MAILERS.iter().any(|mailer| from.contains(&format!("{mailer}@"))) {
        return None;
    }
    let part = mail.part(&["text/plain", "text/html"])?;
    let text = part.text();
    let text = cut(&text, LOOKED_AT_MAX);
    // Only ASCII changes, so that places in one are places in the other.
    let lower = text.to_ascii_lowercase();
    let end = RETURNED.iter().filter_map(|mark| lower.find(mark)).min().unwrap_or(lower.len());
    let (text, lower) = (text.get(..end)?, lower.get(..end)?);
    let fits = |form: &&Form| {
        lower.trim_start().starts_with(form.begins)
            && (form.field.is_empty() || mail.fields.get(form.field).is_some())
            && form.marks.iter().all(|mark| lower.contains(mark))
    };
    let form = FORMS.iter().find(fits)?;
    let start = if form.after.is_empty() { None } else { lower.find(form.after).map(|at| at + form.after.len()) };
    let said = text.get(start.unwrap_or_default()..)?.trim();
    let (code, status) = codes_in(said);
    let text = cut(said, TEXT_OCTETS_MAX).to_owned();
    let fate = Fate { action: form.action, status, code, recipient: None, text };
    Some(DeliveryReport { form: form.id, envelope_id: None, fates: vec![fate] })
}
