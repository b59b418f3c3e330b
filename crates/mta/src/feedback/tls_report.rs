//! A report on TLS that another mail system sends: believed when he signed it, and kept for the controller whose domain
//! it is about.
//!
//! Invariants: nothing is unpacked before a signature of whom From names holds, by the verifier of the house (RFC 8460
//! §3); what is said of a domain that is not the controller's is not kept; keys are asked for at most
//! [`KEYS_MAX`] times, all below the domain that From names or one above it.
//! Never: a word of a report but its counts, in words of the standard.
//! Standards: RFC 8460 §3, §5.3, RFC 6376.

use super::Came;
use super::tls_document;
use crate::names::Found;
use crate::{Error, Names};
use mail::address::Domain;
use mail::dkim::{self, TxtAnswer, VerdictResult};
use mail::header::{HeaderBlock, Limits, parse_mailbox};
use mail::report::tls_report;
use std::collections::HashMap;
use store::{Store, TlsReported, day_of};

/// Keys of one message that are asked for.
const KEYS_MAX: usize = 4;
/// Days before today of which a report may be: RFC 8460 §4.1 has it written the day after.
const DAYS_BACK: i64 = 30;

/// `name`: the host part of the address at which it came.
pub(super) async fn apply(store: &Store, names: &Names, name: &Domain, content: &[u8]) -> Result<Came, Error> {
    let now = u64::try_from(store.now().seconds()).unwrap_or_default();
    let submitter = match signer(names, content, now).await {
        Signer::Known(domain) => domain,
        Signer::Nobody => return Ok(Came::NotSigned),
        Signer::AskAgain => return Ok(Came::Later),
    };
    let Some(report) = tls_report(content).and_then(|found| tls_document::read(&found)) else {
        return Ok(Came::NotUnderstood);
    };
    let today = day_of(store.now());
    if !(today - DAYS_BACK..=today + 1).contains(&report.day) {
        return Ok(Came::NotUnderstood);
    }
    let mut came = Came::NotOurs;
    for controller in store.controllers_returning_to(name) {
        let own = report.kinds.iter().filter(|kind| store.is_name_of(controller, &kind.domain));
        let own = own.map(|kind| TlsReported {
            day: report.day,
            domain: kind.domain.as_str().to_owned(),
            submitter: submitter.as_str().to_owned(),
            policy: kind.policy.to_owned(),
            failure: kind.failure.to_owned(),
            sessions: kind.sessions,
        });
        let own: Vec<TlsReported> = own.collect();
        if own.is_empty() {
            continue;
        }
        let news = store.add_tls_reported(controller, &report.id, &own).await?;
        if news || came == Came::NotOurs {
            came = if news { Came::TlsReported } else { Came::Before };
        }
    }
    Ok(came)
}

/// Who signed.
enum Signer {
    /// This domain: that of From, or one above it.
    Known(Domain),
    Nobody,
    /// DNS does not answer.
    AskAgain,
}

async fn signer(names: &Names, content: &[u8], now_unix_s: u64) -> Signer {
    let Some(from) = author(content) else { return Signer::Nobody };
    // Only what may count is asked for: whoever writes chooses the names.
    let mut keys = HashMap::new();
    for verdict in dkim::verify_tls_report(content, &|_: &str| TxtAnswer::Unavailable, now_unix_s) {
        let may_count = verdict.result == VerdictResult::TempError && aligned(&verdict.domain, &from).is_some();
        let key = format!("{}._domainkey.{}", verdict.selector, verdict.domain);
        if may_count && keys.len() < KEYS_MAX && !keys.contains_key(&key) {
            let answer = match names.texts(&key).await {
                // RFC 6376 §3.6.2.2: of several, none is to be relied on.
                Found::Some(texts) => <[String; 1]>::try_from(texts).ok().map(|[text]| text).into(),
                Found::None => TxtAnswer::Absent,
                Found::NoAnswer => TxtAnswer::Unavailable,
            };
            keys.insert(key, answer);
        }
    }
    let lookup = |name: &str| keys.get(name).cloned().unwrap_or(TxtAnswer::Absent);
    let mut signer = Signer::Nobody;
    for verdict in dkim::verify_tls_report(content, &lookup, now_unix_s) {
        match (verdict.result, aligned(&verdict.domain, &from)) {
            (VerdictResult::Pass, Some(domain)) => return Signer::Known(domain),
            (VerdictResult::TempError, Some(_)) => signer = Signer::AskAgain,
            _ => {}
        }
    }
    signer
}

/// The domain of the one author.
fn author(content: &[u8]) -> Option<Domain> {
    let block = HeaderBlock::scan(content, Limits::INBOUND).ok()?;
    let mut fields = block.named("From");
    let (Some(from), None) = (fields.next(), fields.next()) else { return None };
    Some(parse_mailbox(&from.unfolded()).ok()?.domain().clone())
}

/// The signing domain, when it may speak for the author's: the same or one above it. One below it may be anybody's to
/// whom a name was given. A name of one label is nobody's.
fn aligned(signing: &str, author: &Domain) -> Option<Domain> {
    let signing = Domain::parse(signing).ok()?;
    (signing.as_str().contains('.') && author.is_within(&signing)).then_some(signing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8460_3_who_signs_is_the_author_or_above_him() {
        let author = Domain::parse("reports.mail.example").unwrap();
        for good in ["reports.mail.example", "mail.example", "MAIL.example"] {
            assert!(aligned(good, &author).is_some(), "{good}");
        }
        for other in ["a.reports.mail.example", "ail.example", "example", "", "other.example", "example.mail"] {
            assert_eq!(aligned(other, &author), None, "{other}");
        }
    }

    #[test]
    fn a_message_has_one_author() {
        assert_eq!(author(b"From: <a@b.example>\r\n\r\n").unwrap().as_str(), "b.example");
        assert_eq!(author(b"From: <a@b.example>\r\nFrom: <a@c.example>\r\n\r\n"), None);
        assert_eq!(author(b"From: <a@b.example>, <a@c.example>\r\n\r\n"), None);
        assert_eq!(author(b"To: <a@b.example>\r\n\r\n"), None);
    }
}
