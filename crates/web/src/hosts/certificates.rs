//! Which certificate a TLS client is shown: that of the name he asks for, if it is served, else the node's own.
//!
//! Invariant: a name that is served no more, or for another controller, is shown nothing of the former from then on.

use model::HostId;
use parking_lot::RwLock;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;
use store::Store;
use store::permission::{HostInForce, KeptCertificate};

/// Certificates of names that are served, opened once each.
pub struct Certified {
    store: Arc<Store>,
    opened: RwLock<HashMap<Arc<str>, Opened>>,
}

struct Opened {
    host: HostId,
    revision: i64,
    /// Nothing when chain and key do not go together.
    key: Option<Arc<CertifiedKey>>,
}

impl Certified {
    /// Of a store's names.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self { store, opened: RwLock::default() })
    }

    /// The certificate of a name that is served, if it holds now.
    fn of(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let book = self.store.host_book();
        let host = book.named(&name.to_ascii_lowercase())?;
        let kept = host.certificate.as_ref().filter(|kept| kept.holds(self.store.now()))?;
        if let Some(opened) = self.opened.read().get(&host.name)
            && (opened.host, opened.revision) == (host.id, kept.revision)
        {
            return opened.key.clone();
        }
        let key = self.open(host, kept);
        let mut opened = self.opened.write();
        opened.retain(|name, _| book.named(name).is_some());
        opened.insert(Arc::clone(&host.name), Opened { host: host.id, revision: kept.revision, key: key.clone() });
        key
    }

    fn open(&self, host: &HostInForce, kept: &KeptCertificate) -> Option<Arc<CertifiedKey>> {
        let key = self.store.open_certificate_key(host, kept).map_err(|error| error.to_string());
        key.and_then(|key| certified(&kept.chain, &key))
            .inspect_err(|error| tracing::error!(host = host.id.0, %error, "a certificate that is kept is of no use"))
            .ok()
            .map(Arc::new)
    }
}

/// A chain and its key, both as PEM.
pub(super) fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|_| "the chain is not a list of certificates".to_owned())?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "the key is none".to_owned())?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| error.to_string())
}

/// The names' certificates beside the node's own.
pub struct BesideNode {
    certified: Arc<Certified>,
    own: Arc<dyn ResolvesServerCert>,
}

impl BesideNode {
    /// Who asks for no name in force gets `own`.
    #[must_use]
    pub fn new(certified: Arc<Certified>, own: Arc<dyn ResolvesServerCert>) -> Self {
        Self { certified, own }
    }
}

impl ResolvesServerCert for BesideNode {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let known = hello.server_name().and_then(|name| self.certified.of(name));
        known.or_else(|| self.own.resolve(hello))
    }
}

impl std::fmt::Debug for BesideNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BesideNode").finish_non_exhaustive()
    }
}
