//! What may be linked: banned crates, licences and sources, read from deny.toml and judged on cargo's own metadata.
//!
//! The same file serves `cargo deny`; this is the part of it that needs no tool to be compiled, so that nobody skips
//! it. Judged is the graph as resolved for this machine: bans on what is built without tests, because tests may use
//! other people's verifiers with the crypto those bring; licences, sources and versions on everything.

mod licence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use toml::Table;

use crate::repo::Repo;
use crate::run;

/// What deny.toml says.
#[derive(Debug, Default)]
struct Rules {
    banned: Vec<(String, String)>,
    single: Vec<String>,
    licences: BTreeSet<String>,
    /// Licences that one crate alone may have.
    exceptions: BTreeMap<String, BTreeSet<String>>,
}

/// Packages, as name and version.
type Graph = BTreeSet<(String, String)>;

/// Judges the resolved graph.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let rules = Rules::parse(&repo.read("deny.toml")?)?;
    let metadata = run::metadata(repo, &[])?;
    let built = graph(repo, "normal,build")?;
    let everything = graph(repo, "normal,build,dev")?;
    let findings = rules.judge(&metadata, &built, &everything);
    for finding in &findings {
        println!("deny: {finding}");
    }
    match findings.len() {
        0 => {
            println!("deny: nothing to say about {} packages", everything.len());
            Ok(())
        }
        count => bail!("deny: {count} finding(s); the rules and their reasons are in deny.toml"),
    }
}

/// What the workspace builds for this machine over these kinds of edges, with every feature that somebody may switch
/// on. `cargo tree` is asked for it, because the
/// graph in cargo's metadata holds optional packages that no feature switches on.
fn graph(repo: &Repo, edges: &str) -> Result<Graph> {
    let arguments = ["tree", "--workspace", "--all-features", "--prefix", "none", "--format", "{p}", "--edges", edges];
    let text = run::output(run::cargo(repo).args(arguments))?;
    let graph: Graph = text.lines().filter_map(package_line).collect();
    if graph.is_empty() {
        bail!("cargo tree named no package");
    }
    Ok(graph)
}

/// `name v1.2.3 (somewhere)`.
fn package_line(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    Some((name.to_owned(), version.to_owned()))
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse().context("deny.toml is not TOML")?;
        let bans = table.get("bans").context("deny.toml has no [bans]")?;
        let mut rules = Self::default();
        for ban in list(bans.get("deny")) {
            let name = text_of(ban, "crate").context("a ban has no `crate`")?;
            if ban.get("deny-multiple-versions").and_then(toml::Value::as_bool) == Some(true) {
                rules.single.push(name);
            } else {
                rules.banned.push((name, text_of(ban, "reason").context("a ban has no `reason`")?));
            }
        }
        let licences = table.get("licenses").context("deny.toml has no [licenses]")?;
        rules.licences = names(licences.get("allow"));
        for exception in list(licences.get("exceptions")) {
            let name = text_of(exception, "crate").context("an exception has no `crate`")?;
            rules.exceptions.insert(name, names(exception.get("allow")));
        }
        if rules.banned.is_empty() || rules.licences.is_empty() {
            bail!("deny.toml bans or allows nothing: that cannot be meant");
        }
        Ok(rules)
    }

    fn judge(&self, metadata: &Value, built: &Graph, everything: &Graph) -> Vec<String> {
        let mut found: Vec<String> = built.iter().filter_map(|(name, _)| self.banned(name)).collect();
        for package in array(&metadata["packages"]) {
            let name = package["name"].as_str().unwrap_or_default();
            let version = package["version"].as_str().unwrap_or_default();
            if !everything.contains(&(name.to_owned(), version.to_owned())) {
                continue;
            }
            found.extend(source(name, package));
            if !package["source"].is_null() {
                found.extend(self.licence(name, package["license"].as_str()));
            }
        }
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, version) in everything {
            versions.entry(name).or_default().insert(version);
        }
        for name in &self.single {
            if let Some(many) = versions.get(name.as_str()).filter(|versions| versions.len() > 1) {
                let many: Vec<&str> = many.iter().copied().collect();
                found.push(format!("{name} is there {} times: {}", many.len(), many.join(", ")));
            }
        }
        found
    }

    fn banned(&self, name: &str) -> Option<String> {
        let (_, reason) = self.banned.iter().find(|(banned, _)| banned == name)?;
        Some(format!("{name} is banned: {reason}; `cargo tree -i {name}` says who brings it"))
    }

    fn licence(&self, name: &str, expression: Option<&str>) -> Option<String> {
        let Some(expression) = expression else {
            return Some(format!("{name} states no licence"));
        };
        let own = self.exceptions.get(name);
        let allowed = |licence: &str| self.licences.contains(licence) || own.is_some_and(|own| own.contains(licence));
        (!licence::permits(expression, &allowed)).then(|| format!("{name} has the licence {expression:?}"))
    }
}

/// Our own crates by path; everything else from the one registry that cargo asks when nothing else is said.
fn source(name: &str, package: &Value) -> Option<String> {
    for dependency in array(&package["dependencies"]) {
        let elsewhere = dependency["registry"].as_str().is_some();
        let by_path = dependency["path"].is_string() && !package["source"].is_null();
        if elsewhere || by_path {
            let what = dependency["name"].as_str().unwrap_or_default();
            return Some(format!("{name} takes {what} from somewhere other than the default registry"));
        }
    }
    match package["source"].as_str() {
        None => None,
        Some(source) if source.starts_with("registry+") => None,
        Some(_) => Some(format!("{name} does not come from a registry")),
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn list(value: Option<&toml::Value>) -> &[toml::Value] {
    value.and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn names(value: Option<&toml::Value>) -> BTreeSet<String> {
    list(value).iter().filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

fn text_of(value: &toml::Value, key: &str) -> Option<String> {
    value.get(key).and_then(toml::Value::as_str).map(str::to_owned)
}
