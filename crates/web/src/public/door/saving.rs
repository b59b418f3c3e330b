//! What the person's own page saves: what takes away at once, what gives only after the person confirmed it by mail.
//!
//! Invariants: the link of a mail goes through forwarded copies and scanners. Whoever holds it may leave, pause and
//! choose fewer; consent, topics, more mail and the end of a break need a word out of the mailbox (GDPR Art. 4(11),
//! 7(1)): the request that is mailed, or the answer to one a moment ago ([`Came::Confirmed`]). What is as it was writes
//! nothing. Never: a complaint or an objection lifted here (`architecture.md` §10).

use axum::response::Response;
use mail::address::Address;
use model::person::SuppressionScope;
use model::{DocumentId, ListId, PurposeId, Timestamp};
use std::time::Duration;
use store::permission::{Act, Chosen, Decision, Leaving, Link, Method, Preference, Returning, Standing};

use super::asking::Asking;
use super::fields::Fields;
use super::preferences::{Row, rows};
use super::{Owner, Visit, busy, failed};
use crate::api::Api;
use crate::public::{Choice, Frequency, Language, Pause};

/// A day.
const DAY: Duration = Duration::from_secs(86_400);
/// No purpose: only whether something stands against all marketing.
const ALL: PurposeId = PurposeId(0);

/// What the visitor's link shows of him.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Came {
    /// He holds the link of a mail, or of a page behind one.
    ByLink,
    /// A request to confirm was answered with it a moment ago: he, or whom he lets, reads that mailbox.
    Confirmed,
}

/// What became of what was sent, beside what was saved.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Outcome {
    /// A request to confirm is on its way, if one may go.
    pub(super) asked: bool,
    /// Something was not saved: nothing may be collected for it now (GDPR Art. 28(3)).
    pub(super) closed: bool,
    /// Something was not saved: his objection or complaint stands against it.
    pub(super) opposed: bool,
    /// Something was not saved: his address is not kept.
    pub(super) absent: bool,
}

/// What is ticked and was not on before.
#[derive(Default)]
struct Ticked {
    at_once: Vec<PurposeId>,
    by_mail: Vec<PurposeId>,
}

/// Saves what was sent; of whoever sends too often (`all` is false) only what takes away.
pub(super) async fn save(
    api: &Api,
    (link, came): (&Link, Came),
    sent: &Fields,
    (visit, all): (Visit, bool),
) -> Result<(Visit, Outcome), Response> {
    let owner = Owner::load(api, link.controller).await?;
    let standing = api.store().decided(link.controller, link.tag).await.map_err(|error| failed(api, &error))?;
    let rows = rows(api, link.controller, &standing, visit.language);
    let details = serde_json::json!({
        "action": "checkbox, not ticked before",
        "page": "preferences",
        "language": visit.language.tag(),
        "controller": owner.profile.name,
        "withdrawal": "one-click, preference centre",
    });
    let outcome = Outcome::default();
    let details = details.to_string();
    let mut saving = Saving { api, owner: &owner, link, standing: &standing, came, all, details, outcome };
    let saved = saving.save(sent, &rows, visit.language).await;
    let wanted = saved.map_err(|error| failed(api, &error))?;
    if !wanted.ticked.is_empty() || !wanted.returning.is_empty() {
        let address = api.store().address_of(link.controller, link.tag).await.map_err(|error| failed(api, &error))?;
        if !saving.ask(wanted, address) {
            return Err(busy(&visit, super::RETRY));
        }
    }
    let outcome = saving.outcome;
    Ok((visit, outcome))
}

/// Asks by mail whether the person takes back his objection or complaint.
pub(super) async fn take_back(api: &Api, link: &Link, visit: &Visit) -> Result<Outcome, Response> {
    let (owner, fault) = (Owner::load(api, link.controller).await?, |error: store::Error| failed(api, &error));
    if !owner.may_collect(api) {
        return Ok(Outcome { closed: true, ..Outcome::default() });
    }
    let Some(address) = api.store().address_of(link.controller, link.tag).await.map_err(fault)? else {
        return Ok(Outcome { absent: true, ..Outcome::default() });
    };
    let details = serde_json::json!({ "action": "button", "page": "preferences", "language": visit.language.tag() });
    let asking = Asking {
        address,
        language: visit.language,
        decisions: Vec::new(),
        returning: Some(Returning { objection: true, ..Returning::default() }),
        method: Method::Page,
        notice: None,
        form: None,
        details: details.to_string(),
    };
    if asking.begin(api, &owner) {
        Ok(Outcome { asked: true, ..Outcome::default() })
    } else {
        Err(busy(visit, super::RETRY))
    }
}

/// What is left to be asked for by mail.
struct Wanted {
    ticked: Vec<PurposeId>,
    returning: Returning,
    /// The words that were shown, where they speak of any of it.
    notice: Option<DocumentId>,
    language: Language,
}

/// What saving goes by.
struct Saving<'a> {
    api: &'a Api,
    owner: &'a Owner,
    link: &'a Link,
    standing: &'a Standing,
    came: Came,
    all: bool,
    details: String,
    outcome: Outcome,
}

impl Saving<'_> {
    /// Does at once what may be done at once.
    async fn save(&mut self, sent: &Fields, rows: &[Row], language: Language) -> store::Result<Wanted> {
        let (store, link) = (self.api.store(), self.link);
        // GDPR Art. 7(1): evidence of words that were shown, and that speak of this purpose; else there is none.
        let forms = store.forms(link.controller).await?;
        let shown = sent.first("form_token").and_then(|text| store.parse_public::<DocumentId>(text));
        let speaks = |id: PurposeId| shown.is_some_and(|notice| forms.iter().any(|form| form.spoke_of(notice, id)));
        let wanted = |row: &&Row| sent.all("purpose").any(|field| field == row.field);
        let new = rows.iter().filter(|row| self.all && row.choice == Choice::Off && wanted(row)).map(|row| row.id);
        let ticked = self.ticked(new.collect(), speaks);
        let left = left(rows, self.standing, !ticked.at_once.is_empty() || !ticked.by_mail.is_empty(), wanted);
        let notice = shown.filter(|_| !ticked.at_once.is_empty());
        let act = Act { method: Method::Page, notice, form: None, details: &self.details };
        let chosen = Chosen { given: &ticked.at_once, left: &left };
        store.choose(link.controller, link.tag, chosen, &act).await?;
        let lists = self.leave_topics(sent, rows).await?;
        let (returning, chosen) = self.prefer(sent, lists).await?;
        let notice = shown.filter(|_| ticked.by_mail.iter().any(|id| speaks(*id)));
        Ok(Wanted { ticked: ticked.by_mail, returning, notice, language: chosen.unwrap_or(language) })
    }

    /// Topics that were switched off are left; those that were switched on are told.
    async fn leave_topics(&self, sent: &Fields, rows: &[Row]) -> store::Result<Vec<ListId>> {
        let act = Act { method: Method::Page, notice: None, form: None, details: &self.details };
        let mut back = Vec::new();
        for (list, field, _, choice) in rows.iter().flat_map(|row| &row.topics) {
            match (choice, sent.all("topic").any(|sent| sent == field)) {
                (Choice::On, false) => {
                    let (controller, tag) = (self.link.controller, self.link.tag);
                    self.api.store().leave(controller, tag, Leaving::List(*list), &act).await?;
                }
                (Choice::Off, true) => back.push(*list),
                _ => {}
            }
        }
        Ok(back)
    }

    /// How he wants to be mailed; and what of it, with these lists, is asked for, in the language that he chose.
    async fn prefer(&mut self, sent: &Fields, lists: Vec<ListId>) -> store::Result<(Returning, Option<Language>)> {
        let (store, link, now) = (self.api.store(), self.link, self.api.store().now());
        let (mut preference, mut returning) = mail_wished(sent, &self.standing.preference, now);
        returning.lists = lists;
        if !self.all {
            returning = Returning::default();
        } else if let Some(language) = sent.first("language").and_then(Language::from_tag) {
            language.tag().clone_into(&mut preference.language);
        }
        returning = self.allowed(returning);
        if self.came == Came::Confirmed {
            for list in std::mem::take(&mut returning.lists) {
                store.come_back(link.controller, link.tag, list).await?;
            }
            preference.frequency = returning.frequency.take().unwrap_or(preference.frequency);
            preference.paused =
                returning.pause_ends.take().map_or(preference.paused, |ends| Some(ends).filter(|at| now < *at));
        }
        if preference != self.standing.preference {
            store.set_preference(link.controller, link.tag, &preference).await?;
        }
        Ok((returning, Language::from_tag(&preference.language)))
    }

    /// Asks for the rest. False when too many are being asked already.
    fn ask(&mut self, wanted: Wanted, address: Option<Address>) -> bool {
        let Some(address) = address else {
            self.outcome.absent = true;
            return true;
        };
        let asking = Asking {
            address,
            language: wanted.language,
            decisions: wanted.ticked.into_iter().map(Decision::Given).collect(),
            returning: Some(wanted.returning),
            method: Method::Page,
            notice: wanted.notice,
            form: None,
            details: std::mem::take(&mut self.details),
        };
        self.outcome.asked = asking.begin(self.api, self.owner);
        self.outcome.asked
    }

    /// What of the new ticks may be given, and how; the rest is told.
    fn ticked(&mut self, new: Vec<PurposeId>, speaks: impl Fn(PurposeId) -> bool) -> Ticked {
        let within = self.api.store().purposes_within(self.owner.controller, None);
        let may_collect = self.owner.may_collect(self.api);
        let mut ticked = Ticked::default();
        for id in new {
            if self.standing.is_opposed(id) {
                self.outcome.opposed = true;
            } else if !may_collect || !within.contains(&id) {
                self.outcome.closed = true;
            } else if self.came == Came::Confirmed && speaks(id) {
                ticked.at_once.push(id);
            } else {
                ticked.by_mail.push(id);
            }
        }
        ticked
    }

    /// The same of what is more than before, beside consent.
    fn allowed(&mut self, returning: Returning) -> Returning {
        if returning.is_empty() {
            return returning;
        }
        if self.standing.is_opposed(ALL) {
            self.outcome.opposed = true;
            return Returning::default();
        }
        if !self.owner.may_collect(self.api) {
            self.outcome.closed = true;
            return Returning::default();
        }
        returning
    }
}

/// What ends now. A purpose that is switched off may rest on something all the same, which his leaving everything has
/// stopped: what lifts that brings back what is ticked alone, so all that he left unticked ends (GDPR Art. 7(3)).
fn left(rows: &[Row], standing: &Standing, gives: bool, wanted: impl Fn(&&Row) -> bool) -> Vec<PurposeId> {
    let stands = |id: PurposeId| standing.bases.iter().any(|basis| basis.purpose == id && basis.withdrawn.is_none());
    let has_left = standing.suppressions.iter().any(|entry| entry.scope == SuppressionScope::Marketing);
    let is_out = |id: PurposeId| {
        standing.suppressions.iter().any(|entry| entry.scope == SuppressionScope::Purpose(id)) && !stands(id)
    };
    let ends = |row: &&Row| row.choice == Choice::On || stands(row.id) || (has_left && gives && !is_out(row.id));
    rows.iter().filter(|row| ends(row) && !wanted(row)).map(|row| row.id).collect()
}

/// GDPR Art. 21(2): how often at most (rule `frequency-cap`) and when not at all: what is fewer than before, and what
/// is more. A word that nobody offered changes nothing, and all pauses end: who wants none at all unsubscribes.
fn mail_wished(sent: &Fields, before: &Preference, now: Timestamp) -> (Preference, Returning) {
    let (mut preference, mut returning) = (before.clone(), Returning::default());
    let often = Frequency::from_word(&before.frequency).unwrap_or(Frequency::Every);
    if let Some(wished) = sent.first("frequency").and_then(Frequency::from_word) {
        match wished.cmp(&often) {
            std::cmp::Ordering::Greater => wished.word().clone_into(&mut preference.frequency),
            std::cmp::Ordering::Less => returning.frequency = Some(wished.word().to_owned()),
            std::cmp::Ordering::Equal => {}
        }
    }
    let running = before.paused.filter(|until| now < *until);
    let until = match sent.first("pause").and_then(Pause::from_word) {
        None | Some(Pause::Keep) => return (preference, returning),
        Some(Pause::None) => now,
        Some(Pause::Week) => now.plus(7 * DAY),
        Some(Pause::Month) => now.plus(30 * DAY),
        Some(Pause::Quarter) => now.plus(91 * DAY),
    };
    match running {
        Some(running) if until < running => returning.pause_ends = Some(until),
        // The same once more, or a few hours later.
        Some(running) if until < running.plus(DAY) => {}
        _ if until == now => {}
        _ => preference.paused = Some(until),
    }
    (preference, returning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wished(sent: &str, before: &Preference) -> (Preference, Returning) {
        mail_wished(&Fields::of(sent.as_bytes()), before, Timestamp::from_seconds(1_000))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000 + seconds)
    }

    #[test]
    fn art21_2_fewer_holds_at_once_and_more_is_asked_for() {
        let weekly = Preference { frequency: "weekly".into(), ..Preference::default() };
        let (now, returning) = wished("frequency=monthly", &weekly);
        assert_eq!((now.frequency.as_str(), returning.is_empty()), ("monthly", true));
        let (now, returning) = wished("frequency=every", &weekly);
        assert_eq!((now, returning.frequency.as_deref()), (weekly.clone(), Some("every")));
        for same in ["frequency=weekly", "frequency=hourly", "", "pause=keep", "pause=none"] {
            assert_eq!(wished(same, &weekly), (weekly.clone(), Returning::default()), "{same}");
        }
        assert_eq!(wished("frequency=every", &Preference::default()).0, Preference::default());
    }

    #[test]
    fn a_longer_break_holds_at_once_and_a_shorter_one_is_asked_for() {
        let day = 86_400;
        let paused = |until: i64| Preference { paused: Some(at(until)), ..Preference::default() };
        assert_eq!(wished("pause=week", &Preference::default()).0, paused(7 * day));
        assert_eq!(wished("pause=week", &paused(-1)).0, paused(7 * day), "the one before is over");
        assert_eq!(wished("pause=month", &paused(7 * day)).0, paused(30 * day));
        assert_eq!(wished("pause=week", &paused(7 * day - 60)), (paused(7 * day - 60), Returning::default()));
        for (sent, ends) in [("pause=none", 0), ("pause=week", 7 * day)] {
            let (now, returning) = wished(sent, &paused(30 * day));
            assert_eq!((now, returning.pause_ends), (paused(30 * day), Some(at(ends))), "{sent}");
        }
    }
}
