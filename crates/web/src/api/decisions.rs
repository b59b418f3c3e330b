//! `POST /v1/decisions`: could these people be mailed for this purpose now, and if not, why? A dry run.
//!
//! Invariants: the facts and the rules are those of acceptance; nothing is written, counted or remembered. People are
//! named by their place in the caller's own list, so an answer holds no address. What is told is what the same caller
//! would be told by `POST /v1/messages` (GDPR Art. 28(3)(a)): nothing of other controllers.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use gate::Rule;
use mail::address::{Address, AddressError, Domain};
use model::PurposeId;
use mta::submission::{Foreseen, Intent};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Api, body, json};
use crate::problem::{Problem, help};
use crate::router::Fault;
use crate::timestamp::rfc3339;

pub(crate) mod explain;
#[cfg(test)]
mod tests;

/// Recipients of one question.
pub(crate) const RECIPIENTS_MAX: usize = 100_000;
/// Questions that are answered at a time, one of a controller: each may be heavy, and mail goes before it.
pub(crate) const TOGETHER_MAX: usize = 2;

/// Who would be mailed, and for what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"stream": "newsletter", "recipients": ["ada@dest.example", "bob@dest.example"]}))]
pub(crate) struct DecisionsRequest {
    /// Name of the stream; the credential's default without it.
    #[serde(default)]
    stream: Option<json::Word>,
    /// Name of the purpose or list; the stream's default without it.
    #[serde(default)]
    purpose: Option<json::Word>,
    /// Domain or address of the From field; the rule about it is asked when it is given.
    #[serde(default)]
    from: Option<json::Email>,
    /// Addresses, 1 to 100,000 (and at most 36 MiB).
    #[serde(deserialize_with = "json::list::<_, _, RECIPIENTS_MAX>")]
    #[schema(max_items = 100_000)]
    recipients: Vec<json::Line>,
}

/// What would become of them, were they written to now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "asked_at": "2026-03-01T12:00:00.000000Z", "recipients": 6, "queued": 2, "held": 0, "refused": 2, "malformed": 1,
    "repeated": 1,
    "groups": [
        {"verdict": "refused", "rule": "consent-withdrawn", "article": "GDPR Art. 7(3)",
         "sentence": "this person withdrew his consent",
         "remedy": "do not mail this purpose; only the person can consent anew",
         "help": "https://mail.example/help/rules#consent-withdrawn", "count": 2, "places": [0, 3]}
    ],
    "faults": [{"detail": "the address has no @ between local part and domain", "places": [4]}],
    "repeats": [{"place": 5, "first": 1}]
}))]
pub(crate) struct Decisions {
    /// When it was asked. Facts may change at any moment: every message is decided anew when it is sent.
    asked_at: String,
    /// How many were given.
    recipients: usize,
    /// How many would be queued.
    queued: usize,
    /// How many would be taken in and held.
    held: usize,
    /// How many would be refused.
    refused: usize,
    /// How many are no addresses.
    malformed: usize,
    /// How many stand in the list a second time.
    repeated: usize,
    /// Those who would be held or refused, by rule.
    groups: Vec<Group>,
    /// What is no address, by fault.
    faults: Vec<AddressFault>,
    /// Who stands in the list a second time, under the same address after normalising.
    repeats: Vec<Repeat>,
}

/// Those of whom one rule says the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Group {
    /// `held` or `refused`.
    verdict: &'static str,
    /// The rule.
    rule: &'static str,
    /// The article or section that it enforces.
    article: &'static str,
    /// What is wrong.
    sentence: &'static str,
    /// What to do.
    remedy: &'static str,
    /// Where it is explained.
    help: String,
    /// How many.
    count: usize,
    /// Their places in `recipients`, from 0.
    places: Vec<usize>,
}

/// Entries of the list that are no addresses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct AddressFault {
    /// What is wrong.
    detail: String,
    /// Their places in `recipients`, from 0.
    places: Vec<usize>,
}

/// An entry that repeats another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Repeat {
    /// Its place in `recipients`, from 0.
    place: usize,
    /// The place of the first.
    first: usize,
}

/// Could these people be mailed now, and if not, why? Nothing is sent, kept or counted.
#[utoipa::path(
    post, path = "/v1/decisions", tag = "decisions", request_body = DecisionsRequest,
    responses(
        (status = 200, description = "What would become of each", body = Decisions),
        (status = 400, description = "A field is at fault, or there are more than 100,000 recipients", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 36 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment, or another such question of yours is being answered, or two \
                                      of others",
         body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_decisions(State(api): State<Api>, request: Request) -> Result<Json<Decisions>, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate(&parts.headers)?;
    let received = body::read(api.budget(), authority.controller(), &parts.headers, body, body::OCTETS_MAX).await?;
    // Once the question is here: whoever sends it slowly, or never, keeps nobody waiting.
    let _turn = api.foresight().take(api.store(), authority.controller())?;
    let work = tokio::task::spawn_blocking(move || read(&received.octets));
    let asked = work.await.unwrap_or_else(|_| Err(Problem::of(Fault::Internal)))?;
    let asked_at = rfc3339(api.store().now());
    let authority = match &asked.stream {
        None => Some(authority),
        Some(name) => authority.with_stream(name, api.store()),
    };
    let foreseen = match authority {
        Some(authority) => {
            let named =
                |name: &json::Word| api.store().purpose_named(authority.controller(), name).unwrap_or(PurposeId(0));
            let purpose = asked.purpose.as_ref().map_or_else(|| authority.stream().default_purpose(), named);
            let intent = Intent { purpose, from: asked.from.as_ref() };
            let foreseen = api.submission().foresee(&authority, intent, &asked.addresses).await;
            foreseen.map_err(|error| submission_failed(&error))?
        }
        // GDPR Art. 28(3)(a): no instruction can cover a stream that is not there.
        None => vec![Foreseen::Refused(Rule::OperationNotInstructed); asked.addresses.len()],
    };
    Ok(Json(sorted(&asked, &foreseen, asked_at, api.base_url())))
}

/// A request that was read: those who have an address, with their places, and those who have none.
struct Asked {
    stream: Option<json::Word>,
    purpose: Option<json::Word>,
    from: Option<Domain>,
    addresses: Vec<Address>,
    places: Vec<usize>,
    malformed: Vec<(usize, AddressError)>,
}

fn read(octets: &[u8]) -> Result<Asked, Problem> {
    let DecisionsRequest { stream, purpose, from, recipients } = json::parse(octets)?;
    if recipients.is_empty() {
        return Err(Problem::field("recipients", "at least one address is required"));
    }
    let domain = |text: json::Email| {
        let parsed =
            if text.contains('@') { Address::parse(&text).map(|it| it.domain().clone()) } else { Domain::parse(&text) };
        parsed.map_err(|fault| Problem::field("from", fault.to_string()))
    };
    let from = from.map(domain).transpose()?;
    let mut asked = Asked {
        stream,
        purpose,
        from,
        addresses: Vec::with_capacity(recipients.len()),
        places: Vec::with_capacity(recipients.len()),
        malformed: Vec::new(),
    };
    for (place, text) in recipients.iter().enumerate() {
        match Address::parse(text) {
            Ok(address) => {
                asked.addresses.push(address);
                asked.places.push(place);
            }
            Err(fault) => asked.malformed.push((place, fault)),
        }
    }
    Ok(asked)
}

/// One entry for each rule, in the order in which the gate asks.
fn sorted(asked: &Asked, foreseen: &[Foreseen], asked_at: String, base_url: &str) -> Decisions {
    let (mut queued, mut repeats) = (0, Vec::new());
    let mut groups: BTreeMap<(Rule, &'static str), Vec<usize>> = BTreeMap::new();
    let at = |place: usize| asked.places.get(place).copied().unwrap_or(place);
    for (index, one) in foreseen.iter().enumerate() {
        match *one {
            Foreseen::Queued => queued += 1,
            Foreseen::Held(rule) => groups.entry((rule, HELD)).or_default().push(at(index)),
            Foreseen::Refused(rule) => groups.entry((rule, REFUSED)).or_default().push(at(index)),
            Foreseen::Repeats(first) => repeats.push(Repeat { place: at(index), first: at(first) }),
        }
    }
    let mut faults: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, fault) in &asked.malformed {
        faults.entry(fault.to_string()).or_default().push(*place);
    }
    let count = |verdict| groups.iter().filter(|(key, _)| key.1 == verdict).map(|(_, places)| places.len()).sum();
    Decisions {
        asked_at,
        recipients: foreseen.len() + asked.malformed.len(),
        queued,
        held: count(HELD),
        refused: count(REFUSED),
        malformed: asked.malformed.len(),
        repeated: repeats.len(),
        groups: groups.into_iter().map(|((rule, verdict), places)| group(rule, verdict, places, base_url)).collect(),
        faults: faults.into_iter().map(|(detail, places)| AddressFault { detail, places }).collect(),
        repeats,
    }
}

const HELD: &str = "held";
const REFUSED: &str = "refused";

fn group(rule: Rule, verdict: &'static str, places: Vec<usize>, base_url: &str) -> Group {
    let row = rule.row();
    Group {
        verdict,
        rule: row.id,
        article: row.article,
        sentence: row.sentence,
        remedy: row.remedy,
        help: help(base_url, rule),
        count: places.len(),
        places,
    }
}

fn submission_failed(error: &mta::Error) -> Problem {
    tracing::warn!(%error, "a dry run could not be answered");
    let fault = match error.temper() {
        mta::Temper::Temporary => Fault::Temporary,
        mta::Temper::Permanent => Fault::Internal,
    };
    Problem::of(fault).saying(error.public())
}
