//! The file: TOML, every key known, every complaint with its line.

use super::key::{Key, Kind};
use super::keys::KEYS;
use super::values::{Given, Layer, in_file};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Octets of a file that are read.
const OCTETS_MAX: u64 = 1024 * 1024;

/// Reads a file.
///
/// # Errors
/// When it cannot be read; what is wrong inside is in the list.
pub(crate) fn read(path: &Path) -> anyhow::Result<(Layer, Vec<String>)> {
    use anyhow::Context as _;
    let named = || format!("cannot read {}", path.display());
    let length = std::fs::metadata(path).with_context(named)?.len();
    if length > OCTETS_MAX {
        anyhow::bail!("{} has {length} octets, which is no settings file", path.display());
    }
    Ok(parse(&std::fs::read_to_string(path).with_context(named)?, path))
}

/// What a text gives, and what is wrong with it.
pub(crate) fn parse(text: &str, path: &Path) -> (Layer, Vec<String>) {
    parse_as(text, path, &[KEYS])
}

/// The same for a text with the keys of these tables.
pub(crate) fn parse_as(text: &str, path: &Path, tables: &[&'static [Key]]) -> (Layer, Vec<String>) {
    let known = tables.iter().flat_map(|table| table.iter()).collect();
    let mut found = Found { text, path, known, layer: Layer::new(), problems: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => found.table("", table.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let what = error.message().lines().next().unwrap_or_default().to_owned();
            found.problem(at, &format!("this is not TOML: {what}"));
        }
    }
    (found.layer, found.problems)
}

struct Found<'t> {
    text: &'t str,
    path: &'t Path,
    known: Vec<&'static Key>,
    layer: Layer,
    problems: Vec<String>,
}

impl Found<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = name.span().start;
            let name = format!("{prefix}{}", name.get_ref());
            let within = format!("{name}.");
            match value.get_ref() {
                DeValue::Table(inner) if self.known.iter().any(|key| key.name.starts_with(&within)) => {
                    self.table(&within, inner);
                }
                _ => match self.known.iter().copied().find(|key| key.name == name) {
                    Some(key) => self.value(key, at, value),
                    None => self.problem(at, &format!("there is no key {name}; {}", meant(&name, &self.known))),
                },
            }
        }
    }

    fn value(&mut self, key: &'static Key, at: usize, value: &Spanned<DeValue<'_>>) {
        match texts(key.kind, value.get_ref()) {
            Some(texts) => {
                let origin = in_file(self.path, self.line(at));
                self.layer.insert(key.name, Given { texts, origin });
            }
            None => {
                let what = key.kind.described();
                self.problem(at, &format!("{} takes {what}, such as {}", key.name, key.example));
            }
        }
    }

    fn problem(&mut self, at: usize, what: &str) {
        self.problems.push(format!("{}, line {}: {what}", self.path.display(), self.line(at)));
    }

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|octet| **octet == b'\n').count() + 1
    }
}

/// The texts of a value, if it is of the right type.
fn texts(kind: Kind, value: &DeValue<'_>) -> Option<Vec<String>> {
    match (kind, value) {
        (Kind::Many(_), DeValue::Array(items)) => {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            items.iter().map(text).collect()
        }
        (Kind::Number { .. }, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| vec![number.to_string()])
        }
        (Kind::Switch, DeValue::Boolean(switch)) => Some(vec![switch.to_string()]),
        (Kind::Number { .. } | Kind::Switch | Kind::Many(_), _) => None,
        (_, DeValue::String(text)) => Some(vec![text.to_string()]),
        _ => None,
    }
}

/// Which key was meant.
fn meant(name: &str, known: &[&Key]) -> String {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let own = last(name);
    let own = own.replace('-', "_");
    let elsewhere = known.iter().find(|key| last(key.name) == own || key.flag.replace('-', "_") == own);
    let nearest = || known.iter().min_by_key(|key| distance(name, key.name));
    match elsewhere.or_else(nearest) {
        Some(key) => format!("did you mean {}?", key.name),
        None => String::new(),
    }
}

/// Letters to put in, take out or replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    // A name that is longer than any key says nothing by its end.
    for (at, letter) in one.chars().take(64).enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(letter != *to);
            diagonal = *cell;
            left = replaced.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::values::Origin;
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (Layer, Vec<String>) {
        parse(text, Path::new("p.toml"))
    }

    #[test]
    fn sections_and_dotted_keys_say_the_same_and_lines_are_kept() {
        for text in
            ["\n[delivery]\nmx_port = 2_525\n", "\n\ndelivery.mx_port = 2525", "\n\ndelivery = { mx_port = 0x9dd }"]
        {
            let (layer, problems) = parsed(text);
            assert!(problems.is_empty(), "{problems:?}");
            let given = &layer["delivery.mx_port"];
            assert_eq!(given.texts, ["2525"]);
            assert_eq!(given.origin, Origin::File { path: "p.toml".into(), line: 3 });
        }
        let (layer, problems) = parsed("listen.trusted = [\"a\", \"b\"]\nstore.bodies_virtual_host = true");
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(layer["listen.trusted"].texts, ["a", "b"]);
        assert_eq!(layer["store.bodies_virtual_host"].texts, ["true"]);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_one_that_was_meant() {
        for (text, told) in [
            (
                "[listen]\nsubmision = \"0.0.0.0:587\"",
                "line 2: there is no key listen.submision; did you mean listen.submission?",
            ),
            ("[delivery]\n\nhttp = \"x\"", "line 3: there is no key delivery.http; did you mean listen.http?"),
            ("public-url = \"x\"", "line 1: there is no key public-url; did you mean public.url?"),
            ("[listne]\nhttp = \"x\"", "line 1: there is no key listne; did you mean"),
            ("[listen.http]\nport = 1", "line 1: listen.http takes an address with a port, such as \"127.0.0.1:8025\""),
            (
                "[delivery]\nmx_port = \"25\"",
                "line 2: delivery.mx_port takes a whole number from 1 to 65535, such as 25",
            ),
            ("[acme]\ncontact = \"a@b.example\"", "line 2: acme.contact takes a list of e-mail addresses"),
            ("[node]\nname = \"a\"\nname = \"b\"", "line 3: this is not TOML"),
            ("[node\n", "line 1: this is not TOML"),
        ] {
            let (_, problems) = parsed(text);
            assert!(
                problems.iter().any(|one| one.starts_with("p.toml, ") && one.contains(told)),
                "{text}: {problems:?}"
            );
        }
    }

    #[test]
    fn every_problem_is_told_and_not_the_first_alone() {
        let (layer, problems) = parsed("[node]\nnme = \"a\"\nroles = 1\nname = \"one\"\n");
        assert_eq!((layer.len(), problems.len()), (1, 2), "{problems:?}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "[\\[\\]a-z.=\"'{}#\\n0-9 _,-]{0,200}") {
            let (layer, problems) = parsed(&text);
            let lines = text.lines().count().max(1) + 1;
            for given in layer.values() {
                let placed = matches!(given.origin, Origin::File { line, .. } if line <= lines);
                prop_assert!(placed);
            }
            prop_assert!(problems.iter().all(|one| one.starts_with("p.toml, line ")));
        }

        #[test]
        fn a_distance_is_none_only_between_equals(one in "[a-d.]{0,12}", other in "[a-d.]{0,12}") {
            prop_assert_eq!(distance(&one, &other) == 0, one == other);
            prop_assert_eq!(distance(&one, &other), distance(&other, &one));
        }
    }
}
