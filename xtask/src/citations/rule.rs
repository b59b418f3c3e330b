//! The name of a rule (`RFC 5321 §4.5.2`, `GDPR Art. 21(3)`), as comments and test names say it.

use std::fmt;

/// A rule: its source and the parts of its number, outermost first (`["21", "3"]`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rule {
    source: Law,
    parts: Vec<Part>,
}

/// Where a rule stands. The order is the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Law {
    Gdpr,
    EPrivacy,
    Rfc(u32),
}

/// One part of a rule's number; numbers sort as numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u32),
    Letter(char),
}

impl Rule {
    /// Whether this rule is `other` or a part of it: `§4.5.2` is within `§4.5`, and both within the RFC.
    pub(super) fn within(&self, other: &Self) -> bool {
        self.source == other.source && self.parts.starts_with(&other.parts)
    }

    /// All rules that a text names.
    pub(super) fn all_in(text: &str) -> Vec<Self> {
        let mut found = Vec::new();
        for (at, _) in text.match_indices("RFC ") {
            found.extend(rfc(text.get(at + 4..).unwrap_or_default()));
        }
        for word in ["Art. ", "Article "] {
            for (at, _) in text.match_indices(word) {
                let before = text.get(..at).unwrap_or_default().trim_end();
                // An article without the name of its law is one of the GDPR's.
                let source = if before.ends_with("ePrivacy") { Law::EPrivacy } else { Law::Gdpr };
                found.extend(article(source, text.get(at + word.len()..).unwrap_or_default()));
            }
        }
        found
    }

    /// The rules that a test's name begins with, such as `rfc5321_4_5_2_dot_is_unstuffed` or `art17_art18_no_mail`.
    pub(super) fn all_of_test(name: &str) -> Vec<Self> {
        let words: Vec<&str> = name.split('_').collect();
        let mut found = Vec::new();
        let mut rest = words.as_slice();
        // A name that is all rule says nothing; a last word is never needed for one.
        while let Some((first, after)) = rest.split_first().filter(|(_, after)| !after.is_empty()) {
            let Some(mut rule) = Self::of_word(first) else { break };
            rest = after;
            while let Some((word, after)) = rest.split_first() {
                let letters = !matches!(rule.source, Law::Rfc(_)) && rule.parts.len() == 2;
                let Some(part) = part(word, letters) else { break };
                rule.parts.push(part);
                rest = after;
            }
            found.push(rule);
        }
        found
    }

    /// `rfc5321`, `art21`, `eprivacy13`.
    fn of_word(word: &str) -> Option<Self> {
        let rfc = word.strip_prefix("rfc").and_then(whole_number).map(|rfc| (Law::Rfc(rfc), Vec::new()));
        let article = |law: Law, prefix: &str| {
            let number = word.strip_prefix(prefix).and_then(whole_number)?;
            Some((law, vec![Part::Number(number)]))
        };
        let articles = || article(Law::Gdpr, "art").or_else(|| article(Law::EPrivacy, "eprivacy"));
        let (source, parts) = rfc.or_else(articles)?;
        Some(Self { source, parts })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.parts.iter();
        match self.source {
            Law::Gdpr => write!(out, "GDPR Art. ")?,
            Law::EPrivacy => write!(out, "ePrivacy Art. ")?,
            Law::Rfc(number) => {
                write!(out, "RFC {number}")?;
                for (index, part) in parts.enumerate() {
                    write!(out, "{}{part}", if index == 0 { " §" } else { "." })?;
                }
                return Ok(());
            }
        }
        if let Some(first) = parts.next() {
            write!(out, "{first}")?;
        }
        parts.try_for_each(|part| write!(out, "({part})"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Letter(letter) => write!(out, "{letter}"),
        }
    }
}

/// A part of a number in a test's name. Numbers over 99 are quantities (`rfc5321_512_octets`), not sections.
fn part(word: &str, letters: bool) -> Option<Part> {
    let mut characters = word.chars();
    if let (Some(letter), None, true) = (characters.next(), characters.next(), letters)
        && letter.is_ascii_lowercase()
    {
        return Some(Part::Letter(letter));
    }
    let number: u32 = word.parse().ok()?;
    (number < 100 && !word.starts_with('+')).then_some(Part::Number(number))
}

/// `5321 §4.5.2, §4.1` → both sections; `5321` alone → the RFC as a whole.
fn rfc(text: &str) -> Vec<Rule> {
    let Some((rfc, mut rest)) = number(text) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    while let Some(after) = section_sign(rest) {
        let (parts, remaining) = section(after);
        if parts.is_empty() {
            break;
        }
        found.push(Rule { source: Law::Rfc(rfc), parts });
        rest = remaining;
    }
    if found.is_empty() {
        found.push(Rule { source: Law::Rfc(rfc), parts: Vec::new() });
    }
    found
}

/// What follows a section sign that directly follows, with at most a comma or an "and" between.
fn section_sign(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([',', ' ']);
    let text = text.strip_prefix("and ").unwrap_or(text);
    let signs = ["§§", "§", "section ", "Section "];
    signs.iter().find_map(|sign| text.strip_prefix(sign)).map(str::trim_start)
}

fn section(mut rest: &str) -> (Vec<Part>, &str) {
    let mut parts = Vec::new();
    while let Some((value, after)) = number(rest) {
        parts.push(Part::Number(value));
        rest = after;
        match after.strip_prefix('.') {
            Some(next) if next.starts_with(|first: char| first.is_ascii_digit()) => rest = next,
            _ => break,
        }
    }
    (parts, rest)
}

/// `21(3)`, `28(3)(a)`.
fn article(source: Law, text: &str) -> Option<Rule> {
    let (first, mut rest) = number(text)?;
    let mut parts = vec![Part::Number(first)];
    while let Some((inside, after)) = rest.strip_prefix('(').and_then(|open| open.split_once(')')) {
        let mut characters = inside.chars();
        match (inside.parse(), characters.next(), characters.next()) {
            (Ok(value), _, _) => parts.push(Part::Number(value)),
            (Err(_), Some(letter), None) if letter.is_ascii_lowercase() => parts.push(Part::Letter(letter)),
            _ => break,
        }
        rest = after;
    }
    Some(Rule { source, parts })
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

fn whole_number(text: &str) -> Option<u32> {
    number(text).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}
