//! The report of every row, as CSV (RFC 4180) or JSON Lines, written as rows go by.
//!
//! Invariants: a line of the report holds the line of the row, its fate and why; the address only when it was asked
//! for; and nothing that the controller did not give. Cells that a spreadsheet would take for formulas get a `'`.
//! Never: memory that grows with the file.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::judge::is_formula;
use super::{Column, Fields, Reason, RowFate};

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// A header row, `,` between cells, CRLF.
    Csv,
    /// One object a line; keys without a value are left out.
    JsonLines,
}

/// Whether the report repeats addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// No personal data: lines can be looked up in the file.
    #[default]
    Nothing,
    /// The address, where one could be read. The report is personal data then.
    Address,
}

/// Writes the report row by row. The writer should have a buffer.
pub struct ReportWriter<W> {
    out: W,
    format: ReportFormat,
    echo: Echo,
    buffer: String,
}

impl<W: Write> ReportWriter<W> {
    /// Begins a report; CSV gets its header.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(mut out: W, format: ReportFormat, echo: Echo) -> io::Result<Self> {
        if format == ReportFormat::Csv {
            out.write_all(b"line,fate,reason,column,field,first_line,missing,formulas,explanation")?;
            out.write_all(if echo == Echo::Address { b",address\r\n" } else { b"\r\n" })?;
        }
        Ok(Self { out, format, echo, buffer: String::with_capacity(256) })
    }

    /// Writes one row.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, fate: &RowFate) -> io::Result<()> {
        let entry = Entry::of(fate);
        let address = fate.address().filter(|_| self.echo == Echo::Address).map(mail::address::Address::to_wire);
        self.write_entry(&entry, address)
    }

    fn write_entry(&mut self, entry: &Entry, address: Option<String>) -> io::Result<()> {
        self.buffer.clear();
        match self.format {
            ReportFormat::Csv => {
                entry.csv(&mut self.buffer);
                if self.echo == Echo::Address {
                    push_cell(&mut self.buffer, &address.unwrap_or_default());
                }
                self.buffer.push_str("\r\n");
            }
            ReportFormat::JsonLines => {
                entry.json(&mut self.buffer, address.as_deref());
                self.buffer.push('\n');
            }
        }
        self.out.write_all(self.buffer.as_bytes())
    }

    /// Writes what became of a contact in the store, which is known after the row went by.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn settled(&mut self, line: u64, fate: &'static str, missing: Fields) -> io::Result<()> {
        let (column, formulas) = (Column::default(), Fields::default());
        let entry = Entry { line, fate, reason: None, column, first_line: None, missing, formulas };
        self.write_entry(&entry, None)
    }

    /// Ends the report.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

struct Entry {
    line: u64,
    fate: &'static str,
    reason: Option<Reason>,
    column: Column,
    first_line: Option<u32>,
    missing: Fields,
    formulas: Fields,
}

impl Entry {
    fn of(fate: &RowFate) -> Self {
        let mut entry = Self {
            line: fate.line(),
            fate: fate.code(),
            reason: None,
            column: Column::default(),
            first_line: None,
            missing: Fields::default(),
            formulas: fate.formulas(),
        };
        match fate {
            RowFate::Contact(_) => {}
            RowFate::Quarantine(row) => entry.missing = row.missing,
            RowFate::Duplicate { first_line, .. } => entry.first_line = Some(*first_line),
            RowFate::Malformed { column, reason, .. } => {
                entry.reason = Some(*reason);
                entry.column = column.unwrap_or_default();
            }
        }
        entry
    }

    fn csv(&self, out: &mut String) {
        let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        // Without the comma that goes before each cell but the first.
        out.push_str(&self.line.to_string());
        push_cell(out, self.fate);
        push_cell(out, self.reason.map(Reason::code).unwrap_or_default());
        push_cell(out, &text(self.column.number.map(u64::from)));
        push_cell(out, self.column.field.map(super::Field::as_str).unwrap_or_default());
        push_cell(out, &text(self.first_line.map(u64::from)));
        push_cell(out, &words(self.missing).join(" "));
        push_cell(out, &words(self.formulas).join(" "));
        push_cell(out, &self.reason.map(|reason| reason.to_string()).unwrap_or_default());
    }

    fn json(&self, out: &mut String, address: Option<&str>) {
        out.push_str("{\"line\":");
        out.push_str(&self.line.to_string());
        push_text(out, "fate", self.fate);
        if let Some(reason) = self.reason {
            push_text(out, "reason", reason.code());
            push_text(out, "explanation", &reason.to_string());
        }
        if let Some(number) = self.column.number {
            push_number(out, "column", u64::from(number));
        }
        if let Some(field) = self.column.field {
            push_text(out, "field", field.as_str());
        }
        if let Some(line) = self.first_line {
            push_number(out, "first_line", u64::from(line));
        }
        push_words(out, "missing", self.missing);
        push_words(out, "formulas", self.formulas);
        if let Some(address) = address {
            push_text(out, "address", address);
        }
        out.push('}');
    }
}

fn words(fields: Fields) -> Vec<&'static str> {
    fields.iter().map(super::Field::as_str).collect()
}

/// What stands before a cell that a spreadsheet would take for a formula.
const HARMLESS: char = '\'';

/// Does a cell get [`HARMLESS`]? One that has it already gets another: otherwise two cells would be written as one.
fn is_guarded(cell: &str) -> bool {
    is_formula(cell.trim_start_matches(HARMLESS))
}

/// What [`push_cell`] was given, of what a reader made of it.
pub(crate) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix(HARMLESS).filter(|rest| is_guarded(rest)).unwrap_or(cell)
}

/// A comma and a cell: harmless in a spreadsheet, quoted where RFC 4180 §2 needs it.
pub(crate) fn push_cell(out: &mut String, cell: &str) {
    let formula = is_guarded(cell);
    let quoted = cell.contains([',', '"', '\r', '\n', ';', '\t', '\'']);
    out.push(',');
    if quoted {
        out.push('"');
    }
    if formula {
        out.push(HARMLESS);
    }
    for letter in cell.chars() {
        if letter == '"' {
            out.push('"');
        }
        out.push(letter);
    }
    if quoted {
        out.push('"');
    }
}

fn push_number(out: &mut String, key: &str, number: u64) {
    // Writing to a string does not fail.
    let _ = write!(out, ",\"{key}\":{number}");
}

fn push_text(out: &mut String, key: &str, text: &str) {
    let _ = write!(out, ",\"{key}\":{}", serde_json::Value::from(text));
}

fn push_words(out: &mut String, key: &str, fields: Fields) {
    if !fields.is_empty() {
        let _ = write!(out, ",\"{key}\":{}", serde_json::Value::from(words(fields)));
    }
}

impl<W: Write + Send> super::Rows for ReportWriter<W> {
    fn read(&mut self, fate: &RowFate) -> io::Result<()> {
        self.write(fate)
    }

    fn settled(&mut self, line: u64, word: &'static str, missing: Fields) -> io::Result<()> {
        Self::settled(self, line, word, missing)
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
