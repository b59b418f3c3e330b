//! Following what other nodes change: accounts, wishes, erasures.
//!
//! Invariants: nothing that is kept in memory is believed for longer than [`OLD`] after the news were *asked for* that
//! confirmed it. The clock is looked at in each call, so a process that was stopped and goes on believes nothing it
//! knew before. Accounts are swapped, and secrets forgotten, before the generations are raised that say so: whoever
//! sees a new generation finds the new accounts.
//! Never: facts for the gate while the news cannot be had (it holds then).

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::policy::PolicyCache;
use crate::vault::Vault;
use model::{Clock, ControllerId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// News are asked for this often.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// What was confirmed longer ago is not believed. With the time that a message takes from the gate to MAIL, less than
/// the second that a withdrawal may take.
const OLD: Duration = Duration::from_millis(700);
/// The question for news is waited for so long …
const PATIENCE: Duration = Duration::from_secs(1);
/// … and that for all accounts or all keys so long.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(10);

/// The follower.
pub(crate) struct Follower {
    engine: Arc<dyn Engine>,
    vault: Arc<Vault>,
    policy: Arc<PolicyCache>,
    age: Age,
    clock: Arc<dyn Clock>,
    /// Whoever asks for news holds it, so that they are taken in in their order.
    turn: Mutex<Turn>,
}

/// How far the news were followed.
#[derive(Default)]
struct Turn {
    accounts: i64,
    erasures: i64,
    /// When the last question was sent that found no answer.
    failed: Duration,
    is_failing: bool,
}

/// How old the news are: moments of [`Clock::monotonic`] in microseconds.
#[derive(Default)]
struct Age {
    /// The last good news were asked for then.
    good: AtomicU64,
    /// News that were asked for earlier do not do: something newer was seen.
    needed: AtomicU64,
    /// All generations were raised then, because there were no news.
    raised: AtomicU64,
}

impl Age {
    /// Do the news that are there do for a decision at this moment?
    fn is_young(&self, now: Duration) -> bool {
        let good = self.good.load(Ordering::Acquire);
        good >= self.needed.load(Ordering::Acquire) && !is_old(good, now)
    }

    /// Is what is remembered older than it may be?
    fn must_raise(&self, now: Duration) -> bool {
        is_old(self.good.load(Ordering::Acquire).max(self.raised.load(Ordering::Acquire)), now)
    }
}

fn micros(moment: Duration) -> u64 {
    u64::try_from(moment.as_micros()).unwrap_or(u64::MAX)
}

fn is_old(then: u64, now: Duration) -> bool {
    micros(now).saturating_sub(then) > micros(OLD)
}

impl Follower {
    /// Follows from the news that are told now.
    pub(crate) async fn open(
        engine: Arc<dyn Engine>,
        vault: Arc<Vault>,
        policy: Arc<PolicyCache>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>> {
        let follower = Self { engine, vault, policy, age: Age::default(), clock, turn: Mutex::default() };
        follower.catch_up().await?;
        Ok(Arc::new(follower))
    }

    /// One question after the other, until `stop` changes.
    pub(crate) async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stop.changed() => return,
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
            let asking = async { self.ask(&mut *self.turn.lock().await).await };
            tokio::select! {
                _ = stop.changed() => return,
                // What fails is said once, where it fails, and asked again.
                _ = asking => {}
            }
        }
    }

    /// Before anything that is remembered is used: raises all generations when the news are too old.
    pub(crate) fn look(&self) {
        let now = self.clock.monotonic();
        if self.age.must_raise(now) {
            // Raised before it is noted: who sees the note sees new generations.
            self.policy.bump_all();
            self.age.raised.fetch_max(micros(now), Ordering::AcqRel);
        }
    }

    /// The controller's generation in the database, as a commit of ours saw it. News that were asked for before do
    /// not explain it.
    pub(crate) fn saw(&self, controller: ControllerId, generation: i64) {
        if self.policy.saw_generation(controller, generation) {
            self.age.needed.fetch_max(micros(self.clock.monotonic()), Ordering::AcqRel);
        }
    }

    /// Makes sure that what is in memory may be believed.
    ///
    /// # Errors
    /// When the news cannot be had: then nothing may be decided.
    pub(crate) async fn keep_up(&self) -> Result<()> {
        if self.age.is_young(self.clock.monotonic()) {
            return Ok(());
        }
        let asked = self.clock.monotonic();
        let mut turn = self.turn.lock().await;
        if self.age.is_young(self.clock.monotonic()) {
            return Ok(());
        }
        // Many may wait here: one failure is the answer to all who asked before it.
        if turn.failed > asked {
            return Err(no_news());
        }
        self.ask(&mut turn).await
    }

    /// Makes sure that everything is in memory that was committed anywhere before this call.
    ///
    /// # Errors
    /// When the news cannot be had.
    pub(crate) async fn catch_up(&self) -> Result<()> {
        self.age.needed.fetch_max(micros(self.clock.monotonic()), Ordering::AcqRel);
        self.keep_up().await
    }

    async fn ask(&self, turn: &mut Turn) -> Result<()> {
        let sent = self.clock.monotonic();
        let outcome = self.take_in(turn).await;
        match &outcome {
            Ok(()) => {
                self.age.good.fetch_max(micros(sent), Ordering::AcqRel);
                if std::mem::take(&mut turn.is_failing) {
                    tracing::info!("what other nodes change is known again");
                }
            }
            Err(error) => {
                turn.failed = sent;
                if !std::mem::replace(&mut turn.is_failing, true) {
                    tracing::warn!(%error, "what other nodes change cannot be known; nothing is decided meanwhile");
                }
            }
        }
        outcome
    }

    async fn take_in(&self, turn: &mut Turn) -> Result<()> {
        let news = in_time(PATIENCE, self.engine.news()).await?;
        if news.accounts != turn.accounts {
            // A commit of our own has swapped the accounts already, unless it met keys that it did not know.
            if !self.policy.is_whole_as_of(news.accounts) {
                self.read_accounts().await?;
            }
            turn.accounts = news.accounts;
        }
        if news.erasures != turn.erasures {
            // GDPR Art. 17: a secret that was destroyed anywhere is remembered nowhere.
            self.vault.forget_secrets();
            turn.erasures = news.erasures;
        }
        self.policy.follow_generations(&news.generations);
        Ok(())
    }

    async fn read_accounts(&self) -> Result<()> {
        let rows = in_time(PATIENCE_FOR_ALL, self.engine.policy()).await?;
        // A controller's keys are written before he is: after him they are there to be read.
        if !rows.controllers.iter().all(|row| self.vault.knows(row.id)) {
            in_time(PATIENCE_FOR_ALL, self.vault.refresh()).await?;
        }
        self.policy.swap(rows);
        Ok(())
    }
}

async fn in_time<T>(patience: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(patience, answer).await.map_err(|_| no_news())?
}

fn no_news() -> Error {
    Error::Engine("the database does not tell what other nodes changed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(10_000 + millis)
    }

    #[test]
    fn art7_3_what_was_confirmed_too_long_ago_is_not_believed() {
        let age = Age::default();
        assert!(age.must_raise(at(0)) && !age.is_young(at(0)), "nothing was ever told");
        age.good.store(micros(at(0)), Ordering::Release);
        assert!(age.is_young(at(700)) && !age.must_raise(at(700)));
        // As after a stop of the process: no task ran, and the clock went on.
        assert!(!age.is_young(at(701)) && age.must_raise(at(701)));
        // Raised once, what is read anew may be remembered for as long again; the accounts may not.
        age.raised.store(micros(at(701)), Ordering::Release);
        assert!(!age.must_raise(at(1_401)) && !age.is_young(at(1_401)));
        assert!(age.must_raise(at(1_402)));
        age.good.store(micros(at(1_500)), Ordering::Release);
        assert!(age.is_young(at(1_600)) && !age.must_raise(at(1_600)));
    }

    #[test]
    fn news_asked_for_before_something_newer_was_seen_do_not_do() {
        let age = Age::default();
        age.good.store(micros(at(0)), Ordering::Release);
        age.needed.store(micros(at(5)), Ordering::Release);
        assert!(!age.is_young(at(6)));
        age.good.store(micros(at(6)), Ordering::Release);
        assert!(age.is_young(at(6)));
    }
}
