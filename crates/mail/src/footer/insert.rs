//! Where in a decoded text the footer goes.
//!
//! Plain text: at the end, after an empty line. HTML: before the last `</body>`, else at the end; never in a comment,
//! in a tag, or in an element whose content is not shown.

use memchr::memmem;

use super::TextKind;
use super::swallowed::is_swallowed;

/// Whether a text is PGP armour, or holds it (RFC 4880 §6.2, §7): a footer would not be covered by its signature, or
/// would stand beside what only the recipient can open.
pub(super) fn holds_armour(content: &[u8], kind: TextKind) -> bool {
    memmem::find_iter(content, b"-----BEGIN PGP ").any(|at| {
        let (before, after) = content.split_at(at);
        let begins = match before.last() {
            None | Some(b'\n' | b'\r') => true,
            // `<pre>-----BEGIN …`
            Some(last) => kind == TextKind::Html && (*last == b'>' || last.is_ascii_whitespace()),
        };
        let what = after.get(b"-----BEGIN PGP ".len()..).unwrap_or_default();
        begins && (what.starts_with(b"MESSAGE") || what.starts_with(b"SIGNED MESSAGE"))
    })
}

/// The place for the footer; `None` where what begins before would swallow it, so that nobody sees it (directive
/// 2002/58/EC Art. 13(4)).
pub(super) fn position(content: &[u8], kind: TextKind) -> Option<usize> {
    match kind {
        TextKind::Plain => Some(content.len()),
        TextKind::Html => {
            let body_end = memchr::memrchr_iter(b'<', content).find(|&at| is_body_end(content.get(at..)));
            body_end
                .filter(|&at| !is_swallowed(content, at))
                .or_else(|| (!is_swallowed(content, content.len())).then_some(content.len()))
        }
    }
}

fn is_body_end(tag: Option<&[u8]>) -> bool {
    const TAG: &[u8] = b"</body";
    let Some((name, rest)) = tag.and_then(|tag| tag.split_at_checked(TAG.len())) else { return false };
    // White space in a tag is a matter of a few octets; a longer run is not looked through, to stay linear.
    let space = rest.iter().take(WHITE_SPACE_MAX).take_while(|octet| octet.is_ascii_whitespace()).count();
    name.eq_ignore_ascii_case(TAG) && rest.get(space) == Some(&b'>')
}

const WHITE_SPACE_MAX: usize = 64;

/// The content with the footer at `at`, on lines of its own.
pub(super) fn splice(content: &[u8], at: usize, footer: &[u8], kind: TextKind) -> Vec<u8> {
    let (before, after) = content.split_at_checked(at).unwrap_or((content, b""));
    let gap: &[u8] = match kind {
        _ if before.is_empty() => b"",
        TextKind::Plain if before.ends_with(b"\n\r\n") || before.ends_with(b"\n\n") => b"",
        TextKind::Plain if !before.ends_with(b"\n") => b"\r\n\r\n",
        TextKind::Html if before.ends_with(b"\n") => b"",
        TextKind::Plain | TextKind::Html => b"\r\n",
    };
    [before, gap, footer, b"\r\n", after].concat()
}

/// HTML in ASCII: other characters as numeric references, which mean the same in every charset.
pub(super) fn in_ascii(html: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(html.len() * 2);
    for c in html.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "&#{};", u32::from(c));
        }
    }
    out
}
