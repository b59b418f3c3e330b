//! `GET /v1/decisions/{id}` and `POST /v1/decisions/search`: why a message went or did not go, and how a person stands.
//!
//! Invariants: another controller's decision is answered exactly like one that does not exist (GDPR Art. 32(1)(b)); an
//! address stands in a body, never in a path or a query (law.md R40). Never: a write, but of refusals that waited.

use axum::Json;
use axum::extract::{Path, Request, State};
use gate::{Asking, Rule, passed};
use http::HeaderMap;
use model::ids::hex;
use model::{DecisionId, MessageId, RecipientTag, StepId, Timestamp};
use mta::submission::{Foreseen, Intent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::permission::EventView;
use store::{Asked, Authority, Basis, DecisionView, Fact, Moment, Paper, Scope, Shown, Store, Verdict};
use utoipa::ToSchema;

use super::submission_failed;
use crate::api::suppressions::address;
use crate::api::{Api, body, json, store_failed};
use crate::problem::{Problem, help};
use crate::router::Fault;
use crate::timestamp::rfc3339;

/// Steps of one answer.
const STEPS: usize = 100;
/// Streams with their purposes that one answer tells of.
const STANDINGS_MAX: usize = 100;

/// A decision, and what led to it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "msg_2f9c6a1be07d4483", "to": "ada@dest.example", "state": "stopped", "stream": "newsletter",
    "purpose": "newsletter", "agreement": {"id": "agr_71d0c3a5be904412", "version": 2},
    "instruction": {"id": "ins_0d0c3a5be9044127", "version": 5},
    "basis": {"kinds": ["consent"], "given_at": "2026-02-01T09:00:00.000000Z",
              "confirmed_at": "2026-02-01T09:00:00.000000Z", "evidence": "complete", "method": "double-opt-in",
              "notice": {"name": "sign-up", "version": 3, "language": "en",
                         "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}},
    "asked": [
        {"at": "2026-03-01T12:00:00.000000Z", "moment": "acceptance", "attempt": 0, "verdict": "passed",
         "passed": ["agreement-not-in-force", "objected", "suppressed"]},
        {"at": "2026-03-01T12:05:00.000000Z", "moment": "before-mail", "attempt": 1, "verdict": "refused",
         "rule": "suppressed", "article": "GDPR Art. 21(3)",
         "sentence": "this recipient is on your suppression list for this kind of mail",
         "remedy": "see the entry's reason; an opt-out is lifted only by the person himself",
         "help": "https://mail.example/help/rules#suppressed", "passed": ["agreement-not-in-force"],
         "facts": [{"what": "suppression", "kind": "opt-out", "scope": "purpose:newsletter",
                    "at": "2026-03-01T12:04:00.000000Z"}]}
    ]
}))]
pub(crate) struct Decision {
    /// The message's id, or that of the refusal.
    id: String,
    /// The recipient; absent once that is not kept any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Where the message stands; absent for what was never taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Name of the stream.
    stream: String,
    /// Name of the purpose or list.
    purpose: String,
    /// The agreement it rested on.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<PaperTold>,
    /// The instruction it rested on.
    #[serde(skip_serializing_if = "Option::is_none")]
    instruction: Option<PaperTold>,
    /// The lawful basis it rested on.
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<BasisTold>,
    /// Every time the gate was asked, oldest first.
    asked: Vec<AskedTold>,
}

/// A version of an agreement or an instruction.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaperTold {
    /// Its id.
    id: String,
    /// Its version.
    version: i64,
}

/// A lawful basis (GDPR Art. 6(1)).
#[derive(Serialize, ToSchema)]
pub(crate) struct BasisTold {
    /// `consent`, `soft-opt-in`, `contract`, `legal-obligation`, `legitimate-interest`; several where the purpose has
    /// several of its own.
    kinds: Vec<&'static str>,
    /// The contract, law or assessment behind a purpose's own basis.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// When it was given, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_at: Option<String>,
    /// When the person confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<String>,
    /// When it runs out.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// `complete` or `unverified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'static str>,
    /// How it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// What else is kept as evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
    /// Its entry in the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The words that were shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<NoticeTold>,
    /// The import it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    import: Option<ImportTold>,
}

/// Words that were shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct NoticeTold {
    name: String,
    version: u32,
    language: String,
    /// Of its octets, in hexadecimal digits.
    sha256: String,
}

/// An import.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportTold {
    /// Its id.
    id: String,
    /// What was said of the whole file.
    #[schema(value_type = Object)]
    about: Value,
}

/// One time that the gate was asked.
#[derive(Serialize, ToSchema)]
pub(crate) struct AskedTold {
    /// When, RFC 3339 in UTC.
    at: String,
    /// `acceptance`; `before-mail` of an attempt; `before-final-dot`: the transaction was cut, nobody received it.
    moment: &'static str,
    /// Which attempt at delivery, from 1; 0 where there is none.
    attempt: u32,
    /// `passed`, `held` or `refused`.
    verdict: &'static str,
    #[serde(flatten)]
    rule: Option<RuleTold>,
    /// The rules that were asked about and did not fire.
    passed: Vec<&'static str>,
    /// On what the rule fired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<FactTold>,
    /// Its entry in the ledger; a refusal is only counted there.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
}

/// A rule of the gate.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleTold {
    /// Its id.
    rule: &'static str,
    /// The article or section that it enforces.
    article: &'static str,
    /// What is wrong.
    sentence: &'static str,
    /// What to do.
    remedy: &'static str,
    /// Where it is explained.
    help: String,
}

/// A fact that a rule fired on.
#[derive(Serialize, ToSchema)]
pub(crate) struct FactTold {
    /// `no-basis`, `basis`, `withdrawal`, `request`, `no`, `suppression`, `restriction`, `pause`, `agreement`,
    /// `instruction`.
    what: String,
    /// Kind of a basis, reason of a suppression, state of an agreement or instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// How far it reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// How it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// When the person confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<String>,
    /// When it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// `complete` or `unverified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
}

/// Of whom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@dest.example"}))]
pub(crate) struct SearchRequest {
    /// The address.
    email: json::Email,
    /// `next` of the page before: further steps.
    #[serde(default)]
    after: Option<json::Word>,
}

/// How a person stands with this controller.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonTold)]
pub(crate) struct Person {
    /// What would become of a message to him now, by stream and purpose.
    standing: Vec<Standing>,
    /// The steps of his consents, oldest first: 100 of them.
    steps: Vec<StepTold>,
    /// Where the next steps begin; absent when there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// In which scopes he is not mailed.
    suppressions: Vec<FactTold>,
    /// His refusals that are kept, newest first: the last 100.
    refusals: Vec<Decision>,
}

/// What would become of a message now.
#[derive(Serialize, ToSchema)]
pub(crate) struct Standing {
    /// Name of the stream.
    stream: String,
    /// Name of the purpose.
    purpose: String,
    /// `queued`, `held` or `refused`.
    verdict: &'static str,
    #[serde(flatten)]
    rule: Option<RuleTold>,
}

/// A step of a consent.
#[derive(Serialize, ToSchema)]
pub(crate) struct StepTold {
    /// Name of the purpose; empty for all marketing.
    purpose: String,
    /// `requested`, `refused`, `given` or `withdrawn`.
    what: String,
    /// When, RFC 3339 in UTC.
    at: String,
    /// How.
    method: String,
    /// Its entry in the ledger.
    event_id: String,
}

/// Why a message went or did not go: by the message's id, or by the `decision` of a refusal.
#[utoipa::path(
    get, path = "/v1/decisions/{id}", tag = "decisions",
    params(("id" = String, Path, description = "Id of a message, or of a refused recipient's decision",
            example = "msg_2f9c6a1be07d4483")),
    responses(
        (status = 200, description = "What led to it", body = Decision),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such decision of yours, or not kept any more (refusals: the newest 10,000, \
                                      for 30 days)", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_decision(
    State(api): State<Api>,
    Path(id): Path<String>,
    fields: HeaderMap,
) -> Result<Json<Decision>, Problem> {
    let controller = api.authenticate(&fields)?.controller();
    let store = api.store();
    let found = if let Some(id) = store.parse_public::<MessageId>(&id) {
        store.decision_of_message(controller, id).await
    } else if let Some(id) = store.parse_public::<DecisionId>(&id) {
        store.decision_of_refusal(controller, id).await
    } else {
        Ok(None)
    };
    match found {
        Ok(Some(view)) => Ok(Json(decision(view, &api))),
        Ok(None) => Err(Problem::of(Fault::NotFound)),
        Err(error) => Err(store_failed(&error)),
    }
}

/// How a person stands: what the gate would say now, his consents, and his refusals.
#[utoipa::path(
    post, path = "/v1/decisions/search", tag = "decisions", request_body = SearchRequest,
    responses(
        (status = 200, description = "What is known of him here; of a stranger as well", body = Person),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_search(State(api): State<Api>, request: Request) -> Result<Json<Person>, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: SearchRequest = received.parse().await?;
    let address = address(&asked.email)?;
    let store = api.store();
    let tag = store.tag_of(authority.controller(), &address).map_err(|error| store_failed(&error))?;
    let unread = || Problem::field("after", "is not the `next` of a page");
    let after = match &asked.after {
        Some(text) => store.parse_public::<StepId>(text).ok_or_else(unread)?,
        None => StepId(0),
    };
    Ok(Json(Person {
        standing: standing(&api, &authority, &address).await?,
        ..recorded(&api, &authority, (tag, after)).await.map_err(|error| store_failed(&error))?
    }))
}

/// What would become of a message to him now, stream by stream.
async fn standing(api: &Api, authority: &Authority, to: &mail::address::Address) -> Result<Vec<Standing>, Problem> {
    let store = api.store();
    let mut standing = Vec::new();
    for stream in store.streams(authority.controller()) {
        let Some(authority) = authority.with_stream(&stream.name, store) else { continue };
        for purpose in &stream.purposes {
            if standing.len() == STANDINGS_MAX {
                return Ok(standing);
            }
            let intent = Intent { purpose: *purpose, from: None };
            let foreseen = api.submission().foresee(&authority, intent, std::slice::from_ref(to)).await;
            let (verdict, rule) = match foreseen.map_err(|error| submission_failed(&error))?.first() {
                None | Some(Foreseen::Queued | Foreseen::Repeats(_)) => ("queued", None),
                Some(Foreseen::Held(rule)) => ("held", Some(*rule)),
                Some(Foreseen::Refused(rule)) => ("refused", Some(*rule)),
            };
            standing.push(Standing {
                stream: stream.name.clone(),
                purpose: store.purpose_name(authority.controller(), *purpose),
                verdict,
                rule: rule.map(|rule| rule_told(rule, api.base_url())),
            });
        }
    }
    Ok(standing)
}

async fn recorded(api: &Api, authority: &Authority, (tag, after): (RecipientTag, StepId)) -> store::Result<Person> {
    let (store, controller) = (api.store(), authority.controller());
    let step = |event: EventView| StepTold {
        purpose: store.purpose_name(controller, event.purpose),
        what: event.what,
        at: rfc3339(event.at),
        method: event.method,
        event_id: event.event.to_hex(),
    };
    let suppressions = store.decided(controller, tag).await?.suppressions.into_iter().map(|entry| {
        fact(Fact {
            what: "suppression".to_owned(),
            kind: Some(entry.reason.as_str().to_owned()),
            scope: Some(store.scope_name(controller, entry.scope)),
            at: Some(entry.since),
            until: entry.until,
            ..Fact::default()
        })
    });
    let refusals = store.refusals_of(controller, tag).await?;
    let steps = store.consent_events_after(controller, tag, after, STEPS).await?;
    let next = steps.last().filter(|_| steps.len() == STEPS).map(|last| store.public_id(last.id));
    Ok(Person {
        standing: Vec::new(),
        steps: steps.into_iter().map(step).collect(),
        next,
        suppressions: suppressions.collect(),
        refusals: refusals.into_iter().map(|view| decision(view, api)).collect(),
    })
}

fn decision(view: DecisionView, api: &Api) -> Decision {
    let store = api.store();
    Decision {
        id: view.id,
        to: view.to,
        state: view.state,
        stream: view.stream,
        purpose: view.purpose,
        agreement: view.agreement.map(paper),
        instruction: view.instruction.map(paper),
        basis: view.basis.map(|found| basis(found, store)),
        asked: view.asked.into_iter().map(|asked| told(asked, api.base_url())).collect(),
    }
}

fn paper(paper: Paper) -> PaperTold {
    PaperTold { id: paper.id, version: paper.version }
}

fn basis(basis: Basis, store: &Store) -> BasisTold {
    let (method, details, event_id) = match basis.event {
        Some(event) => (Some(event.method), event.details, Some(event.event.to_hex())),
        None => (None, None, None),
    };
    let object = |text: String| serde_json::from_str::<Map<String, Value>>(&text).ok();
    BasisTold {
        kinds: basis.kinds.into_iter().map(|kind| kind.as_str()).collect(),
        reference: basis.reference,
        given_at: basis.given.map(rfc3339),
        confirmed_at: basis.confirmed.map(rfc3339),
        expires_at: basis.expires.map(rfc3339),
        evidence: basis.evidence.map(|evidence| evidence.as_str()),
        method,
        details: details.and_then(object).filter(|object| !object.is_empty()).map(Value::Object),
        event_id,
        notice: basis.shown.map(notice),
        import: basis.import.map(|(id, about)| ImportTold {
            id: store.public_id(id),
            about: object(about).map(Value::Object).unwrap_or_default(),
        }),
    }
}

fn notice(shown: Shown) -> NoticeTold {
    let Shown { name, version, language, sha256 } = shown;
    NoticeTold { name, version, language, sha256: hex(&sha256) }
}

fn told(asked: Asked, base_url: &str) -> AskedTold {
    let (moment, asking) = match asked.moment {
        Moment::Acceptance => ("acceptance", Asking::Acceptance),
        Moment::BeforeMail => ("before-mail", Asking::Clearance),
        Moment::BeforeFinalDot => ("before-final-dot", Asking::Clearance),
    };
    let verdict = match asked.verdict {
        Verdict::Passed => "passed",
        Verdict::Held => "held",
        Verdict::Refused => "refused",
    };
    AskedTold {
        at: rfc3339(asked.at),
        moment,
        attempt: asked.attempt,
        verdict,
        rule: asked.rule.map(|rule| rule_told(rule, base_url)),
        passed: passed(asked.rule, asking).into_iter().map(Rule::id).collect(),
        facts: asked.facts.into_iter().map(fact).collect(),
        event_id: asked.event,
    }
}

fn rule_told(rule: Rule, base_url: &str) -> RuleTold {
    let row = rule.row();
    RuleTold {
        rule: row.id,
        article: row.article,
        sentence: row.sentence,
        remedy: row.remedy,
        help: help(base_url, rule),
    }
}

fn fact(fact: Fact) -> FactTold {
    let moment = |at: Option<Timestamp>| at.map(rfc3339);
    FactTold {
        what: fact.what,
        kind: fact.kind,
        scope: fact.scope,
        method: fact.method,
        at: moment(fact.at),
        confirmed_at: moment(fact.confirmed),
        withdrawn_at: moment(fact.withdrawn),
        until: moment(fact.until),
        evidence: fact.evidence,
    }
}
