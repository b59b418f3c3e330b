//! The demo's own certificate authority, and a certificate for localhost, 127.0.0.1 and ::1 under it.

use super::files;
use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// Reads the certificate of the data folder, or makes one with an authority of its own.
pub(super) fn load_or_make(data: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let (chain, key) = (data.join("tls-chain.pem"), data.join("tls-key.pem"));
    if !chain.exists() || !key.exists() {
        make(data, &chain, &key)?;
    }
    let certificates = CertificateDer::pem_file_iter(&chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("{} holds no certificate; delete it and start again", chain.display()))?;
    let key = PrivateKeyDer::from_pem_file(&key)
        .with_context(|| format!("{} holds no key; delete it and start again", key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // RFC 8996: nothing below TLS 1.2.
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .context("TLS cannot be set up")?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .context("certificate and key do not fit")?;
    config.alpn_protocols = Vec::new();
    Ok(Arc::new(config))
}

/// The same certificate for HTTPS, which also speaks HTTP/2.
pub(super) fn for_web(config: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn make(data: &Path, chain: &Path, key: &Path) -> anyhow::Result<()> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "Postern demo CA");
    let root = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let leaf_key = KeyPair::generate()?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let leaf = leaf.signed_by(&leaf_key, &issuer)?;
    // The authority's key is not kept: nobody can make another certificate under it.
    std::fs::write(data.join("ca.pem"), root.pem())?;
    std::fs::write(chain, format!("{}{}", leaf.pem(), root.pem()))?;
    files::write(key, leaf_key.serialize_pem().as_bytes())
}
