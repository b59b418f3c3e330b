//! Each check fires on a bad sample and is silent on a good one; and the work tree itself is clean.

use anyhow::Result;
use serde_json::{Value, json};

use super::*;

fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

/// The rules that fire on one file.
fn rules(path: &str, text: &str) -> Vec<&'static str> {
    let mut rules: Vec<&str> = of_sources(&[source(path, text)]).into_iter().map(|finding| finding.rule).collect();
    // A single file is declared by nobody; that check has tests of its own.
    rules.retain(|rule| *rule != "dead");
    rules.dedup();
    rules
}

fn package(name: &str, dependency: Value) -> Value {
    json!({"packages": [{"name": name, "dependencies": [dependency]}]})
}

fn ours(name: &str, kind: Option<&str>) -> Value {
    json!({"name": name, "path": "/somewhere", "kind": kind})
}

fn other(name: &str, kind: Option<&str>) -> Value {
    json!({"name": name, "path": null, "kind": kind})
}

#[test]
fn the_work_tree_keeps_the_house_rules() -> Result<()> {
    let found = findings(&Repo::find()?)?;
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    Ok(())
}

#[test]
fn an_arrow_upward_is_found() {
    assert!(edges::between_our_crates(&package("store", ours("gate", None))).is_empty());
    assert_eq!(edges::between_our_crates(&package("gate", ours("store", None))).len(), 1);
    assert_eq!(edges::between_our_crates(&package("model", ours("store", Some("dev")))).len(), 1);
    assert_eq!(edges::between_our_crates(&package("surprise", ours("mail", None))).len(), 1);
}

#[test]
fn testkit_serves_tests_above_the_pure_crates_and_nothing_else() {
    assert!(edges::between_our_crates(&package("mta", ours("testkit", Some("dev")))).is_empty());
    assert_eq!(edges::between_our_crates(&package("mta", ours("testkit", None))).len(), 1);
    assert_eq!(edges::between_our_crates(&package("gate", ours("testkit", Some("dev")))).len(), 1);
}

#[test]
fn never_4_a_driver_outside_store_is_found() {
    assert!(edges::to_other_crates(&package("store", other("rusqlite", None))).is_empty());
    assert_eq!(edges::to_other_crates(&package("web", other("rusqlite", None))).len(), 1);
    assert_eq!(edges::to_other_crates(&package("it", other("tokio-postgres", Some("dev")))).len(), 1);
}

#[test]
fn never_5_pure_crates_stay_pure() {
    assert!(edges::to_other_crates(&package("mail", other("bytes", None))).is_empty());
    assert_eq!(edges::to_other_crates(&package("mail", other("tokio", None))).len(), 1);
    assert_eq!(edges::to_other_crates(&package("model", other("tracing-subscriber", Some("dev")))).len(), 1);
    assert_eq!(edges::to_other_crates(&package("smtpd", other("axum", None))).len(), 1);
    assert_eq!(edges::to_other_crates(&package("store", other("anyhow", None))).len(), 1);
}

#[test]
fn never_2_gate_depends_on_model_alone() {
    assert!(edges::to_other_crates(&package("gate", other("proptest", Some("dev")))).is_empty());
    assert_eq!(edges::to_other_crates(&package("gate", other("bytes", None))).len(), 1);
}

#[test]
fn never_4_sql_outside_store_is_found() {
    for sql in
        ["SELECT a FROM b", "INSERT INTO b VALUES (1)", "UPDATE b\\\n SET a = 1", "DELETE FROM b", "CREATE TABLE b"]
    {
        let text = format!("//! x\nconst A: &str = \"{sql}\";\n");
        assert_eq!(rules("crates/web/src/lib.rs", &text), ["sql"], "{sql}");
        assert!(!rules("crates/store/src/lib.rs", &text).contains(&"sql"), "{sql}");
    }
    assert!(
        rules("crates/web/src/lib.rs", "//! x\n// SELECT in a comment\nconst A: &str = \"UPDATE now\";\n").is_empty()
    );
}

#[test]
fn never_6_a_socket_in_the_wrong_place_is_found() {
    let listen = "//! x\nfn a() { let _ = TcpListener::bind(b); }\n";
    let connect = "//! x\nfn a() { let _ = TcpStream :: connect(b); }\n";
    assert_eq!(rules("crates/node/src/lib.rs", listen), ["sockets"]);
    assert!(rules("crates/smtpd/src/listener.rs", listen).is_empty());
    assert_eq!(rules("crates/smtpd/src/listener.rs", connect), ["sockets"]);
    assert!(rules("crates/mta/src/delivery/send.rs", connect).is_empty());
    assert!(rules("crates/node/src/serve/tests.rs", connect).is_empty());
}

#[test]
fn never_11_wings_do_not_import_each_other() {
    let path = "crates/mta/src/delivery/send.rs";
    for bad in [
        "use crate::submission::accept;",
        "use crate::{Error, feedback::apply};",
        "use crate::{\n    Error,\n    submission::{self, x},\n};",
        "fn a() { crate::feedback::b(); }",
    ] {
        assert_eq!(rules(path, &format!("//! x\n{bad}\n")), ["wings"], "{bad}");
    }
    for good in ["use crate::delivery::send;", "use crate::{Error, delivery::x::{submission}};", "use super::attempt;"]
    {
        assert!(rules(path, &format!("//! x\n{good}\n")).is_empty(), "{good}");
    }
    assert!(rules("crates/mta/src/lib.rs", "//! x\nuse crate::submission::accept;\n").is_empty());
}

#[test]
fn never_12_clocks_are_not_excused_outside_the_wiring() {
    let text = "//! x\n#![expect(clippy::disallowed_methods, reason = \"y\")]\n";
    assert_eq!(rules("crates/mta/src/lib.rs", text), ["clock"]);
    assert!(rules("crates/node/src/lib.rs", text).is_empty());
}

#[test]
fn a_test_that_sleeps_is_found() {
    let text = "//! x\n#[cfg(test)]\nmod tests {\n    fn a() { tokio::time::sleep(b).await; }\n}\n";
    assert_eq!(rules("crates/mta/src/lib.rs", text), ["sleep"]);
    assert!(rules("crates/mta/src/lib.rs", "//! x\nfn a() { tokio::time::sleep(b).await; }\n").is_empty());
    assert!(rules("crates/testkit/src/lib.rs", text).is_empty());
}

#[test]
fn never_13_a_queue_without_limit_is_found() {
    assert_eq!(rules("crates/mta/src/lib.rs", "//! x\nfn a() { mpsc::unbounded_channel(); }\n"), ["words"]);
    assert_eq!(rules("crates/store/src/lib.rs", "//! x\nfn a() { mpsc::channel(); }\n"), ["words"]);
    assert!(rules("crates/store/src/lib.rs", "//! x\nfn a() { mpsc::channel(8); }\n").is_empty());
}

#[test]
fn long_files_and_lines_are_found() {
    let long = |head: &str, lines: usize| format!("{head}\n{}", "\n".repeat(lines - 1));
    let path = "crates/mta/src/lib.rs";
    assert!(rules(path, &long("//! x", 500)).is_empty());
    assert_eq!(rules(path, &long("//! x", 501)), ["size"]);
    assert!(rules(path, &long("//! size: one state machine, read as one.", 800)).is_empty());
    assert_eq!(rules(path, &long("//! size: one state machine, read as one.", 801)), ["size"]);
    assert_eq!(rules(path, &format!("//! {}\n", "é".repeat(117))), ["size"]);
    assert!(rules(path, &format!("//! {}\n", "é".repeat(116))).is_empty());
}

#[test]
fn a_file_without_contract_is_found() {
    assert_eq!(rules("crates/mta/src/lib.rs", "fn a() {}\n"), ["contract"]);
    assert!(rules("crates/gate/tests/ui/forged.rs", "fn main() {}\n").is_empty());
}

#[test]
fn words_that_say_nothing_are_found_in_names() {
    let keyword = "fn";
    for bad in [
        "struct QueueManager;",
        "mod utils;",
        "enum MailService {}",
        "struct User;",
        "struct Data;",
        "type MessageInfo = u8;",
    ] {
        assert_eq!(rules("crates/mta/src/lib.rs", &format!("//! x\n{bad}\n")), ["names"], "{bad}");
    }
    assert_eq!(rules("crates/mta/src/lib.rs", &format!("//! x\n{keyword} rcpt_handler() {{}}\n")), ["names"]);
    for good in [
        "struct EndOfData;",
        "fn username() {}",
        "fn service_stream() {}",
        "// the struct User\nstruct Member;",
        "impl A for B {\n    type Service = C;\n}",
    ] {
        assert!(rules("crates/mta/src/lib.rs", &format!("//! x\n{good}\n")).is_empty(), "{good}");
    }
}

#[test]
fn promises_for_later_and_skipped_tests_are_found() {
    for bad in ["fn a() { todo!() }", "#[ignore]\nfn a() {}", "#[allow(dead_code, reason = \"y\")]\nfn a() {}"] {
        assert_eq!(rules("crates/mta/src/lib.rs", &format!("//! x\n{bad}\n")), ["words"], "{bad}");
    }
    assert!(rules("crates/mta/src/lib.rs", "//! x\nconst A: &str = \"todo!\"; // #[ignore] is not used\n").is_empty());
}

#[test]
fn words_of_the_workplace_are_found_in_any_text() {
    for bad in [concat!("// FIX", "ME later"), concat!("see /ro", "ot/notes"), concat!("https://pypi", ".org/x")] {
        assert_eq!(rules("README.md", &format!("{bad}\n")), ["words"], "{bad}");
    }
    assert!(rules("README.md", concat!("mktemp XX", "XXXX and http://x/netwo", "rk/\n")).is_empty());
}

#[test]
fn never_10_a_table_without_row_is_found() {
    let table = source("crates/store/src/schema.sql", "CREATE TABLE IF NOT EXISTS spool (\n  id BLOB\n);\n");
    let page = source("docs/personal-data.md", "| table | role |\n|---|---|\n| `spool` | processor |\n");
    let fires = |sources: &[Source]| of_sources(sources).iter().filter(|finding| finding.rule == "schema").count();
    assert_eq!(fires(std::slice::from_ref(&table)), 1);
    assert_eq!(fires(&[table, page]), 0);
    let literal = "//! x\nconst A: &str = \"CREATE TABLE lists (id BLOB)\";\n";
    assert_eq!(fires(&[source("crates/store/src/lib.rs", literal)]), 1);
}

#[test]
fn dead_files_are_found() {
    let fires = |sources: &[Source]| of_sources(sources).iter().filter(|finding| finding.rule == "dead").count();
    let module = source("crates/mta/src/route.rs", "//! x\n");
    assert_eq!(fires(std::slice::from_ref(&module)), 1);
    assert_eq!(fires(&[module, source("crates/mta/src/lib.rs", "//! x\npub(crate) mod route;\n")]), 0);
    let golden = source("tests/golden/api/accepted.json", "{}\n");
    let dialogue = source("tests/dialogues/quit.smtp", "QUIT\n");
    assert_eq!(fires(&[golden.clone(), dialogue.clone()]), 2);
    let by_name = source("crates/it/tests/api.rs", "//! x\nfn a() { golden(\"accepted\"); }\n");
    let by_folder = source("crates/smtpd/tests/d.rs", "//! x\nfn a() { fs::read_dir(\"../tests/dialogues\"); }\n");
    assert_eq!(fires(&[golden, dialogue, by_name, by_folder]), 0);
}

#[test]
fn a_manifest_without_the_workspace_lints_is_found() {
    assert_eq!(rules("crates/mta/Cargo.toml", "[package]\n"), ["lints"]);
    assert!(rules("crates/mta/Cargo.toml", "[lints]\nworkspace = true\n").is_empty());
}

#[test]
fn the_scanner_knows_strings_comments_and_lifetimes() {
    let text =
        "let a = \"x // y\"; // z \"q\"\nlet b = r#\"m \"n\" /*\"#; let c: &'a str = f('\\'', '\"'); /* i\nj */ k()\n";
    let taken = RustText::parse(text);
    let literals: Vec<&str> = taken.literals().iter().map(|literal| literal.text.as_str()).collect();
    assert_eq!(literals, ["x // y", "m \"n\" /*"]);
    let comments: Vec<&str> = taken.lines().iter().map(|line| line.comment.as_str()).collect();
    assert_eq!(comments, ["// z \"q\"", "/* i", "j */", ""]);
    assert!(taken.lines()[1].code.contains("let c: &'a str = f('"));
    assert!(taken.lines()[2].code.ends_with("k()"));
}
