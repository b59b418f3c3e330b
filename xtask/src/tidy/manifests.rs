//! Every crate of the workspace takes the workspace's lints: a crate that forgets them is unchecked without a word.

use super::Finding;
use crate::repo::Source;

/// `[lints] workspace = true` is in each member's manifest.
pub(super) fn inherits_lints(source: &Source) -> Option<Finding> {
    let member = source.path.ends_with("/Cargo.toml") && source.package().is_some();
    // A manifest below a crate's folder that is no member (a fixture) has no lints to take.
    let depth = source.path.split('/').count();
    let member = member && depth == if source.path.starts_with("crates/") { 3 } else { 2 };
    if !member {
        return None;
    }
    let squeezed: String = source.text.split_whitespace().collect();
    let inherits = squeezed.contains("[lints]workspace=true");
    (!inherits).then(|| Finding::file("lints", &source.path, "add `[lints]` with `workspace = true`"))
}
