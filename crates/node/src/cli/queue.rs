//! `postern queue`: why is it still queued? Beside a running node, through the operator's door in its data folder.

use super::ask::{Node, refusal};
use super::said::say;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `queue`.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    order: Option<Order>,
    #[command(flatten)]
    look: Look,
}

/// How the queue is shown.
#[derive(clap::Args, Debug)]
struct Look {
    /// The data folder of the node.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    /// A line for each of these; without it, for each stream of each controller at each site.
    #[arg(long, value_enum)]
    by: Option<By>,
    /// As JSON: every group, and every order that stands.
    #[arg(long)]
    json: bool,
}

/// What a line is about.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    /// A destination site.
    Site,
    /// A controller.
    Controller,
    /// A stream of a controller.
    Stream,
}

#[derive(clap::Subcommand, Debug)]
enum Order {
    /// Nothing of it leaves, and nothing of it runs out, until it is released; what comes in meanwhile is held, too.
    Hold(Reasoned),
    /// Let go what was held by the same words; it is tried at once.
    Release(Which),
    /// Try it now, also at sites that are left alone for a while.
    Retry(Which),
    /// End what was accepted up to now. It cannot be taken back; the reason is told to the controller.
    Purge(Reasoned),
}

/// Which messages.
#[derive(clap::Args, Debug)]
struct Which {
    /// The data folder of the node.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    /// Those for this destination site, as `postern queue` names it.
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// Those of this controller, by name or id (ctl_…).
    #[arg(long, value_name = "NAME|ID")]
    controller: Option<String>,
    /// Those of this stream.
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// This one (msg_…).
    #[arg(long, value_name = "ID", conflicts_with_all = ["site", "controller", "stream"])]
    message: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["site", "controller", "stream", "message"])]
    all: bool,
}

/// Which messages, and why.
#[derive(clap::Args, Debug)]
struct Reasoned {
    #[command(flatten)]
    which: Which,
    /// Why: one line, without anybody's address. It is in the ledger as a digest, and shown to the controller.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Shows the queue, or orders something about it.
///
/// # Errors
/// When no node serves on the folder, or it says no.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (verb, which, reason) = match &arguments.order {
        None => return look(&arguments.look).await,
        Some(Order::Hold(Reasoned { which, reason })) => ("hold", which, reason.as_str()),
        Some(Order::Purge(Reasoned { which, reason })) => ("purge", which, reason.as_str()),
        Some(Order::Release(which)) => ("release", which, ""),
        Some(Order::Retry(which)) => ("retry", which, ""),
    };
    let node = Node::operator(&which.data);
    let asked = json!({
        "site": which.site, "controller": which.controller, "stream": which.stream, "message": which.message,
        "all": which.all, "reason": reason,
    });
    let (status, told) = node.ask(&format!("POST /queue/{verb}"), &asked.to_string()).await?;
    if status != 200 {
        return Err(refusal(&node.name(), status, &told));
    }
    let (controllers, messages) = (&told["controllers"], &told["messages"]);
    say(&match verb {
        "hold" => format!("held, for {controllers} controller(s); what is under way at this moment may still leave"),
        "purge" => format!("ended, for {controllers} controller(s), as of now; see postern queue in a moment"),
        "release" => format!("released, for {controllers} controller(s); {messages} message(s) are due now"),
        _ => format!("{messages} message(s) more are due now"),
    });
    Ok(())
}

async fn look(look: &Look) -> anyhow::Result<()> {
    let node = Node::operator(&look.data);
    let (status, told) = node.ask("GET /queue", "").await?;
    if status != 200 {
        return Err(refusal(&node.name(), status, &told));
    }
    say(&if look.json { format!("{told:#}") } else { shown(&told, look.by) });
    Ok(())
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Lines for people: what waits, then what is ordered.
fn shown(told: &Value, by: Option<By>) -> String {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for group in list(told, "groups") {
        let (site, controller, stream) = (word(group, "site"), word(group, "controller"), word(group, "stream"));
        let name = match by {
            None => format!("{site}  {controller}/{stream}"),
            Some(By::Site) => site.to_owned(),
            Some(By::Controller) => controller.to_owned(),
            Some(By::Stream) => format!("{controller}/{stream}"),
        };
        lines.entry(name).or_default().add(group);
    }
    let mut out: Vec<String> = Vec::new();
    let mut largest: Vec<(String, Line)> = lines.into_iter().collect();
    largest.sort_by_key(|(_, line)| std::cmp::Reverse(line.count));
    for (name, line) in largest {
        out.push(line.shown(&name));
    }
    if out.is_empty() {
        out.push("nothing waits".to_owned());
    }
    let orders = list(told, "orders");
    if !orders.is_empty() {
        out.push("orders:".to_owned());
    }
    for order in orders {
        let which = ["site", "stream", "message"].iter().filter_map(|name| {
            let value = order[*name].as_str()?;
            Some(format!(", {name} {value}"))
        });
        let which: String = which.collect();
        let (kind, by, whose) = (word(order, "kind"), word(order, "by"), word(order, "controller"));
        let (made, reason) = (word(order, "made"), word(order, "reason"));
        out.push(format!("  {kind} by the {by}, {made}: {whose}{which}: {reason}"));
    }
    out.join("\n")
}

/// What a line adds up.
#[derive(Default)]
struct Line {
    count: u64,
    held: u64,
    under_way: u64,
    oldest: String,
    next: String,
    last: Option<Value>,
    /// Of the largest group.
    reason: (u64, String),
}

impl Line {
    fn add(&mut self, group: &Value) {
        let number = |name: &str| group[name].as_u64().unwrap_or_default();
        // Times of one form sort as their texts do.
        let earlier = |kept: &mut String, other: &str| {
            if kept.is_empty() || other < kept.as_str() {
                other.clone_into(kept);
            }
        };
        self.count += number("count");
        self.held += number("held");
        self.under_way += number("under_way");
        earlier(&mut self.oldest, word(group, "oldest"));
        earlier(&mut self.next, word(group, "next_attempt"));
        if self.reason.0 < number("count") {
            self.reason = (number("count"), word(group, "reason").to_owned());
        }
        let last = &group["last"];
        let is_newer = self.last.as_ref().is_none_or(|kept| word(kept, "at") < word(last, "at"));
        if last.is_object() && is_newer {
            self.last = Some(last.clone());
        }
    }

    fn shown(&self, name: &str) -> String {
        let Self { count, held, under_way, oldest, next, reason, .. } = self;
        let last = self.last.as_ref().map_or_else(
            || "none yet".to_owned(),
            |last| {
                let code = last["code"].as_u64().map(|code| format!(" {code}")).unwrap_or_default();
                let enhanced = last["enhanced"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
                let rule = last["rule"].as_str().map(|rule| format!(" {rule}")).unwrap_or_default();
                format!("{}{code}{enhanced}{rule} at {}", word(last, "event"), word(last, "at"))
            },
        );
        format!(
            "{name}\n  {count} waiting, {held} of them held, {under_way} under way; oldest {oldest}\n  \
             last: {last}\n  next attempt: {next}\n  why: {}",
            reason.1
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(site: &str, stream: &str, count: u64, oldest: &str) -> Value {
        json!({
            "site": site, "controller": "Shop", "stream": stream, "count": count, "held": 1, "under_way": 0,
            "oldest": oldest, "next_attempt": "2026-03-02", "reason": format!("reason of {count}"),
            "last": {"at": oldest, "event": "deferred", "code": 451, "enhanced": "4.3.0"},
        })
    }

    #[test]
    fn lines_add_up_what_they_are_about_and_say_the_reason_of_most() {
        let told = json!({
            "groups": [group("a.example", "news", 3, "2026-03-01"), group("a.example", "receipts", 5, "2026-02-01"),
                       group("b.example", "news", 1, "2026-01-01")],
            "orders": [{"kind": "hold", "by": "operator", "controller": "Shop", "site": "a.example",
                        "made": "2026-03-01", "reason": "slow"}],
        });
        let by_site = shown(&told, Some(By::Site));
        assert!(
            by_site.starts_with("a.example\n  8 waiting, 2 of them held, 0 under way; oldest 2026-02-01"),
            "{by_site}"
        );
        assert!(by_site.contains("last: deferred 451 4.3.0 at 2026-03-01") && by_site.contains("why: reason of 5"));
        assert!(
            by_site.ends_with("orders:\n  hold by the operator, 2026-03-01: Shop, site a.example: slow"),
            "{by_site}"
        );
        assert_eq!(shown(&told, Some(By::Controller)).matches(" waiting, ").count(), 1);
        assert_eq!(shown(&told, Some(By::Stream)).matches(" waiting, ").count(), 2);
        assert_eq!(shown(&told, None).matches(" waiting, ").count(), 3);
        assert_eq!(shown(&json!({"groups": [], "orders": []}), None), "nothing waits");
    }
}
