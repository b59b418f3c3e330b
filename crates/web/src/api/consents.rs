//! `POST /v1/consents` and `POST /v1/consents/withdraw`: the lawful basis of mail to one person on one stream.
//!
//! Invariants: the time of a consent is the server's, never the client's claim; a basis is recorded only under an
//! agreement and instruction in force, for a stream that the credential may use, and of a kind that its purpose may
//! rest on (GDPR Art. 28(3), 29); the controller's word never replaces what the person did himself on a page; a
//! withdrawal is in force when it is answered, and nothing but a dead credential stands in its way (GDPR Art. 7(3)).

use axum::Json;
use axum::extract::{Request, State};
use duties::document::basis::{Fact, SoftOptIn};
use gate::Rule;
use http::StatusCode;
use model::DocumentId;
use model::basis::{BasisKind, Evidence};
use model::stream::OptOut;
use serde::{Deserialize, Serialize};
use store::permission::{Act, DocumentKind, Method, Recording};
use store::{Authority, NewBasis, Scope, Verified};
use utoipa::ToSchema;

use crate::api::suppressions::address;
use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;

/// The basis of mail to a person on a stream.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "email": "ada@dest.example", "stream": "newsletter", "kind": "consent", "confirmed": true
}))]
pub(crate) struct ConsentRequest {
    /// The address.
    email: json::Email,
    /// Name of the stream whose purpose it covers.
    stream: json::Word,
    /// What it is.
    kind: Kind,
    /// Did the person confirm it (double opt-in)? Unconfirmed consent carries no marketing.
    confirmed: bool,
    /// Id of the notice that was shown to him, as `POST /v1/notices` answered it. Without it the record is unverified:
    /// it carries mail only where the instruction says so (GDPR Art. 7(1)).
    #[serde(default)]
    notice: Option<json::Word>,
    /// How he said so.
    #[serde(default)]
    method: Means,
    /// What he did: a box he ticked, a button he pressed, a signature. Needed for a record that is evidence.
    #[serde(default)]
    action: Option<Action>,
    /// Of a soft opt-in, and needed for one: in which sale, and what was offered (ePrivacy Art. 13(2)).
    #[serde(default)]
    soft_opt_in: Option<Sale>,
    /// What else you know of it, to be kept as evidence under the person's own key: as your word, at most 32 members,
    /// and 4 KiB of JSON. Names that evidence has for what it saw itself (`action`, `controller`, `withdrawal` and
    /// others) are refused.
    #[serde(default)]
    details: Option<json::Anything>,
}

/// The conditions of a soft opt-in, but for the last: an opt-out in each message, which is the stream's.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"sale": "order 17", "similar_products": true, "opt_out_at_collection": true}))]
pub(crate) struct Sale {
    /// Reference to the sale, or to its negotiation, in which the address was obtained. Never an address.
    sale: json::Line,
    /// Is the mail about products or services of your own that are similar to those sold?
    similar_products: bool,
    /// Could the person opt out, free and easily, when his address was collected?
    opt_out_at_collection: bool,
}

/// Octets of a reference to a sale.
const SALE_OCTETS_MAX: usize = 256;

/// Names of details that are said by a typed field, or by a page of ours that saw it (GDPR Art. 5(1)(d), 7(1)).
const RESERVED: [&str; 12] = [
    "action",
    "basis",
    "by",
    "confirmed",
    "controller",
    "form",
    "language",
    "page",
    "soft_opt_in",
    "source",
    "subject",
    "withdrawal",
];

/// How a person said so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Means {
    /// On a form of yours.
    Form,
    /// To your own system in another way.
    #[default]
    Api,
    /// On paper.
    Paper,
    /// By word of mouth.
    Verbal,
}

/// What a person did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Ticked a box that was empty.
    CheckboxTicked,
    /// Pressed a button that says what it does.
    Button,
    /// Signed.
    Signature,
    /// Said yes.
    SpokenYes,
    /// Left a box ticked: no consent (GDPR Art. 4(11); CJEU C-673/17).
    CheckboxPreTicked,
    /// One act for several things at once: no consent (GDPR Art. 7(2)).
    Bundled,
    /// Had to, to get something else: no consent (GDPR Art. 7(4)).
    Conditional,
}

impl Action {
    /// Why this is no consent.
    const fn defect(self) -> Option<&'static str> {
        match self {
            Self::CheckboxTicked | Self::Button | Self::Signature | Self::SpokenYes => None,
            Self::CheckboxPreTicked => Some("a box that was ticked beforehand is no consent (GDPR Art. 4(11))"),
            Self::Bundled => Some("one act for several purposes is no consent to any of them (GDPR Art. 7(2))"),
            Self::Conditional => Some("consent that something else hangs on is not freely given (GDPR Art. 7(4))"),
        }
    }
}

/// Kinds of basis that a controller may record here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Consent (GDPR Art. 6(1)(a), 7).
    Consent,
    /// The address of a customer, for similar products (ePrivacy Art. 13(2)).
    SoftOptIn,
    /// A contract with the person (GDPR Art. 6(1)(b)).
    Contract,
}

impl Kind {
    const fn of_model(self) -> BasisKind {
        match self {
            Self::Consent => BasisKind::Consent,
            Self::SoftOptIn => BasisKind::SoftOptIn,
            Self::Contract => BasisKind::Contract,
        }
    }
}

/// Which basis ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@dest.example", "stream": "newsletter"}))]
pub(crate) struct WithdrawalRequest {
    /// The address.
    email: json::Email,
    /// Name of the stream.
    stream: json::Word,
}

/// What was recorded. The address is not repeated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"stream": "newsletter", "state": "recorded", "evidence": "complete"}))]
pub(crate) struct Consent {
    /// Name of the stream.
    stream: String,
    /// What holds now.
    state: Standing,
    /// Is it evidence? `unverified` carries mail only where the instruction says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Shown>,
}

/// How well a basis is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shown {
    /// Who, when, how, and with which words is known.
    Complete,
    /// Something of it is asserted alone.
    Unverified,
}

/// What holds after the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    /// The basis is recorded.
    Recorded,
    /// Nothing was changed: what the person did himself stands, or this very act was told before.
    AlreadyThere,
    /// It is withdrawn.
    Withdrawn,
    /// None was recorded; that the person does not wish it is kept all the same.
    Absent,
}

/// Records a basis, with the server's time.
///
/// What the person did himself, on his page or by confirming, is never replaced by it, and the same act told again
/// keeps its first time: both are answered with `already-there`. What has run out is followed by a later act with
/// evidence
/// alone; one that differs in its notice, its method or its `details`.
#[utoipa::path(
    post, path = "/v1/consents", tag = "people", request_body = ConsentRequest,
    responses(
        (status = 200, description = "It stands already, and nothing was changed", body = Consent),
        (status = 201, description = "Recorded", body = Consent),
        (status = 403, description = "Refused for the sender as a whole: agreement, instruction, stream or credential; \
                                      or the instruction does not let the stream's mail rest on this kind of basis",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "What stands has run out, and this is no later act with evidence",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The person withdrew", body = Problem, content_type = "application/problem+json"),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_consent(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<Consent>), Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: ConsentRequest = received.parse().await?;
    let address = address(&asked.email)?;
    let authority = on_stream(&asked.stream, &authority, &api)?;
    // GDPR Art. 29: who acts under the controller's authority acts only within it; Art. 28(3): a basis opens the way
    // for mail, so it is recorded only where mail might go.
    if let Some(refusal) = api.submission().check_sender(&authority) {
        return Err(Problem::refused(refusal.rule(), api.base_url()));
    }
    carried(&api, &authority, asked.kind)?;
    if let Some(defect) = asked.action.and_then(Action::defect) {
        return Err(Problem::field("action", defect));
    }
    if let Some(sale) = &asked.soft_opt_in {
        if asked.kind != Kind::SoftOptIn {
            return Err(Problem::field("soft_opt_in", "is said of a basis of that kind alone"));
        }
        // GDPR Art. 5(1)(c): a reference is enough.
        if sale.sale.len() > SALE_OCTETS_MAX || sale.sale.contains('@') {
            return Err(Problem::field("soft_opt_in.sale", "is a reference of at most 256 octets, and no address"));
        }
    }
    let is_reserved = |name: &&&str| asked.details.as_ref().is_some_and(|details| details.0.contains_key(**name));
    if let Some(name) = RESERVED.iter().find(is_reserved) {
        let fault = format!("the name {name} is that of something evidence says itself; choose another one");
        return Err(Problem::field("details", fault));
    }
    let notice = match &asked.notice {
        Some(text) => Some(notice(&api, &authority, text).await?),
        None => None,
    };
    let is_whole = match asked.kind {
        // ePrivacy Art. 13(2): each of its four conditions, or none of it. No act of the person is asked for.
        Kind::SoftOptIn => is_soft_opt_in(asked.soft_opt_in.as_ref(), authority.stream().terms.opt_out),
        Kind::Consent | Kind::Contract => asked.action.is_some(),
    };
    let evidence = if notice.is_some() && is_whole { Evidence::Complete } else { Evidence::Unverified };
    let basis = NewBasis { evidence, ..basis(asked.kind, asked.confirmed) };
    let details = details(&asked);
    to_the_end(async move {
        let act = Act { method: method(asked.method), notice, form: None, details: &details };
        let recorded = api
            .store()
            .record_basis(authority.controller(), authority.stream().default_purpose(), &address, basis, &act)
            .await;
        let (status, state, evidence) = match recorded {
            Ok(Recording::Recorded) => (StatusCode::CREATED, Standing::Recorded, evidence),
            Ok(Recording::AlreadyThere(evidence)) => (StatusCode::OK, Standing::AlreadyThere, evidence),
            Ok(Recording::RanOut) => return Err(Problem::refused(Rule::ConsentExpired, api.base_url())),
            Err(store::Error::Withdrawn) => return Err(Problem::of(Fault::Withdrawn)),
            Err(error) => return Err(store_failed(&error)),
        };
        let evidence = Some(if evidence == Evidence::Complete { Shown::Complete } else { Shown::Unverified });
        Ok((status, Json(Consent { stream: asked.stream.into(), state, evidence })))
    })
    .await
}

/// GDPR Art. 6(1), 28(3)(a): mail for a purpose rests on what the instruction in force says, and on nothing else.
fn carried(api: &Api, authority: &Authority, kind: Kind) -> Result<(), Problem> {
    let purpose = api.store().purpose(authority.controller(), authority.stream().default_purpose());
    if purpose.is_some_and(|purpose| purpose.bases.contains(&kind.of_model())) {
        return Ok(());
    }
    let sentence = "the instruction in force does not let mail of this stream rest on a basis of this kind; record the \
                    kind that it names, or let it name this one";
    Err(Problem::refused(Rule::OperationNotInstructed, api.base_url()).saying(sentence))
}

/// The person withdraws, as on his own page: the basis ends and he is suppressed for the stream's purpose, in force at
/// once. Works with any valid key, on every stream, whether or not an agreement is in force.
#[utoipa::path(
    post, path = "/v1/consents/withdraw", tag = "people", request_body = WithdrawalRequest,
    responses(
        (status = 200, description = "Withdrawn, and in force", body = Consent),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_withdrawal(State(api): State<Api>, request: Request) -> Result<Json<Consent>, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate(&parts.headers)?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: WithdrawalRequest = received.parse().await?;
    let address = address(&asked.email)?;
    // GDPR Art. 7(3): as easy as giving it. Neither scope nor agreement is asked: it only takes processing away.
    let authority = on_stream(&asked.stream, &authority, &api)?;
    let act = Act::by(Method::Api);
    to_the_end(async move {
        let state = match api
            .store()
            .withdraw_basis(authority.controller(), authority.stream().default_purpose(), &address, &act)
            .await
        {
            Ok(true) => Standing::Withdrawn,
            Ok(false) => Standing::Absent,
            Err(error) => return Err(store_failed(&error)),
        };
        Ok(Json(Consent { stream: asked.stream.into(), state, evidence: None }))
    })
    .await
}

/// The same credential, for the stream that the request names.
fn on_stream(name: &str, authority: &Authority, api: &Api) -> Result<Authority, Problem> {
    let found = authority.with_stream(name, api.store());
    found.ok_or_else(|| Problem::field("stream", "there is no stream of this name"))
}

/// A notice of this controller; another controller's is not there.
async fn notice(api: &Api, authority: &Authority, text: &str) -> Result<DocumentId, Problem> {
    let absent = || Problem::field("notice", "there is no notice with this id; keep it with POST /v1/notices first");
    let id: DocumentId = api.store().parse_public(text).ok_or_else(absent)?;
    let found = api.store().document(authority.controller(), id).await.map_err(|error| store_failed(&error))?;
    found.filter(|document| document.kind == DocumentKind::Notice).map(|document| document.id).ok_or_else(absent)
}

const fn method(means: Means) -> Method {
    match means {
        Means::Form => Method::Form,
        Means::Api => Method::Api,
        Means::Paper => Method::Paper,
        Means::Verbal => Method::Verbal,
    }
}

/// Are all four conditions there? That the seller is who mails is why a controller has an account of his own.
fn is_soft_opt_in(sale: Option<&Sale>, opt_out: OptOut) -> bool {
    let shown = |is_so: bool| if is_so { Fact::Shown } else { Fact::NotShown };
    sale.is_some_and(|sale| {
        let facts = SoftOptIn {
            sale_reference: sale.sale.to_string(),
            same_controller: Fact::Shown,
            similar_products: shown(sale.similar_products),
            opt_out_at_collection: shown(sale.opt_out_at_collection),
            opt_out_in_each_message: shown(opt_out != OptOut::None),
        };
        facts.complete().is_ok()
    })
}

fn details(asked: &ConsentRequest) -> String {
    let mut details = asked.details.clone().unwrap_or_default().0;
    if let Some(action) = asked.action {
        details.insert("action".to_owned(), serde_json::json!(action));
    }
    if let Some(sale) = &asked.soft_opt_in {
        details.insert("soft_opt_in".to_owned(), serde_json::json!(sale));
    }
    serde_json::Value::Object(details).to_string()
}

fn basis(kind: Kind, confirmed: bool) -> NewBasis {
    let confirmed = if confirmed { Verified::Yes } else { Verified::No };
    NewBasis { kind: kind.of_model(), confirmed, evidence: Evidence::Unverified, expires: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::golden;

    #[test]
    fn the_answer_does_not_repeat_the_address() {
        golden(
            "consent.json",
            &Consent { stream: "newsletter".to_owned(), state: Standing::Recorded, evidence: Some(Shown::Complete) },
        );
    }

    #[test]
    fn eprivacy13_2_of_16_combinations_only_the_full_one_is_a_soft_opt_in() {
        for bits in 0..16_u8 {
            let said = |bit: u8| bits & (1 << bit) != 0;
            let sale = Sale {
                sale: if said(0) { "order 17" } else { " " }.to_owned().into(),
                similar_products: said(1),
                opt_out_at_collection: said(2),
            };
            let opt_out = if said(3) { OptOut::OneClick } else { OptOut::None };
            assert_eq!(is_soft_opt_in(Some(&sale), opt_out), bits == 15, "{bits:04b}");
        }
        assert!(!is_soft_opt_in(None, OptOut::OneClick));
    }

    #[test]
    fn art7_1_confirmation_is_said_and_not_presumed() {
        let asked = br#"{"email": "ada@dest.example", "stream": "newsletter", "kind": "soft-opt-in"}"#;
        assert!(json::parse::<ConsentRequest>(asked).is_err(), "`confirmed` must be given");
        assert_eq!(basis(Kind::Consent, false).confirmed, Verified::No);
        assert_eq!(basis(Kind::SoftOptIn, true).kind, BasisKind::SoftOptIn);
    }
}
