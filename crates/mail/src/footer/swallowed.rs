//! Whether a reader would see what is put at a place of an HTML text: not in a comment, in a tag, or in an element
//! whose content is no markup or is not shown (WHATWG HTML, "Tokenization").
//!
//! One pass, linear in the text. It follows a reader as far as it concerns that question and no further; what a style
//! hides it does not know.

use memchr::{memchr, memmem};

/// Elements whose content goes on, as plain characters, to their own end tag.
const RAW: [&[u8]; 9] =
    [b"style", b"script", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noframes", b"noscript"];

/// Would what is put at `at` be swallowed by what begins before it?
pub(super) fn is_swallowed(content: &[u8], at: usize) -> bool {
    let before = content.get(..at).unwrap_or_default();
    let (mut rest, mut templates) = (before, 0_usize);
    while let Some(tag) = memchr(b'<', rest).and_then(|at| rest.get(at..)) {
        let Some(after) = passed(tag, &mut templates) else { return true };
        rest = after;
    }
    templates > 0
}

/// What follows the construct that begins with this `<`; `None` when it does not end.
fn passed<'c>(tag: &'c [u8], templates: &mut usize) -> Option<&'c [u8]> {
    if tag.starts_with(b"<!--") {
        // `<!-->` is a whole comment, so the end may share the hyphens of the beginning.
        let end = memmem::find(tag.get(2..)?, b"-->")?;
        return tag.get(2 + end + 3..);
    }
    let second = tag.get(1).copied().unwrap_or_default();
    if matches!(second, b'!' | b'?') {
        return after(tag, memchr(b'>', tag)?);
    }
    let is_end = second == b'/';
    let name_at = if is_end { 2 } else { 1 };
    if !tag.get(name_at).is_some_and(u8::is_ascii_alphabetic) {
        // A lone `<` is a character; `</` with something else is a comment up to its `>`.
        return if is_end { after(tag, memchr(b'>', tag)?) } else { tag.get(1..) };
    }
    let named = tag.get(name_at..)?;
    let ends_name = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, b'/' | b'>');
    let name = named.get(..named.iter().position(ends_name)?)?;
    let rest = after(tag, tag_end(tag)?)?;
    if name.eq_ignore_ascii_case(b"template") {
        *templates = if is_end { templates.saturating_sub(1) } else { *templates + 1 };
    }
    if is_end {
        return Some(rest);
    }
    if name.eq_ignore_ascii_case(b"plaintext") {
        return None;
    }
    match RAW.iter().find(|raw| name.eq_ignore_ascii_case(raw)) {
        Some(raw) => end_tag_of(rest, raw),
        None => Some(rest),
    }
}

fn after(text: &[u8], at: usize) -> Option<&[u8]> {
    text.get(at + 1..)
}

/// The `>` that ends a tag: not one within a quoted value.
fn tag_end(tag: &[u8]) -> Option<usize> {
    let (mut at, mut value_comes) = (1, false);
    loop {
        let octet = *tag.get(at)?;
        match octet {
            b'>' => return Some(at),
            b'"' | b'\'' if value_comes => {
                at += 1 + memchr(octet, tag.get(at + 1..)?)?;
                value_comes = false;
            }
            b'=' => value_comes = true,
            _ if octet.is_ascii_whitespace() => {}
            _ => value_comes = false,
        }
        at += 1;
    }
}

/// What follows the end tag of an element, where only that tag ends it.
fn end_tag_of<'c>(content: &'c [u8], name: &[u8]) -> Option<&'c [u8]> {
    let mut rest = content;
    loop {
        rest = rest.get(memchr(b'<', rest)?..)?;
        let closes = rest.get(1) == Some(&b'/')
            && rest.get(2..2 + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
            && rest
                .get(2 + name.len())
                .is_some_and(|octet| octet.is_ascii_whitespace() || matches!(octet, b'/' | b'>'));
        if closes {
            return after(rest, memchr(b'>', rest)?);
        }
        rest = rest.get(1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn swallows(html: &str) -> bool {
        is_swallowed(html.as_bytes(), html.len())
    }

    #[test]
    fn what_goes_on_swallows_and_what_has_ended_does_not() {
        for (open, close) in [
            ("<p>Hi<!-- a", "-->"),
            ("<STYLE>p{}", "</style >"),
            ("<script>if (a<b) '</scriptx>'", "</script>"),
            ("<textarea hidden>", "</TextArea>"),
            ("<svg><title>", "</title></svg>"),
            ("<noscript><p>", "</noscript>"),
            ("<xmp><p>", "</xmp>"),
            ("<template><p>a<template></template>", "</template>"),
            ("<p title=\"a>b", "\">"),
            ("<p title='", "'>"),
            ("<a href=x", ">"),
            ("</p", ">"),
            ("<!doctype html", ">"),
            ("</ ", ">"),
        ] {
            assert!(swallows(open), "{open}");
            assert!(!swallows(&format!("{open}{close}")), "{open}{close}");
        }
        assert!(swallows("<plaintext hidden></plaintext>"), "it never ends");
        for html in ["", "Hi", "1 < 2", "a <", "<!--><p>", "<p a\"b>", "<p a = b'c>", "</template>", "<titles>"] {
            assert!(!swallows(html), "{html}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics_and_a_closed_comment_before_it_changes_nothing(
            html in "([<>/!='\"a-]|--|<style>|</style>|<p |template){0,40}",
        ) {
            let with = format!("<!-- c -->{html}");
            prop_assert_eq!(swallows(&html), swallows(&with));
        }
    }
}
