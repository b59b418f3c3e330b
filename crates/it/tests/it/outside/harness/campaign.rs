//! A load with kills in it, and the accounts made afterwards: nothing lost, nothing invented, doubles marked.

use super::demo::{Demo, Place};
use super::load::{Books, chance};
use super::tools::{run_postern, run_python, word};
use super::{Arrivals, Load, binary, sink, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use testkit::FakeMx;

/// Messages sent after the last kill, as the quiet half of the comparison.
const AFTERWARDS: u64 = 20;

/// Messages whose state is asked for at the end.
const STATES_MAX: usize = 2_000;

/// How much is sent, and how often the node is killed meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Campaign {
    pub(crate) messages: u64,
    pub(crate) kills: u64,
    pub(crate) sessions: usize,
    pub(crate) seed: u64,
}

/// What a campaign came to.
#[derive(Debug)]
pub(crate) struct Report {
    /// Kills that happened while messages were under way.
    pub(crate) kills: u64,
    /// Messages that arrived more than once; all of them marked.
    pub(crate) doubles: usize,
}

impl Campaign {
    /// Runs it in a folder of the test's own.
    pub(crate) async fn run(&self, folder: &Path) -> Report {
        self.say();
        let mx = FakeMx::start().await.unwrap();
        let mut demo = Demo::start(Place { sink: Some(mx.addr()), ..Place::below(folder) }).await;
        // The controller keeps what was published before anything went wrong.
        until("the first checkpoint", async || demo.log().join("checkpoint").exists().then_some(())).await;
        let load = Load::start(demo.address("trusted"), 0..self.messages, self.sessions);
        let (kept, kills) = self.kill_and_restart(&mut demo, &load, &mx, folder).await;
        let books = load.finish().await;
        assert!(books.refused.is_empty(), "{:?}", books.refused);
        let afterwards = Load::send(demo.address("trusted"), self.messages..self.messages + AFTERWARDS, 5).await;
        assert_eq!(afterwards.answered.len() as u64, AFTERWARDS, "{afterwards:?}");

        wait_for_all(&mx, &[&books, &afterwards]).await;
        // Of many messages some are asked after; doubles all are, below.
        let some = books.answered.len().div_ceil(STATES_MAX).max(1);
        for id in books.answered.values().step_by(some).chain(afterwards.answered.values()) {
            demo.message_in_state(id, "delivered").await;
        }
        let arrivals = Arrivals::at(&mx).await;
        let doubles = doubles_are_marked(&demo, &arrivals).await;
        nothing_is_invented(&arrivals, &books);
        for id in afterwards.answered.values() {
            assert_eq!(arrivals.by_id.get(id), Some(&1), "{id} was sent in quiet times");
            assert_eq!(uncertain(&demo.message(id).await), 0, "{id} was sent in quiet times");
        }
        assert!(demo.terminate().await.success());
        log_is_sound(&demo, &kept).await;
        Report { kills, doubles }
    }

    /// The moments of a failing run can be had again, as far as the machine repeats itself.
    #[expect(clippy::print_stdout, reason = "the runner shows it when the test fails")]
    fn say(&self) {
        println!("{self:?}");
    }

    /// At moments that the seed chooses, by what was begun or by what was delivered since the last one, as long as
    /// there is anything under way. A checkpoint is kept before each.
    async fn kill_and_restart(&self, demo: &mut Demo, load: &Load, mx: &FakeMx, folder: &Path) -> (Vec<PathBuf>, u64) {
        let mut state = self.seed;
        let mut kept = Vec::new();
        // Delivery lags behind: half of the load is left for that.
        let (mut kills, part) = (0, self.messages / (2 * self.kills));
        for kill in 0..self.kills {
            // Acceptance may be many times faster than delivery, and over long before it.
            let all_begun = load.begun() + part > self.messages;
            let by_delivery = chance(&mut state).is_multiple_of(2) || all_begun;
            let progress = async || if by_delivery { sink::count(mx).await } else { load.begun() };
            let moment = progress().await + 1 + chance(&mut state) % part;
            let what = format!("kill {kill} at {moment} {}", if by_delivery { "delivered" } else { "begun" });
            let over = async || load.is_over() && sink::count(mx).await >= load.answered();
            let reached = until(&what, async || {
                let reached = progress().await >= moment;
                if reached || over().await { Some(reached) } else { None }
            })
            .await;
            if !reached {
                break;
            }
            let copy = folder.join(format!("kept-{kill}"));
            fs::copy(demo.log().join("checkpoint"), &copy).unwrap();
            kept.push(copy);
            kills += 1;
            demo.kill9();
            demo.restart().await;
        }
        (kept, kills)
    }
}

/// Every message that was answered with 250 has arrived.
async fn wait_for_all(mx: &FakeMx, books: &[&Books]) {
    let mut missing: BTreeSet<&str> =
        books.iter().flat_map(|books| books.answered.values()).map(String::as_str).collect();
    let mut arrivals = Arrivals::default();
    let mut seen = 0;
    while !missing.is_empty() {
        // As long as more arrives, the wait is not in vain.
        let before = seen;
        seen = until(&format!("{} messages at the sink", missing.len()), async || {
            let count = sink::count(mx).await;
            (count > before).then_some(count)
        })
        .await;
        arrivals.read(mx, |_| true).await;
        missing.retain(|id| !arrivals.by_id.contains_key(*id));
    }
}

/// Who got a message twice can read in its timeline why.
async fn doubles_are_marked(demo: &Demo, arrivals: &Arrivals) -> usize {
    let doubles = arrivals.doubles();
    for (id, count) in &doubles {
        let message = demo.message(id).await;
        assert!(uncertain(&message) + 1 >= *count, "{id} came {count} times, and its timeline is {message}");
    }
    doubles.len()
}

/// Events of a timeline that say that an attempt's outcome is not known.
pub(crate) fn uncertain(message: &Value) -> u64 {
    let timeline = message["timeline"].as_array().expect("a message has a timeline");
    timeline.iter().filter(|event| event["event"] == "uncertain" && event["uncertain"] == true).count() as u64
}

/// What arrived was sent, each under one id: that of the answer, where there was one.
fn nothing_is_invented(arrivals: &Arrivals, books: &Books) {
    for (number, ids) in &arrivals.by_number {
        assert_eq!(ids.len(), 1, "message {number} was taken more than once: {ids:?}");
        if let Some(id) = books.answered.get(number) {
            assert!(ids.contains(id), "message {number} was answered as {id} and arrived as {ids:?}");
        }
        assert!(!books.put_off.contains_key(number), "message {number} was put off, and arrived");
    }
}

/// The log extends every checkpoint that was kept, in our eyes and in those of a program that shares no code with us.
async fn log_is_sound(demo: &Demo, kept: &[PathBuf]) {
    let mut arguments = vec!["ledger", "verify", "--data", word(&demo.place.data), "--controller"];
    arguments.push(demo.text("/controller"));
    for file in kept {
        arguments.extend(["--checkpoint", word(file)]);
    }
    let said = run_postern(&arguments).await.good();
    assert!(said.contains(&format!("{} earlier checkpoint(s) extended", kept.len())), "{said}");
    let script = binary::workspace().join("crates/ledger/tests/foreign/verify_log.py");
    let log = demo.log();
    let key = fs::read_to_string(log.join("log.vkey")).unwrap();
    let said = run_python(&[word(&script), word(&log), key.trim(), word(&kept[0])]).await.good();
    assert!(said.starts_with("ok size="), "{said}");
}
