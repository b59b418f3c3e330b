//! Walls between crates: who may import whom (docs/ARCHITECTURE.md), and which outside crates may be where.
//!
//! Reads `cargo metadata --no-deps`. Nevers 4, 5 and 6, and the floors of the map: no arrow goes upward.

use serde_json::Value;

use super::Finding;

/// Each crate and the ones of ours that it may import. Lowest floor first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("mail", &[]),
    ("ledger", &[]),
    ("model", &["mail"]),
    ("gate", &["model"]),
    ("store", &["model", "gate", "ledger", "mail"]),
    ("mta", &["model", "gate", "store", "mail"]),
    ("duties", &["mail", "model", "gate", "store"]),
    ("marketing", &["mail", "model", "store", "mta"]),
    ("smtpd", &["mail", "model", "gate", "store", "mta", "duties"]),
    ("web", &["gate", "model", "store", "mta", "marketing", "duties", "mail"]),
    ("postern", &["mail", "ledger", "model", "gate", "store", "mta", "duties", "marketing", "smtpd", "web"]),
    ("testkit", &["model", "mail"]),
    (
        "it",
        &[
            "mail",
            "ledger",
            "model",
            "gate",
            "store",
            "mta",
            "duties",
            "marketing",
            "smtpd",
            "web",
            "postern",
            "testkit",
        ],
    ),
    ("xtask", &[]),
];

/// Crates whose tests may not even use `testkit`, because testkit stands on them or because they are pure.
const WITHOUT_TESTKIT: &[&str] = &["mail", "ledger", "model", "gate", "xtask"];

/// Outside crates and the only crates of ours that may name them, in any kind of dependency.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("tokio-postgres", &["store"]),
    ("deadpool-postgres", &["store"]),
    ("axum", &["web"]),
    ("hyper", &["web", "mta"]),
    ("hyper-util", &["web", "store", "mta"]),
    ("hyper-rustls", &["store", "web"]),
    ("instant-acme", &["web"]),
    ("psl", &["web"]),
    ("rusty-s3", &["store"]),
    ("tower", &["web"]),
    ("tower-http", &["web"]),
    ("tracing-subscriber", &["postern", "testkit", "it"]),
    ("anyhow", &["postern", "xtask", "it", "testkit"]),
    ("hickory-resolver", &["mta"]),
    ("indicatif", &["postern"]),
    ("rcgen", &["postern", "testkit", "it"]),
];

/// Crates that are words and rules only: no I/O, no clock, no chance.
const PURE: &[&str] = &["mail", "ledger", "model", "gate"];
const NEVER_IN_PURE: &[&str] =
    &["tokio", "tokio-util", "tokio-rustls", "http", "reqwest", "rand", "getrandom", "tracing", "chrono", "metrics"];

/// Every dependency between our own crates is in the table.
pub(super) fn between_our_crates(metadata: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in packages(metadata) {
        let path = manifest(package.name);
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            found.push(Finding::file(
                "edges",
                &path,
                "a crate without a place in the table of xtask/src/tidy/edges.rs",
            ));
            continue;
        };
        for edge in package.edges.iter().filter(|edge| edge.ours) {
            let for_tests = edge.dev && edge.name == "testkit" && !WITHOUT_TESTKIT.contains(&package.name);
            if !allowed.contains(&edge.name) && !for_tests {
                let what = format!("{} may not import {}: the wall of docs/ARCHITECTURE.md", package.name, edge.name);
                found.push(Finding::file("edges", &path, what));
            }
        }
    }
    found
}

/// Outside crates are only where the nevers let them be.
pub(super) fn to_other_crates(metadata: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in packages(metadata) {
        for edge in package.edges.iter().filter(|edge| !edge.ours) {
            if let Some(what) = forbidden(package.name, edge) {
                found.push(Finding::file("nevers", &manifest(package.name), what));
            }
        }
    }
    found
}

fn forbidden(package: &str, edge: &Edge<'_>) -> Option<String> {
    if let Some((name, places)) = ONLY_IN.iter().find(|(name, _)| *name == edge.name)
        && !places.contains(&package)
    {
        return Some(format!("{name} may be used only by {}", places.join(", ")));
    }
    // Never 2: gate decides over facts, so it needs nothing but the words.
    if package == "gate" && !edge.dev {
        return Some(format!("gate depends on model alone, not on {}", edge.name));
    }
    if PURE.contains(&package) && NEVER_IN_PURE.contains(&edge.name) {
        return Some(format!("{package} is pure and may not use {}", edge.name));
    }
    None
}

struct Package<'a> {
    name: &'a str,
    edges: Vec<Edge<'a>>,
}

struct Edge<'a> {
    name: &'a str,
    /// A path dependency, that is: one of our crates.
    ours: bool,
    dev: bool,
}

fn packages(metadata: &Value) -> impl Iterator<Item = Package<'_>> {
    let list = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|package| {
        let edges = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        Package { name: package["name"].as_str().unwrap_or_default(), edges: edges.iter().map(edge).collect() }
    })
}

fn edge(value: &Value) -> Edge<'_> {
    Edge {
        name: value["name"].as_str().unwrap_or_default(),
        ours: value["path"].is_string(),
        dev: value["kind"].as_str() == Some("dev"),
    }
}

/// The manifest of a package, as a path in the repository.
fn manifest(package: &str) -> String {
    match package {
        "xtask" => "xtask/Cargo.toml".to_owned(),
        "postern" => "crates/node/Cargo.toml".to_owned(),
        other => format!("crates/{other}/Cargo.toml"),
    }
}
