//! Reads the values of Content-Type, Content-Disposition and Content-Transfer-Encoding: a leading token and parameters.
//!
//! Comments and folding are skipped, quotes undone. Values that need quotes and have none are read where all readers
//! read them alike (`boundary=----=_x`); anything else leaves the parameters unreadable.
//! Never: one of two parameters of the same name, a parameter in pieces (RFC 2231 §3).
//! Standards: RFC 2045 §5.1, RFC 2183 §2, RFC 5322 §3.2.2.

use std::ops::Range;

/// Comments within comments beyond this are nobody's.
const COMMENT_DEPTH_MAX: usize = 16;

/// One parameter.
#[derive(Clone)]
pub(crate) struct Parameter {
    /// In lower case.
    name: String,
    /// Without quotes and folding.
    pub(crate) value: Vec<u8>,
    /// In the raw value, from the semicolon before it to its end.
    pub(crate) range: Range<usize>,
}

/// A value taken apart.
pub(crate) struct Structured {
    /// `type/subtype` or a token, in lower case.
    pub(crate) lead: String,
    /// `None` where they cannot be read.
    parameters: Option<Vec<Parameter>>,
}

/// The parameters cannot be read, or the one asked for has two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

impl Structured {
    /// Reads a raw value; `None` where it does not begin with a token or a type.
    pub(crate) fn parse(raw: &[u8]) -> Option<Self> {
        let mut reader = Reader { raw, at: 0 };
        reader.skip_space()?;
        let mut lead = reader.token()?.to_ascii_lowercase();
        reader.skip_space()?;
        if reader.take(b'/') {
            reader.skip_space()?;
            lead.push('/');
            lead.push_str(&reader.token()?.to_ascii_lowercase());
            reader.skip_space()?;
        }
        Some(Self { lead, parameters: reader.parameters() })
    }

    /// The parameter of that name.
    pub(crate) fn parameter(&self, name: &str) -> Result<Option<&Parameter>, Ambiguous> {
        let parameters = self.parameters.as_ref().ok_or(Ambiguous)?;
        // RFC 2231 §3, §4: `name*` and `name*0` are the same parameter for some readers and none for others.
        let pieces = |other: &str| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('*'));
        let mut found = parameters.iter().filter(|parameter| parameter.name == name || pieces(&parameter.name));
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(one), None) if one.name == name => Ok(Some(one)),
            _ => Err(Ambiguous),
        }
    }
}

struct Reader<'r> {
    raw: &'r [u8],
    at: usize,
}

impl<'r> Reader<'r> {
    fn peek(&self) -> Option<u8> {
        self.raw.get(self.at).copied()
    }

    fn take(&mut self, octet: u8) -> bool {
        let taken = self.peek() == Some(octet);
        self.at += usize::from(taken);
        taken
    }

    /// White space, folding and comments; `None` for a comment that does not end.
    fn skip_space(&mut self) -> Option<()> {
        let mut depth = 0;
        while let Some(octet) = self.peek() {
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'(' if depth < COMMENT_DEPTH_MAX => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b'\\' if depth > 0 => self.at += 1,
                _ if depth > 0 && octet != b'(' => {}
                _ => break,
            }
            self.at += 1;
        }
        (depth == 0).then_some(())
    }

    fn token(&mut self) -> Option<&'r str> {
        self.run(|octet| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet))
    }

    /// The octets that `fits`, one at least.
    fn run(&mut self, fits: impl Fn(u8) -> bool) -> Option<&'r str> {
        let rest = self.raw.get(self.at..)?;
        let length = rest.iter().position(|&octet| !fits(octet)).unwrap_or(rest.len());
        self.at += length;
        std::str::from_utf8(rest.get(..length)?).ok().filter(|run| !run.is_empty())
    }

    fn parameters(&mut self) -> Option<Vec<Parameter>> {
        let mut parameters = Vec::new();
        while self.peek().is_some() {
            let start = self.at;
            if !self.take(b';') {
                return None;
            }
            self.skip_space()?;
            // A semicolon at the end, or twice: no parameter, for every reader.
            if matches!(self.peek(), None | Some(b';')) {
                continue;
            }
            let name = self.token()?.to_ascii_lowercase();
            self.skip_space()?;
            if !self.take(b'=') {
                return None;
            }
            self.skip_space()?;
            let value = if self.take(b'"') { self.quoted()? } else { self.unquoted()? };
            parameters.push(Parameter { name, value, range: start..self.at });
            self.skip_space()?;
        }
        Some(parameters)
    }

    /// Up to the closing quote.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        loop {
            let octet = self.peek()?;
            self.at += 1;
            match octet {
                b'"' => return Some(value),
                b'\\' => {
                    value.push(self.peek()?);
                    self.at += 1;
                }
                b'\r' | b'\n' => {}
                _ => value.push(octet),
            }
        }
    }

    fn unquoted(&mut self) -> Option<Vec<u8>> {
        let value = self.run(|octet| octet.is_ascii_graphic() && !b"()<>@,;\\\"".contains(&octet))?;
        Some(value.as_bytes().to_vec())
    }
}
