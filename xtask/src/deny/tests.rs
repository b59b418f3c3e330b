//! Each rule of deny.toml fires on a bad graph and is silent on a good one.

use serde_json::json;

use super::*;

const TEXT: &str = r#"
[bans]
deny = [
  { crate = "ring", reason = "one provider" },
  { crate = "tokio", deny-multiple-versions = true },
]
[licenses]
allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
exceptions = [{ crate = "roots", allow = ["CDLA-Permissive-2.0"] }]
"#;

fn package(name: &str, version: &str, licence: Value, source: Value) -> Value {
    json!({"id": format!("{name}@{version}"), "name": name, "version": version, "license": licence,
           "source": source, "dependencies": []})
}

fn findings(packages: &[Value]) -> Result<usize> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let graph = packages.iter().map(|package| (text(&package["name"]), text(&package["version"]))).collect();
    Ok(Rules::parse(TEXT)?.judge(&json!({"packages": packages}), &graph, &graph).len())
}

fn good(name: &str, version: &str) -> Value {
    package(name, version, json!("MIT OR Apache-2.0"), json!("registry+x"))
}

#[test]
fn a_banned_crate_is_found_where_it_is_built_and_not_in_tests_alone() -> Result<()> {
    assert_eq!(findings(&[good("bytes", "1.0.0")])?, 0);
    assert_eq!(findings(&[good("ring", "0.17.0")])?, 1);
    let ring: Graph = package_line("ring v0.17.0").into_iter().collect();
    let metadata = json!({"packages": [good("ring", "0.17.0")]});
    assert!(Rules::parse(TEXT)?.judge(&metadata, &Graph::new(), &ring).is_empty());
    assert_eq!(Rules::parse(TEXT)?.judge(&metadata, &ring, &ring).len(), 1);
    Ok(())
}

#[test]
fn lines_of_the_tree_are_read() {
    let read = |line| package_line(line).map(|(name, version)| format!("{name} {version}"));
    assert_eq!(read("serde_derive v1.0.229 (proc-macro) (*)").as_deref(), Some("serde_derive 1.0.229"));
    assert_eq!(read(""), None);
}

#[test]
fn two_versions_of_a_single_crate_are_found() -> Result<()> {
    assert_eq!(findings(&[good("tokio", "1.0.0"), good("tokio", "2.0.0")])?, 1);
    assert_eq!(findings(&[good("bytes", "1.0.0"), good("bytes", "2.0.0")])?, 0);
    Ok(())
}

#[test]
fn an_unlisted_licence_is_found_and_an_exception_holds_for_its_crate_alone() -> Result<()> {
    let registry = || json!("registry+x");
    assert_eq!(findings(&[package("a", "1.0.0", json!("GPL-3.0"), registry())])?, 1);
    assert_eq!(findings(&[package("a", "1.0.0", Value::Null, registry())])?, 1);
    assert_eq!(findings(&[package("roots", "1.0.0", json!("CDLA-Permissive-2.0"), registry())])?, 0);
    assert_eq!(findings(&[package("other", "1.0.0", json!("CDLA-Permissive-2.0"), registry())])?, 1);
    Ok(())
}

#[test]
fn a_source_other_than_the_default_registry_is_found() -> Result<()> {
    assert_eq!(findings(&[package("a", "1.0.0", json!("MIT"), json!("git+somewhere"))])?, 1);
    assert_eq!(findings(&[package("ours", "0.0.0", Value::Null, Value::Null)])?, 0);
    let mut elsewhere = good("a", "1.0.0");
    elsewhere["dependencies"] = json!([{"name": "b", "registry": "somewhere"}]);
    assert_eq!(findings(&[elsewhere])?, 1);
    Ok(())
}

#[test]
fn licence_expressions_are_read() {
    let allowed = |licence: &str| ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].contains(&licence);
    let permits = |expression: &str| licence::permits(expression, &allowed);
    for good in ["MIT", "MIT OR GPL-3.0", "MIT/GPL-3.0", "(GPL-3.0 OR Zlib) AND MIT", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(permits(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "", "(MIT", "MIT MIT", "MIT OR"] {
        assert!(!permits(bad), "{bad}");
    }
}

#[test]
fn a_file_that_says_nothing_is_an_error() {
    assert!(Rules::parse("[bans]\ndeny = []\n[licenses]\nallow = [\"MIT\"]\n").is_err());
    assert!(Rules::parse("").is_err());
}
