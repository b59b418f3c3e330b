//! `postern nodes`: who shares a store, and who holds what of it. Looks without joining, and changes nothing.

use crate::settings::{StoreArguments, StorePlace};
use anyhow::bail;
use serde_json::{Value, json};
use store::{ClusterView, LookSettings, NodeView};

/// The arguments of `postern nodes`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// As JSON, partitions one by one.
    #[arg(long)]
    json: bool,
}

/// Looks once.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let StorePlace::Postgres { url, ca, .. } = arguments.store.place()? else {
        bail!("name the PostgreSQL database that the nodes share with --store; on SQLite there is one node");
    };
    let view = store::look(LookSettings { url: url.expose().to_owned(), ca }).await?;
    say(&if arguments.json { serde_json::to_string_pretty(&described(&view))? } else { table(&view) });
    Ok(())
}

/// For programs.
fn described(view: &ClusterView) -> Value {
    let node = |node: &NodeView| {
        json!({
            "name": node.name,
            "number": node.number,
            "roles": node.roles.to_string(),
            "release": node.release,
            "alive": node.alive,
            "seen_ms_ago": milliseconds_since(view, node),
            "queue": node.queue_parts,
            "ledger": node.ledger_groups,
        })
    };
    json!({
        "nodes": view.nodes.iter().map(node).collect::<Vec<_>>(),
        "unowned": {"queue": view.queue_unowned, "ledger": view.ledger_unowned},
    })
}

/// For people.
fn table(view: &ClusterView) -> String {
    let head = ["NODE", "NUMBER", "ROLES", "RELEASE", "SEEN", "QUEUE", "LEDGER"].map(str::to_owned);
    let mut rows = vec![head];
    for node in &view.nodes {
        let seconds = milliseconds_since(view, node).div_euclid(1_000);
        let seen = if node.alive { "alive".to_owned() } else { format!("{} ago", span(seconds)) };
        rows.push([
            node.name.clone(),
            node.number.to_string(),
            node.roles.to_string(),
            node.release.clone(),
            seen,
            node.queue_parts.len().to_string(),
            node.ledger_groups.len().to_string(),
        ]);
    }
    let none = [view.queue_unowned.len(), view.ledger_unowned.len()].map(|count| count.to_string());
    let [queue, ledger] = none;
    let nobody = ["nobody".to_owned(), String::new(), String::new(), String::new(), String::new(), queue, ledger];
    rows.push(nobody);
    aligned(&rows)
}

/// Columns as wide as their widest word, two spaces between.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; N]| {
        let words = row.iter().zip(widths).map(|(word, width)| format!("{word:<width$}"));
        words.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn milliseconds_since(view: &ClusterView, node: &NodeView) -> i64 {
    view.now.micros().saturating_sub(node.seen.micros()).max(0) / 1_000
}

/// A time as people say it.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_words_and_lines_have_no_tail() {
        let rows = [["NODE", "SEEN"], ["a-long-name", "alive"], ["b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "NODE         SEEN\na-long-name  alive\nb");
    }

    #[test]
    fn spans_are_said_in_a_unit_that_fits() {
        let said = [0, 119, 120, 7_199, 7_200, 172_800].map(span);
        assert_eq!(said, ["0 s", "119 s", "2 min", "119 min", "2 h", "2 days"]);
    }
}
