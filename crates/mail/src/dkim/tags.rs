//! Tag lists, `a=1; b=2` (RFC 6376 §3.2): in signatures and in key records.

/// Longest list taken: a key record of RSA-8192 is below 2 KiB, a signature with a long `h=` below 8 KiB.
const LIST_OCTETS_MAX: usize = 16 * 1024;
/// Most tags in a list.
const TAGS_MAX: usize = 64;

/// A parsed list: no name twice, values with white space cut from both ends.
pub(super) struct Tags<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Tags<'t> {
    /// Reads a list; nothing if it follows not the grammar or has a name twice.
    pub(super) fn parse(list: &'t str) -> Option<Self> {
        if list.len() > LIST_OCTETS_MAX {
            return None;
        }
        let mut tags: Vec<(&str, &str)> = Vec::new();
        let mut specs = list.split(';').peekable();
        while let Some(spec) = specs.next() {
            // A `;` at the end is allowed, an empty tag in between is not.
            if spec.trim_ascii().is_empty() {
                if specs.peek().is_none() && !tags.is_empty() {
                    break;
                }
                return None;
            }
            let (name, value) = spec.split_once('=')?;
            let name = name.trim_ascii();
            let well_named = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            // RFC 6376 §3.2: tags with duplicate names invalidate the list. Names are case-sensitive.
            if !well_named || tags.len() >= TAGS_MAX || tags.iter().any(|(known, _)| *known == name) {
                return None;
            }
            tags.push((name, value.trim_ascii()));
        }
        Some(Self(tags))
    }

    /// The value of a tag.
    pub(super) fn get(&self, name: &str) -> Option<&'t str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The name of the first tag.
    pub(super) fn first_name(&self) -> Option<&'t str> {
        self.0.first().map(|(name, _)| *name)
    }
}

/// A value without any white space, as base64 values are to be read.
pub(super) fn without_space(value: &str) -> String {
    value.chars().filter(|c| !c.is_ascii_whitespace()).collect()
}

/// The same field value with the value of `b=` taken out (RFC 6376 §3.5, §3.7), everything else as it is.
pub(super) fn without_signature(raw_value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw_value.len());
    for (index, spec) in raw_value.split(|&b| b == b';').enumerate() {
        if index > 0 {
            out.push(b';');
        }
        let equals =
            memchr::memchr(b'=', spec).filter(|&at| spec.get(..at).is_some_and(|name| name.trim_ascii() == b"b"));
        out.extend_from_slice(equals.and_then(|at| spec.get(..=at)).unwrap_or(spec));
    }
    out
}
