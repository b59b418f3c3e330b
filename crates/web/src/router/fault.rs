//! Faults of a request or of the node, each with its HTTP status: the door's one table. The gate's rules carry
//! theirs in `gate::rule`, which is the source for both doors.

use gate::Rule;
use http::StatusCode;

use crate::problem::RETRY_AFTER_S;

/// Why a request was not done, other than by a rule of the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The request is not what the interface takes.
    Malformed,
    /// No key, or one that is not known.
    NotAuthenticated,
    /// The key may not do this.
    OutOfScope,
    /// No such path, or nothing of this controller by that id.
    NotFound,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// The body did not come in time.
    BodyTimeout,
    /// The Idempotency-Key was used for another request.
    IdempotencyConflict,
    /// A request with this Idempotency-Key is being done at this moment.
    IdempotencyInProgress,
    /// The person withdrew what is to be recorded anew.
    Withdrawn,
    /// What is asked about is not in a state for it.
    OutOfTurn,
    /// The person wished what is to be taken back.
    PersonsWish,
    /// The body is too large.
    TooLarge,
    /// The body is by its own word not what the path takes: JSON, but for whole messages.
    MediaType,
    /// Every recipient was refused, for different reasons.
    RecipientsRefused,
    /// A fault of ours.
    Internal,
    /// Too much at once.
    Busy,
    /// The answer took too long.
    Slow,
    /// Not at the moment.
    Temporary,
}

/// How a fault is told.
pub(crate) struct FaultRow {
    /// The stable id.
    pub(crate) id: &'static str,
    /// What is wrong, for every case of it.
    pub(crate) title: &'static str,
    /// What to do.
    pub(crate) remedy: &'static str,
    /// The status.
    pub(crate) status: StatusCode,
    /// Seconds after which it is worth trying again.
    pub(crate) retry_after_s: Option<u32>,
}

impl Fault {
    /// Every fault.
    pub(crate) const ALL: [Self; 18] = [
        Self::Malformed,
        Self::NotAuthenticated,
        Self::OutOfScope,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::IdempotencyConflict,
        Self::IdempotencyInProgress,
        Self::Withdrawn,
        Self::OutOfTurn,
        Self::PersonsWish,
        Self::TooLarge,
        Self::MediaType,
        Self::RecipientsRefused,
        Self::Internal,
        Self::Busy,
        Self::Slow,
        Self::Temporary,
    ];

    /// The fault's row of the table.
    pub(crate) const fn row(self) -> FaultRow {
        match self {
            Self::Malformed => row(
                "malformed",
                "The request is not well-formed",
                "mend the request as the text says; nothing of it was kept",
                StatusCode::BAD_REQUEST,
            ),
            Self::NotAuthenticated => row(
                "not-authenticated",
                "No valid key was given",
                "send `Authorization: Bearer KEY` with the API key of a credential that is neither revoked nor expired",
                StatusCode::UNAUTHORIZED,
            ),
            // GDPR Art. 29, 32(4): who holds a key does what it was made for.
            Self::OutOfScope => row(
                "out-of-scope",
                "The key may not do this",
                "use a key with the scope that the text names; the operator makes one with `postern credential create`",
                StatusCode::FORBIDDEN,
            ),
            Self::NotFound => row(
                "not-found",
                "There is nothing here",
                "no such path, or nothing of yours by this id; the paths are listed in /v1/openapi.json",
                StatusCode::NOT_FOUND,
            ),
            Self::MethodNotAllowed => row(
                "method-not-allowed",
                "This path has no such method",
                "the methods of each path are listed in /v1/openapi.json",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            Self::RecipientsRefused => row(
                "recipients-refused",
                "Every recipient was refused",
                "each entry of `results` says which rule refused it and what to do",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            Self::OutOfTurn => row(
                "out-of-turn",
                "It is not in a state for that",
                "look at where it stands; the text says what comes first",
                StatusCode::CONFLICT,
            ),
            Self::TooLarge => row(
                "too-large",
                "The request is too large",
                "a request has at most 36 MiB, of which attachments make up at most 25 MiB before encoding",
                StatusCode::PAYLOAD_TOO_LARGE,
            ),
            Self::MediaType => row(
                "media-type",
                "The body is not of the kind that this path takes",
                "send `Content-Type: application/json` (`message/rfc822` for a whole message) and no Content-Encoding",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            // GDPR Art. 7(3): a withdrawal is the person's; no system of the controller takes it back.
            Self::Withdrawn => row(
                "person-withdrew",
                "This person withdrew",
                "only the person himself can consent anew; do not record it for him",
                StatusCode::CONFLICT,
            ),
            // GDPR Art. 7(3), 21(3): nor does it take back what he wished.
            Self::PersonsWish => row(
                "persons-wish",
                "The person wished this",
                "only the person himself takes it back, on the page behind the links in his mail",
                StatusCode::CONFLICT,
            ),
            Self::IdempotencyConflict | Self::IdempotencyInProgress => self.repeat_row(),
            Self::BodyTimeout | Self::Internal | Self::Busy | Self::Slow | Self::Temporary => self.node_row(),
        }
    }

    const fn repeat_row(self) -> FaultRow {
        match self {
            Self::IdempotencyInProgress => FaultRow {
                retry_after_s: Some(1),
                ..row(
                    "idempotency-in-progress",
                    "A request with this Idempotency-Key is being done",
                    "repeat the request a little later to get its answer; do not send it with another key",
                    StatusCode::CONFLICT,
                )
            },
            _ => row(
                "idempotency-conflict",
                "This Idempotency-Key was used for another request",
                "use a new key for a new request, and the same body for a repeated one",
                StatusCode::CONFLICT,
            ),
        }
    }

    const fn node_row(self) -> FaultRow {
        let again = Some(RETRY_AFTER_S);
        match self {
            Self::BodyTimeout => row(
                "body-timeout",
                "The body did not come in time",
                "send the request again over a faster connection, or in smaller parts",
                StatusCode::REQUEST_TIMEOUT,
            ),
            Self::Busy => FaultRow {
                retry_after_s: Some(1),
                ..row(
                    "busy",
                    "Too many large requests at once",
                    "try again in a moment; nothing of this request was kept",
                    StatusCode::SERVICE_UNAVAILABLE,
                )
            },
            Self::Slow => FaultRow {
                retry_after_s: again,
                ..row(
                    "slow",
                    "The answer took too long",
                    "it is not known whether the request was done; repeat it with the same Idempotency-Key",
                    StatusCode::SERVICE_UNAVAILABLE,
                )
            },
            Self::Temporary => FaultRow {
                retry_after_s: again,
                ..row(
                    "temporary",
                    "Not possible at the moment",
                    "try again later with the same Idempotency-Key",
                    StatusCode::SERVICE_UNAVAILABLE,
                )
            },
            _ => row(
                "internal",
                "A fault of this node",
                "tell the operator when it happened; repeat the request with the same Idempotency-Key",
                StatusCode::INTERNAL_SERVER_ERROR,
            ),
        }
    }
}

const fn row(id: &'static str, title: &'static str, remedy: &'static str, status: StatusCode) -> FaultRow {
    FaultRow { id, title, remedy, status, retry_after_s: None }
}

/// The status of a whole request that a rule of the gate refused.
pub(crate) fn status_of(rule: Rule) -> StatusCode {
    StatusCode::from_u16(rule.row().http).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
}
