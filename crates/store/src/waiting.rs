//! What waits in the queue, as an operator or a controller looks at it and orders it about: held, let go, hurried,
//! ended.
//!
//! Invariants: an order is a row, in memory of every node with the accounts; the gate asks for it before a message
//! leaves ([`gate::facts::Order`]), so that nothing passes an order that is in force; whoever gave an order takes it
//! back, and nobody else (GDPR Art. 28(3)(a): the operator does not let go what the controller holds). Each order and
//! its end is a leaf of the controller's ledger.
//! Never: an address or a reply's text; what an operator sees of a group are numbers and codes.

use crate::engine::{Change, OrderRow, Reach, Step, Writes};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::policy::Policy;
use crate::spool::{QueueRow, queue_row_of};
use crate::statement as sql;
use crate::value::{Columns, Value};
use crate::vault::crypto;
use gate::facts::Order;
use model::event::EventType;
use model::{ControllerId, MessageId, StreamId, Timestamp};
use std::sync::Arc;

/// Orders of one controller that stand at a time.
const ORDERS_MAX: usize = 200;
/// Characters of a reason.
pub const REASON_MAX: usize = 500;
/// Groups that are told of: the largest.
const GROUPS_MAX: i64 = 1_000;
/// Messages of a group among whose attempts the last one is looked for.
const LAST_AMONG: i64 = 16;
/// Rows hurried in one commit.
const HURRIED_AT_ONCE: i64 = 1_000;
/// What a reason is sealed as.
const REASON: &str = "queue order";

/// Which messages of a controller are meant. All that wait, unless something narrows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Which {
    /// Those for this destination site.
    pub site: Option<String>,
    /// Those of this stream.
    pub stream: Option<StreamId>,
    /// This one.
    pub message: Option<MessageId>,
}

/// Who orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderedBy {
    /// Whoever runs the platform.
    Operator,
    /// The controller, whose mail it is.
    Controller,
}

/// What is ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderKind {
    /// Nothing of it leaves until that is taken back; what comes in meanwhile is held, too. It does not run out.
    Hold,
    /// What was accepted up to this moment ends.
    Purge,
}

impl OrderedBy {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Controller => "controller",
        }
    }
}

impl OrderKind {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Purge => "purge",
        }
    }
}

impl Which {
    fn values(&self) -> [Value; 3] {
        let site = self.site.clone().unwrap_or_default();
        [site.into(), self.stream.map_or(0, |id| id.0).into(), self.message.map_or(0, |id| id.0).into()]
    }

    fn has(&self, row: &QueueRow) -> bool {
        self.site.as_deref().is_none_or(|site| *row.lane.site == *site)
            && self.stream.is_none_or(|stream| row.stream == stream)
            && self.message.is_none_or(|message| row.id == message)
    }
}

/// An order in force.
#[derive(Clone, Debug)]
pub(crate) struct OrderPolicy {
    by: OrderedBy,
    kind: OrderKind,
    which: Which,
    made: Timestamp,
    reason: Vec<u8>,
}

impl OrderPolicy {
    /// From its row. Words that are not understood hold: they stand for something that somebody did not want to leave.
    pub(crate) fn of(row: OrderRow) -> Self {
        let some = |id: i64| (id != 0).then_some(id);
        Self {
            by: if row.by == OrderedBy::Controller.as_str() { OrderedBy::Controller } else { OrderedBy::Operator },
            kind: if row.kind == OrderKind::Purge.as_str() { OrderKind::Purge } else { OrderKind::Hold },
            which: Which {
                site: Some(row.site).filter(|site| !site.is_empty()),
                stream: some(row.stream).map(StreamId),
                message: some(row.message).map(MessageId),
            },
            made: row.made,
            reason: row.reason,
        }
    }

    fn is_on(&self, row: &QueueRow) -> bool {
        (self.kind == OrderKind::Hold || row.accepted_at <= self.made) && self.which.has(row)
    }
}

impl Policy {
    /// What is ordered for a message that waits: its end before a hold, the operator's hold before the controller's.
    pub(crate) fn order_on(&self, row: &QueueRow) -> Option<Order> {
        let orders = &self.controller(row.controller)?.orders;
        let order = |order: &OrderPolicy| match (order.kind, order.by) {
            (OrderKind::Purge, _) => (0, Order::Purged),
            (OrderKind::Hold, OrderedBy::Operator) => (1, Order::HeldByOperator),
            (OrderKind::Hold, OrderedBy::Controller) => (2, Order::HeldByController),
        };
        orders.iter().filter(|one| one.is_on(row)).map(order).min_by_key(|(rank, _)| *rank).map(|(_, order)| order)
    }
}

/// An order, as it is shown.
#[derive(Clone, Debug)]
pub struct OrderView {
    /// Who gave it.
    pub by: OrderedBy,
    /// What it says.
    pub kind: OrderKind,
    /// For which messages.
    pub which: Which,
    /// Since when, or for what was accepted until when.
    pub made: Timestamp,
    /// Why, in the words of whoever gave it.
    pub reason: String,
}

/// Messages of one stream that wait for one site.
#[derive(Clone, Debug)]
pub struct QueueGroup {
    /// Destination site.
    pub site: String,
    /// Whose.
    pub controller: ControllerId,
    /// Of which stream.
    pub stream: StreamId,
    /// How many.
    pub count: u64,
    /// Those of them that the gate holds.
    pub held: u64,
    /// Those of them that are being tried at this moment.
    pub under_way: u64,
    /// When the oldest of them was accepted.
    pub oldest: Timestamp,
    /// When the next of them is tried, at the earliest.
    pub next_attempt: Timestamp,
    /// The most attempts that one of them has seen.
    pub attempts_max: u32,
    /// What became of one of them last.
    pub last: Option<LastReply>,
}

/// What became of a message last: codes, and not the words of the reply, which quote addresses.
#[derive(Clone, Debug)]
pub struct LastReply {
    /// When.
    pub at: Timestamp,
    /// Word of the timeline.
    pub event: String,
    /// SMTP code.
    pub code: Option<u16>,
    /// Enhanced status code.
    pub enhanced: Option<String>,
    /// The rule that holds it.
    pub rule: Option<String>,
}

/// Why something was not ordered.
#[derive(thiserror::Error, Debug)]
pub enum NotOrdered {
    /// Without a reason, or one that is too long.
    #[error("say why, in one line of at most {REASON_MAX} characters and without anybody's address")]
    Reason,
    /// Too many stand.
    #[error("{ORDERS_MAX} orders stand for this controller; let go of some first")]
    TooMany,
    /// The store.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Messages that an order ends, for delivery, which alone knows what is under way.
#[derive(Clone, Debug)]
pub struct PurgeOrder {
    controller: ControllerId,
    which: Which,
    until: Timestamp,
}

/// What is to be looked at again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look<'a> {
    /// Orders: something is to end.
    Orders,
    /// What waits for a site, though the site is left alone.
    Site(&'a str),
    /// What waits for any site, though it is left alone.
    Everything,
}

/// Who is told that something is to be looked at again.
pub type Hurried = Arc<dyn Fn(Look<'_>) + Send + Sync>;

impl Store {
    /// Who is told when what waits is to be looked at again: the scheduler.
    pub fn set_hurried(&self, told: Hurried) {
        *self.hurried.write() = Some(told);
    }

    fn look_again(&self, at: Look<'_>) {
        let told = self.hurried.read().clone();
        if let Some(told) = told {
            told(at);
        }
    }

    /// Orders something for what waits of a controller. In force when this returns; other nodes follow within seconds.
    ///
    /// # Errors
    /// [`NotOrdered`].
    pub async fn order(
        &self,
        controller: ControllerId,
        (by, kind): (OrderedBy, OrderKind),
        which: &Which,
        reason: &str,
    ) -> Result<(), NotOrdered> {
        let reason = reason.trim();
        let plain = !reason.is_empty() && reason.chars().count() <= REASON_MAX && !reason.chars().any(char::is_control);
        if !plain || reason.contains('@') {
            return Err(NotOrdered::Reason);
        }
        self.catch_up().await?;
        let standing = self.policy.current().controller(controller).map_or(0, |known| known.orders.len());
        if standing >= ORDERS_MAX {
            return Err(NotOrdered::TooMany);
        }
        let sealed = self.vault.seal_for_controller(controller.0, REASON, reason.as_bytes())?;
        let [site, stream, message] = which.values();
        let (kind_word, by_word) = (kind.as_str(), by.as_str());
        let made = self.now();
        let values = vec![
            controller.0.into(),
            kind_word.into(),
            by_word.into(),
            site,
            stream,
            message,
            made.into(),
            sealed.into(),
        ];
        let writes =
            self.order_writes(controller, (kind_word, by_word), which, reason, Step::new(&sql::QUEUE_ORDERED, values));
        self.act(EventType::QueueOrdered, writes).await?;
        if kind == OrderKind::Purge {
            self.look_again(Look::Orders);
        }
        Ok(())
    }

    fn order_writes(
        &self,
        controller: ControllerId,
        (kind, by): (&str, &str),
        which: &Which,
        reason: &str,
        step: Step,
    ) -> Writes {
        let site = which.site.as_deref().unwrap_or_default();
        let stream = which.stream.map_or(0, |id| id.0).to_be_bytes();
        let message = which.message.map_or(0, |id| id.0).to_be_bytes();
        let said: [&[u8]; 6] = [kind.as_bytes(), by.as_bytes(), site.as_bytes(), &stream, &message, reason.as_bytes()];
        Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Accounts,
            what: "queue order",
            event: None,
            detail: crypto::sha256_of_fields(&said),
            steps: vec![step],
        }
    }

    /// Lets go what was held by an order for exactly these messages; they are tried at once. Answers how many were to
    /// wait for longer; nothing when there is no such order of this side's.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn release(&self, controller: ControllerId, by: OrderedBy, which: &Which) -> Result<Option<u64>> {
        self.catch_up().await?;
        let [site, stream, message] = which.values();
        let values = vec![controller.0.into(), by.as_str().into(), site, stream, message];
        let step = Step::new(&sql::QUEUE_RELEASED, values);
        let writes = self.order_writes(controller, ("release", by.as_str()), which, "", step);
        if !self.act(EventType::QueueReleased, writes).await? {
            return Ok(None);
        }
        self.hurry(controller, which).await.map(Some)
    }

    /// Makes what waits due now, and has sites that are left alone tried again. Answers how many messages were to wait
    /// for longer. What is held by an order stays held: the gate is asked again, and says the same.
    ///
    /// # Errors
    /// Those of the engine; what was hurried until then is.
    pub async fn hurry(&self, controller: ControllerId, which: &Which) -> Result<u64> {
        let now = self.now();
        let mut hurried = 0;
        loop {
            let [site, stream, message] = which.values();
            let values = vec![controller.0.into(), site, stream, message, now.into(), HURRIED_AT_ONCE.into()];
            let writes = Writes {
                controller: controller.0,
                person: None,
                reach: Reach::Nothing,
                what: "queue",
                event: None,
                detail: [0; 32],
                steps: vec![Step::new(&sql::QUEUE_HURRY, values)],
            };
            let touched = self.engine.change_bulk(vec![(Change::Rows(writes), None)]).await?;
            let touched = touched.first().copied().unwrap_or_default();
            hurried += u64::try_from(touched).unwrap_or_default();
            if i64::try_from(touched).unwrap_or_default() < HURRIED_AT_ONCE {
                break;
            }
        }
        self.look_again(which.site.as_deref().map_or(Look::Everything, Look::Site));
        Ok(hurried)
    }

    /// What is ordered for a controller's mail.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub async fn orders(&self, controller: ControllerId) -> Result<Vec<OrderView>> {
        self.catch_up().await?;
        let policy = self.policy.current();
        let orders = policy.controller(controller).map_or(&[][..], |known| known.orders.as_slice());
        let view = |order: &OrderPolicy| {
            let reason = self.vault.open_for_controller(controller.0, REASON, &order.reason)?;
            Ok(OrderView {
                by: order.by,
                kind: order.kind,
                which: order.which.clone(),
                made: order.made,
                reason: String::from_utf8(reason).map_err(|_| Error::Sealed { what: REASON })?,
            })
        };
        orders.iter().map(view).collect()
    }

    /// What waits: of one controller or, for the operator, of all; the largest groups first, 1,000 at most.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn waiting(&self, of: Option<ControllerId>) -> Result<Vec<QueueGroup>> {
        let values = vec![of.map_or(0, |id| id.0).into(), GROUPS_MAX.into()];
        let mut groups = Vec::new();
        for row in self.found(&sql::QUEUE_GROUPS, values).await? {
            let (mut group, class) = group(row)?;
            let values = vec![
                group.site.as_str().into(),
                class.into(),
                group.controller.0.into(),
                group.stream.0.into(),
                LAST_AMONG.into(),
            ];
            let last = self.found(&sql::QUEUE_LAST, values).await?.into_iter().next();
            group.last = last.map(last_reply).transpose()?;
            groups.push(group);
        }
        Ok(groups)
    }

    /// Orders that end what waits.
    #[must_use]
    pub fn purges(&self) -> Vec<PurgeOrder> {
        let policy = self.policy.current();
        let of = |controller: ControllerId, order: &OrderPolicy| PurgeOrder {
            controller,
            which: order.which.clone(),
            until: order.made,
        };
        let all = policy.controllers().flat_map(|known| known.orders.iter().map(|order| (known.id, order)));
        all.filter(|(_, order)| order.kind == OrderKind::Purge).map(|(id, order)| of(id, order)).collect()
    }

    /// Messages that an order ends, by id, behind one of them; among those, the ones whose site this node serves. The
    /// last id that was looked at, as long as there may be more.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn purged(
        &self,
        order: &PurgeOrder,
        after: MessageId,
        limit: usize,
    ) -> Result<(Vec<QueueRow>, Option<MessageId>)> {
        let [site, stream, message] = order.which.values();
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let (controller, until) = (order.controller.0, order.until);
        let values = vec![controller.into(), site, stream, message, until.into(), after.0.into(), most.into()];
        let found = self.found(&sql::QUEUE_ENDED, values).await?;
        let full = found.len() >= limit;
        let rows = found.into_iter().map(queue_row_of).collect::<Result<Vec<_>>>()?;
        let next = rows.last().map(|row| row.id).filter(|_| full);
        Ok((rows.into_iter().filter(|row| self.tenure.holds(&row.lane.site)).collect(), next))
    }
}

fn count(row: &mut Columns) -> Result<u64> {
    u64::try_from(row.number()?).map_err(|_| Error::Row { column: "queue" })
}

/// A group, with its class as it stands in rows.
fn group(mut row: Columns) -> Result<(QueueGroup, i64)> {
    let (site, class) = (row.text()?, row.number()?);
    let group = QueueGroup {
        site,
        controller: ControllerId(row.number()?),
        stream: StreamId(row.number()?),
        count: count(&mut row)?,
        held: count(&mut row)?,
        under_way: count(&mut row)?,
        oldest: row.moment()?,
        next_attempt: row.moment()?,
        attempts_max: u32::try_from(row.number()?).map_err(|_| Error::Row { column: "queue.attempts" })?,
        last: None,
    };
    Ok((group, class))
}

fn last_reply(mut row: Columns) -> Result<LastReply> {
    Ok(LastReply {
        at: row.moment()?,
        event: row.text()?,
        code: row.number_if_any()?.and_then(|code| u16::try_from(code).ok()),
        enhanced: row.text_if_any()?,
        rule: row.text_if_any()?,
    })
}
