//! What was said on a connection, for the timeline of a message: bounded, and without content.
//!
//! Invariants: at most [`TRANSCRIPT_OCTETS_MAX`] octets; when it is full the middle is left out, never the last reply.
//! It holds addresses: whoever keeps it seals it.

use std::fmt::{self, Write as _};

use crate::reply::ReceivedReply;

/// Octets of a whole transcript.
pub(super) const TRANSCRIPT_OCTETS_MAX: usize = 8 * 1024;
/// Octets kept of one line.
const LINE_OCTETS_MAX: usize = 512;
/// Left free for the note about what is missing and for the last line.
const TAIL_OCTETS: usize = 1024;

/// Lines beginning with `C: ` (sent) or `S: ` (received). Personal data; `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Transcript(String);

impl Transcript {
    /// The lines, each ended by `\n`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Transcript({} octets)", self.0.len())
    }
}

#[derive(Default)]
pub(super) struct Recorder {
    text: String,
    left_out: usize,
    last: String,
}

impl Recorder {
    pub(super) fn sent(&mut self, line: &str) {
        self.line("C: ", line);
    }

    pub(super) fn note(&mut self, line: &str) {
        self.line("", line);
    }

    pub(super) fn body(&mut self, octets: u64) {
        self.line("C: ", &format!("<{octets} octets>"));
        self.line("C: ", ".");
    }

    /// RFC 3030 §2: a chunk of so many octets.
    pub(super) fn chunk(&mut self, octets: usize, last: bool) {
        let last = if last { " LAST" } else { "" };
        self.line("C: ", &format!("BDAT {octets}{last}"));
        self.line("C: ", &format!("<{octets} octets>"));
    }

    pub(super) fn received(&mut self, reply: &ReceivedReply) {
        let mut lines = reply.text.split('\n').peekable();
        let mut prefix = String::with_capacity(20);
        while let Some(line) = lines.next() {
            prefix.clear();
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            // Writing into a String cannot fail.
            let _ = write!(prefix, "S: {}{separator}", reply.code);
            if let Some(code) = reply.enhanced {
                let _ = write!(prefix, "{code} ");
            }
            self.line(&prefix, line);
        }
    }

    fn line(&mut self, prefix: &str, line: &str) {
        let line = shortened(line);
        let room = TRANSCRIPT_OCTETS_MAX - TAIL_OCTETS;
        if self.left_out == 0 && self.text.len() + prefix.len() + line.len() < room {
            push(&mut self.text, prefix, line);
            return;
        }
        self.left_out += 1;
        self.last.clear();
        push(&mut self.last, prefix, line);
    }

    /// The transcript so far; the next one begins empty.
    pub(super) fn take(&mut self) -> Transcript {
        let mut text = std::mem::take(&mut self.text);
        if self.left_out > 1 {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "({} lines left out)", self.left_out - 1);
        }
        text.push_str(&self.last);
        self.left_out = 0;
        self.last.clear();
        Transcript(text)
    }
}

fn push(text: &mut String, prefix: &str, line: &str) {
    text.push_str(prefix);
    // One line stays one line, and a terminal that shows it is not steered by a peer.
    text.extend(line.chars().map(|letter| if letter.is_control() { '?' } else { letter }));
    text.push('\n');
}

fn shortened(line: &str) -> &str {
    let mut end = line.len().min(LINE_OCTETS_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.get(..end).unwrap_or_default()
}
