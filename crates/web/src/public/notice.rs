//! The notice of GDPR Art. 13 as it is shown: its very words, in paragraphs.
//!
//! Invariants: the text of the element that holds a layer is the layer, octet for octet (the evidence of GDPR Art.
//! 7(1) is the hash of these words, so the page must not say others); only paragraphs are marked, nothing is added.

use super::Language;

#[cfg(test)]
mod tests;

/// A notice in two layers, as plain text.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// The short layer, always seen.
    pub short: &'a str,
    /// The full layer, unfolded on wish; may be empty.
    pub full: &'a str,
    /// The language in which it is written, which may not be the page's.
    pub language: Language,
    /// Its version, as people may quote it.
    pub version: &'a str,
}

impl<'a> Notice<'a> {
    pub(super) fn short_paragraphs(&self) -> Vec<Paragraph<'a>> {
        paragraphs(self.short)
    }

    pub(super) fn full_paragraphs(&self) -> Vec<Paragraph<'a>> {
        paragraphs(self.full)
    }
}

/// A paragraph, and what lies before it. The last one may have no text, only what lies before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Paragraph<'a> {
    pub(super) before: &'a str,
    pub(super) text: &'a str,
}

/// A text's paragraphs: what blank lines part. Put together again they are the text.
pub(super) fn paragraphs(text: &str) -> Vec<Paragraph<'_>> {
    let mut found = Vec::new();
    let (mut done, mut begin, mut end, mut at) = (0, None, 0, 0);
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            if let Some(from) = begin.take() {
                found.push(Paragraph { before: part(text, done, from), text: part(text, from, end) });
                done = end;
            }
        } else {
            begin.get_or_insert(at);
            end = at + line.trim_end_matches(['\r', '\n']).len();
        }
        at += line.len();
    }
    if let Some(from) = begin {
        found.push(Paragraph { before: part(text, done, from), text: part(text, from, end) });
        done = end;
    }
    if done < text.len() {
        found.push(Paragraph { before: part(text, done, text.len()), text: "" });
    }
    found
}

fn part(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}
