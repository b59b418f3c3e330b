//! Medians, ratios and goals as one Markdown table, and its place in docs/performance.md.

use std::fmt;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use super::peers::Peer;
use crate::repo::Repo;

const PAGE: &str = "docs/performance.md";

/// One run of one peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Messages a second, until the loader had its last 250.
    pub(super) accepted: f64,
    /// Messages a second, until the sink had the last one.
    pub(super) delivered: f64,
    /// CPU seconds per 1,000 messages.
    pub(super) cpu: f64,
    /// MiB.
    pub(super) peak: f64,
}

impl fmt::Display for Sample {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, delivered, cpu, peak } = self;
        write!(out, "{accepted:.0} accepted/s, {delivered:.0} delivered/s, {cpu:.2} CPU s per 1,000, {peak:.0} MiB")
    }
}

/// All runs.
pub(super) struct Table {
    messages: u32,
    runs: u32,
    samples: Vec<(Peer, Sample)>,
}

impl Table {
    pub(super) fn new(messages: u32, runs: u32) -> Self {
        Self { messages, runs, samples: Vec::new() }
    }

    pub(super) fn add(&mut self, peer: Peer, sample: Sample) {
        self.samples.push((peer, sample));
    }

    /// The table, the line below it, and the goals.
    pub(super) fn render(&self, machine: &str, commit: &str) -> String {
        let mut text = String::from(
            "| system | accepted/s | delivered/s | CPU s per 1,000 | peak MiB \
             | accepted ÷ floor | delivered ÷ floor | accepted ÷ Postfix | delivered ÷ Postfix |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for peer in [Peer::Floor, Peer::Postfix, Peer::Postern, Peer::PosternOnPostgres] {
            let Some(median) = self.median(peer) else { continue };
            let Sample { accepted, delivered, cpu, peak } = median;
            let name = peer.name();
            let _ = write!(text, "| {name} | {accepted:.0} | {delivered:.0} | {cpu:.2} | {peak:.0} |");
            for other in [Peer::Floor, Peer::Postfix] {
                let cells = self.median(other).map(|other| (accepted / other.accepted, delivered / other.delivered));
                let (first, second) = cells.map_or(("–".to_owned(), "–".to_owned()), |(a, d)| (times(a), times(d)));
                let _ = write!(text, " {first} | {second} |");
            }
            text.push('\n');
        }
        let (messages, runs) = (self.messages, self.runs);
        let _ = writeln!(
            text,
            "\nMedian of {runs} run(s) in turns, {messages} messages each, 50 sessions, 4 KiB that do not compress, \
             loader and sink on the same machine.\n{machine}; {commit}."
        );
        self.goals(&mut text);
        text
    }

    fn median(&self, peer: Peer) -> Option<Sample> {
        let own: Vec<Sample> = self.samples.iter().filter(|(of, _)| *of == peer).map(|(_, sample)| *sample).collect();
        let of = |value: fn(&Sample) -> f64| median(own.iter().map(value).collect());
        Some(Sample {
            accepted: of(|sample| sample.accepted)?,
            delivered: of(|sample| sample.delivered)?,
            cpu: of(|sample| sample.cpu)?,
            peak: of(|sample| sample.peak)?,
        })
    }

    fn goals(&self, text: &mut String) {
        if let (Some(ours), Some(postfix)) = (self.median(Peer::PosternOnPostgres), self.median(Peer::Postfix)) {
            let met = if ours.accepted / postfix.accepted >= 3.0 { "met" } else { "MISSED" };
            let _ = writeln!(text, "\nGoal: on PostgreSQL accepted ÷ Postfix at least 3: {met}.");
        }
        let (Some(ours), Some(floor)) = (self.median(Peer::Postern), self.median(Peer::Floor)) else { return };
        let mut goals = vec![
            ("accepted ÷ floor at least 0.40", ours.accepted / floor.accepted >= 0.40),
            ("delivered ÷ floor at least 0.20", ours.delivered / floor.delivered >= 0.20),
            ("CPU s per 1,000 at most 0.80", ours.cpu <= 0.80),
        ];
        if let Some(postfix) = self.median(Peer::Postfix) {
            goals.push(("accepted ÷ Postfix at least 5", ours.accepted / postfix.accepted >= 5.0));
            goals.push(("delivered ÷ Postfix at least 3", ours.delivered / postfix.delivered >= 3.0));
        }
        text.push_str("\nGoals: ");
        let said: Vec<String> =
            goals.iter().map(|(goal, met)| format!("{goal}: {}", if *met { "met" } else { "MISSED" })).collect();
        let _ = writeln!(text, "{}.", said.join("; "));
    }
}

/// Puts a text between the markers of its name in docs/performance.md; makes page or markers when they are not there.
pub(super) fn write(repo: &Repo, name: &str, text: &str) -> Result<()> {
    let path = repo.path(PAGE);
    let page = fs::read_to_string(&path).unwrap_or_else(|_| "# Performance\n".to_owned());
    fs::write(&path, placed(&page, name, text)).with_context(|| format!("{PAGE} cannot be written"))?;
    println!("written into {PAGE}");
    Ok(())
}

fn placed(page: &str, name: &str, text: &str) -> String {
    let (open, close) = (format!("<!-- bench {name} -->"), format!("<!-- end of bench {name} -->"));
    let section = format!("{open}\n{}\n{close}", text.trim());
    let around = page.split_once(&open).and_then(|(before, rest)| Some((before, rest.split_once(&close)?.1)));
    match around {
        Some((before, after)) => format!("{before}{section}{after}"),
        None => format!("{}\n\n{section}\n", page.trim_end()),
    }
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2}")
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    match values.len() % 2 {
        0 => Some(f64::midpoint(*values.get(middle - 1)?, upper)),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(accepted: f64) -> Sample {
        Sample { accepted, delivered: accepted / 2.0, cpu: 0.5, peak: 20.0 }
    }

    #[test]
    fn medians_ratios_and_goals_are_said() {
        let mut table = Table::new(10, 3);
        for accepted in [900.0, 1000.0, 5000.0] {
            table.add(Peer::Floor, sample(accepted));
        }
        table.add(Peer::Postfix, sample(100.0));
        table.add(Peer::Postern, sample(450.0));
        let text = table.render("machine", "commit x");
        assert!(
            text.contains("| floor (yardstick) | 1000 | 500 | 0.50 | 20 | 1.00 | 1.00 | 10.00 | 10.00 |"),
            "{text}"
        );
        assert!(text.contains("| 450 | 225 | 0.50 | 20 | 0.45 | 0.45 | 4.50 | 4.50 |"), "{text}");
        assert!(text.contains("accepted ÷ floor at least 0.40: met"), "{text}");
        assert!(text.contains("accepted ÷ Postfix at least 5: MISSED"), "{text}");
    }

    #[test]
    fn the_median_of_an_even_number_is_between() {
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_table_replaces_its_own_place_only() {
        let first = placed("# Performance\n\ntext\n", "smtp", "one");
        let second = placed(&format!("{first}after\n"), "smtp", "two");
        assert_eq!(second, "# Performance\n\ntext\n\n<!-- bench smtp -->\ntwo\n<!-- end of bench smtp -->\nafter\n");
    }
}
