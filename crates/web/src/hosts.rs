//! Host names of the controllers' own: whose they are, what is served on them, and their certificates.
//!
//! Invariants: nothing is ordered or served under a name that is neither in force nor retired in the store, and nothing
//! linked to under one that is not in force; on such a name only its controller's pages are there; a certificate that
//! cannot be had leaves the pages at the node's own address.
//! Never: a private key outside the store's vault and the memory of this process; a question to DNS in the name of a
//! recipient.
//! Read in this order: `name`, `proof`, `door`, `certificates`, `acme`, `keeper`.
//! Standards: RFC 8555 (orders, http-01), RFC 6066 §3 (SNI), RFC 9110 §7.2 (Host).

mod acme;
mod certificates;
pub(crate) mod door;
mod keeper;
mod name;
pub(crate) mod proof;

pub use acme::{Acme, AcmeSettings, validity};
pub use certificates::{BesideNode, Certified};
pub use keeper::Keeper;
pub(crate) use keeper::{GRACE, LOOK_EVERY, ORDER_WITHIN, RETIRED, forget};
pub use name::host_of_url;
pub(crate) use name::parse;

use mta::Names;
use mta::names::NamesError;
use std::net::SocketAddr;

/// Are requests for host names answered that nobody has?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strangers {
    /// As the node's own: what a proxy calls the node is not known here.
    Welcome,
    /// Not found: names of controllers come and go, and what went is not the node's.
    NotFound,
}

/// What the routes know about host names.
#[derive(Clone)]
pub struct Hosts {
    names: Names,
    /// The node's own, in A-labels: no controller's ever.
    own: Vec<String>,
    strangers: Strangers,
}

impl Hosts {
    /// `server`: the DNS server to ask, or without one those of the system. `own`: what the node itself is called.
    ///
    /// # Errors
    /// The system's resolver configuration cannot be read.
    pub fn new(server: Option<SocketAddr>, own: Vec<String>, strangers: Strangers) -> Result<Self, NamesError> {
        let own = own.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self { names: Names::new(server)?, own, strangers })
    }

    /// Asks DNS.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn is_own(&self, name: &str) -> bool {
        name == "localhost" || self.own.iter().any(|own| own == name)
    }
}
