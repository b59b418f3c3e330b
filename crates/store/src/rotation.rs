//! Putting a controller's tags under a new key.
//!
//! The new key is made around the tags that are there (`vault::tags`), so nobody's address is needed and nothing that a
//! person decided is lost (GDPR Art. 7(3), 21(3), 32(1)). Order: the key is durable; a mark says that tags are on their
//! way; all tags and their new ones are written down; then one commit puts the new ones in the place of the old, in
//! every table, and raises the controller's number.
//! Crash before that commit ⇒ nothing has changed, and no node starts until it is run again. After it ⇒ it is done.
//! Invariant: no node serves meanwhile. It would keep what people decide under tags that nobody looks for any more.

use crate::engine::{Change, EntryRow, Reach, Step, Writes};
use crate::error::{Error, Result};
use crate::journal::SystemEvent;
use crate::open::Store;
use crate::statement::{self as sql, Statement};
use crate::value::Value;
use crate::vault::Key;
use crate::vault::{crypto, nest};
use model::event::EventType;
use model::{ControllerId, RecipientTag};

/// Every table that holds tags: its name, what collects them, what puts the new ones in their place.
const TAGGED: &[(&str, &Statement, &Statement)] = &[
    ("subject", &sql::SUBJECT_TAGS, &sql::SUBJECT_NEST),
    ("suppression", &sql::SUPPRESSION_TAGS, &sql::SUPPRESSION_NEST),
    ("restriction", &sql::RESTRICTION_TAGS, &sql::RESTRICTION_NEST),
    ("basis", &sql::BASIS_TAGS, &sql::BASIS_NEST),
    ("consent_event", &sql::CONSENT_EVENT_TAGS, &sql::CONSENT_EVENT_NEST),
    ("confirmation", &sql::CONFIRMATION_TAGS, &sql::CONFIRMATION_NEST),
    ("preference", &sql::PREFERENCE_TAGS, &sql::PREFERENCE_NEST),
    ("wish", &sql::WISH_TAGS, &sql::WISH_NEST),
    ("quarantine", &sql::QUARANTINE_TAGS, &sql::QUARANTINE_NEST),
    ("mailed", &sql::MAILED_TAGS, &sql::MAILED_NEST),
    ("refusal", &sql::REFUSAL_TAGS, &sql::REFUSAL_NEST),
    ("failing", &sql::FAILING_TAGS, &sql::FAILING_NEST),
    ("tombstone", &sql::TOMBSTONE_TAGS, &sql::TOMBSTONE_NEST),
    ("message", &sql::MESSAGE_TAGS, &sql::MESSAGE_NEST),
    ("queue", &sql::QUEUE_TAGS, &sql::QUEUE_NEST),
];

/// Tags written down in one commit.
const PAGE: i64 = 4_096;
/// Persons whose rows one statement changes, about: no statement takes long.
const SLICE: i64 = 20_000;
/// Statements a table at most.
const SLICES_MAX: i64 = 4_096;

/// What a rotation did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// How often the controller's tags were put under a new key by now.
    pub number: i64,
    /// How many persons have new tags.
    pub persons: i64,
}

impl Store {
    /// Puts all tags of a controller under a new key. Old links and names of persons go on meaning whom they meant.
    ///
    /// # Errors
    /// [`Error::NodesServe`] when a node uses the store; [`Error::NotFound`] for a controller that is not there; those
    /// of the engine: calling again goes on.
    pub async fn rotate_tags(&self, controller: ControllerId) -> Result<Rotated> {
        if self.policy.current().controller(controller).is_none() {
            return Err(Error::NotFound { what: "controller" });
        }
        self.refuse_other_nodes().await?;
        let number = self.vault.tag_number(controller) + 1;
        let key = self.vault.tag_key(controller, number, self.now()).await?;
        let begins =
            self.run_step(controller, Step::new(&sql::TAG_MOVE_BEGIN, vec![id(controller), octets(&[])])).await?;
        if let Err(error) = self.refuse_other_nodes().await {
            // What another run has begun stays marked.
            if begins > 0 {
                self.run_step(controller, Step::new(&sql::TAG_MOVE_END, vec![id(controller)])).await?;
            }
            return Err(error);
        }
        for (_, collect, _) in TAGGED {
            self.run_step(controller, Step::new(collect, vec![id(controller)])).await?;
        }
        self.write_new_tags_down(controller, &key).await?;
        let persons = self.count_moves(controller).await?;
        self.put_new_tags(controller, number, persons).await?;
        Ok(Rotated { number, persons })
    }

    /// Puts a new master key in the place of the one in use: what was sealed under it is sealed under the new one in
    /// one commit. The old file stays beside it as `.old`, for backups that were made under it.
    /// Crash before that commit ⇒ nothing has changed; after it ⇒ the next start finds the new key beside the old one.
    ///
    /// # Errors
    /// [`Error::NodesServe`] when a node uses the store; those of files and of the engine: calling again goes on.
    pub async fn rotate_master_key(&self) -> Result<()> {
        self.refuse_other_nodes().await?;
        let next = self.vault.next_master()?;
        self.vault.rewrap(&next).await?;
        next.take_place()?;
        self.tell_rotated(&[b"master"]).await
    }

    /// The ledger says that a key of all controllers was changed.
    pub(crate) async fn tell_rotated(&self, which: &[&[u8]]) -> Result<()> {
        let controller = ControllerId::OPERATOR;
        let bytes = self.system_entry(&SystemEvent {
            event: None,
            kind: EventType::KeyRotated,
            controller,
            agreement: None,
            instruction: None,
            counts: &[],
            detail: &crypto::sha256_of_fields(which),
            commitment: None,
            secret: None,
        })?;
        self.engine.append(vec![EntryRow { controller: controller.0, bytes }]).await
    }

    /// Every tag that was collected gets its new one.
    async fn write_new_tags_down(&self, controller: ControllerId, key: &Key) -> Result<()> {
        let mut last = Vec::new();
        loop {
            let values = vec![id(controller), octets(&last), PAGE.into()];
            let rows = self.found(&sql::TAG_MOVE_OPEN, values).await?;
            let tags = rows.into_iter().map(|mut row| row.octets()).collect::<Result<Vec<_>>>()?;
            let Some(end) = tags.last() else { return Ok(()) };
            last.clone_from(end);
            let step = |tag: &Vec<u8>| {
                let old: [u8; 16] = tag.as_slice().try_into().map_err(|_| Error::Row { column: "tag_move.old_tag" })?;
                let new = nest(key, RecipientTag(old));
                Ok(Step::new(&sql::TAG_MOVE_SET, vec![id(controller), octets(&old), octets(&new.0)]))
            };
            self.engine.bulk(controller.0, tags.iter().map(step).collect::<Result<_>>()?).await?;
        }
    }

    /// One commit: the number, every table, the end of the mark.
    async fn put_new_tags(&self, controller: ControllerId, number: i64, persons: i64) -> Result<()> {
        let mut steps =
            vec![Step::new(&sql::TAG_NUMBER_RAISE, vec![id(controller), (number - 1).into(), number.into()])];
        let bounds = bounds(1 + persons / SLICE);
        for (_, _, replace) in TAGGED {
            steps.extend(bounds.windows(2).filter_map(|pair| match pair {
                [from, to] => Some(Step::new(replace, vec![id(controller), octets(from), octets(to)])),
                _ => None,
            }));
        }
        steps.push(Step::new(&sql::TAG_MOVE_END, vec![id(controller)]));
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Accounts,
            what: "tag",
            event: None,
            detail: crypto::sha256_of_fields(&[b"tags", &controller.0.to_be_bytes(), &number.to_be_bytes()]),
            steps,
        };
        match self.write(EventType::KeyRotated, Change::Rows(writes)).await? {
            0 => Err(Error::NotFound { what: "controller" }),
            _ => Ok(()),
        }
    }

    async fn count_moves(&self, controller: ControllerId) -> Result<i64> {
        let row = self.found(&sql::TAG_MOVE_COUNT, vec![id(controller)]).await?.into_iter().next();
        // Without the mark.
        Ok(row.map(|mut row| row.number()).transpose()?.unwrap_or(1) - 1)
    }

    async fn run_step(&self, controller: ControllerId, step: Step) -> Result<usize> {
        Ok(self.engine.bulk(controller.0, vec![step]).await?.into_iter().sum())
    }

    /// Nobody but this process may have the store.
    pub(crate) async fn refuse_other_nodes(&self) -> Result<()> {
        let own = self.tenure.number();
        let others: Vec<String> = self
            .nodes()
            .await?
            .into_iter()
            .filter(|node| node.alive && i64::from(node.number) != i64::from(own))
            .map(|node| node.name)
            .collect();
        if others.is_empty() { Ok(()) } else { Err(Error::NodesServe { names: others.join(", ") }) }
    }

    /// Tags that were collected by a run that was cut short, for houses with a row in every table.
    #[cfg(test)]
    pub(crate) async fn collect_some_tags(&self, controller: ControllerId) {
        let (_, collect, _) = TAGGED[0];
        self.run_step(controller, Step::new(collect, vec![id(controller)])).await.unwrap();
    }

    /// Whoever does not bring it to its end does not open the store.
    pub(crate) async fn refuse_tags_on_their_way(&self) -> Result<()> {
        match self.found(&sql::TAG_MOVES, vec![octets(&[])]).await?.into_iter().next() {
            None => Ok(()),
            Some(mut row) => Err(Error::TagsOnTheirWay { controller: self.public_id(ControllerId(row.number()?)) }),
        }
    }
}

/// Where slices begin and end: the empty tag, tags evenly between, and what is behind every tag.
fn bounds(slices: i64) -> Vec<Vec<u8>> {
    let slices = slices.clamp(1, SLICES_MAX);
    let between = (1..slices).filter_map(|slice| u16::try_from(slice * 65_536 / slices).ok());
    let mut bounds = vec![Vec::new()];
    bounds.extend(between.map(|start| start.to_be_bytes().to_vec()));
    bounds.push(vec![u8::MAX; 17]);
    bounds
}

fn id(controller: ControllerId) -> Value {
    controller.0.into()
}

fn octets(octets: &[u8]) -> Value {
    Value::Octets(octets.to_vec())
}

#[cfg(test)]
mod tests;
