//! TLS towards PostgreSQL, by the words of libpq's `sslmode`.
//!
//! Invariants: aws-lc-rs is the only provider; a server beyond this machine is verified, chain and name, unless the
//! address says otherwise in so many words; roots are those of the CA file if one is named, and webpki's if not.
//! `disable`: never. `allow`, `prefer`: if offered, not verified. `require`: always, not verified, but with a CA file
//! the chain is. `verify-ca`: chain, and without a CA file the name too. `verify-full`: chain and name.
//! Without `sslmode`: `prefer` where all hosts are on this machine, else `verify-full`.

use crate::error::{Error, Result, Unfit};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What is asked of the server's certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Checked {
    /// Nothing.
    Nothing,
    /// That its chain ends at a root.
    Chain,
    /// That too, and that it is for this host.
    ChainAndName,
}

/// What `sslmode` means. `local`: all hosts are on this machine.
pub(super) fn meaning(word: Option<&str>, is_local: bool, has_ca: bool) -> Result<(SslMode, Checked)> {
    let chain = if has_ca { Checked::Chain } else { Checked::ChainAndName };
    Ok(match word {
        None if is_local => (SslMode::Prefer, Checked::Nothing),
        None | Some("verify-full") => (SslMode::Require, Checked::ChainAndName),
        Some("disable") => (SslMode::Disable, Checked::Nothing),
        Some("allow" | "prefer") => (SslMode::Prefer, Checked::Nothing),
        Some("require") if !has_ca => (SslMode::Require, Checked::Nothing),
        Some("require" | "verify-ca") => (SslMode::Require, chain),
        Some(_) => return Err(Unfit::Address { reason: "its sslmode is unknown" }.into()),
    })
}

/// Shakes hands by that.
pub(super) fn connector(checked: Checked, ca: Option<&Path>) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca)?), Arc::clone(&provider))
        .build()
        .map_err(|error| Error::Engine(format!("TLS: {error}")))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Engine(format!("TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { checked, verifier }))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// The usual authorities, or those in the file.
pub(crate) fn roots(ca: Option<&Path>) -> Result<RootCertStore> {
    let Some(path) = ca else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let unread = |reason: String| Error::File { file: path.display().to_string(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unread(error.to_string()))? {
        let certificate = certificate.map_err(|error| unread(error.to_string()))?;
        roots.add(certificate).map_err(|error| unread(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unread("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

#[derive(Debug)]
struct Verifier {
    checked: Checked,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.checked == Checked::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is compared last: everything else was in order.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.checked == Checked::Chain => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    // Whoever it is, he must have the key of the certificate that he shows.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gdpr_32_a_server_elsewhere_is_verified_unless_the_address_says_otherwise() {
        let meaning = |word, is_local, has_ca| super::meaning(word, is_local, has_ca).unwrap();
        assert_eq!(meaning(None, false, false), (SslMode::Require, Checked::ChainAndName));
        assert_eq!(meaning(None, false, true), (SslMode::Require, Checked::ChainAndName));
        assert_eq!(meaning(None, true, false), (SslMode::Prefer, Checked::Nothing));
        assert_eq!(meaning(Some("disable"), false, false), (SslMode::Disable, Checked::Nothing));
        assert_eq!(meaning(Some("prefer"), false, true), (SslMode::Prefer, Checked::Nothing));
        assert_eq!(meaning(Some("require"), false, false), (SslMode::Require, Checked::Nothing));
        assert_eq!(meaning(Some("require"), false, true), (SslMode::Require, Checked::Chain));
        assert_eq!(meaning(Some("verify-ca"), true, true), (SslMode::Require, Checked::Chain));
        assert_eq!(meaning(Some("verify-ca"), false, false), (SslMode::Require, Checked::ChainAndName));
        assert_eq!(meaning(Some("verify-full"), true, true), (SslMode::Require, Checked::ChainAndName));
        assert!(super::meaning(Some("verify"), false, false).is_err());
    }
}
