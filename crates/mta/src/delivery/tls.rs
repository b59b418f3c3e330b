//! TLS towards receivers: a configuration for each kind of demand, each with a session cache of its own.
//!
//! Invariants: aws-lc-rs is the only provider; sessions are never shared between demands (A4 C4), and none are kept for
//! DANE, whose records may have changed; a certificate that does not meet its demand ends the handshake; whoever
//! answers, he holds the key of the certificate that he shows, or is never called authenticated.
//! Standards: RFC 3207, RFC 7435 (opportunistic security), RFC 7672 §3, RFC 8461 §4.2, RFC 5246 and 8446.

use super::route::Hop;
use super::security::dane::Dane;
use super::security::der::public_key;
use super::security::{Basis, Demand};
use super::settings::{Settings, TlsPolicy};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ConnectionCommon, DigitallySignedStruct, ProtocolVersion, RootCertStore,
    SignatureScheme,
};
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Hosts whose sessions are kept for resumption.
const SESSIONS_MAX: usize = 1_024;
/// RFC 8017: keys below 2,048 bits; their signatures cannot be checked with the provider.
const RSA_KEY_OCTETS_MIN: usize = 256;

/// Shakes hands as it is demanded.
#[derive(Clone)]
pub(crate) struct Tls {
    anyone: Arc<ClientConfig>,
    named: Arc<ClientConfig>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    names_all: bool,
}

/// How a connection was authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Authenticated {
    /// Whoever answered.
    No,
    /// A public authority, or one of the operator's, says that the exchanger's name is his.
    Named,
    /// A TLSA record names his certificate.
    Dane,
}

/// Why a session did not become what its policy asks for: the words of RFC 8460 §4.3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TlsFailure {
    NotOffered,
    HostMismatch,
    Expired,
    NotTrusted,
    /// The TLSA records do not name the certificate, or are of no use.
    Tlsa,
    /// The TLSA records could not be had, or their signatures do not hold.
    Dnssec,
    PolicyFetch,
    PolicyInvalid,
    /// Anything else.
    Other,
}

impl TlsFailure {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NotOffered => "starttls-not-supported",
            Self::HostMismatch => "certificate-host-mismatch",
            Self::Expired => "certificate-expired",
            Self::NotTrusted => "certificate-not-trusted",
            Self::Tlsa => "tlsa-invalid",
            Self::Dnssec => "dnssec-invalid",
            Self::PolicyFetch => "sts-policy-fetch-error",
            Self::PolicyInvalid => "sts-policy-invalid",
            Self::Other => "validation-failure",
        }
    }

    /// Of a handshake that failed.
    pub(crate) fn of(error: &std::io::Error, demand: &Demand) -> Self {
        match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
            Some(error) => Self::of_tls(error, demand),
            None => Self::Other,
        }
    }

    fn of_tls(error: &rustls::Error, demand: &Demand) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else { return Self::Other };
        match error {
            CertificateError::ApplicationVerificationFailure if matches!(demand, Demand::Dane(_)) => Self::Tlsa,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::HostMismatch,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Expired,
            // Of an authority that only has the name of a trusted one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::NotTrusted,
            _ => Self::Other,
        }
    }
}

/// What was had of a connection: evidence for GDPR Art. 32.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) authenticated: Authenticated,
    /// What the certificate lacks to hold for the exchanger's name, where nobody asked that it did.
    pub(crate) lapse: Option<TlsFailure>,
    basis: Basis,
    version: &'static str,
    cipher: String,
    /// SHA-256 of the certificate, in hexadecimal digits.
    fingerprint: String,
}

impl Seen {
    /// A line for the record of an attempt. A server's certificate is no personal data, and its name is not in it.
    pub(crate) fn line(&self) -> String {
        let authenticated = match self.authenticated {
            Authenticated::No => "not authenticated",
            Authenticated::Named => "authenticated by name",
            Authenticated::Dane => "authenticated by DANE",
        };
        let Self { version, cipher, fingerprint, .. } = self;
        let basis = self.basis.as_str();
        format!("{version}, {cipher}, {authenticated}, policy {basis}, certificate sha256:{fingerprint}\n")
    }
}

impl Tls {
    /// # Errors
    /// A root certificate in the settings is not one.
    pub(crate) fn new(settings: &Settings) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots(settings)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let anyone = Arc::new(Anyone { algorithms: provider.signature_verification_algorithms });
        Ok(Self {
            anyone: config(&provider, anyone, Resumption::in_memory_sessions(SESSIONS_MAX))?,
            named: config(&provider, verifier, Resumption::in_memory_sessions(SESSIONS_MAX))?,
            roots,
            provider,
            names_all: settings.tls == TlsPolicy::Required,
        })
    }

    /// # Errors
    /// The peer speaks no TLS that we speak, or its certificate does not meet the demand.
    pub(crate) async fn shake_hands(&self, stream: TcpStream, hop: &Hop) -> std::io::Result<TlsStream<TcpStream>> {
        let (config, asked) = match &hop.demand {
            Demand::Opportunistic if self.names_all => (Arc::clone(&self.named), &hop.host),
            Demand::Opportunistic | Demand::Encrypted => (Arc::clone(&self.anyone), &hop.host),
            Demand::Named => (Arc::clone(&self.named), &hop.host),
            Demand::Dane(dane) => {
                let algorithms = self.provider.signature_verification_algorithms;
                let verifier = Arc::new(Pinned { dane: Arc::clone(dane), algorithms });
                let config = config(&self.provider, verifier, Resumption::disabled()).map_err(std::io::Error::other)?;
                (config, &dane.base)
            }
        };
        let name = ServerName::try_from(asked.to_string()).unwrap_or_else(|_| ServerName::from(hop.address.ip()));
        TlsConnector::from(config).connect(name, stream).await
    }

    /// What was had of a connection that was made.
    pub(crate) fn seen(&self, stream: &TlsStream<TcpStream>, hop: &Hop) -> Seen {
        let connection: &ConnectionCommon<_> = stream.get_ref().1;
        let chain = connection.peer_certificates().unwrap_or_default();
        let (authenticated, lapse) = match &hop.demand {
            Demand::Dane(_) => (Authenticated::Dane, None),
            Demand::Named => (Authenticated::Named, None),
            Demand::Opportunistic | Demand::Encrypted => match self.is_named(chain, hop) {
                Ok(()) => (Authenticated::Named, None),
                Err(lapse) => (Authenticated::No, Some(lapse)),
            },
        };
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        };
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let cipher = suite.and_then(|suite| suite.as_str().map(str::to_owned)).unwrap_or_default();
        let mut fingerprint = String::new();
        if let Some(server) = chain.first() {
            for octet in aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, server).as_ref() {
                // Writing to a string cannot fail.
                let _ = write!(fingerprint, "{octet:02x}");
            }
        }
        Seen { authenticated, lapse, basis: hop.basis, version, cipher, fingerprint }
    }

    /// Would the certificate hold for the exchanger's name, had it been asked to?
    fn is_named(&self, chain: &[CertificateDer<'_>], hop: &Hop) -> Result<(), TlsFailure> {
        let Some((server, rest)) = chain.split_first() else { return Err(TlsFailure::Other) };
        let algorithms = self.provider.signature_verification_algorithms;
        let name = ServerName::try_from(hop.host.to_string()).unwrap_or_else(|_| ServerName::from(hop.address.ip()));
        // Else the peer has not shown that the key is his: see [`Anyone`].
        if !is_checkable(server, algorithms) {
            return Err(TlsFailure::NotTrusted);
        }
        let parsed = ParsedCertificate::try_from(server).map_err(|_| TlsFailure::Other)?;
        let (roots, now) = (&self.roots, UnixTime::now());
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, rest, now, algorithms.all)
            .and_then(|()| verify_server_name(&parsed, &name))
            .map_err(|error| TlsFailure::of_tls(&error, &hop.demand))
    }
}

fn config(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    resumption: Resumption,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions()?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.resumption = resumption;
    Ok(Arc::new(config))
}

/// The built-in authorities and those of the operator.
pub(crate) fn roots(settings: &Settings) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in &settings.roots {
        roots.add(root.clone())?;
    }
    Ok(roots)
}

/// Can a signature by this certificate's key be checked?
fn is_checkable(certificate: &CertificateDer<'_>, algorithms: WebPkiSupportedAlgorithms) -> bool {
    public_key(certificate).is_some_and(|key| {
        let is_known = algorithms.all.iter().any(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm);
        let is_rsa = key.algorithm == rustls::pki_types::alg_id::RSA_ENCRYPTION.as_ref();
        is_known && (!is_rsa || key.key.len() > RSA_KEY_OCTETS_MIN)
    })
}

/// Is it a signature by the certificate's key? By the key alone, so that certificates may be as odd as they like.
fn check(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let bad = || rustls::Error::InvalidCertificate(CertificateError::BadSignature);
    let key = public_key(certificate).ok_or_else(bad)?;
    let of_scheme = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
    let mut fitting = of_scheme
        .flat_map(|(_, algorithms)| algorithms.iter())
        .filter(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm);
    if fitting.any(|algorithm| algorithm.verify_signature(key.key, message, signed.signature()).is_ok()) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(bad())
    }
}

/// RFC 7435 §3: encryption to whoever answers is better than none. Checking more of an unauthenticated peer than that
/// his key is his would only send more mail in clear; and where that cannot be checked, it is not.
#[derive(Debug)]
struct Anyone {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Anyone {
    fn check(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if is_checkable(certificate, self.algorithms) {
            check(message, certificate, signed, self.algorithms)
        } else {
            Ok(HandshakeSignatureValid::assertion())
        }
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// RFC 7672 §3: the server that a TLSA record names, and nobody else.
#[derive(Debug)]
struct Pinned {
    dane: Arc<Dane>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.dane.holds(end_entity, intermediates, now, self.algorithms) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check(message, certificate, signed, self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check(message, certificate, signed, self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
