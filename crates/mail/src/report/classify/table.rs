//! The rows. Samples of each are in `tests/replies.tsv`; the page `docs/bounces.md` is made of them.
//!
//! Written against the documents named in `source`. Words are in lower case and are looked for anywhere in the text.

use super::{Action, Answer, Stage, Subject};
use std::fmt::Write as _;

/// Raised when a row changes its meaning; kept with what it decided.
pub const VERSION: u32 = 1;

/// A row.
#[derive(Debug)]
pub struct Rule {
    /// Stable.
    pub id: &'static str,
    /// Subject and detail of the enhanced code, any of them; a detail [`ANY`] stands for all. Empty: of refusals
    /// without enhanced code.
    pub enhanced: &'static [(u16, u16)],
    /// SMTP codes, any of them; a report may name none. Empty: all.
    pub codes: &'static [u16],
    /// One of these stands in the text. Empty: any text.
    pub any: &'static [&'static str],
    /// None of these stands in the text.
    pub none: &'static [&'static str],
    /// Whom it concerns.
    pub subject: Subject,
    /// What follows when it lasts.
    pub action: Action,
    /// Why, and where it is written.
    pub source: &'static str,
}

/// Every detail of a subject.
pub const ANY: u16 = u16::MAX;

impl Rule {
    /// Is it about this refusal? `text`: that of the answer in lower case.
    pub(super) fn fits(&self, answer: &Answer<'_>, text: &str) -> bool {
        let by_enhanced = match answer.enhanced {
            Some(code) => self
                .enhanced
                .iter()
                .any(|(subject, detail)| *subject == code.subject && (*detail == ANY || *detail == code.detail)),
            None => self.enhanced.is_empty(),
        };
        let unnamed = answer.stage == Stage::Report && answer.code == 0;
        by_enhanced
            && (self.codes.is_empty() || self.codes.contains(&answer.code) || unnamed)
            && (self.any.is_empty() || self.any.iter().any(|word| text.contains(word)))
            && !self.none.iter().any(|word| text.contains(word))
    }
}

/// Receivers that speak of lists of senders, or of what they think of one.
const OF_REPUTATION: [&str; 16] = [
    "blocklist",
    "block list",
    "blacklist",
    "black list",
    "blackhole",
    "denylist",
    "reputation",
    "spamhaus",
    "spamcop",
    "barracuda",
    "rbl",
    "dnsbl",
    "poor sender",
    "bad sender",
    "complaints",
    "your ip",
];
const OF_CONTENT: [&str; 8] =
    ["spam", "virus", "malware", "phish", "message content", "due to content", "unsolicited", "junk mail"];
/// What shows that a text is about somebody or something else than the recipient, whatever else it says.
const NOT_THE_RECIPIENT: [&str; 14] = [
    "sender",
    "from address",
    "helo",
    "ehlo",
    "spam",
    "blocked",
    "blacklist",
    "blocklist",
    "denied",
    "policy",
    "reputation",
    "spf",
    "dkim",
    "dmarc",
];
/// The same beside a code that says that the mailbox does not exist: some filters answer with that code as well.
const A_FILTER_SPEAKS: [&str; 9] =
    ["spam", "blacklist", "blocklist", "reputation", "spf", "dkim", "dmarc", "greylist", "blocked using"];
const NO_SUCH_RECIPIENT: [&str; 26] = [
    "user unknown",
    "unknown user",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such address",
    "no such person",
    "no mailbox here",
    "recipient unknown",
    "unknown recipient",
    "unknown local part",
    "unrouteable address",
    "recipient not found",
    "mailbox not found",
    "user not found",
    "address not found",
    "address unknown",
    "unknown address",
    "invalid recipient",
    "invalid mailbox",
    "not a valid mailbox",
    "does not exist",
    "doesn't exist",
    "doesn't have a",
    "not our customer",
    "account has been disabled",
];
const FULL: [&str; 10] = [
    "mailbox full",
    "mailbox is full",
    "mailbox size limit",
    "over quota",
    "overquota",
    "quota exceeded",
    "exceeded storage",
    "storage allocation",
    "insufficient storage",
    "inbox is full",
];
const FOR_NOW: [&str; 7] =
    ["at a rate", "too many", "too quickly", "try again", "temporarily", "rate limit", "over quota"];

const RFC3463: &str = "RFC 3463 §3.2";

const BLANK: Rule = Rule {
    id: "",
    enhanced: &[],
    codes: &[],
    any: &[],
    none: &[],
    subject: Subject::Infrastructure,
    action: Action::TellSender,
    source: "",
};

/// The rows, in order.
pub const RULES: &[Rule] = &[
    Rule {
        id: "filter-as-unknown",
        enhanced: &[(1, 1)],
        any: &A_FILTER_SPEAKS,
        subject: Subject::Policy,
        source: "RFC 5248 §2.4: filters answer 5.1.1 to hide; a wrong suppression costs a recipient",
        ..BLANK
    },
    Rule {
        id: "unknown-mailbox",
        enhanced: &[(1, 1)],
        subject: Subject::Recipient,
        action: Action::Suppress,
        source: RFC3463,
        ..BLANK
    },
    Rule {
        id: "bad-address",
        enhanced: &[(1, 3)],
        subject: Subject::Recipient,
        action: Action::Suppress,
        source: RFC3463,
        ..BLANK
    },
    Rule {
        id: "moved",
        enhanced: &[(1, 6)],
        subject: Subject::Recipient,
        action: Action::Suppress,
        source: RFC3463,
        ..BLANK
    },
    Rule {
        id: "null-mx",
        enhanced: &[(1, 10)],
        subject: Subject::Recipient,
        action: Action::Suppress,
        source: "RFC 7505 §4.2; Microsoft Learn, non-delivery reports: 5.1.10 `recipient not found`",
        ..BLANK
    },
    Rule {
        id: "unknown-domain",
        enhanced: &[(1, 2)],
        subject: Subject::Infrastructure,
        source: "RFC 3463 §3.2; what a relay says of a domain is for DNS to confirm",
        ..BLANK
    },
    Rule {
        id: "sender-address",
        enhanced: &[(1, 7), (1, 8), (1, 9)],
        subject: Subject::Policy,
        source: "RFC 3463 §3.2, RFC 7505 §4.2",
        ..BLANK
    },
    Rule { id: "other-address", enhanced: &[(1, ANY)], subject: Subject::Recipient, source: RFC3463, ..BLANK },
    Rule {
        id: "mailbox-too-busy",
        enhanced: &[(2, 1)],
        any: &FOR_NOW,
        subject: Subject::Mailbox,
        source: "Google Workspace Admin Help, SMTP errors: 5.2.1 `receiving email at a rate that prevents …`",
        ..BLANK
    },
    Rule {
        id: "mailbox-disabled",
        enhanced: &[(2, 1)],
        subject: Subject::Mailbox,
        action: Action::Suppress,
        source: "RFC 3463 §3.3; Google Workspace Admin Help, SMTP errors: 5.2.1",
        ..BLANK
    },
    Rule {
        id: "mailbox-full",
        enhanced: &[(2, 2)],
        subject: Subject::Mailbox,
        action: Action::SuppressRepeated,
        source: "RFC 3463 §3.3",
        ..BLANK
    },
    Rule {
        id: "message-too-large",
        enhanced: &[(2, 3), (3, 4)],
        subject: Subject::Content,
        source: "RFC 3463 §3.3, §3.4",
        ..BLANK
    },
    Rule { id: "mailbox-state", enhanced: &[(2, ANY)], subject: Subject::Mailbox, source: "RFC 3463 §3.3", ..BLANK },
    Rule {
        id: "authentication",
        enhanced: &[
            (7, 20),
            (7, 21),
            (7, 22),
            (7, 23),
            (7, 24),
            (7, 25),
            (7, 26),
            (7, 27),
            (7, 29),
            (7, 30),
            (7, 31),
            (7, 32),
            (7, 40),
            (7, 509),
            (7, 515),
        ],
        subject: Subject::Policy,
        source: "RFC 7372 §3; Google, Email sender guidelines FAQ; Microsoft, outlook.com requirements (5.7.515)",
        ..BLANK
    },
    Rule {
        id: "reputation",
        enhanced: &[(7, ANY), (0, ANY), (3, ANY), (4, ANY)],
        any: &OF_REPUTATION,
        subject: Subject::Reputation,
        source: "RFC 5782 §2.5; Yahoo Sender Hub, SMTP error codes ([BL..], TSS)",
        ..BLANK
    },
    Rule {
        id: "content-by-policy",
        enhanced: &[(7, ANY), (0, ANY)],
        any: &OF_CONTENT,
        subject: Subject::Content,
        source: "Google Workspace Admin Help, SMTP errors: 5.7.1; Yahoo Sender Hub, SMTP error codes",
        ..BLANK
    },
    Rule { id: "policy", enhanced: &[(7, ANY)], subject: Subject::Policy, source: "RFC 3463 §3.8", ..BLANK },
    Rule { id: "content", enhanced: &[(6, ANY)], subject: Subject::Content, source: "RFC 3463 §3.7", ..BLANK },
    Rule { id: "system", enhanced: &[(3, ANY)], source: "RFC 3463 §3.4", ..BLANK },
    Rule { id: "network", enhanced: &[(4, ANY)], source: "RFC 3463 §3.5", ..BLANK },
    Rule { id: "protocol", enhanced: &[(5, ANY)], source: "RFC 3463 §3.6", ..BLANK },
    Rule { id: "undefined", enhanced: &[(0, ANY)], source: "RFC 3463 §3.1: nothing can be concluded", ..BLANK },
    Rule {
        id: "text-reputation", any: &OF_REPUTATION, subject: Subject::Reputation, source: "RFC 5782 §2.5", ..BLANK
    },
    Rule {
        id: "text-full",
        any: &FULL,
        none: &NOT_THE_RECIPIENT,
        subject: Subject::Mailbox,
        action: Action::SuppressRepeated,
        source: "RFC 5321 §4.2.2 (452, 552)",
        ..BLANK
    },
    Rule {
        id: "text-content",
        any: &OF_CONTENT,
        subject: Subject::Content,
        source: "wordings of filters that send no enhanced code",
        ..BLANK
    },
    Rule {
        id: "text-policy",
        any: &NOT_THE_RECIPIENT,
        subject: Subject::Policy,
        source: "wordings about the sender or the receiver's rules",
        ..BLANK
    },
    Rule {
        id: "text-unknown-mailbox",
        codes: &[550, 551, 553],
        any: &NO_SUCH_RECIPIENT,
        subject: Subject::Recipient,
        action: Action::Suppress,
        source: "RFC 5321 §4.2.2, §4.2.3 (550, 551, 553)",
        ..BLANK
    },
    UNKNOWN,
];

/// Fits everything.
pub(super) const UNKNOWN: Rule = Rule { id: "unknown", source: "nothing is concluded from what is not known", ..BLANK };

/// `docs/bounces.md`.
#[must_use]
pub fn table_markdown() -> String {
    let mut page = format!(
        "# What refusals mean\n\nGenerated from `mail::report` by `POSTERN_BLESS=1 cargo test -p mail bounces_page`; \
         do not edit. Version {VERSION}\nof the table, {} of the forms.\n\n{ABOUT}\n",
        crate::report::text::VERSION
    );
    page.push_str("| id | enhanced code | SMTP code | about | when it lasts | source |\n|---|---|---|---|---|---|\n");
    for rule in RULES {
        let code = |(subject, detail): &(u16, u16)| match *detail {
            ANY => format!("x.{subject}.*"),
            detail => format!("x.{subject}.{detail}"),
        };
        let enhanced = match (rule.enhanced, rule.id) {
            ([], "unknown") => "any".to_owned(),
            ([], _) => "none".to_owned(),
            (codes, _) => codes.iter().map(code).collect::<Vec<_>>().join(" "),
        };
        let codes: Vec<String> = rule.codes.iter().map(u16::to_string).collect();
        let words = if rule.any.is_empty() { "" } else { ", by its words" };
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {enhanced}{words} | {} | {} | {} | {} |",
            rule.id,
            codes.join(" "),
            rule.subject.as_str(),
            rule.action.as_str(),
            rule.source
        );
    }
    page.push_str(FORMS_ABOUT);
    page.push_str("| id | whose | described in |\n|---|---|---|\n");
    for form in crate::report::text::FORMS {
        let _ = writeln!(page, "| `{}` | {} | {} |", form.id, form.system, form.source);
    }
    page
}

const ABOUT: &str = "\
Every refusal, in an SMTP reply or in a report that comes later, is looked up here; the first row that fits counts.
What does not last is tried again, whatever the row says; in a report the other side has given up, and the sender is
told. Two things make a suppression (scope `delivery`, 180 days, `docs/operations.md`): a row that says so, and that
the refusal was about the recipient: the reply to RCPT, or a report. Nothing about policy, reputation, content or
infrastructure ever does. *Suppress when repeated*: five refusals of one person's mailbox, the first and the last at
least fourteen days apart, never more than thirty days between two, and none on the day of the one before.
";

const FORMS_ABOUT: &str = "
## Reports that are not of RFC 3464

Recognised by marks that must all be there, only in mail with an empty return path or from a mailer. What is not
recognised changes nothing.

";
