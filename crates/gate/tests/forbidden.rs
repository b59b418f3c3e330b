//! Nevers 1 and 3: nobody forges, copies, writes down or uses twice what the gate gives.
//!
//! Each file of `forbidden/` is a program that must not compile, for the reason (the compiler's error code) that
//! its first line names. They are compiled with the libraries this very test was linked with, which takes
//! seconds; a program that must compile goes first, so that a broken set-up is no success.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

const ALLOWED: &str = "fn main() { let _: fn(gate::Permit) -> u64 = |permit| permit.generation(); }";
const SERDE: &str = "fn ok<T: serde::Serialize>() {} fn main() { ok::<u8>(); let _: Option<gate::Permit> = None; }";

#[test]
fn art28_3_permits_and_clearances_cannot_be_forged_copied_or_kept() {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let out = tempdir();
    let source = out.join("allowed.rs");
    std::fs::write(&source, ALLOWED).unwrap();
    let gate =
        libraries(&deps, "gate").into_iter().find(|gate| compile(&source, &deps, &[("gate", gate)], &out).is_ok());
    let gate = gate.expect("no library of gate compiles the program that is allowed");
    std::fs::write(&source, SERDE).unwrap();
    let serde = libraries(&deps, "serde")
        .into_iter()
        .find(|serde| compile(&source, &deps, &[("gate", &gate), ("serde", serde)], &out).is_ok());
    let serde = serde.expect("no library of serde compiles the program that is allowed");

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forbidden");
    let mut checked = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.strip_prefix("//! ").and_then(|text| text.split_once('.')).expect("names its error code").0;
        let outcome = compile(&file, &deps, &[("gate", &gate), ("serde", &serde)], &out);
        let errors = outcome.expect_err(&format!("{} compiles, and must not", file.display()));
        assert!(errors.contains(&format!("error[{code}]")), "{} fails for another reason:\n{errors}", file.display());
        checked += 1;
    }
    assert_eq!(checked, 9, "every forbidden program was tried");
    std::fs::remove_dir_all(out).unwrap();
}

/// Libraries of this name beside this test, newest first.
fn libraries(deps: &Path, name: &str) -> Vec<PathBuf> {
    let prefix = format!("lib{name}-");
    let mut found: Vec<PathBuf> = std::fs::read_dir(deps)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            file.starts_with(&prefix) && file.ends_with(".rlib")
        })
        .collect();
    found.sort_by_key(|path| std::cmp::Reverse(std::fs::metadata(path).and_then(|about| about.modified()).unwrap()));
    found
}

fn compile(source: &Path, deps: &Path, externs: &[(&str, &PathBuf)], out: &Path) -> Result<(), String> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--emit", "metadata", "--error-format", "short", "--crate-name", "program"]);
    rustc.arg("--out-dir").arg(out).arg("-L").arg(format!("dependency={}", deps.display()));
    for (name, path) in externs {
        rustc.arg("--extern").arg(format!("{name}={}", path.display()));
    }
    let ended = rustc.arg(source).output().expect("rustc runs");
    if ended.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&ended.stderr).into_owned()) }
}

fn tempdir() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("forbidden-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}
