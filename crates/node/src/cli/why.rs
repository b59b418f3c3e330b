//! `postern why`: asks a node why a message went or did not go, or how a person stands, and says it in plain words.
//!
//! A client of the interface like any other: what it may see is what its key may see. The address of a person goes in
//! the body of a request, never in a path (law.md R40).

use super::ask::Node;
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Arguments of `why`.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A message (msg_…), the decision of a refused recipient (dec_…), or a recipient's address.
    #[arg(value_name = "MESSAGE|DECISION|RECIPIENT")]
    what: String,
    /// Where the node's interface is, without TLS: on the node's own machine, or through a tunnel.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8025")]
    url: String,
    /// A file with the controller's API key.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// The answer as the node gave it.
    #[arg(long)]
    json: bool,
}

/// Asks and tells.
///
/// # Errors
/// When the node cannot be asked, or there is nothing of that name.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let node = Node::interface(&arguments.url, &arguments.key_file)?;
    let place = node.name();
    let what = arguments.what.as_str();
    let is_person = what.contains('@');
    let is_id = !what.is_empty() && what.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
    let (line, body) = match (is_person, is_id) {
        (true, _) => ("POST /v1/decisions/search".to_owned(), json!({ "email": what }).to_string()),
        (false, true) => (format!("GET /v1/decisions/{what}"), String::new()),
        (false, false) => bail!("name a message (msg_…), a decision (dec_…) or a recipient's address"),
    };
    let (status, told) = node.ask(&line, &body).await?;
    match status {
        200 => say(&match (arguments.json, is_person) {
            (true, _) => format!("{told:#}\n"),
            (false, true) => person(&told),
            (false, false) => decision(&told),
        }),
        401 => bail!("{place} does not know the key in {}", arguments.key_file.display()),
        404 => bail!("{what} is no message or decision of this controller, or is not kept any more"),
        _ => bail!("{place} answered {status}: {}", word(&told, "detail")),
    }
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Names and values that are there, as `, name value`.
fn parts(value: &Value, names: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, shown) in names {
        if let Some(text) = value[*name].as_str() {
            let _ = write!(out, ", {shown}{text}");
        }
    }
    out
}

fn decision(told: &Value) -> String {
    let mut out = String::new();
    let to = told["to"].as_str().unwrap_or("somebody whose address is not kept any more");
    let _ = writeln!(out, "{}: to {to}, on {}, for {}", word(told, "id"), word(told, "stream"), word(told, "purpose"));
    match told["state"].as_str() {
        Some(state) => {
            let _ = writeln!(out, "state: {state}");
        }
        None => out.push_str("it was not taken in\n"),
    }
    for (name, of) in [("agreement", "under the agreement"), ("instruction", "on the instruction")] {
        if told[name].is_object() {
            let _ = writeln!(out, "{of}: version {} ({})", told[name]["version"], word(&told[name], "id"));
        }
    }
    if told["basis"].is_object() {
        out.push_str(&basis(&told["basis"]));
    }
    for asked in list(told, "asked") {
        out.push_str(&asking(asked));
    }
    out
}

fn basis(basis: &Value) -> String {
    let kinds: Vec<&str> = list(basis, "kinds").iter().filter_map(Value::as_str).collect();
    let mut out = format!("basis: {}", kinds.join(" or "));
    out.push_str(&parts(
        basis,
        &[
            ("reference", "namely "),
            ("given_at", "given "),
            ("confirmed_at", "confirmed "),
            ("expires_at", "until "),
            ("method", "by "),
            ("evidence", "evidence "),
        ],
    ));
    out.push('\n');
    let notice = &basis["notice"];
    if notice.is_object() {
        let (name, language) = (word(notice, "name"), word(notice, "language"));
        let _ = writeln!(
            out,
            "  shown: {name}, version {}, {language}, SHA-256 {}",
            notice["version"],
            word(notice, "sha256")
        );
    }
    if basis["import"].is_object() {
        let _ = writeln!(out, "  imported: {}, {}", word(&basis["import"], "id"), basis["import"]["about"]);
    }
    out
}

fn asking(asked: &Value) -> String {
    let attempt = asked["attempt"].as_u64().unwrap_or_default();
    let moment = match word(asked, "moment") {
        "acceptance" => "before it was taken in".to_owned(),
        "before-mail" if attempt > 0 => format!("before attempt {attempt}"),
        "before-mail" => "before an attempt".to_owned(),
        "before-final-dot" => format!("before the end of attempt {attempt}, which was cut"),
        other => other.to_owned(),
    };
    let mut out = format!("{} {moment}: {}\n", word(asked, "at"), word(asked, "verdict"));
    out.push_str(&rule(asked));
    for fact in list(asked, "facts") {
        out.push_str(&fact_line(fact));
    }
    out
}

fn rule(of: &Value) -> String {
    if !of["rule"].is_string() {
        return String::new();
    }
    format!(
        "  {} ({}): {}\n  what to do: {}\n",
        word(of, "rule"),
        word(of, "article"),
        word(of, "sentence"),
        word(of, "remedy")
    )
}

fn fact_line(fact: &Value) -> String {
    let details = parts(
        fact,
        &[
            ("kind", ""),
            ("scope", "for "),
            ("at", "since "),
            ("method", "by "),
            ("confirmed_at", "confirmed "),
            ("withdrawn_at", "withdrawn "),
            ("until", "until "),
            ("evidence", "evidence "),
        ],
    );
    format!("  because of: {}{details}\n", word(fact, "what"))
}

fn person(told: &Value) -> String {
    let mut out = String::from("were he written to now:\n");
    for one in list(told, "standing") {
        let _ = writeln!(out, "{} for {}: {}", word(one, "stream"), word(one, "purpose"), word(one, "verdict"));
        out.push_str(&rule(one));
    }
    if !list(told, "steps").is_empty() {
        out.push_str("what he decided:\n");
    }
    for step in list(told, "steps") {
        let purpose = Some(word(step, "purpose")).filter(|name| !name.is_empty()).unwrap_or("all marketing");
        let _ =
            writeln!(out, "  {} {} for {purpose}, by {}", word(step, "at"), word(step, "what"), word(step, "method"));
    }
    if !word(told, "next").is_empty() {
        out.push_str("  (and later ones: POST /v1/decisions/search with `after`)\n");
    }
    for entry in list(told, "suppressions") {
        out.push_str(&fact_line(entry));
    }
    if !list(told, "refusals").is_empty() {
        out.push_str("refused lately:\n");
    }
    for refusal in list(told, "refusals") {
        let asked = &refusal["asked"][0];
        let (id, at, rule) = (word(refusal, "id"), word(asked, "at"), word(asked, "rule"));
        let _ = writeln!(out, "  {at} {id} on {}: {rule}", word(refusal, "stream"));
    }
    out
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_said_in_words_with_rule_article_and_what_to_do() {
        let told = json!({
            "id": "msg_1", "to": "ada@dest.example", "state": "stopped", "stream": "news", "purpose": "offers",
            "agreement": {"id": "agr_1", "version": 2},
            "basis": {"kinds": ["consent"], "given_at": "2026-02-01", "method": "double-opt-in",
                      "notice": {"name": "sign-up", "version": 3, "language": "en", "sha256": "00"}},
            "asked": [{"at": "2026-03-01", "moment": "before-final-dot", "attempt": 2, "verdict": "refused",
                       "rule": "objected", "article": "GDPR Art. 21(3)", "sentence": "s", "remedy": "r",
                       "facts": [{"what": "suppression", "kind": "objection", "scope": "all", "at": "2026-02-28"}]}],
        });
        let said = decision(&told);
        for part in [
            "msg_1: to ada@dest.example, on news, for offers",
            "under the agreement: version 2 (agr_1)",
            "basis: consent, given 2026-02-01, by double-opt-in",
            "shown: sign-up, version 3, en, SHA-256 00",
            "before the end of attempt 2, which was cut: refused",
            "objected (GDPR Art. 21(3)): s\n  what to do: r",
            "because of: suppression, objection, for all, since 2026-02-28",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(decision(&json!({"id": "dec_1"})).contains("not taken in"));
    }
}
