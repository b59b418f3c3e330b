//! Finds citations in enforcing code, and tests named by a rule.
//!
//! Enforcing code is the crates' own code without tests. A `//!` head lists standards for the reader; it enforces
//! nothing and is not counted.

use std::collections::{BTreeMap, BTreeSet};

use super::rule::Rule;
use crate::repo::Source;
use crate::tidy::{Line, RustText};

/// What is known of each rule.
#[derive(Debug, Default)]
pub(super) struct Citations {
    rules: BTreeMap<Rule, Places>,
}

/// Where one rule is enforced and tested.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// `crates/gate/src/decide.rs: objected`.
    pub(super) enforced: BTreeSet<String>,
    /// `crates/gate/src/decide/tests.rs: art21_3_…`.
    pub(super) tested: BTreeSet<String>,
    /// A comment says that something is still missing (`todo RFC …`).
    pub(super) gap: bool,
}

impl Citations {
    /// Reads all files.
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut citations = Self::default();
        for source in sources {
            if source.is_rust() && source.package().is_some_and(|package| package != "xtask") {
                citations.rust(source);
            } else if source.path.starts_with("tests/dialogues/") {
                let name = source.path.rsplit('/').next().unwrap_or_default();
                citations.test(name.split('.').next().unwrap_or_default(), &source.path);
            }
        }
        citations
    }

    /// Each rule with its places, in the order of the page.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&Rule, &Places)> {
        self.rules.iter()
    }

    fn rust(&mut self, source: &Source) {
        let text = RustText::parse(&source.text);
        let lines = text.lines();
        for (index, line) in lines.iter().enumerate() {
            if let Some(name) = declared_fn(&line.code) {
                self.test(name, &source.path);
            }
            if source.is_test() || line.in_test || line.comment.starts_with("//!") || line.comment.is_empty() {
                continue;
            }
            for rule in Rule::all_in(&joined(lines, index)) {
                let gap = line.comment.to_lowercase().contains("todo ");
                let places = self.rules.entry(rule).or_default();
                places.gap |= gap;
                places.enforced.insert(format!("{}: {}", source.path, item(lines, index)));
            }
        }
    }

    fn test(&mut self, name: &str, path: &str) {
        for rule in Rule::all_of_test(name) {
            self.rules.entry(rule).or_default().tested.insert(format!("{path}: {name}"));
        }
    }
}

/// The comment of a line, with a citation broken over two lines put together: `… RFC` / `// 5321 §4.5.2 …`.
fn joined(lines: &[Line], index: usize) -> String {
    let Some(own) = lines.get(index).map(|line| &line.comment) else { return String::new() };
    let broken = ["RFC", "Art.", "GDPR", "§"].iter().any(|end| own.trim_end().ends_with(end));
    let next = lines.get(index + 1).filter(|_| broken);
    let next = next.map_or("", |line| line.comment.trim_start_matches('/').trim());
    format!("{} {next}", own.trim_end())
}

/// The item that a comment belongs to: the one it stands on, else the one it stands in.
fn item(lines: &[Line], index: usize) -> String {
    let own = lines.get(index).map(|line| line.code.trim()).unwrap_or_default();
    let below = lines.iter().skip(index + 1).map(|line| line.code.as_str());
    let on = below.map(str::trim).find(|code| !code.is_empty() && !code.starts_with("#["));
    if own.is_empty()
        && let Some(name) = on.and_then(item_name)
    {
        return name.to_owned();
    }
    if let Some(name) = item_name(own) {
        return name.to_owned();
    }
    let column = lines.get(index).map_or(0, column);
    let mut above = lines.iter().take(index).rev().filter(|line| !line.code.trim().is_empty());
    let inside = above.find_map(|line| item_name(line.code.trim()).filter(|_| self::column(line) < column));
    inside.unwrap_or("(file)").to_owned()
}

/// Where a line begins: at its code or, when it has none, at its comment, which left blanks behind.
fn column(line: &Line) -> usize {
    match line.code.trim().is_empty() {
        true => line.code.len().saturating_sub(line.comment.chars().count()),
        false => line.code.len() - line.code.trim_start().len(),
    }
}

/// The name of a function, type, constant or module declared on a line.
fn item_name(code: &str) -> Option<&str> {
    const KEYWORDS: &[&str] = &["fn", "struct", "enum", "trait", "const", "static", "type", "mod"];
    let mut tokens = code.split(|character: char| !character.is_alphanumeric() && character != '_');
    let mut tokens = tokens.by_ref().filter(|token| !token.is_empty());
    let visible = |token: &str| ["pub", "crate", "super", "in", "async", "unsafe", "default", "impl"].contains(&token);
    loop {
        let token = tokens.next()?;
        if token == "const" || KEYWORDS.contains(&token) {
            let name = tokens.next()?;
            // `const fn` has its name one further.
            return if name == "fn" { tokens.next() } else { Some(name) };
        }
        if !visible(token) {
            return None;
        }
    }
}

fn declared_fn(code: &str) -> Option<&str> {
    let code = code.trim();
    let rest = code.strip_prefix("async ").unwrap_or(code).strip_prefix("fn ")?;
    rest.split(|character: char| !character.is_alphanumeric() && character != '_').next()
}
