//! What other systems report of their TLS sessions with domains of a controller (RFC 8460), kept for that controller.
//!
//! Invariants: a report counts once, however often it comes; a day of a controller has at most [`DAY_ROWS_MAX`] rows,
//! so that whoever writes many reports drives out no other day's, and a controller [`ROWS_MAX`], of which the oldest
//! go.
//! Never: a row for a domain that is not the controller's; an address of a person or of a host.

use crate::engine::{Change, Reach, Step, Writes};
use crate::error::Result;
use crate::open::Store;
use crate::statement as sql;
use crate::value::Columns;
use crate::vault::crypto;
use mail::address::Domain;
use model::ControllerId;

/// Rows of one controller and day.
const DAY_ROWS_MAX: i64 = 500;
/// Rows of one controller.
const ROWS_MAX: i64 = 20_000;
/// Rows that go in one commit.
const SLICE: i64 = 1_000;
/// Rows of one answer.
const SHOWN_MAX: i64 = 1_000;

/// Sessions of one kind on one day, as another system counted them. Names in A-labels and small letters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TlsReported {
    /// Days since 1970, UTC.
    pub day: i64,
    /// The domain of recipients: the controller's, or one to which failures of its mail return.
    pub domain: String,
    /// Who reports: the domain that signed.
    pub submitter: String,
    /// `tlsa`, `sts` or `no-policy-found` (RFC 8460 §4.4).
    pub policy: String,
    /// Why they failed (RFC 8460 §4.3), or `other`; empty for those that did not.
    pub failure: String,
    /// How many.
    pub sessions: u64,
}

impl Store {
    /// Controllers whose mail's failures return to a name.
    #[must_use]
    pub fn controllers_returning_to(&self, name: &Domain) -> Vec<ControllerId> {
        self.policy.current().returning_to(name)
    }

    /// Is this a verified domain of a controller, or a name to which failures of its mail return?
    #[must_use]
    pub fn is_name_of(&self, controller: ControllerId, name: &Domain) -> bool {
        let is_own = self.from_domain(controller, name).1.is_some();
        is_own || self.policy.current().returning_to(name).contains(&controller)
    }

    /// Keeps what a report says. `report`: its id, as its submitter gave it. `false`: it was taken in before.
    ///
    /// # Errors
    /// Those of the engine; nothing is kept then.
    pub async fn add_tls_reported(
        &self,
        controller: ControllerId,
        report: &str,
        kinds: &[TlsReported],
    ) -> Result<bool> {
        let submitter = kinds.first().map(|kind| kind.submitter.as_str()).unwrap_or_default();
        let name = crypto::sha256_of_fields(&[b"TLS report", submitter.as_bytes(), report.as_bytes()]);
        let known = self.found(&sql::TLS_REPORTED_KNOWN, vec![controller.0.into(), name.into()]).await?;
        if known.into_iter().next().map_or(Ok(0), |mut row| row.number())? > 0 {
            return Ok(false);
        }
        let adding = |kind: &TlsReported| {
            let values = vec![
                controller.0.into(),
                name.into(),
                kind.domain.as_str().into(),
                kind.policy.as_str().into(),
                kind.failure.as_str().into(),
                kind.day.into(),
                kind.submitter.as_str().into(),
                i64::try_from(kind.sessions).unwrap_or(i64::MAX).into(),
                DAY_ROWS_MAX.into(),
            ];
            Step::new(&sql::TLS_REPORTED_ADD, values)
        };
        let mut steps: Vec<Step> = kinds.iter().map(adding).collect();
        steps.push(Step::new(&sql::TLS_REPORTED_BOUND, vec![controller.0.into(), ROWS_MAX.into(), SLICE.into()]));
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Nothing,
            what: "TLS report",
            event: None,
            detail: [0; 32],
            steps,
        };
        // One commit: a crash before it leaves nothing, and the report comes again; after it, it is known.
        self.engine.change(vec![(Change::Rows(writes), None)]).await?;
        Ok(true)
    }

    /// What was reported of a domain of a controller, and of the name to which its failures return: the newest days
    /// first, at most 1,000 rows. Nothing when it is none of his.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn tls_reported(&self, controller: ControllerId, domain: &Domain) -> Result<Option<Vec<TlsReported>>> {
        if !self.is_name_of(controller, domain) {
            return Ok(None);
        }
        let (_, id) = self.from_domain(controller, domain);
        let returns = id.and_then(|id| self.return_path_name(controller, id)).unwrap_or_else(|| domain.clone());
        let values = vec![controller.0.into(), domain.as_str().into(), returns.as_str().into(), SHOWN_MAX.into()];
        let read = |mut row: Columns| {
            Ok(TlsReported {
                day: row.number()?,
                domain: row.text()?,
                submitter: row.text()?,
                policy: row.text()?,
                failure: row.text()?,
                sessions: row.number()?.unsigned_abs(),
            })
        };
        self.found(&sql::TLS_REPORTED, values).await?.into_iter().map(read).collect::<Result<_>>().map(Some)
    }
}

/// What somebody reported of yesterday, for tests.
#[cfg(test)]
pub(crate) fn sample_reported(now: model::Timestamp) -> TlsReported {
    TlsReported {
        day: crate::day_of(now) - 1,
        domain: "shop.example".to_owned(),
        submitter: "mail.example".to_owned(),
        policy: "sts".to_owned(),
        failure: "certificate-expired".to_owned(),
        sessions: 3,
    }
}
