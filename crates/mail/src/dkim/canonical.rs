//! Canonical forms of header fields and bodies (RFC 6376 §3.4), and the body hash.
//!
//! The relaxed body hash is incremental and does not copy what is canonical already: whole lines without TAB, without
//! two spaces in a row and without white space at their end go to SHA-256 in long runs; only other lines are
//! rewritten. Line ends are withheld until something follows them, which is all it takes to ignore empty lines at the
//! end, also those that are empty only after their white space is gone.

use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 over a canonical body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyDigest([u8; 32]);

impl BodyDigest {
    /// The 32 octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn of(context: Context) -> Self {
        let mut octets = [0; 32];
        for (to, from) in octets.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(octets)
    }
}

/// Incremental hash of a body in relaxed canonical form (RFC 6376 §3.4.4). The pieces may be cut anywhere.
pub struct BodyHash {
    sha: Context,
    scratch: Vec<u8>,
    /// Line ends seen but not yet hashed.
    withheld_lines: usize,
    withheld_space: bool,
    withheld_cr: bool,
    line_start: bool,
    any: bool,
}

/// Octets rewritten before they are handed to SHA-256.
const SCRATCH_OCTETS: usize = 4096;

impl Default for BodyHash {
    fn default() -> Self {
        Self::new()
    }
}

impl BodyHash {
    /// An empty body.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sha: Context::new(&SHA256),
            scratch: Vec::new(),
            withheld_lines: 0,
            withheld_space: false,
            withheld_cr: false,
            line_start: true,
            any: false,
        }
    }

    /// The hash of a whole body.
    #[must_use]
    pub fn of(body: &[u8]) -> BodyDigest {
        let mut hash = Self::new();
        hash.update(body);
        hash.finish()
    }

    /// Adds the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            let mut used = 0;
            if self.line_start && !self.withheld_cr {
                used = self.add_clean(rest);
                if used == 0 {
                    used = self.add_line(rest);
                }
            }
            if used == 0 {
                used = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
                self.add_octets(rest.get(..used).unwrap_or_default());
            }
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// The hash of everything added.
    #[must_use]
    pub fn finish(mut self) -> BodyDigest {
        if self.withheld_cr {
            self.emit(b'\r');
        }
        // RFC 6376 §3.4.4: trailing empty lines go, a body that is not empty ends in one CRLF, and an empty body
        // (also one of white space and line ends only) hashes as zero octets.
        if self.any {
            self.scratch.extend_from_slice(b"\r\n");
        }
        self.sha.update(&self.scratch);
        BodyDigest::of(self.sha)
    }

    /// Takes the lines at the start of `text` that are canonical already, and empty ones; answers their octets.
    fn add_clean(&mut self, text: &[u8]) -> usize {
        let (run, empty_lines) = clean_lines(text);
        let content = text.get(..run).and_then(|run| run.strip_suffix(b"\r\n")).unwrap_or_default();
        if !content.is_empty() {
            self.flush_withheld();
            if content.len() <= CLEAN_COPIED_MAX {
                self.scratch.extend_from_slice(content);
                self.drain_if_full();
            } else {
                self.drain();
                self.sha.update(content);
            }
            self.any = true;
            self.withheld_lines = 1;
        }
        self.withheld_lines += empty_lines;
        run + empty_lines * 2
    }

    /// Takes one whole line and rewrites it; answers its octets, or 0 if the line is not complete.
    fn add_line(&mut self, text: &[u8]) -> usize {
        let Some(lf) = memchr::memchr(b'\n', text) else { return 0 };
        let Some([content @ .., b'\r']) = text.get(..lf) else { return 0 };
        let end = content.iter().rposition(|b| !is_space(*b)).map_or(0, |last| last + 1);
        if end > 0 {
            self.flush_withheld();
            rewrite_line(content.get(..end).unwrap_or_default(), &mut self.scratch);
            self.drain_if_full();
            self.any = true;
        }
        self.withheld_lines += 1;
        lf + 1
    }

    /// Any octets, one by one.
    fn add_octets(&mut self, octets: &[u8]) {
        for &octet in octets {
            if self.withheld_cr {
                self.withheld_cr = false;
                if octet == b'\n' {
                    self.withheld_space = false;
                    self.withheld_lines += 1;
                    self.line_start = true;
                    continue;
                }
                self.emit(b'\r');
            }
            match octet {
                b'\r' => self.withheld_cr = true,
                b' ' | b'\t' => {
                    self.withheld_space = true;
                    self.line_start = false;
                }
                _ => self.emit(octet),
            }
        }
    }

    fn emit(&mut self, octet: u8) {
        self.flush_withheld();
        self.scratch.push(octet);
        self.drain_if_full();
        self.any = true;
        self.line_start = false;
    }

    fn flush_withheld(&mut self) {
        while self.withheld_lines > 0 {
            self.scratch.extend_from_slice(b"\r\n");
            self.withheld_lines -= 1;
            self.drain_if_full();
        }
        if std::mem::take(&mut self.withheld_space) {
            self.scratch.push(b' ');
        }
    }

    fn drain_if_full(&mut self) {
        if self.scratch.len() > SCRATCH_OCTETS {
            self.drain();
        }
    }

    fn drain(&mut self) {
        self.sha.update(&self.scratch);
        self.scratch.clear();
    }
}

/// Runs shorter than this are cheaper to gather than to hash one by one.
const CLEAN_COPIED_MAX: usize = 512;

/// Appends the relaxed form of a line that has no white space at its end.
fn rewrite_line(content: &[u8], out: &mut Vec<u8>) {
    let indent = content.iter().take_while(|b| is_space(**b)).count();
    if indent > 0 {
        out.push(b' ');
    }
    let rest = content.get(indent..).unwrap_or_default();
    // Most lines that come here are only indented or had white space at their end.
    if is_clean(rest) {
        out.extend_from_slice(rest);
        return;
    }
    let mut space = false;
    for &octet in rest {
        let again = std::mem::replace(&mut space, is_space(octet));
        if !space {
            out.push(octet);
        } else if !again {
            out.push(b' ');
        }
    }
}

/// Octets of the complete lines at the start of `text` that are their own relaxed form, up to the last that is not
/// empty; and how many empty lines follow it.
fn clean_lines(text: &[u8]) -> (usize, usize) {
    let (mut run, mut empty_lines, mut start) = (0, 0, 0);
    for lf in memchr::memchr_iter(b'\n', text) {
        let Some([content @ .., b'\r']) = text.get(start..lf) else { break };
        start = lf + 1;
        if content.is_empty() {
            empty_lines += 1;
        } else if is_clean(content) {
            (run, empty_lines) = (start, 0);
        } else {
            break;
        }
    }
    (run, empty_lines)
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Whether a line is its own relaxed form and not empty.
fn is_clean(content: &[u8]) -> bool {
    let (Some(next), Some(first), Some(last)) = (content.get(1..), content.first(), content.last()) else {
        return false;
    };
    if *first == b'\t' || is_space(*last) {
        return false;
    }
    // No early exit: so written, the compiler looks at 16 or 32 octets at a time.
    let mut odd = 0_u8;
    for (&left, &right) in content.iter().zip(next) {
        odd |= u8::from((left == b' ') & (right == b' ')) | u8::from(right == b'\t');
    }
    odd == 0
}

/// The hash of a body in simple canonical form (RFC 6376 §3.4.3); only verification needs it.
pub(super) fn simple_body(body: &[u8]) -> BodyDigest {
    let mut content = body;
    while let Some(shorter) = content.strip_suffix(b"\r\n") {
        content = shorter;
    }
    let mut sha = Context::new(&SHA256);
    sha.update(content);
    // §3.4.3: an empty body becomes one CRLF, so every body ends in exactly one.
    sha.update(b"\r\n");
    BodyDigest::of(sha)
}

/// Appends a field in relaxed canonical form (RFC 6376 §3.4.2), without the CRLF at its end.
pub(super) fn relaxed_field(name: &[u8], raw_value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let value_start = out.len();
    let mut space = false;
    for &octet in raw_value {
        match octet {
            b'\r' | b'\n' => {}
            b' ' | b'\t' => space = true,
            _ => {
                if std::mem::take(&mut space) && out.len() > value_start {
                    out.push(b' ');
                }
                out.push(octet);
            }
        }
    }
}
