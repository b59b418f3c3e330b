//! The page docs/citations.md as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::rule::Rule;
use super::scan::{Citations, Places};

/// The whole page. The same citations always give the same bytes.
pub(super) fn render(citations: &Citations) -> String {
    let mut page = String::from(HEAD);
    for (rule, places) in citations.rules() {
        let tests = tests_within(citations, rule);
        let state = state(places, !tests.is_empty());
        let (enforced, tests) = (cell(&places.enforced), cell(&tests));
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {rule} | {enforced} | {tests} | {state} |");
    }
    page
}

/// Tests of the rule itself and of its parts.
fn tests_within(citations: &Citations, rule: &Rule) -> BTreeSet<String> {
    let within = citations.rules().filter(|(other, _)| other.within(rule));
    within.flat_map(|(_, places)| places.tested.iter().cloned()).collect()
}

fn state(places: &Places, tested: bool) -> &'static str {
    match (places.gap, places.enforced.is_empty(), tested) {
        (true, _, _) => "partial",
        (false, false, true) => "done",
        (false, false, false) => "no test by name",
        (false, true, _) => "test only",
    }
}

/// Places of one cell, grouped by file: `a.rs: x, y`.
fn cell(places: &BTreeSet<String>) -> String {
    let mut text = String::new();
    let mut last = "";
    for place in places {
        let (file, item) = place.split_once(": ").unwrap_or((place, ""));
        if file == last {
            let _ = write!(text, ", {item}");
        } else {
            let between = if text.is_empty() { "" } else { "<br>" };
            let _ = write!(text, "{between}{file}: {item}");
        }
        last = file;
    }
    text
}

const HEAD: &str = "\
# Citations

Written by `cargo xtask citations` from comments at enforcing lines and from the names of tests; do not edit.
A rule without a test by its name may still be tested; `partial` means that a comment says what is missing.

| rule | enforced in (file: item) | tests by name | state |
|---|---|---|---|
";
