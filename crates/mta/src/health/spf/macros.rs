//! Macros in the names of an SPF record (RFC 7208 §7).

use std::net::IpAddr;

/// What macros stand for.
pub(super) struct Subject<'a> {
    pub(super) address: IpAddr,
    /// The domain of MAIL FROM, or of EHLO where that is judged.
    pub(super) sender_domain: &'a str,
    pub(super) helo: &'a str,
}

/// The name that is meant, or nothing when the text is none (§7.1).
pub(super) fn expand(text: &str, domain: &str, subject: &Subject<'_>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        rest = match after.split_at_checked(1)? {
            ("%", rest) => {
                out.push('%');
                rest
            }
            ("_", rest) => {
                out.push(' ');
                rest
            }
            ("-", rest) => {
                out.push_str("%20");
                rest
            }
            ("{", inner) => {
                let (inner, rest) = inner.split_once('}')?;
                out.push_str(&one(inner, domain, subject)?);
                rest
            }
            _ => return None,
        };
    }
    out.push_str(rest);
    // §7.3: of a name that is too long, labels go from the left.
    while out.len() > 253 {
        out = out.split_once('.')?.1.to_owned();
    }
    Some(out)
}

fn one(inner: &str, domain: &str, subject: &Subject<'_>) -> Option<String> {
    let letter = inner.chars().next()?;
    let value = match letter.to_ascii_lowercase() {
        's' => format!("postmaster@{}", subject.sender_domain),
        'l' => "postmaster".to_owned(),
        'o' => subject.sender_domain.to_owned(),
        'd' => domain.to_owned(),
        'i' => dotted(subject.address),
        // §7.3: discouraged, and "unknown" where it is not looked up.
        'p' => "unknown".to_owned(),
        'v' => if subject.address.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        'h' => subject.helo.to_owned(),
        _ => return None,
    };
    let rest = inner.get(letter.len_utf8()..)?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (count, rest) = rest.split_at_checked(digits)?;
    let (reversed, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if !delimiters.chars().all(|delimiter| ".-+,/_=".contains(delimiter)) || count == "0" {
        return None;
    }
    let delimiters = if delimiters.is_empty() { "." } else { delimiters };
    let mut parts: Vec<&str> = value.split(|letter| delimiters.contains(letter)).collect();
    if reversed {
        parts.reverse();
    }
    let keep = if count.is_empty() { parts.len() } else { count.parse::<usize>().ok()?.min(parts.len()) };
    Some(parts.get(parts.len() - keep..)?.join("."))
}

/// §7.4: of IPv6 its nibbles.
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => {
            let nibbles = six.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
        }
    }
}
