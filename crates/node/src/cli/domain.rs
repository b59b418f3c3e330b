//! `postern domain`: what a domain that mail goes to says of itself. Beside a running node, through the operator's door
//! in its data folder: it answers with its own resolver and the policies that it keeps, as it would for a message.

use super::ask::{Node, refusal};
use super::nodes::aligned;
use super::said::say;
use anyhow::{Context as _, bail};
use mail::address::Domain;
use serde_json::Value;
use std::path::PathBuf;

/// Subcommands of `postern domain`.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Its exchangers, DNSSEC, TLSA records, MTA-STS policy and TLS-RPT record, and what is demanded of a connection.
    Security(Arguments),
}

/// Which domain, and whom to ask.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The domain, such as dest.example.
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// The data folder of a node that delivers.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Asks and tells.
///
/// # Errors
/// When the node cannot be asked, or the name is none.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Security(arguments) = command;
    let named = &arguments.domain;
    let domain = Domain::parse(named).ok().with_context(|| format!("{named:?} is no domain name"))?;
    let node = Node::operator(&arguments.data);
    let (status, told) = node.ask(&format!("GET /domains/{domain}/security"), "").await?;
    match status {
        200 => say(&if arguments.json { format!("{told:#}") } else { shown(&told) }),
        404 => bail!("{} does not deliver; ask a node that does", node.name()),
        _ => return Err(refusal(&node.name(), status, &told)),
    }
    Ok(())
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn words(value: &Value) -> String {
    let each = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    each.collect::<Vec<_>>().join(", ")
}

fn shown(told: &Value) -> String {
    let signed = |value: &Value| if value["dnssec"] == true { "signed" } else { "not signed" };
    let way = match word(told, "way") {
        "mx" => format!("its exchangers, by MX records ({})", signed(told)),
        "implicit" => format!("the domain itself, for want of MX records ({})", signed(told)),
        "smarthost" => "the smarthost that this node is set to; DNS is not asked".to_owned(),
        why => format!("nowhere: {why}"),
    };
    let validates = if told["validates_dns"] == true { "validated here" } else { "not validated on this node" };
    let policy = match &told["mta_sts"] {
        Value::Null if told["mta_sts_is_known"] == true => "none".to_owned(),
        Value::Null => "not known: the store is away".to_owned(),
        policy => {
            let seconds = policy["max_age_s"].as_u64().unwrap_or_default();
            format!("{}, mx {}, max_age {seconds} s", word(policy, "mode"), words(&policy["mx"]))
        }
    };
    let reports = words(&told["tls_rpt"]);
    let reports = if reports.is_empty() { "none asked for".to_owned() } else { reports };
    let mut parts = vec![
        format!("{}: mail goes to {way}", word(told, "domain")),
        format!("DNSSEC: {validates}\nMTA-STS: {policy}\nTLS-RPT: {reports}"),
    ];
    let mut rows = vec![["EXCHANGER", "PREFERENCE", "ADDRESSES", "DEMANDED", "BY", "REQUIRETLS"].map(str::to_owned)];
    let mut records = Vec::new();
    for one in told["exchangers"].as_array().into_iter().flatten() {
        let number = |name: &str| one[name].as_u64().unwrap_or_default().to_string();
        let may = if one["may_require_tls"] == true { "if it announces it" } else { "never" };
        let addresses = format!("{} ({})", number("addresses"), signed(one));
        let (host, demand, basis) = (word(one, "host"), word(one, "demand"), word(one, "policy"));
        rows.push([host, &number("preference"), &addresses, demand, basis, may].map(str::to_owned));
        match &one["tlsa"] {
            Value::Null => records.push(format!("{host}: TLSA records cannot be had")),
            found => {
                let each = found.as_array().into_iter().flatten().filter_map(Value::as_str);
                records.extend(each.map(|record| format!("{host}: TLSA {record}")));
            }
        }
    }
    if rows.len() > 1 {
        parts.push(aligned(&rows));
    }
    if !records.is_empty() {
        parts.push(records.join("\n"));
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_domain_is_told_with_what_is_demanded_and_by_whom() {
        let told = json!({
            "domain": "dest.example", "way": "mx", "validates_dns": true, "dnssec": true,
            "exchangers": [{"host": "mx.dest.example", "preference": 10, "addresses": 2, "dnssec": true,
                            "tlsa": ["3 1 1 ab"], "demand": "certificate by DANE", "policy": "tlsa",
                            "may_require_tls": true}],
            "mta_sts": {"mode": "enforce", "mx": ["mx.dest.example"], "max_age_s": 604_800},
            "mta_sts_is_known": true, "tls_rpt": ["mailto:tls@dest.example"],
        });
        let text = shown(&told);
        for part in [
            "dest.example: mail goes to its exchangers, by MX records (signed)",
            "MTA-STS: enforce, mx mx.dest.example, max_age 604800 s",
            "TLS-RPT: mailto:tls@dest.example",
            "mx.dest.example: TLSA 3 1 1 ab",
            "certificate by DANE",
            "if it announces it",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let bare = json!({"domain": "a.example", "way": "the domain does not exist", "mta_sts_is_known": true});
        let text = shown(&bare);
        assert!(text.contains("nowhere: the domain does not exist") && text.contains("none asked for"), "{text}");
    }
}
