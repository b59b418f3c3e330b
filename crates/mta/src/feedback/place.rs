//! For whom a recipient of inbound mail is.
//!
//! Invariant: whatever is none of the places is told the same, so that nobody learns which part of it was wrong.
//! Standards: RFC 5321 §4.5.1 (postmaster), RFC 2142 §4 (abuse), RFC 9477, RFC 2369,
//! RFC 8460 §3 (a domain names the place itself).

use super::Feedback;
use crate::Error;
use crate::way_out::UNSUBSCRIBE;
use mail::address::{Address, Domain};
use store::feedback::Sent;

/// Where reports on TLS are asked for (`docs/operations.md`).
const TLS_REPORTS: &str = "tls-reports";

/// Whom inbound mail may be for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// The return path of a message.
    Failures(Sent),
    /// Whoever takes complaints.
    Complaints,
    /// Whoever takes opt-outs.
    Unsubscribe,
    /// Whoever takes reports on TLS, at a name to which failures return.
    TlsReports(Domain),
    /// Postmaster and abuse: a person reads it.
    Operator,
}

impl Feedback {
    /// For whom an address is; nothing when it is nobody's.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn recognise(&self, address: &Address) -> Result<Option<Place>, Error> {
        let name = address.domain();
        let returning = self.store.is_return_path_name(name);
        let local = address.local().to_ascii_lowercase();
        match local.as_str() {
            "postmaster" | "abuse" if returning || *name == self.hostname => return Ok(Some(Place::Operator)),
            "complaints" if returning => return Ok(Some(Place::Complaints)),
            TLS_REPORTS if returning && self.names.is_some() => return Ok(Some(Place::TlsReports(name.clone()))),
            UNSUBSCRIBE if returning => return Ok(Some(Place::Unsubscribe)),
            _ => {}
        }
        Ok(self.store.open_return_path(address).await?.map(Place::Failures))
    }
}
