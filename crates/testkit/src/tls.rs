//! A certificate authority of the test's own, leaves of it, and ready TLS configurations.
//!
//! Invariant: aws-lc-rs is the provider, given explicitly, as in the product.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// A certificate authority that lives as long as the test.
pub struct TestCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate for a server, with its key.
#[derive(Debug)]
pub struct Leaf {
    /// The leaf, then nothing: the authority is the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// The same chain for a file.
    pub chain_pem: String,
    /// The same key for a file.
    pub key_pem: String,
}

impl Leaf {
    /// A server that shows it, TLS 1.2 and 1.3.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without certificates has failed")]
    pub fn server(self) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)
            .expect("leaf and key belong together");
        Arc::new(config)
    }
}

#[expect(clippy::expect_used, reason = "a test without certificates has failed")]
fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("names of a test are valid")
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

impl TestCa {
    /// A new authority with a new key.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without certificates has failed")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names, no fault");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "Postern test authority");
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate") }
    }

    /// The authority's certificate for a file.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The authority's certificate itself.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for these DNS names and IP addresses.
    #[must_use]
    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.signed(params(names))
    }

    /// One that has ended years ago.
    #[must_use]
    pub fn ended(&self, names: &[&str]) -> Leaf {
        let mut params = params(names);
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2020, 4, 1));
        self.signed(params)
    }

    #[expect(clippy::expect_used, reason = "a test without certificates has failed")]
    fn signed(&self, params: CertificateParams) -> Leaf {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Leaf {
            chain: vec![certificate.der().clone()],
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        }
    }

    /// A server with a leaf for these names, TLS 1.2 and 1.3.
    #[must_use]
    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        self.leaf(names).server()
    }

    /// A client that trusts this authority alone.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        self.client_speaking(rustls::DEFAULT_VERSIONS)
    }

    /// The same, for these versions of TLS only.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without certificates has failed")]
    pub fn client_speaking(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("our authority is a root");
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("the provider has TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

/// The certificates of a PEM text.
///
/// # Panics
/// When there is something else in it.
#[must_use]
#[expect(clippy::expect_used, reason = "a test without its roots has failed")]
pub fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().expect("certificates")
}

/// A client that trusts the authorities in a PEM text alone.
///
/// # Panics
/// When there is something else in it.
#[must_use]
#[expect(clippy::expect_used, reason = "a test without its roots has failed")]
pub fn client_trusting(pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for root in certificates(pem) {
        roots.add(root).expect("an authority");
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
