//! Feedback: what comes back by mail about mail that left, taken in and applied.
//!
//! In the order in which a report meets them: `place` (for whom is this recipient?), `bounce`, `complaint`,
//! `unsubscribe`, `tls_report` with its `tls_document`.
//! Invariants: nothing changes but by a token of ours, bound to one message of one controller; an address in a report
//! finds nobody; an answer of a machine is never a bounce; what is not understood is counted and forgotten; a report
//! that comes twice counts once. A report on TLS has no token: it is believed when its sender signed it, and changes
//! nothing but what is shown.
//! Never: an address or a text of a report in a log line or a metric; a mail in answer.
//! Standards: RFC 3464, 3834, 5965, 8460, 9477, 2369; protocols-and-scale A7 L4, A9 B5, C-FBL.

mod bounce;
mod complaint;
mod place;
mod tls_document;
mod tls_report;
mod unsubscribe;

pub use place::Place;

use crate::{Error, Names};
use mail::address::Domain;
use mail::report::{self, Envelope, Report};
use metrics::counter;
use std::sync::Arc;
use store::Store;

/// Takes in what comes back.
pub struct Feedback {
    store: Arc<Store>,
    /// What the node calls itself: its postmaster is the operator.
    hostname: Domain,
    /// Keys of those who sign reports on TLS; without it, none is taken in.
    names: Option<Names>,
}

/// What became of a message that came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is applied, or there was nothing to apply.
    Done,
    /// What it is about has not come to its end; it is to be brought again.
    Later,
}

/// What a report came to, for the count of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Came {
    Bounced,
    Delayed,
    Relayed,
    Complained,
    NoComplaint,
    Unsubscribed,
    Before,
    Automatic,
    NotUnderstood,
    /// A report on TLS.
    TlsReported,
    /// One that nobody signed, or not the one who it says wrote it.
    NotSigned,
    /// It names messages of several persons, or none of ours.
    NotOurs,
    Gone,
    Later,
}

impl Came {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Complained => "complained",
            Self::NoComplaint => "no-complaint",
            Self::Unsubscribed => "unsubscribed",
            Self::Before => "before",
            Self::Automatic => "automatic",
            Self::NotUnderstood => "not-understood",
            Self::TlsReported => "tls-reported",
            Self::NotSigned => "not-signed",
            Self::NotOurs => "not-ours",
            Self::Gone => "gone",
            Self::Later => "later",
        }
    }
}

impl Feedback {
    /// For a node that calls itself `hostname`.
    #[must_use]
    pub const fn new(store: Arc<Store>, hostname: Domain) -> Self {
        Self { store, hostname, names: None }
    }

    /// Takes in reports on TLS, too; keys of those who sign them are asked for there.
    #[must_use]
    pub fn with_names(self, names: Names) -> Self {
        Self { names: Some(names), ..self }
    }

    /// Applies a message that came for a place.
    ///
    /// # Errors
    /// When it could not be recorded: it is to be brought again.
    pub async fn take(&self, place: &Place, envelope: Envelope, content: &[u8]) -> Result<Taken, Error> {
        let came = match place {
            // It is for a person to read.
            Place::Operator => return Ok(Taken::Done),
            Place::TlsReports(name) => match &self.names {
                Some(names) => tls_report::apply(&self.store, names, name, content).await?,
                None => Came::NotUnderstood,
            },
            Place::Unsubscribe => unsubscribe::apply(&self.store, content).await?,
            Place::Failures(sent) => match report::read(content, envelope) {
                Report::Delivery(delivery) => bounce::apply(&self.store, *sent, delivery).await?,
                Report::Complaint(complaint) => complaint::apply(&self.store, Some(*sent), &complaint).await?,
                Report::Automatic => Came::Automatic,
                Report::Other => Came::NotUnderstood,
            },
            Place::Complaints => match report::read(content, envelope) {
                Report::Complaint(complaint) => complaint::apply(&self.store, None, &complaint).await?,
                Report::Automatic => Came::Automatic,
                Report::Delivery(_) | Report::Other => Came::NotUnderstood,
            },
        };
        counter!("feedback_total", "came" => came.as_str()).increment(1);
        Ok(if came == Came::Later { Taken::Later } else { Taken::Done })
    }
}
