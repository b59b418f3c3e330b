//! What became of each recipient, as JSON: pure maps from the answers of `mta::submission`.
//!
//! Invariants: one entry for each recipient, in the order given; statuses as `router` and the gate's table say.

use gate::Rule;
use http::StatusCode;
use mta::submission::Answer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::{Problem, help};
use crate::router::Fault;

#[cfg(test)]
mod tests;

/// What became of one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Disposition {
    /// The address as given.
    #[schema(example = "ada@dest.example")]
    to: String,
    /// Whether it was taken in.
    status: Status,
    /// The message's id, for `GET /v1/messages/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "msg_2f9c6a1be07d4483")]
    id: Option<String>,
    /// The decision that refused it, for `GET /v1/decisions/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "dec_9a1c7be07d448302")]
    decision: Option<String>,
    /// The rule that refused or holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    /// The article or section that the rule enforces.
    #[serde(skip_serializing_if = "Option::is_none")]
    article: Option<&'static str>,
    /// What is wrong, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Where the rule is explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Whether a message was taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It waits to be delivered.
    Queued,
    /// It is kept until a human or the facts decide.
    Held,
    /// It was not taken in.
    Refused,
}

/// The answer to one message, at least one of whose recipients was queued or held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "request": "req_71d0c3a5be904412",
    "results": [
        {"to": "ada@dest.example", "status": "queued", "id": "msg_2f9c6a1be07d4483"},
        {"to": "bob@dest.example", "status": "refused", "decision": "dec_9a1c7be07d448302",
         "rule": "suppressed", "article": "GDPR Art. 21(3)",
         "detail": "this recipient is on your suppression list for this kind of mail; see the entry's reason; an \
                    opt-out is lifted only by the person himself",
         "help": "https://mail.example/help/rules#suppressed"}
    ]
}))]
pub(crate) struct Accepted {
    /// The request's id, for support.
    pub(crate) request: String,
    /// One entry for each recipient, in the order given.
    pub(crate) results: Vec<Disposition>,
}

/// What one message of a batch came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Told {
    /// At least one recipient was queued or held.
    Accepted(Accepted),
    /// None was.
    Problem {
        /// Why.
        problem: Problem,
    },
}

/// The answer to a batch: one entry for each message, in order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    /// One entry for each message.
    pub(crate) results: Vec<Told>,
}

/// What `POST /v1/messages` answers: for one message, or for a batch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "names both shapes in the OpenAPI document; answers are joined from stored JSON")]
pub(crate) enum SubmittedAnswer {
    /// For one message.
    One(Accepted),
    /// For a batch.
    Batch(BatchAnswer),
}

/// An [`Accepted`] as it is kept for a repeat: without addresses, and without what the gate's table says anyway.
#[derive(Serialize, Deserialize)]
struct Kept {
    request: String,
    results: Vec<KeptDisposition>,
}

#[derive(Serialize, Deserialize)]
struct KeptDisposition {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

impl Disposition {
    /// From the answer for one recipient. `to` is the address as the client gave it.
    pub(crate) fn of(to: &str, answer: &Answer, base_url: &str) -> Self {
        match answer {
            Answer::Queued(queued) => Self::with(to, Status::Queued, Some(queued.public_id.clone()), None, base_url),
            Answer::Held(queued, why) => {
                Self::with(to, Status::Held, Some(queued.public_id.clone()), Some(why.rule()), base_url)
            }
            Answer::Refused(why) => {
                let decision = why.decision().map(str::to_owned);
                Self { decision, ..Self::refused(to, why.rule(), base_url) }
            }
        }
    }

    /// Refused by a rule before the message came to the gate.
    pub(crate) fn refused(to: &str, rule: Rule, base_url: &str) -> Self {
        Self::with(to, Status::Refused, None, Some(rule), base_url)
    }

    fn with(to: &str, status: Status, id: Option<String>, rule: Option<Rule>, base_url: &str) -> Self {
        let row = rule.map(Rule::row);
        Self {
            to: to.to_owned(),
            status,
            id,
            decision: None,
            rule: row.map(|row| row.id),
            article: row.map(|row| row.article),
            detail: row.map(|row| format!("{}; {}", row.sentence, row.remedy)),
            help: rule.map(|rule| help(base_url, rule)),
        }
    }
}

impl Told {
    /// From all answers for one message. `to` are the addresses as the client gave them, in the order of `answers`.
    pub(crate) fn of<'t>(
        to: impl Iterator<Item = &'t str>,
        answers: &[Answer],
        request: String,
        base_url: &str,
    ) -> Self {
        let results: Vec<_> = to.zip(answers).map(|(to, answer)| Disposition::of(to, answer, base_url)).collect();
        let rules: Vec<Rule> = answers.iter().filter_map(refused_by).collect();
        if rules.len() < answers.len() {
            return Self::Accepted(Accepted { request, results });
        }
        Self::problem(all_refused(&rules, base_url).with_results(results))
    }

    /// A message none of whose recipients was taken in.
    pub(crate) fn problem(problem: Problem) -> Self {
        Self::Problem { problem }
    }

    /// What is kept of it for a repeat; nothing of a problem, since its repeat is decided anew.
    pub(crate) fn kept(&self) -> Option<Vec<u8>> {
        let Self::Accepted(Accepted { request, results }) = self else { return None };
        let results = results.iter().map(|result| KeptDisposition {
            status: result.status,
            id: result.id.clone(),
            decision: result.decision.clone(),
            rule: result.rule.map(str::to_owned),
        });
        serde_json::to_vec(&Kept { request: request.clone(), results: results.collect() }).ok()
    }

    /// The answer again, from what was kept of it and the addresses of the repeated request. `None` if they do not
    /// belong together.
    pub(crate) fn of_kept(kept: &[u8], to: &[String], base_url: &str) -> Option<Self> {
        let Kept { request, results } = serde_json::from_slice(kept).ok()?;
        if results.len() != to.len() {
            return None;
        }
        let each = to.iter().zip(results).map(|(to, KeptDisposition { status, id, decision, rule })| {
            let rule = match rule {
                Some(rule) => Some(Rule::from_id(&rule)?),
                None => None,
            };
            Some(Disposition { decision, ..Disposition::with(to, status, id, rule, base_url) })
        });
        Some(Self::Accepted(Accepted { request, results: each.collect::<Option<_>>()? }))
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Vec<u8> {
        // Strings and numbers alone: there is nothing in it that has no JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Its own status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Accepted(_) => StatusCode::ACCEPTED,
            Self::Problem { problem } => problem.status(),
        }
    }
}

fn refused_by(answer: &Answer) -> Option<Rule> {
    match answer {
        Answer::Refused(why) => Some(why.rule()),
        Answer::Queued(_) | Answer::Held(..) => None,
    }
}

/// Every recipient was refused: by a rule that concerns the sender (403), by the quota (429), or each by his own (422).
fn all_refused(rules: &[Rule], base_url: &str) -> Problem {
    if let Some(rule) = rules.iter().find(|rule| rule.concerns_sender()) {
        return Problem::refused(*rule, base_url);
    }
    match rules {
        [first, rest @ ..] if rest.iter().all(|rule| rule == first) => Problem::refused(*first, base_url),
        _ => Problem::of(Fault::RecipientsRefused),
    }
}

/// The status of a whole batch: 202 if anything was taken in; the common status if all failed alike; otherwise 422.
pub(crate) fn batch_status(each: &[StatusCode]) -> StatusCode {
    match each {
        [] => StatusCode::ACCEPTED,
        each if each.contains(&StatusCode::ACCEPTED) => StatusCode::ACCEPTED,
        [first, rest @ ..] if rest.iter().all(|status| status == first) => *first,
        _ => Fault::RecipientsRefused.row().status,
    }
}
