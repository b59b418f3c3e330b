//! Delivery reports of RFC 3464, and of RFC 6533 for addresses outside ASCII, as they really come.
//!
//! Deviations that are read: `message/delivery-status` in a multipart that is not called a report (old gateways); blank
//! lines within a group; `Status` missing, or `5.0.0` where the diagnosis knows better (Exim, RFC 3464 §2.3.4 allows
//! it); a code within brackets or behind `#` (Exchange); several groups of which one failed.
//! Standards: RFC 3464 §2.2, §2.3; RFC 6533 §3, §4.

use super::mime::{Fields, Mail};
use super::{Action, DeliveryReport, Fate, RECIPIENTS_MAX, TEXT_OCTETS_MAX, codes_in, cut};
use crate::dsn::{INTERNATIONAL, international};
use crate::reply::EnhancedCode;

const STATUS: [&str; 2] = ["message/delivery-status", "message/global-delivery-status"];

/// The report, if the message is one.
pub(super) fn report(mail: &Mail<'_>) -> Option<DeliveryReport> {
    let part = mail.part(&STATUS)?;
    let (mut envelope_id, mut fates) = (None, Vec::new());
    for group in groups(part.octets()) {
        if let Some(id) = group.get("original-envelope-id") {
            envelope_id.get_or_insert_with(|| cut(id, 100).to_owned());
        }
        if fates.len() < RECIPIENTS_MAX {
            fates.extend(fate(&group));
        }
    }
    (!fates.is_empty()).then_some(DeliveryReport { form: "rfc3464", envelope_id, fates })
}

/// Groups of fields, parted by blank lines.
fn groups(octets: &[u8]) -> Vec<Fields> {
    let mut found = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() && found.len() <= RECIPIENTS_MAX {
        let (fields, at) = Fields::read(rest);
        if !fields.is_empty() {
            found.push(fields);
        }
        rest = rest.get(at..).unwrap_or_default();
    }
    found
}

fn fate(group: &Fields) -> Option<Fate> {
    let status = group.get("status").and_then(|value| {
        // RFC 3464 §2.3.4 allows a comment behind it.
        value.split(|c: char| c.is_whitespace() || c == '(').find_map(EnhancedCode::parse)
    });
    let named = group.get("action").map(|word| word.trim().to_ascii_lowercase());
    let action = match (named.as_deref(), status) {
        (Some(word), _) if word.starts_with("fail") => Action::Failed,
        (Some(word), _) if word.starts_with("delay") => Action::Delayed,
        (Some(word), _) if word.starts_with("deliver") => Action::Delivered,
        (Some(word), _) if word.starts_with("relay") => Action::Relayed,
        (Some(word), _) if word.starts_with("expand") => Action::Expanded,
        // Without a word that is known, the class says it (RFC 3463 §2).
        (_, Some(EnhancedCode { class: 5, .. })) => Action::Failed,
        (_, Some(EnhancedCode { class: 4, .. })) => Action::Delayed,
        _ => return None,
    };
    let diagnosis = group.get("diagnostic-code").unwrap_or_default();
    // `smtp; 550 …`: the type says nothing that the code does not.
    let text = diagnosis.split_once(';').map_or(diagnosis, |(_, text)| text).trim();
    let (code, said) = codes_in(text);
    let vague = status.is_none_or(|status| (status.subject, status.detail) == (0, 0));
    let status = if vague { said.or(status.filter(|_| code.is_none())) } else { status };
    let recipient = ["final-recipient", "original-recipient"].into_iter().find_map(|name| address(group.get(name)?));
    Some(Fate { action, status, code, recipient, text: cut(text, TEXT_OCTETS_MAX).to_owned() })
}

/// `rfc822; <ada@dest.example>`, `utf-8; j\x{F6}rg@dest.example` (RFC 6533 §3).
fn address(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';').unwrap_or(("", value));
    let address = address.trim().trim_start_matches('<').trim_end_matches('>');
    let decoded = if kind.trim().eq_ignore_ascii_case(INTERNATIONAL) { international(address) } else { None };
    let address = decoded.as_deref().unwrap_or(address);
    (!address.is_empty() && address.len() <= 320).then(|| address.to_owned())
}
