//! The reading itself: rows out of any [`Read`], in batches, with a digest of all that was read.
//!
//! One thread reads; what it hands out can be sent to others. Invariants: rows come in the order of the file; a fault
//! of the file comes after the rows before it, and then again at each call; the digest is of the whole file, also of
//! what was not read as rows. Never: a seek, a second pass, a whole file in memory.

use std::io::Read;

use mail::address::Address;

use super::error::{FileFault, OpenError};
use super::format::{self, Comments, Delimiter, Format, HeaderRow, Input};
use super::json::{self, Objects};
use super::judge::{Judge, Remembered, Verdict};
use super::mapping::Mapping;
use super::source::{Next, Source};
use super::split::{Cells, Progress, Shape, Splitter};
use super::{BATCH_OCTETS_MAX, Dates, Given, PROBLEMS_KEPT, Provenance, Remember, Report, RowFate};

/// The name of the one column of a plain list.
const PLAIN_COLUMN: &str = "email";
/// Room made at once for a batch, whatever its greatest length.
const BATCH_ROOM: usize = 4096;

/// What is said about a file besides its columns.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is true of every row that does not say otherwise.
    pub provenance: Provenance,
    /// How dates are read, and the present moment.
    pub dates: Dates,
    /// How addresses are remembered.
    pub remember: Remember,
    /// Problems that the report keeps one by one; [`super::PROBLEMS_KEPT_MAX`] at most.
    pub problems: usize,
}

impl Settings {
    /// With [`PROBLEMS_KEPT`] problems and as many addresses remembered as may be.
    #[must_use]
    pub const fn new(provenance: Provenance, dates: Dates, key: [u8; 16]) -> Self {
        Self { provenance, dates, remember: Remember::keyed(key), problems: PROBLEMS_KEPT }
    }
}

/// A file whose columns are known and whose rows are not read yet.
pub struct Opened<R> {
    rows: Rows<R>,
    format: Format,
    header: Vec<String>,
    blank: u64,
    /// Whether the splitter holds a row that was looked at for the header and is a row like the others.
    held: bool,
}

impl<R: Read> Opened<R> {
    /// Reads the beginning of a file: encoding, delimiter, header.
    ///
    /// # Errors
    /// [`OpenError::File`], [`OpenError::Empty`], [`OpenError::Header`] or [`OpenError::HeaderHoldsAddress`].
    pub fn read(reader: R, input: Input) -> Result<Self, OpenError> {
        let mut source = Source::open(reader, input.encoding)?;
        if source.is_empty() {
            return Err(OpenError::Empty);
        }
        // The first text, so that the delimiter can be found. Faults come when the rows are read.
        let first = if source.next()? == Next::Text { source.text() } else { b"" };
        let (format, shape, separator) = match input.format {
            Format::Csv { delimiter: Delimiter::Auto } => {
                let delimiter = format::sniff(first);
                let separator = format::separator_line(first).is_some();
                (Format::Csv { delimiter }, Shape::Cells(delimiter.octet()), separator)
            }
            Format::Csv { delimiter } => (input.format, Shape::Cells(delimiter.octet()), false),
            Format::JsonLines | Format::PlainList { .. } => (input.format, Shape::Line, false),
        };
        let rows = Rows { source, splitter: Splitter::new(shape) };
        let mut opened = Self { rows, format, header: Vec::new(), blank: 0, held: false };
        if separator {
            opened.rows.next()?;
            opened.blank += 1;
        }
        match format {
            Format::PlainList { .. } => opened.header.push(PLAIN_COLUMN.to_owned()),
            Format::JsonLines => opened.first_keys()?,
            Format::Csv { .. } => opened.first_row(input.header)?,
        }
        Ok(opened)
    }

    /// The names of the columns: of CSV as the header says; of JSON Lines the keys of the first object; of a plain
    /// list `email`. May be personal data if the file has no header after all.
    #[must_use]
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The format, with the delimiter that was found.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Binds the columns.
    ///
    /// # Errors
    /// Those of [`OpenError`] about the mapping, and [`OpenError::CollectedInFuture`].
    pub fn import(self, mapping: &Mapping, settings: Settings) -> Result<ImportReader<R>, OpenError> {
        if let Some(Given::Between(collected)) = settings.provenance.given
            && collected.until() > settings.dates.now
        {
            return Err(OpenError::CollectedInFuture);
        }
        let mut report = Report::keeping(settings.problems);
        report.blank = self.blank;
        let (bound, objects) = if self.format == Format::JsonLines {
            let (bound, keys) = mapping.bind_keys(&self.header)?;
            (bound, Some(Objects::new(keys)))
        } else {
            let bound = mapping.bind(&self.header)?;
            report.ignored = bound.ignored(&self.header);
            (bound, None)
        };
        let judge = Judge::new(bound, settings.provenance, settings.dates, settings.remember);
        let comments = match self.format {
            Format::PlainList { comments } => comments,
            Format::Csv { .. } | Format::JsonLines => Comments::None,
        };
        Ok(ImportReader { rows: self.rows, objects, comments, judge, report, held: self.held, stopped: Stopped::Not })
    }

    /// The first row that is not blank; whether there is one.
    fn seek(&mut self) -> Result<bool, FileFault> {
        while self.rows.next()? {
            if !self.rows.splitter.is_blank() {
                return Ok(true);
            }
            self.blank += 1;
        }
        Ok(false)
    }

    /// Keys of the first object; a line that is none is a malformed row, later.
    fn first_keys(&mut self) -> Result<(), OpenError> {
        self.held = self.seek()?;
        if let (true, Ok(cells)) = (self.held, self.rows.splitter.row()) {
            self.header = json::keys_of(cells.get(0));
        }
        Ok(())
    }

    fn first_row(&mut self, header: HeaderRow) -> Result<(), OpenError> {
        if !self.seek()? {
            return Err(OpenError::Empty);
        }
        let splitter = &self.rows.splitter;
        let cells = match (splitter.row(), header) {
            (Ok(cells), _) => cells,
            (Err((_, reason)), _) => return Err(OpenError::Header { line: splitter.row_line(), reason }),
        };
        if header == HeaderRow::Absent {
            self.header = (1..=cells.len()).map(|number| number.to_string()).collect();
            self.held = true;
            return Ok(());
        }
        let names = |index| cells.get(index).trim();
        if (0..cells.len()).map(names).any(|name| Address::parse(name).is_ok()) {
            return Err(OpenError::HeaderHoldsAddress);
        }
        self.header = (0..cells.len()).map(|index| names(index).to_owned()).collect();
        Ok(())
    }
}

/// The file as rows.
struct Rows<R> {
    source: Source<R>,
    splitter: Splitter,
}

impl<R: Read> Rows<R> {
    /// Reads the next row into the splitter; whether there is one.
    fn next(&mut self) -> Result<bool, FileFault> {
        self.splitter.clear();
        loop {
            match self.source.next()? {
                Next::Text => {
                    let (used, progress) = self.splitter.feed(self.source.text());
                    self.source.advance(used);
                    if progress == Progress::Row {
                        return Ok(true);
                    }
                }
                Next::Wrong { offset } => {
                    self.splitter.wrong(offset);
                    self.source.skip_wrong();
                }
                Next::Nul { offset } => return Err(FileFault::Nul { line: self.splitter.line(), offset }),
                Next::End => return Ok(self.splitter.end()),
            }
        }
    }
}

/// Whether rows can still come.
#[derive(Clone, Copy)]
enum Stopped {
    Not,
    AtEnd,
    By(FileFault),
}

/// What a file was, for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// SHA-256 of all octets of the file as they were read, marks and unread rows included.
    pub sha256: [u8; 32],
    /// How many octets those are.
    pub octets: u64,
    /// Lines read as text. When the reading stopped before the end these are the lines up to there.
    pub lines: u64,
}

/// The end of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// What the file was.
    pub digest: FileDigest,
    /// What became of its rows.
    pub report: Report,
    /// The fault that ended the reading before the end of the file, if one did.
    pub fault: Option<FileFault>,
}

/// Reads the rows of one file.
pub struct ImportReader<R> {
    rows: Rows<R>,
    objects: Option<Objects>,
    comments: Comments,
    judge: Judge,
    report: Report,
    held: bool,
    stopped: Stopped,
}

impl<R: Read> ImportReader<R> {
    /// The next row, or `None` at the end of the file.
    ///
    /// # Errors
    /// A [`FileFault`], and the same at each call after it.
    pub fn next_row(&mut self) -> Result<Option<RowFate>, FileFault> {
        match self.stopped {
            Stopped::AtEnd => return Ok(None),
            Stopped::By(fault) => return Err(fault),
            Stopped::Not => {}
        }
        loop {
            let there = std::mem::take(&mut self.held) || self.advance()?;
            if !there {
                self.stopped = Stopped::AtEnd;
                return Ok(None);
            }
            if self.is_skipped() {
                self.report.blank += 1;
                continue;
            }
            let verdict = self.judge();
            self.report.note(&verdict.fate);
            if verdict.remembered == Remembered::NoRoom {
                self.report.unremembered += 1;
            }
            return Ok(Some(verdict.fate));
        }
    }

    /// Up to `most` rows, at least one, or `None` at the end of the file. A batch may be shorter without being the
    /// last ([`BATCH_OCTETS_MAX`], or a fault, which the next call tells).
    ///
    /// # Errors
    /// A [`FileFault`], and the same at each call after it.
    pub fn next_batch(&mut self, most: usize) -> Result<Option<Vec<RowFate>>, FileFault> {
        let Some(first) = self.next_row()? else { return Ok(None) };
        let mut batch = Vec::with_capacity(most.clamp(1, BATCH_ROOM));
        batch.push(first);
        let mut octets = self.rows.splitter.octets();
        while batch.len() < most && octets < BATCH_OCTETS_MAX {
            match self.next_row() {
                Ok(Some(fate)) => batch.push(fate),
                Ok(None) | Err(_) => break,
            }
            octets += self.rows.splitter.octets();
        }
        Ok(Some(batch))
    }

    /// What became of the rows so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Octets of the file read so far, for showing how far it is.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.rows.source.octets()
    }

    /// Ends the reading: what is left of the file is read for the digest, and not as rows.
    ///
    /// # Errors
    /// [`FileFault::Read`], since there is no digest of a file that cannot be read.
    pub fn finish(mut self) -> Result<Finished, FileFault> {
        if let Some(objects) = &self.objects {
            self.report.ignored = objects.ignored().to_vec();
        }
        let fault = match self.stopped {
            Stopped::By(fault @ FileFault::Read(_)) => return Err(fault),
            Stopped::By(fault) => Some(fault),
            Stopped::Not | Stopped::AtEnd => None,
        };
        let lines = self.rows.splitter.lines();
        let (sha256, octets) = self.rows.source.drain()?;
        Ok(Finished { digest: FileDigest { sha256, octets, lines }, report: self.report, fault })
    }

    /// Octets that the table of duplicates takes.
    #[cfg(test)]
    pub(super) fn table_octets(&self) -> usize {
        self.judge.table_octets()
    }

    fn advance(&mut self) -> Result<bool, FileFault> {
        self.rows.next().inspect_err(|fault| self.stopped = Stopped::By(*fault))
    }

    /// Blank lines and comments.
    fn is_skipped(&self) -> bool {
        let comment = |cells: Cells<'_>| cells.get(0).trim_start().starts_with('#');
        let splitter = &self.rows.splitter;
        splitter.is_blank() || (self.comments == Comments::Hash && splitter.row().is_ok_and(comment))
    }

    fn judge(&mut self) -> Verdict {
        let splitter = &self.rows.splitter;
        let line = splitter.row_line();
        let cells = match splitter.row() {
            Ok(cells) => cells,
            Err(flaw) => return self.judge.malformed(line, flaw),
        };
        let Some(objects) = &mut self.objects else { return self.judge.judge(line, cells) };
        match objects.read(cells.get(0), self.judge.bound()) {
            Ok(cells) => self.judge.judge(line, cells),
            Err(flaw) => self.judge.malformed(line, flaw),
        }
    }
}
