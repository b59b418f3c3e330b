//! TLS sessions with receiving domains, counted by day, and which of these days were reported to them (RFC 8460).
//!
//! Invariants: a domain has at most [`KINDS_MAX`] kinds of sessions a day; a day of a domain is in one node's hands at
//! a time, and reported once; what is older than [`DAYS_KEPT`] days goes.
//! Never: anything of a controller, a recipient or a message.

mod reported;

pub use reported::TlsReported;

use crate::engine::{Change, Reach, Step, Writes};
use crate::error::Result;
use crate::open::Store;
use crate::statement as sql;
use crate::value::Columns;
use model::{ControllerId, Timestamp};

/// Kinds of sessions of one domain and day.
const KINDS_MAX: i64 = 64;
/// Days that are kept: RFC 8460 §5.3 has a report tried for a day.
const DAYS_KEPT: i64 = 3;
/// Domains of one look.
const DOMAINS_MAX: i64 = 200;

/// Sessions of one kind on one day. Names in A-labels and small letters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TlsSessions {
    /// Days since 1970, UTC.
    pub day: i64,
    /// Whose policy it is: the domain of recipients.
    pub domain: String,
    /// `tlsa`, `sts` or `no-policy-found` (RFC 8460 §4.4).
    pub policy: String,
    /// Why they failed (RFC 8460 §4.3); empty for those that did not.
    pub failure: String,
    /// The exchanger; empty where it did not come to one.
    pub host: String,
    /// This node's address; empty where it did not come to a connection.
    pub local: String,
    /// The policy as it was applied, in lines.
    pub stated: String,
    /// How many.
    pub sessions: u64,
}

/// The day of a moment: days since 1970, UTC.
#[must_use]
pub const fn day_of(moment: Timestamp) -> i64 {
    moment.micros().div_euclid(86_400_000_000)
}

impl Store {
    /// Counts sessions, each on top of what is there.
    ///
    /// # Errors
    /// Those of the engine; nothing is counted then.
    pub async fn add_tls_sessions(&self, sessions: &[TlsSessions]) -> Result<()> {
        if sessions.is_empty() {
            return Ok(());
        }
        self.write_tls(sessions.iter().map(adding).collect()).await.map(drop)
    }

    /// Domains with sessions on a day that is neither reported nor in somebody's hands, by name; those after one.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn tls_reports_open(&self, day: i64, after: &str) -> Result<Vec<String>> {
        let values = vec![day.into(), self.now().into(), after.into(), DOMAINS_MAX.into()];
        let rows = self.found(&sql::TLS_REPORTS_OPEN, values).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// What there was with a domain on a day.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn tls_sessions(&self, day: i64, domain: &str) -> Result<Vec<TlsSessions>> {
        let rows = self.found(&sql::TLS_SESSIONS, vec![day.into(), domain.into(), KINDS_MAX.into()]).await?;
        let read = |mut row: Columns| {
            Ok(TlsSessions {
                day,
                domain: domain.to_owned(),
                policy: row.text()?,
                failure: row.text()?,
                host: row.text()?,
                local: row.text()?,
                stated: row.text()?,
                sessions: u64::try_from(row.number()?).unwrap_or_default(),
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Takes a day of a domain in hand until a moment. `false`: it is reported, or another node has it. A crash from
    /// here on leaves it to whoever looks after that moment.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn claim_tls_report(&self, day: i64, domain: &str, until: Timestamp) -> Result<bool> {
        let values = vec![day.into(), domain.into(), until.into(), self.now().into()];
        Ok(self.write_tls(vec![Step::new(&sql::TLS_REPORT_CLAIM, values)]).await? > 0)
    }

    /// A day of a domain is reported, or the domain asks for no report.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn end_tls_report(&self, day: i64, domain: &str) -> Result<()> {
        self.write_tls(vec![Step::new(&sql::TLS_REPORT_DONE, vec![day.into(), domain.into()])]).await.map(drop)
    }

    /// Lets go of what is older than [`DAYS_KEPT`] days.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn forget_tls_sessions(&self) -> Result<()> {
        let before = day_of(self.now()).saturating_sub(DAYS_KEPT);
        let steps = vec![
            Step::new(&sql::TLS_SESSIONS_FORGET, vec![before.into()]),
            Step::new(&sql::TLS_REPORTS_FORGET, vec![before.into()]),
        ];
        self.write_tls(steps).await.map(drop)
    }

    async fn write_tls(&self, steps: Vec<Step>) -> Result<usize> {
        let writes = Writes {
            controller: ControllerId::OPERATOR.0,
            person: None,
            reach: Reach::Nothing,
            what: "TLS sessions",
            event: None,
            detail: [0; 32],
            steps,
        };
        Ok(self.engine.change(vec![(Change::Rows(writes), None)]).await?.into_iter().sum())
    }
}

fn adding(kind: &TlsSessions) -> Step {
    let values = vec![
        kind.day.into(),
        kind.domain.as_str().into(),
        kind.policy.as_str().into(),
        kind.failure.as_str().into(),
        kind.host.as_str().into(),
        kind.local.as_str().into(),
        kind.stated.as_str().into(),
        i64::try_from(kind.sessions).unwrap_or(i64::MAX).into(),
        KINDS_MAX.into(),
    ];
    Step::new(&sql::TLS_SESSION_ADD, values)
}

#[cfg(test)]
pub(crate) use reported::sample_reported;

/// Some sessions of today, for tests.
#[cfg(test)]
pub(crate) fn sample(now: Timestamp) -> TlsSessions {
    let (domain, policy, host) = ("dest.example".to_owned(), "tlsa".to_owned(), "mx.dest.example".to_owned());
    let (failure, local, stated) = (String::new(), "192.0.2.1".to_owned(), "3 1 1 ab".to_owned());
    TlsSessions { day: day_of(now), domain, policy, failure, host, local, stated, sessions: 2 }
}

#[cfg(test)]
mod tests;
