//! The text of an SPF record (RFC 7208 §4.6, §5, §6).
//!
//! Invariant: what is not as the grammar says is told with the word that is wrong, as a verifier ends there (§4.6).

use std::net::IpAddr;

/// What a mechanism that fits makes of the sender (§4.6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// Bits of a network for each family (§5.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bits {
    pub(super) four: u8,
    pub(super) six: u8,
}

/// One word of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Term {
    All(Qualifier),
    Include(Qualifier, String),
    Addresses(Qualifier, Option<String>, Bits),
    Exchangers(Qualifier, Option<String>, Bits),
    Reverse(Qualifier, Option<String>),
    Network(Qualifier, IpAddr, u8),
    Exists(Qualifier, String),
    Redirect(String),
    /// `exp`, and modifiers that nobody knows yet (§6).
    Other,
}

/// The words after `v=spf1`.
pub(super) fn parse(record: &str) -> Result<Vec<Term>, String> {
    let mut terms = Vec::new();
    let mut redirects = 0;
    for word in record.split(' ').skip(1).filter(|word| !word.is_empty()) {
        let term = term(word).ok_or_else(|| word.to_owned())?;
        redirects += usize::from(matches!(term, Term::Redirect(_)));
        if redirects > 1 {
            return Err(word.to_owned());
        }
        terms.push(term);
    }
    Ok(terms)
}

fn term(word: &str) -> Option<Term> {
    let modifier = word.split_once('=').filter(|(name, _)| {
        name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    });
    if let Some((name, value)) = modifier {
        return match name.to_ascii_lowercase().as_str() {
            "redirect" => (!value.is_empty()).then(|| Term::Redirect(value.to_owned())),
            _ => Some(Term::Other),
        };
    }
    let (qualifier, rest) = match word.split_at_checked(1)? {
        ("+", rest) => (Qualifier::Pass, rest),
        ("-", rest) => (Qualifier::Fail, rest),
        ("~", rest) => (Qualifier::SoftFail, rest),
        ("?", rest) => (Qualifier::Neutral, rest),
        _ => (Qualifier::Pass, word),
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(end)?;
    let name = name.to_ascii_lowercase();
    let given = after.strip_prefix(':');
    let needed = || given.filter(|text| !text.is_empty()).map(str::to_owned);
    match (name.as_str(), after) {
        ("all", "") => Some(Term::All(qualifier)),
        ("include", _) => Some(Term::Include(qualifier, needed()?)),
        ("exists", _) => Some(Term::Exists(qualifier, needed()?)),
        ("ptr", "") => Some(Term::Reverse(qualifier, None)),
        ("ptr", _) => Some(Term::Reverse(qualifier, Some(needed()?))),
        ("ip4" | "ip6", _) => network(qualifier, &name, given?),
        ("a", _) => placed(after).map(|(domain, bits)| Term::Addresses(qualifier, domain, bits)),
        ("mx", _) => placed(after).map(|(domain, bits)| Term::Exchangers(qualifier, domain, bits)),
        _ => None,
    }
}

fn network(qualifier: Qualifier, family: &str, text: &str) -> Option<Term> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let fits = address.is_ipv4() == (family == "ip4");
    let bits = bits.map_or(Some(most), |bits| number(bits, most))?;
    fits.then_some(Term::Network(qualifier, address, bits))
}

/// `:DOMAIN/4BITS//6BITS`, each part left out at will.
fn placed(text: &str) -> Option<(Option<String>, Bits)> {
    let (domain, lengths) = text.find('/').map_or((text, ""), |at| text.split_at_checked(at).unwrap_or((text, "")));
    let domain = match domain.strip_prefix(':') {
        Some("") => return None,
        Some(domain) => Some(domain.to_owned()),
        None => None,
    };
    let (four, six) = match lengths.split_once("//") {
        Some((four, six)) => (four, Some(six)),
        None => (lengths, None),
    };
    let four = four.strip_prefix('/').map_or(four.is_empty().then_some(32), |bits| number(bits, 32))?;
    let six = six.map_or(Some(128), |bits| number(bits, 128))?;
    Some((domain, Bits { four, six }))
}

fn number(text: &str, most: u8) -> Option<u8> {
    let plain = text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|bits| plain && *bits <= most)
}
