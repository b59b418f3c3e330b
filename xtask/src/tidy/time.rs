//! Never 12: the clock is read in few places; and tests wait on conditions, not on the clock.
//!
//! Clippy refuses the calls (clippy.toml); this check sees to it that the refusal is not switched off elsewhere.

use super::{Finding, RustFile};

/// Where `clippy::disallowed_methods` may be excused.
const MAY_EXCUSE: &[&str] = &["node", "testkit", "it", "xtask"];

/// No excuse for clocks outside the wiring, and no sleep in a test outside `testkit`.
pub(super) fn clocks_and_sleeps(file: &RustFile<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, in_test, line) in file.lines() {
        let code = line.code.as_str();
        if code.contains("clippy::disallowed_methods") && !in_test && !MAY_EXCUSE.contains(&file.package()) {
            let what = "time, chance and environment are given by node (never 12)";
            found.push(Finding::at("clock", file.path(), number, what));
        }
        // Waiting for a condition has to pause somewhere: in testkit, and in the library part of `it`.
        let waits_there = file.path().starts_with("crates/testkit/") || file.path().starts_with("crates/it/src/");
        let sleeps = code.contains("sleep(") || code.contains("sleep_until(");
        if in_test && sleeps && !waits_there && file.package() != "xtask" {
            found.push(Finding::at("sleep", file.path(), number, "a test waits on a condition, through testkit"));
        }
    }
    found
}
