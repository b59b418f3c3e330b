//! Whether the key that a domain publishes is the one that its mail is signed with (RFC 6376 §3.6, RFC 8463 §3).

use super::Finding;
use crate::names::{Found, Names};

/// Looks at the record of a selector; `value` is the record of the key that signs.
pub async fn published(names: &Names, name: &str, value: &str) -> Finding {
    let texts = match names.texts(name).await {
        Found::Some(texts) => texts,
        Found::None => {
            return Finding::wrong(name, "is not published", format!("publish the TXT record {name} with {value}"));
        }
        Found::NoAnswer => return Finding::unanswered(name, "its TXT record"),
    };
    let keys: Vec<&String> = texts.iter().filter(|text| tag(text, "p").is_some()).collect();
    let kind = tag(value, "k").unwrap_or_else(|| "rsa".to_owned());
    match keys.as_slice() {
        [] => Finding::wrong(name, "has a TXT record that is no key", format!("let it say {value}")),
        // RFC 6376 §3.6.2.2: with several, which one a verifier takes is his choice.
        [_, _, ..] => Finding::wrong(name, "has several keys", format!("leave one, which says {value}")),
        [key] if tag(key, "p").as_deref() == Some("") => {
            Finding::wrong(name, "says that the key is revoked (p= is empty)", format!("let it say {value}"))
        }
        [key] if same(key, value) => testing(name, key, &kind),
        [_] => Finding::wrong(
            name,
            format!("publishes another {kind} key than the one that signs"),
            format!("let it say {value}"),
        ),
    }
}

fn testing(name: &str, key: &str, kind: &str) -> Finding {
    // RFC 6376 §3.6.1, tag t: verifiers must not treat such mail otherwise than unsigned.
    let flags = tag(key, "t").unwrap_or_default();
    if flags.split(':').any(|flag| flag == "y") {
        let what = format!("publishes the {kind} key that signs, and says that it is for tests (t=y)");
        return Finding::warning(name, what, "take t=y out of the record: receivers may not count what it signs");
    }
    Finding::good(name, format!("publishes the {kind} key that signs"))
}

/// The same key of the same kind, whatever else stands there and however it is spaced.
fn same(one: &str, other: &str) -> bool {
    let kind = |text: &str| tag(text, "k").unwrap_or_else(|| "rsa".to_owned());
    tag(one, "p") == tag(other, "p") && kind(one) == kind(other)
}

/// The value of a tag, without white space (RFC 6376 §3.2).
pub(super) fn tag(text: &str, name: &str) -> Option<String> {
    text.split(';').find_map(|one| {
        let (found, value) = one.split_once('=')?;
        (found.trim() == name).then(|| value.split_whitespace().collect())
    })
}
