//! How what waits is told, to a controller and to the operator alike: numbers, codes, and why in words of ours.

use gate::Rule;
use mail::address::Domain;
use model::ControllerId;
use model::stream::Class;
use serde::Serialize;
use store::{LastReply, OrderKind, OrderView, QueueGroup, Store};
use utoipa::ToSchema;

use super::Sites;
use crate::timestamp::rfc3339;

/// Messages of one stream that wait for one site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "site": "dest.example", "controller": "Shop", "stream": "newsletter", "count": 17, "held": 0, "under_way": 1,
    "oldest": "2026-03-01T12:00:00.000000Z", "next_attempt": "2026-03-01T12:05:00.000000Z", "attempts": 2,
    "last": {"at": "2026-03-01T12:01:00.000000Z", "event": "deferred", "code": 451, "enhanced": "4.3.0"},
    "reason": "the receiving system put it off with 451 4.3.0; a message's own timeline has its words"
}))]
pub(crate) struct Group {
    /// Destination site: the recipients' domain, or the one next hop where everything goes to one.
    site: String,
    /// Whose mail.
    controller: String,
    /// Of which stream.
    stream: String,
    /// How many messages.
    count: u64,
    /// Those of them that the gate holds.
    held: u64,
    /// Those of them that are being tried at this moment.
    under_way: u64,
    /// When the oldest of them was accepted.
    oldest: String,
    /// When the next of them is tried, at the earliest.
    next_attempt: String,
    /// The most attempts that one of them has seen.
    attempts: u32,
    /// What became of one of them last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
    /// Why they wait.
    reason: String,
}

/// What became of a message last, without the words of the reply.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Last {
    /// When.
    at: String,
    /// As in a timeline.
    event: String,
    /// SMTP code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    /// Enhanced status code.
    #[serde(skip_serializing_if = "Option::is_none")]
    enhanced: Option<String>,
    /// The rule that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

/// An order for what waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"kind": "hold", "by": "operator", "controller": "Shop", "site": "dest.example",
    "made": "2026-03-01T12:00:00.000000Z", "reason": "they ask us to slow down"}))]
pub(crate) struct OrderTold {
    /// `hold` or `purge`.
    kind: &'static str,
    /// `operator` or `controller`.
    by: &'static str,
    /// For whose mail.
    controller: String,
    /// For this site; for all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    /// For this stream; for all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    /// For this message; for all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Since when; for `purge`, of what was accepted until then.
    made: String,
    /// Why.
    reason: String,
}

/// A site as somebody writes it, in the form in which rows have it.
pub(crate) fn site_named(text: &str) -> String {
    Domain::parse(text.trim()).map_or_else(|_| text.trim().to_owned(), |domain| domain.as_str().to_owned())
}

/// An order, told.
pub(crate) fn order_told(store: &Store, controller: ControllerId, order: OrderView) -> OrderTold {
    let stream = order.which.stream.and_then(|id| store.stream(controller, id));
    OrderTold {
        kind: order.kind.as_str(),
        by: order.by.as_str(),
        controller: store.controller_name(controller).unwrap_or_default(),
        site: order.which.site,
        stream: stream.map(|stream| stream.name.clone()),
        message: order.which.message.map(|id| store.public_id(id)),
        made: rfc3339(order.made),
        reason: order.reason,
    }
}

/// Groups, told, each with why it waits.
pub(crate) fn groups(
    store: &Store,
    sites: Option<&Sites>,
    waiting: Vec<QueueGroup>,
    orders: &[(ControllerId, Vec<OrderView>)],
) -> Vec<Group> {
    let told = |group: QueueGroup| {
        let orders = orders.iter().find(|(id, _)| *id == group.controller).map_or(&[][..], |(_, orders)| orders);
        let class = store.stream(group.controller, group.stream).map_or(Class::Bulk, |stream| stream.kind.class());
        let status = sites.and_then(|sites| sites(&group.site, group.controller, class));
        let away = status.as_ref().and_then(|status| Some((status.backing_off_until?, status.trouble?)));
        let waits = status.as_ref().and_then(|status| status.waits.clone());
        let until = away.map(|(until, _)| until).max(waits.as_ref().map(|(_, opens)| *opens));
        let next = until.map_or(group.next_attempt, |until| until.max(group.next_attempt));
        let held = away.map(|(_, trouble)| format!("the site is left alone for a while: {trouble}"));
        let held = held.or_else(|| waits.map(|(what, _)| format!("waits: {what}")));
        let reason = reason(&group, orders, held, store.now());
        Group {
            stream: store.stream(group.controller, group.stream).map(|stream| stream.name.clone()).unwrap_or_default(),
            controller: store.controller_name(group.controller).unwrap_or_default(),
            site: group.site,
            count: group.count,
            held: group.held,
            under_way: group.under_way,
            oldest: rfc3339(group.oldest),
            next_attempt: rfc3339(next),
            attempts: group.attempts_max,
            last: group.last.map(|last| Last {
                at: rfc3339(last.at),
                event: last.event,
                code: last.code,
                enhanced: last.enhanced,
                rule: last.rule,
            }),
            reason,
        }
    };
    waiting.into_iter().map(told).collect()
}

/// Why a group waits, the strongest reason first: an order, a site that is left alone, what was said last.
fn reason(group: &QueueGroup, orders: &[OrderView], site: Option<String>, now: model::Timestamp) -> String {
    let is_on = |order: &&OrderView| {
        let which = &order.which;
        let hold = order.kind == OrderKind::Hold && which.message.is_none();
        let site = which.site.as_deref().is_none_or(|site| site == group.site);
        hold && site && which.stream.is_none_or(|stream| stream == group.stream)
    };
    if let Some(order) = orders.iter().find(is_on) {
        return format!("held by the {}: {}", order.by.as_str(), order.reason);
    }
    if let Some(site) = site {
        return site;
    }
    match &group.last {
        Some(last) => said(last),
        None if group.next_attempt <= now => "it is its turn, or will be when others before it are sent".to_owned(),
        None => "it is not due yet".to_owned(),
    }
}

fn said(last: &LastReply) -> String {
    if let Some(rule) = last.rule.as_deref().and_then(Rule::from_id) {
        return format!("{}: {}; {}", rule.id(), rule.row().sentence, rule.row().remedy);
    }
    let enhanced = last.enhanced.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    match (last.event.as_str(), last.code) {
        ("uncertain", _) => "what became of the last attempt is not known; it is sent again".to_owned(),
        (_, Some(code)) => {
            format!("the receiving system put it off with {code}{enhanced}; a message's own timeline has its words")
        }
        _ => "the connection broke or was not good enough; a message's own timeline says more".to_owned(),
    }
}
