//! Rust source taken apart, line by line, into code, comments and string literals.
//!
//! A scanner, not a parser: it knows nested comments, raw strings, byte strings and the difference between a
//! character and a lifetime, and nothing else of the language. Code keeps its columns (literals and comments become
//! blanks), so that indentation can be read from it.

/// One file.
#[derive(Debug, Default)]
pub(crate) struct RustText {
    lines: Vec<Line>,
    literals: Vec<Literal>,
}

/// One line.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line {
    /// The line without comments and without the insides of literals.
    pub(crate) code: String,
    /// What the comments on this line say, with their slashes.
    pub(crate) comment: String,
    /// Whether the line lies in a module under `#[cfg(test)]`.
    pub(crate) in_test: bool,
}

/// One string literal.
#[derive(Debug)]
pub(crate) struct Literal {
    /// The line it begins on, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl RustText {
    /// Takes a file apart. Never fails: text that is not Rust gives some lines.
    pub(crate) fn parse(text: &str) -> Self {
        let mut scanner = Scanner { rest: text.chars().collect(), at: 0, out: Self::default() };
        scanner.out.lines.push(Line::default());
        scanner.scan();
        let mut out = scanner.out;
        out.mark_tests();
        out
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Whether the line with this number (from 1) is in a test module.
    pub(crate) fn in_test(&self, number: usize) -> bool {
        number.checked_sub(1).and_then(|index| self.lines.get(index)).is_some_and(|line| line.in_test)
    }

    /// Marks everything from `#[cfg(test)]` to the end of the item it stands on: the closing brace in the same column.
    fn mark_tests(&mut self) {
        let mut end: Option<usize> = None;
        for line in &mut self.lines {
            let code = line.code.trim_end();
            let indent = indent(code);
            match end {
                None if code.trim_start().starts_with("#[cfg(test)]") => {
                    line.in_test = true;
                    end = Some(indent);
                }
                None => {}
                Some(column) => {
                    line.in_test = true;
                    let closes = code.trim_start().starts_with('}') || code.ends_with(';');
                    if closes && indent == column {
                        end = None;
                    }
                }
            }
        }
    }
}

/// The number of blanks before the first other character.
pub(crate) fn indent(code: &str) -> usize {
    code.len() - code.trim_start().len()
}

struct Scanner {
    rest: Vec<char>,
    at: usize,
    out: RustText,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn line(&mut self) -> &mut Line {
        let last = self.out.lines.len() - 1;
        &mut self.out.lines[last]
    }

    /// Takes one character of code.
    fn code(&mut self) {
        if let Some(character) = self.peek(0) {
            self.at += 1;
            match character {
                '\n' => self.out.lines.push(Line::default()),
                other => self.line().code.push(other),
            }
        }
    }

    /// Takes one character that is not code; it leaves a blank behind.
    fn other(&mut self, comment: bool) -> Option<char> {
        let character = self.peek(0)?;
        self.at += 1;
        if character == '\n' {
            self.out.lines.push(Line::default());
        } else {
            let line = self.line();
            line.code.push(' ');
            if comment {
                line.comment.push(character);
            }
        }
        Some(character)
    }

    fn scan(&mut self) {
        while let Some(character) = self.peek(0) {
            match (character, self.peek(1)) {
                ('/', Some('/')) => {
                    while self.peek(0).is_some_and(|next| next != '\n') {
                        self.other(true);
                    }
                }
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(),
                ('r' | 'b' | 'c', _) if !self.after_word() && self.raw_hashes().is_some() => self.raw_string(),
                ('\'', _) => self.quote(),
                _ => self.code(),
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.other(true);
                    self.other(true);
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.other(true);
                    self.other(true);
                    if depth == 0 {
                        return;
                    }
                }
                (Some(_), _) => {
                    self.other(true);
                }
                (None, _) => return,
            }
        }
    }

    fn string(&mut self) {
        let line = self.out.lines.len();
        let mut text = String::new();
        self.code();
        loop {
            match self.peek(0) {
                None => break,
                Some('"') => {
                    self.code();
                    break;
                }
                Some('\\') => {
                    self.other(false);
                    if let Some(escaped) = self.other(false) {
                        // A continued line goes on after its indentation; other escapes are not wanted here.
                        text.push(if escaped == '\n' { ' ' } else { '\u{fffd}' });
                    }
                }
                Some(_) => text.extend(self.other(false)),
            }
        }
        self.out.literals.push(Literal { line, text });
    }

    /// The number of `#` when a raw string begins here.
    fn raw_hashes(&self) -> Option<usize> {
        let mut ahead = usize::from(matches!(self.peek(0), Some('b' | 'c')));
        if self.peek(ahead) != Some('r') {
            return None;
        }
        ahead += 1;
        let hashes = (ahead..).take_while(|index| self.peek(*index) == Some('#')).count();
        (self.peek(ahead + hashes) == Some('"')).then_some(hashes)
    }

    fn raw_string(&mut self) {
        let hashes = self.raw_hashes().unwrap_or(0);
        let line = self.out.lines.len();
        while self.peek(0).is_some_and(|next| next != '"') {
            self.code();
        }
        self.code();
        let mut text = String::new();
        while let Some(next) = self.peek(0) {
            if next == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                break;
            }
            text.extend(self.other(false));
        }
        for _ in 0..=hashes {
            self.code();
        }
        self.out.literals.push(Literal { line, text });
    }

    /// A character literal, or a lifetime.
    fn quote(&mut self) {
        let escaped = self.peek(1) == Some('\\');
        if !escaped && self.peek(2) != Some('\'') {
            return self.code();
        }
        self.code();
        if escaped {
            self.other(false);
        }
        self.other(false);
        while escaped && self.peek(0).is_some_and(|next| next != '\'' && next != '\n') {
            self.other(false);
        }
        self.code();
    }

    fn after_word(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|index| self.rest.get(index));
        before.is_some_and(|character| character.is_alphanumeric() || *character == '_')
    }
}
