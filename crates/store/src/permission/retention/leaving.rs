//! Persons of whom nothing speaks any more: their row and their secret go (GDPR Art. 5(1)(e)).
//!
//! What takes away the last that speaks of a person (a sign-up that was forgotten, an import that was undone) notes the
//! moment in his row, `leaving`. He goes when nothing is kept by his tag, and no message is left of those that may
//! have been accepted for him up to then.
//!
//! Invariants: whoever is about to use a person's secret reads his row first, and puts the moment off if it is there,
//! so that a secret is destroyed only when nobody has begun to use it for [`IN_HAND`] at least. What is in memory never
//! hides the moment: its first note moves the permission generation. A row says that its secret is being destroyed
//! (`leaving` is 0) before it is, and goes after it; whoever meets such a row ends that work first.
//! Crash between the three ⇒ the row is found again by the next look, and each step may be done twice.
//! Never: a row that goes while something sealed under its secret is kept.

use super::*;
use crate::engine::PersonQuery;
use crate::facts::Person;
use std::collections::HashSet;

/// Nobody who began to use a secret is at it for longer.
const IN_HAND: Duration = DAY;
/// Whoever uses a secret again after this long puts the moment off once more: the rest of [`IN_HAND`] is his.
const PUT_OFF_AFTER: Duration = Duration::from_secs(43_200);
/// Persons looked at together.
const PERSONS_MAX: i64 = 100;
/// How often in a round of housekeeping.
const LOOKS_MAX: usize = 10;
/// The oldest messages that are looked at for them. While more are older than what is asked about, it waits.
const MESSAGES_MAX: i64 = 1_000;

/// A person of whom nothing may speak any more.
struct Left {
    since: Timestamp,
    controller: ControllerId,
    tag: [u8; 16],
    slot: SlotRef,
    /// Is nothing kept of him but messages, perhaps?
    is_alone: bool,
}

/// Was that everybody?
#[derive(PartialEq, Eq)]
enum Turn {
    GoesOn,
    Over,
}

/// Messages among the oldest ones.
struct Oldest {
    whose: HashSet<(i64, [u8; 16])>,
    /// All messages below this id are among them.
    below: i64,
}

impl Store {
    /// Takes away persons of whom nothing speaks any more: so many of those whose moment was noted, in turn.
    pub(super) async fn forget_left(&self, now: Timestamp) -> Result<()> {
        for _ in 0..LOOKS_MAX {
            if self.look_at_left(now).await? == Turn::Over {
                break;
            }
        }
        Ok(())
    }

    async fn look_at_left(&self, now: Timestamp) -> Result<Turn> {
        let (persons, turn) = self.left_persons(before(now, IN_HAND)).await?;
        let oldest = self.oldest_messages(&persons).await?;
        let mut going = Vec::new();
        for person in persons {
            if person.is_going() || (oldest.spares(&person) && self.begin_to_forget(&person).await?) {
                going.push(person);
            }
        }
        let going = going.into_iter().map(|one| (one.controller, RecipientTag(one.tag), one.slot));
        self.end_persons(going.collect()).await?;
        Ok(turn)
    }

    /// The next ones, from where the last look ended.
    async fn left_persons(&self, until: Timestamp) -> Result<(Vec<Left>, Turn)> {
        let (since, controller, tag) = self.left_after.lock().clone();
        let values = vec![until.into(), since.into(), controller.into(), tag.into(), PERSONS_MAX.into()];
        let mut persons = Vec::new();
        for mut row in self.found(&sql::SUBJECTS_LEAVING, values).await? {
            let (since, controller, tag) = (row.moment()?, ControllerId(row.number()?), row.array()?);
            let (block, slot) = (row.number()?, row.number()?);
            let slot = u8::try_from(slot).map_err(|_| Error::Row { column: "subject.slot" })?;
            let is_alone = row.number()? != 0;
            persons.push(Left { since, controller, tag, slot: SlotRef { block, slot }, is_alone });
        }
        let is_last = i64::try_from(persons.len()).is_ok_and(|found| found < PERSONS_MAX);
        let last = persons.last().filter(|_| !is_last);
        let next = last.map(|one| (one.since.micros(), one.controller.0, one.tag.to_vec()));
        *self.left_after.lock() = next.unwrap_or_default();
        Ok((persons, if is_last { Turn::Over } else { Turn::GoesOn }))
    }

    /// Messages have no index by person, and need none here: all that may be of these persons are old.
    async fn oldest_messages(&self, persons: &[Left]) -> Result<Oldest> {
        let asked = persons.iter().filter(|one| one.is_alone && !one.is_going()).map(Left::messages_below).max();
        let Some(below) = asked else { return Ok(Oldest { whose: HashSet::new(), below: 0 }) };
        let rows = self.found(&sql::MESSAGES_OLDEST, vec![below.into(), MESSAGES_MAX.into()]).await?;
        let is_whole = i64::try_from(rows.len()).is_ok_and(|found| found < MESSAGES_MAX);
        let mut oldest = Oldest { whose: HashSet::new(), below };
        for mut row in rows {
            let id = row.number()?;
            oldest.whose.insert((row.number()?, row.array()?));
            oldest.below = if is_whole { below } else { id };
        }
        Ok(oldest)
    }

    /// False when somebody needed his secret meanwhile, or something came to be known.
    async fn begin_to_forget(&self, person: &Left) -> Result<bool> {
        let writes = ending(person.controller, RecipientTag(person.tag), person.since);
        Ok(self.forget_together(("persons", 1), writes).await? > 0)
    }

    /// Destroys the secrets of persons whose rows say so, and takes the rows away.
    async fn end_persons(&self, persons: Vec<(ControllerId, RecipientTag, SlotRef)>) -> Result<()> {
        if persons.is_empty() {
            return Ok(());
        }
        self.vault.destroy_secrets(persons.iter().map(|(_, _, slot)| *slot).collect()).await?;
        let gone = persons.into_iter().map(|(controller, tag, slot)| {
            let step = Step::new(&sql::SUBJECT_GONE, place(controller, tag, slot));
            (Change::Rows(writes(controller, "persons", vec![step])), None)
        });
        self.engine.change_bulk(gone.collect()).await.map(drop)
    }

    /// A person's secret as his row names it, for whoever is about to seal under it. Nothing when he has none, or it
    /// was just destroyed because nothing spoke of him: then he gets a new one.
    pub(crate) async fn slot_to_use(&self, controller: ControllerId, tag: RecipientTag) -> Result<Option<SlotRef>> {
        let query = PersonQuery { controller: controller.0, purpose: 0, tag: tag.0 };
        let Some(row) = self.engine.persons(vec![query]).await?.pop() else { return Ok(None) };
        let Some(slot) = row.slot else { return Ok(None) };
        self.usable(controller, tag, slot, row.leaving).await
    }

    /// The same of a row that was read a moment ago.
    pub(crate) async fn usable(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        slot: SlotRef,
        leaving: Option<Timestamp>,
    ) -> Result<Option<SlotRef>> {
        let Some(since) = leaving else { return Ok(Some(slot)) };
        let (now, secret) = (self.now(), self.vault.secrets(&[(controller.0, slot)]).await?.pop().flatten());
        if since != GOING && secret.is_some() && now < since.plus(PUT_OFF_AFTER) {
            return Ok(Some(slot));
        }
        if since != GOING && secret.is_some() {
            let stays = Change::Rows(staying(controller, tag, slot, now));
            if self.touches(stays).await? {
                return Ok(Some(slot));
            }
        } else if since != GOING && !self.touches(Change::Rows(ending(controller, tag, since))).await? {
            // He was erased, and his row stays; or somebody else has ended it already.
            return self.slot_of(controller, tag).await;
        }
        // Where the keys are newer than the row, as in a copy that was restored, it is ended here too.
        self.end_persons(vec![(controller, tag, slot)]).await?;
        Ok(None)
    }

    async fn touches(&self, change: Change) -> Result<bool> {
        Ok(self.engine.change(vec![(change, None)]).await?.first().is_some_and(|rows| *rows > 0))
    }

    /// The same of persons for whom mail is accepted.
    pub(crate) async fn usable_of(
        &self,
        controller: ControllerId,
        persons: &[&Person],
    ) -> Result<Vec<(RecipientTag, Option<SlotRef>)>> {
        let mut usable = Vec::with_capacity(persons.len());
        for person in persons {
            let slot = match person.slot {
                Some(slot) if person.leaving.is_some() => {
                    self.usable(controller, person.tag, slot, person.leaving).await?
                }
                known => known,
            };
            usable.push((person.tag, slot));
        }
        Ok(usable)
    }
}

/// What a row says in the place of a moment while its secret is being destroyed.
const GOING: Timestamp = Timestamp::from_micros(0);

impl Left {
    fn is_going(&self) -> bool {
        self.since == GOING
    }

    /// A message that was accepted for him before his moment was noted, or while somebody still had the secret from
    /// before it, has a lower id.
    fn messages_below(&self) -> i64 {
        Store::first_id_of(self.since.plus(IN_HAND))
    }
}

impl Oldest {
    /// Is no message of this person's, and nothing else?
    fn spares(&self, person: &Left) -> bool {
        let whose = (person.controller.0, person.tag);
        person.is_alone && person.messages_below() <= self.below && !self.whose.contains(&whose)
    }
}

/// A person is being forgotten, unless somebody put it off since, or something came to be known.
pub(crate) fn ending(controller: ControllerId, tag: RecipientTag, since: Timestamp) -> Writes {
    let values = vec![controller.0.into(), tag.0.into(), since.into()];
    writes(controller, "persons", vec![Step::new(&sql::SUBJECT_ENDS, values)])
}

/// Somebody is about to use his secret, unless it is being destroyed.
pub(crate) fn staying(controller: ControllerId, tag: RecipientTag, slot: SlotRef, now: Timestamp) -> Writes {
    let values = [place(controller, tag, slot), vec![now.into()]].concat();
    writes(controller, "persons", vec![Step::new(&sql::SUBJECT_STAYS, values)])
}

fn place(controller: ControllerId, tag: RecipientTag, slot: SlotRef) -> Vec<Value> {
    vec![controller.0.into(), tag.0.into(), slot.block.into(), i64::from(slot.slot).into()]
}
