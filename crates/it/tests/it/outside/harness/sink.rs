//! What arrived at a sink, by the number in its header and by the public id in its return path.

use super::load::body;
use std::collections::{BTreeMap, BTreeSet};
use testkit::FakeMx;
use testkit::mx::Received;

/// Everything that arrived whole so far.
#[derive(Default, Debug)]
pub(crate) struct Arrivals {
    /// How often each message came, by its public id.
    pub(crate) by_id: BTreeMap<String, u64>,
    /// The ids under which each number came.
    pub(crate) by_number: BTreeMap<u64, BTreeSet<String>>,
    /// Messages of the sink that are in these books.
    read: usize,
}

impl Arrivals {
    /// Reads what the sink has, and sees to it that each is as it was sent.
    pub(crate) async fn at(sink: &FakeMx) -> Self {
        Self::among(sink, |_| true).await
    }

    /// Those of its messages that are asked for.
    pub(crate) async fn among(sink: &FakeMx, asked: impl Fn(&Received) -> bool) -> Self {
        let mut arrivals = Self::default();
        arrivals.read(sink, asked).await;
        arrivals
    }

    /// Reads on: what has come since the last time.
    pub(crate) async fn read(&mut self, sink: &FakeMx, asked: impl Fn(&Received) -> bool) {
        sink.wait_until("the sink's books", |received, _| {
            received.iter().skip(self.read).filter(|one| asked(one)).for_each(|one| self.write_down(one));
            self.read = received.len();
            Some(())
        })
        .await;
    }

    fn write_down(&mut self, message: &Received) {
        let (id, number) = (id_of(&message.from), number_of(message));
        *self.by_id.entry(id.clone()).or_default() += 1;
        self.by_number.entry(number).or_default().insert(id);
    }

    /// Those that came more than once.
    pub(crate) fn doubles(&self) -> BTreeMap<&str, u64> {
        self.by_id.iter().filter(|(_, count)| **count > 1).map(|(id, count)| (id.as_str(), *count)).collect()
    }
}

/// How many arrived, doubles counted.
pub(crate) async fn count(sink: &FakeMx) -> u64 {
    sink.wait_until("the sink's count", |received, _| u64::try_from(received.len()).ok()).await
}

/// The public id in a return path `b+TOKEN@bounce.DOMAIN`.
pub(crate) fn id_of(return_path: &str) -> String {
    let token = return_path.strip_prefix("b+").and_then(|rest| rest.strip_suffix("@bounce.sample.example"));
    // Behind it stands what makes it a return path.
    let id = token.and_then(|token| token.get(..26));
    format!("msg_{}", id.unwrap_or_else(|| panic!("{return_path} is no return path of ours")))
}

/// The number in its header; the body must be that number's.
pub(crate) fn number_of(message: &Received) -> u64 {
    let text = message.text();
    let (head, content) = text.split_once("\r\n\r\n").expect("a message has a header and a body");
    let number = head.lines().find_map(|line| line.strip_prefix("X-Id: ")).and_then(|number| number.parse().ok());
    let number = number.unwrap_or_else(|| panic!("a message without its number arrived:\n{head}"));
    assert_eq!(content, body(number), "message {number} arrived with another body");
    number
}
