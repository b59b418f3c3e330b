//! `postern messages`: where a message stands, and everything that happened to it.
//!
//! With a controller's key: all of it, the dialogues with receiving systems too. Without one, through the operator's
//! door: without the recipient and without what receiving systems said, which quotes him (GDPR Art. 28(3)(b), 32(4)).

use super::ask::{Node, refusal};
use super::said::say;
use anyhow::bail;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Subcommands of `postern messages`.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Where it stands, and its timeline.
    Show(Arguments),
    /// The same with each dialogue and each decision of the gate. It takes the controller's key.
    Trace(Arguments),
}

/// Which message, and whom to ask.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The message (msg_…).
    #[arg(value_name = "ID")]
    id: String,
    /// A file with the controller's API key. Without it, the operator's door is asked.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Where the node's interface is, without TLS, for a controller's key.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8025")]
    url: String,
    /// The data folder of the node, for the operator's door.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    /// As the node gave it.
    #[arg(long)]
    json: bool,
}

/// Asks and tells.
///
/// # Errors
/// When the node cannot be asked, or there is no such message.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let (arguments, traced) = match &command {
        Command::Show(arguments) => (arguments, false),
        Command::Trace(arguments) => (arguments, true),
    };
    let is_id =
        !arguments.id.is_empty() && arguments.id.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
    if !is_id {
        bail!("name a message (msg_…)");
    }
    if traced && arguments.key_file.is_none() {
        bail!("a trace holds what receiving systems said, which is the controller's to read: name his --key-file");
    }
    let id = &arguments.id;
    let (node, path) = match &arguments.key_file {
        Some(file) => (Node::interface(&arguments.url, file)?, "/v1/messages"),
        None => (Node::operator(&arguments.data), "/messages"),
    };
    let mut told = asked(&node, id, &format!("GET {path}/{id}")).await?;
    if traced {
        told["decisions"] = asked(&node, id, &format!("GET /v1/decisions/{id}")).await?;
    }
    say(&if arguments.json { format!("{told:#}") } else { shown(&told, traced) });
    Ok(())
}

async fn asked(node: &Node, id: &str, line: &str) -> anyhow::Result<Value> {
    let (status, told) = node.ask(line, "").await?;
    match status {
        200 => Ok(told),
        401 => bail!("{} does not know this key", node.name()),
        404 => bail!("{id} is no message here, or it is not kept any more"),
        _ => Err(refusal(&node.name(), status, &told)),
    }
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn shown(told: &Value, traced: bool) -> String {
    let mut out = format!("{}: {}", word(told, "id"), word(told, "state"));
    for (name, before) in [("to", "to "), ("controller", "for "), ("stream", "on "), ("accepted_at", "accepted ")] {
        if let Some(value) = told[name].as_str() {
            let _ = write!(out, ", {before}{value}");
        }
    }
    if told["require_tls"] == true {
        out.push_str(", with REQUIRETLS");
    }
    out.push('\n');
    for item in told["timeline"].as_array().into_iter().flatten() {
        let _ = write!(out, "{} {}", word(item, "at"), word(item, "event"));
        if let Some(attempt) = item["attempt"].as_u64().filter(|attempt| *attempt > 0) {
            let _ = write!(out, ", attempt {attempt}");
        }
        if let Some(code) = item["code"].as_u64() {
            let _ = write!(out, ", {code} {}", word(item, "enhanced"));
        }
        if let Some(rule) = item["rule"].as_str() {
            let _ = write!(out, ", by rule {rule}");
        }
        // One of the first lines of the dialogue; the operator's door has it alone.
        let said = word(item, "detail").lines().take(2).find_map(|line| line.strip_prefix("from "));
        if let Some(egress) = item["egress"].as_str().or(said) {
            let _ = write!(out, ", from {egress}");
        }
        if item["uncertain"] == true {
            out.push_str(", may have arrived twice");
        }
        out.push('\n');
        for line in word(item, "detail").lines().filter(|_| traced) {
            let _ = writeln!(out, "    {line}");
        }
    }
    for asked in told["decisions"]["asked"].as_array().into_iter().flatten() {
        let (at, moment, verdict) = (word(asked, "at"), word(asked, "moment"), word(asked, "verdict"));
        let rule = asked["rule"].as_str().map(|rule| format!(" by {rule} ({})", word(asked, "article")));
        let _ = writeln!(out, "gate, {at}, {moment}: {verdict}{}", rule.unwrap_or_default());
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_receiving_systems_said_is_in_a_trace_alone() {
        let told = json!({
            "id": "msg_1", "state": "queued", "to": "ada@dest.example", "stream": "news", "accepted_at": "2026-03-01",
            "timeline": [{"at": "2026-03-01", "event": "accepted", "attempt": 0, "uncertain": false},
                         {"at": "2026-03-02", "event": "deferred", "attempt": 1, "code": 451, "enhanced": "4.3.0",
                          "detail": "in clear\nfrom 192.0.2.1 as mx1.example.net\n> MAIL\n< 451 busy",
                          "uncertain": true}],
            "decisions": {"asked": [{"at": "2026-03-01", "moment": "acceptance", "verdict": "passed"}]},
        });
        let trace = shown(&told, true);
        assert!(trace.starts_with("msg_1: queued, to ada@dest.example, on news, accepted 2026-03-01\n"), "{trace}");
        let left = "from 192.0.2.1 as mx1.example.net";
        assert!(
            trace.contains(&format!("deferred, attempt 1, 451 4.3.0, {left}, may have arrived twice\n")),
            "{trace}"
        );
        assert!(trace.contains(&format!("    in clear\n    {left}\n    > MAIL\n    < 451 busy")), "{trace}");
        assert!(trace.ends_with("gate, 2026-03-01, acceptance: passed"), "{trace}");
        assert!(!shown(&told, false).contains("busy") && shown(&told, false).contains(left));
    }
}
