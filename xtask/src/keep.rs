//! `cargo xtask keep NAME --binary FILE`: a data folder as a release leaves it, for the test that every later release
//! opens it (`crates/it/tests/it/outside/upgrading.rs`).
//!
//! Invariants: what is in it is the demo's sample, whose people do not exist, with one message that waits; its master
//! key guards nothing else. It is made with the binary of the release, once, and not anew.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::bench::{Server, free_ports};
use crate::http::post;
use crate::repo::Repo;
use crate::run;

/// Where the archives lie.
const KEPT: &str = "crates/it/tests/kept";

/// Makes the archive.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let (name, binary) = match arguments {
        [name, flag, binary] if flag == "--binary" => (name, PathBuf::from(binary)),
        _ => bail!("say which release this is, and its program: cargo xtask keep 0.1.0 --binary FILE"),
    };
    let archive = repo.path(KEPT).join(format!("{name}.tar.gz"));
    if archive.exists() {
        bail!("{} is there already, and is not made anew", archive.display());
    }
    let folder = repo.path("target/keep");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let waiting = lived_in(&binary, &folder)?;
    let told: Value = serde_json::from_str(&fs::read_to_string(folder.join("demo.json"))?)?;
    let of = |name: &str| told[name].clone();
    let text = json!({
        "waiting": waiting, "api_key": of("api_key"), "controller": of("controller"),
        "at": run::output(run::command("date").args(["-u", "+%Y-%m-%d %H:%M:%S"]))?.trim(),
    });
    fs::write(folder.join("kept.json"), format!("{text:#}\n"))?;
    fs::create_dir_all(repo.path(KEPT))?;
    let mut tar = run::command("tar");
    tar.arg("--create").arg("--gzip").arg("--file").arg(&archive).arg("--directory").arg(&folder);
    tar.args(["--owner=0", "--group=0", "--exclude=*.sock", "data", "kept.json"]);
    run::check(&mut tar)?;
    fs::remove_dir_all(&folder)?;
    println!("{}", archive.display());
    Ok(())
}

/// A demo whose one next hop does not answer: the id of the message that waits in it.
fn lived_in(binary: &Path, folder: &Path) -> Result<String> {
    let file = folder.join("demo.json");
    let mut command = run::command(binary);
    // The ninth port is nobody's: what is sent there waits.
    let base = free_ports(9)?;
    command.arg("demo").arg("--data").arg(folder.join("data")).args(["--base-port", &base.to_string()]);
    command.args(["--sink", &format!("127.0.0.1:{}", base + 8)]).arg("--json").arg(&file).arg("--quiet");
    let mut server = Server::start(&mut command, &folder.join("demo.log"))?;
    server.until("its demo file", || file.exists())?;
    let told: Value = serde_json::from_str(&fs::read_to_string(&file)?).context("the demo file is not JSON")?;
    let of = |name: &str| told[name].as_str().with_context(|| format!("the demo file has no {name}"));
    let (http, key) = (of("http")?.trim_start_matches("http://").to_owned(), of("api_key")?.to_owned());
    let message = json!({
        "stream": "transactional", "from": {"email": "shop@sample.example"}, "to": [{"email": "ada@dest.example"}],
        "subject": "Kept through an upgrade", "text": "Thank you.",
    });
    let sent = post(&http, &key, "/v1/messages", &message.to_string())?;
    let id = sent["results"][0]["id"].as_str().context("the message has no id")?.to_owned();
    drop(server);
    Ok(id)
}
