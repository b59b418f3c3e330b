//! Withdrawals, objections and suppressions take effect, whatever else happens: stories drawn by chance are acted out
//! on a whole node, and judged by what the receiver saw (GDPR Art. 7(3), 21(3); issue 4, point 8).
//!
//! Invariants: a story is the same for the same seed; what happens first is settled by the receiver's holds, never by
//! waiting for some time; every case has people of its own, so that one node carries many cases.

mod dice;
mod judge;
mod meanwhile;
mod play;
mod story;

use dice::Dice;
pub(crate) use judge::Findings;
pub(crate) use meanwhile::Meanwhile;
use play::{Play, Stand};
use testkit::mx::Manners;

/// Many cases, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stories {
    /// Of the first case; the following ones count on.
    pub(crate) seed: u64,
    pub(crate) cases: u64,
}

impl Stories {
    /// Acts them out. Fails in the first case in which something is not so; its seed and story are told.
    pub(crate) async fn run(self) -> Findings {
        let stand = Stand::new().await;
        let mut all = Findings::default();
        for seed in self.seed..self.seed + self.cases {
            all.add(&case(&stand, seed).await);
        }
        say(&format!("{} cases from seed {}: {all}", self.cases, self.seed));
        all
    }
}

/// One story, judged.
async fn case(stand: &Stand, seed: u64) -> Findings {
    let story = story::draw(&mut Dice::new(seed));
    say(&format!("case {seed}: {story:?}"));
    stand.house.mx.manners(|manners| *manners = Manners::default());
    let play = Play::begin(stand, &format!("person{seed}")).await;
    for step in &story {
        play.act(step).await;
    }
    play.settle().await;
    let findings = judge::judge(&play).await;
    say(&format!("case {seed}: {findings}"));
    findings
}

#[expect(clippy::print_stdout, reason = "a failing case is acted out again by its seed, and figures are read")]
fn say(text: &str) {
    println!("{text}");
}
