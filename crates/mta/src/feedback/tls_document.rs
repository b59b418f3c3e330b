//! The document of a report on TLS, read strictly.
//!
//! Invariants: pure; at most [`OCTETS_MAX`] octets come out of what is compressed, and no more is unpacked to see it;
//! what is beyond a bound, or not as the standard says, makes the whole document none; kinds of failure are the
//! standard's words, and every other is `other`.
//! Never: a text of the document that is kept, but its id as a digest and names of domains. Standards: RFC 8460 §4.

use flate2::read::GzDecoder;
use mail::address::Domain;
use mail::report::{Attachment, Packing};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;

/// Octets of a document. RFC 8460 §4.1 expects far less.
const OCTETS_MAX: u64 = 4 * 1024 * 1024;
/// Policies of one document.
const POLICIES_MAX: usize = 64;
/// Details of failures of one document.
const DETAILS_MAX: usize = 2_000;
/// Octets of a report's id, and of any other text that is looked at.
const TEXT_OCTETS_MAX: usize = 512;
/// Sessions of one kind; more is no count.
const SESSIONS_MAX: u64 = 1 << 53;

/// RFC 8460 §4.4.
const POLICIES: [&str; 3] = ["tlsa", "sts", "no-policy-found"];
/// RFC 8460 §4.3.
const FAILURES: [&str; 11] = [
    "starttls-not-supported",
    "certificate-host-mismatch",
    "certificate-expired",
    "certificate-not-trusted",
    "validation-failure",
    "tlsa-invalid",
    "dnssec-invalid",
    "dane-required",
    "sts-policy-fetch-error",
    "sts-policy-invalid",
    "sts-webpki-invalid",
];
/// Any other, and failures without a detail.
const OTHER: &str = "other";

/// What a document says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// As its writer gave it.
    pub(super) id: String,
    /// Days since 1970: the one on which it begins, as its writer tells days.
    pub(super) day: i64,
    pub(super) kinds: Vec<Kind>,
}

/// Sessions of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) domain: Domain,
    pub(super) policy: &'static str,
    /// Empty for those that did not fail.
    pub(super) failure: &'static str,
    pub(super) sessions: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    report_id: String,
    date_range: Range,
    policies: Vec<Element>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Range {
    start_datetime: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Element {
    policy: Policy,
    summary: Summary,
    failure_details: Option<Vec<Detail>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Policy {
    policy_type: String,
    policy_domain: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    total_successful_session_count: u64,
    total_failure_session_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    result_type: String,
    failed_session_count: u64,
}

/// Nothing when it is no such document, or beyond a bound.
pub(super) fn read(found: &Attachment) -> Option<Document> {
    let octets = match found.packing {
        Packing::Plain => Cow::Borrowed(found.octets.as_slice()),
        Packing::Gzip => Cow::Owned(unpacked(&found.octets)?),
    };
    let written: Written = serde_json::from_slice(&octets).ok()?;
    let details = written.policies.iter().filter_map(|one| one.failure_details.as_ref()).map(Vec::len);
    let is_bounded = written.policies.len() <= POLICIES_MAX
        && details.sum::<usize>() <= DETAILS_MAX
        && (1..=TEXT_OCTETS_MAX).contains(&written.report_id.len());
    if !is_bounded {
        return None;
    }
    let mut counts: BTreeMap<(String, &'static str, &'static str), u64> = BTreeMap::new();
    for element in &written.policies {
        let domain = Some(element.policy.policy_domain.trim_end_matches('.'));
        let domain = Domain::parse(domain.filter(|domain| domain.len() <= TEXT_OCTETS_MAX)?).ok()?;
        let policy = POLICIES.into_iter().find(|known| *known == element.policy.policy_type)?;
        for (failure, sessions) in counted(element)? {
            let count = counts.entry((domain.to_string(), policy, failure)).or_default();
            *count = count.checked_add(sessions).filter(|count| *count <= SESSIONS_MAX)?;
        }
    }
    let mut kinds = Vec::with_capacity(counts.len());
    for ((domain, policy, failure), sessions) in counts {
        let domain = Domain::parse(&domain).ok()?;
        kinds.push(Kind { domain, policy, failure, sessions });
    }
    let day = day_of_date(&written.date_range.start_datetime)?;
    Some(Document { id: written.report_id, day, kinds })
}

/// What is compressed, when it is not larger than it may be.
fn unpacked(octets: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    GzDecoder::new(octets).take(OCTETS_MAX + 1).read_to_end(&mut out).ok()?;
    u64::try_from(out.len()).is_ok_and(|length| length <= OCTETS_MAX).then_some(out)
}

/// Sessions of a policy by their kind of failure; those without one, first. Nothing when details say more than the sum.
fn counted(element: &Element) -> Option<Vec<(&'static str, u64)>> {
    let Summary { total_successful_session_count: good, total_failure_session_count: failed } = element.summary;
    let mut counted = vec![("", good)];
    let mut rest = failed;
    for detail in element.failure_details.iter().flatten() {
        let failure = FAILURES.into_iter().find(|known| *known == detail.result_type).unwrap_or(OTHER);
        rest = rest.checked_sub(detail.failed_session_count)?;
        counted.push((failure, detail.failed_session_count));
    }
    counted.push((OTHER, rest));
    // The count of what went well is told although it is nothing: that is a report, too.
    Some(counted.into_iter().filter(|(failure, sessions)| failure.is_empty() || *sessions > 0).collect())
}

/// The day of a date and time (RFC 3339 §5.6), in days since 1970.
fn day_of_date(text: &str) -> Option<i64> {
    let (date, time) = text.split_at_checked(10)?;
    let is_time = time.starts_with(['T', 't', ' ']) && (9..=30).contains(&time.len());
    let mut numbers = date.split('-').map(|part| {
        let is_number = !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
        part.parse::<i64>().ok().filter(|_| is_number)
    });
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let is_date = numbers.next().is_none()
        && (1970..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day);
    if !is_date || !is_time {
        return None;
    }
    // Counted from 1 March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let in_era = year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + in_era - 719_468)
}

#[cfg(test)]
mod tests;
