//! What receiving domains demand of transport security, kept for as long as they said (RFC 8461 §3.2).
//!
//! Invariants: what is kept outlives the process, so that nobody can make a demand go away by holding back DNS until a
//! restart (§5.1); what has run out is deleted when the next is kept. Shared by all nodes of a store.
//! Never: anything of a controller or a recipient.

use crate::engine::{Change, Reach, Step, Writes};
use crate::error::Result;
use crate::open::Store;
use crate::statement as sql;
use model::{ControllerId, Timestamp};

/// A domain's policy as it was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransportPolicy {
    /// The id that its record in DNS had.
    pub version: String,
    /// Its text.
    pub body: String,
    /// When it was fetched.
    pub fetched: Timestamp,
    /// When its time is over.
    pub ends: Timestamp,
}

impl Store {
    /// What is kept of a domain (A-labels in small letters), also when its time is over.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn transport_policy(&self, domain: &str) -> Result<Option<TransportPolicy>> {
        let rows = self.found(&sql::TRANSPORT_POLICY, vec![domain.into()]).await?;
        let read = |mut row: crate::value::Columns| {
            Ok(TransportPolicy { version: row.text()?, body: row.text()?, fetched: row.moment()?, ends: row.moment()? })
        };
        rows.into_iter().next().map(read).transpose()
    }

    /// Keeps what was fetched, and lets go of what has run out.
    ///
    /// # Errors
    /// Those of the engine; nothing is kept then.
    pub async fn keep_transport_policy(&self, domain: &str, policy: &TransportPolicy) -> Result<()> {
        let TransportPolicy { version, body, fetched, ends } = policy;
        let kept =
            vec![domain.into(), version.as_str().into(), body.as_str().into(), (*fetched).into(), (*ends).into()];
        let steps = vec![
            Step::new(&sql::TRANSPORT_POLICY_KEEP, kept),
            Step::new(&sql::TRANSPORT_POLICIES_END, vec![self.now().into()]),
        ];
        let writes = Writes {
            controller: ControllerId::OPERATOR.0,
            person: None,
            reach: Reach::Nothing,
            what: "transport policy",
            event: None,
            detail: [0; 32],
            steps,
        };
        self.engine.change(vec![(Change::Rows(writes), None)]).await.map(drop)
    }
}
