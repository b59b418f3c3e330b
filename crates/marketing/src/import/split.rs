//! Rows and cells out of text that comes in pieces (RFC 4180, read strictly where leniency would move cells).
//!
//! Invariants: lines are counted from 1 and end with CRLF, LF or CR, also within quotes; one row is kept at a time and
//! no more of it than [`super::ROW_OCTETS_MAX`]; a row that is too long is still read to its end by the grammar, so
//! that the text of a quoted cell never comes out as rows of its own.

use super::{CELL_OCTETS_MAX, COLUMNS_MAX, Column, ROW_OCTETS_MAX, Reason};

/// What a row is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Cells with this octet between them, quoted or not.
    Cells(u8),
    /// One cell: the line.
    Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// After a quote within a quoted cell: the end of it, or half of a doubled quote.
    QuoteSeen,
    /// After the end of a quoted cell and a space.
    Closed,
}

/// Whether a row is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Row,
}

pub(super) struct Splitter {
    shape: Shape,
    state: State,
    /// Cells one after the other, without quotes.
    text: Vec<u8>,
    /// Start and end of each cell in `text`.
    spans: Vec<(usize, usize)>,
    cell_start: usize,
    octets: usize,
    quoted: bool,
    flaw: Option<(Option<Column>, Reason)>,
    /// The line on which the row begins.
    row_line: u64,
    /// The line on which the last quote was opened.
    opened: u64,
    line: u64,
    after_cr: bool,
    /// Whether the last octet ended a line.
    fresh: bool,
}

impl Splitter {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            state: State::CellStart,
            text: Vec::with_capacity(1024),
            spans: Vec::with_capacity(16),
            cell_start: 0,
            octets: 0,
            quoted: false,
            flaw: None,
            row_line: 1,
            opened: 0,
            line: 1,
            after_cr: false,
            fresh: true,
        }
    }

    /// Forgets the row.
    pub(super) fn clear(&mut self) {
        self.state = State::CellStart;
        self.text.clear();
        self.spans.clear();
        self.cell_start = 0;
        self.octets = 0;
        self.quoted = false;
        self.flaw = None;
        self.row_line = self.line;
    }

    /// Takes text up to the end of the row; how much of it was used.
    pub(super) fn feed(&mut self, text: &[u8]) -> (usize, Progress) {
        let mut at = 0;
        let mut progress = Progress::More;
        while let Some(&octet) = text.get(at) {
            if std::mem::take(&mut self.after_cr) && octet == b'\n' {
                at += 1;
                if self.state == State::Quoted {
                    self.push(b"\n");
                }
                continue;
            }
            let rest = text.get(at..).unwrap_or_default();
            let (used, now) = match self.state {
                State::CellStart => self.start(octet),
                State::Plain => self.plain(rest),
                State::Quoted => (self.in_quotes(rest), Progress::More),
                State::QuoteSeen | State::Closed => self.behind_quote(octet),
            };
            at += used;
            if now == Progress::Row {
                progress = now;
                break;
            }
        }
        if let Some(last) = at.checked_sub(1).and_then(|last| text.get(last)) {
            self.fresh = matches!(last, b'\r' | b'\n');
        }
        (at, progress)
    }

    /// Something at this offset is no character: the row is not believed.
    pub(super) fn wrong(&mut self, offset: u64) {
        self.note(None, Reason::Encoding { offset });
        // A placeholder keeps the place in the grammar; it never ends a row.
        self.feed(b"?");
    }

    /// The file ends here. Whether there is a row.
    pub(super) fn end(&mut self) -> bool {
        if self.octets == 0 {
            return false;
        }
        if self.state == State::Quoted {
            self.flaw = Some((None, Reason::QuoteUnterminated { opened: self.opened }));
        }
        self.close_cell();
        self.state = State::CellStart;
        true
    }

    /// The line on which the row begins.
    pub(super) const fn row_line(&self) -> u64 {
        self.row_line
    }

    /// The line that is read now.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Lines read so far, the last one too if it has no end.
    pub(super) const fn lines(&self) -> u64 {
        if self.fresh { self.line - 1 } else { self.line }
    }

    /// Octets of the row.
    pub(super) const fn octets(&self) -> usize {
        self.octets
    }

    /// Whether the row is a line with nothing but white space.
    pub(super) fn is_blank(&self) -> bool {
        !self.quoted && self.flaw.is_none() && self.spans.len() <= 1 && self.text.iter().all(u8::is_ascii_whitespace)
    }

    /// The row, or why it cannot be read.
    pub(super) fn row(&self) -> Result<Cells<'_>, (Option<Column>, Reason)> {
        match self.flaw {
            Some(flaw) => Err(flaw),
            // Pieces are valid each, and they are cut only at ASCII: this does not fail.
            None => std::str::from_utf8(&self.text)
                .map(|text| Cells { text, spans: &self.spans })
                .map_err(|_| (None, Reason::Encoding { offset: 0 })),
        }
    }

    fn start(&mut self, octet: u8) -> (usize, Progress) {
        if octet == b'"' && self.shape != Shape::Line {
            self.state = State::Quoted;
            self.quoted = true;
            self.opened = self.line;
            self.count(1);
            return (1, Progress::More);
        }
        self.state = State::Plain;
        (0, Progress::More)
    }

    fn plain(&mut self, rest: &[u8]) -> (usize, Progress) {
        let hit = match self.shape {
            Shape::Cells(delimiter) => memchr::memchr3(delimiter, b'\r', b'\n', rest),
            Shape::Line => memchr::memchr2(b'\r', b'\n', rest),
        };
        let end = hit.unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        self.push(piece);
        match behind.first() {
            None => (end, Progress::More),
            Some(&octet) => (end + 1, self.mark(octet)),
        }
    }

    fn in_quotes(&mut self, rest: &[u8]) -> usize {
        let end = memchr::memchr3(b'"', b'\r', b'\n', rest).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        self.push(piece);
        match behind.first() {
            None => end,
            Some(b'"') => {
                self.state = State::QuoteSeen;
                self.count(1);
                end + 1
            }
            Some(&octet) => {
                self.push(&[octet]);
                self.end_line(octet);
                end + 1
            }
        }
    }

    fn behind_quote(&mut self, octet: u8) -> (usize, Progress) {
        match octet {
            b'"' if self.state == State::QuoteSeen => {
                self.push(b"\"");
                self.state = State::Quoted;
                (1, Progress::More)
            }
            b'\r' | b'\n' => (1, self.mark(octet)),
            octet if self.shape == Shape::Cells(octet) => (1, self.mark(octet)),
            b' ' => {
                self.state = State::Closed;
                self.count(1);
                (1, Progress::More)
            }
            _ => {
                self.note(self.here(), Reason::QuoteStray);
                self.state = State::Plain;
                (0, Progress::More)
            }
        }
    }

    /// A delimiter or an end of line outside quotes.
    fn mark(&mut self, octet: u8) -> Progress {
        self.close_cell();
        self.state = State::CellStart;
        if matches!(octet, b'\r' | b'\n') {
            self.end_line(octet);
            return Progress::Row;
        }
        self.count(1);
        Progress::More
    }

    fn end_line(&mut self, octet: u8) {
        self.line += 1;
        self.after_cr = octet == b'\r';
    }

    fn close_cell(&mut self) {
        let octets = self.text.len() - self.cell_start;
        if self.spans.len() == COLUMNS_MAX {
            self.note(None, Reason::TooManyCells);
        } else {
            if octets > CELL_OCTETS_MAX && self.shape != Shape::Line {
                self.note(self.here(), Reason::CellTooLong);
            }
            self.spans.push((self.cell_start, self.text.len()));
        }
        self.cell_start = self.text.len();
    }

    fn push(&mut self, piece: &[u8]) {
        self.count(piece.len());
        if self.octets <= ROW_OCTETS_MAX {
            self.text.extend_from_slice(piece);
        }
    }

    fn count(&mut self, octets: usize) {
        self.octets = self.octets.saturating_add(octets);
        if self.octets > ROW_OCTETS_MAX {
            self.note(None, Reason::RowTooLong);
        }
    }

    /// The first flaw of a row is the one that is told.
    fn note(&mut self, column: Option<Column>, reason: Reason) {
        self.flaw.get_or_insert((column, reason));
    }

    fn here(&self) -> Option<Column> {
        Some(Column { number: u16::try_from(self.spans.len() + 1).ok(), field: None })
    }
}

/// The cells of a row.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub(super) text: &'a str,
    pub(super) spans: &'a [(usize, usize)],
}

impl<'a> Cells<'a> {
    /// How many.
    pub(super) const fn len(&self) -> usize {
        self.spans.len()
    }

    /// One of them, counted from 0; empty if it is not there.
    pub(super) fn get(&self, index: usize) -> &'a str {
        self.spans.get(index).and_then(|&(start, end)| self.text.get(start..end)).unwrap_or_default()
    }
}
