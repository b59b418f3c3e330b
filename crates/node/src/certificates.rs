//! A node's certificate: from files, or under an authority of its own in the data folder.

use crate::files;
use anyhow::Context as _;
use parking_lot::RwLock;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use web::hosts::{BesideNode, Certified};

/// Where a node has its certificate from.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// Made at the first start in the data folder, with an authority whose certificate is `ca.pem`. It holds for
    /// localhost and the loopback addresses.
    Own {
        /// What the authority calls itself.
        authority: &'static str,
        /// Further names that it holds for.
        names: Vec<String>,
    },
    /// Given.
    Files {
        /// The certificate and those that lead to its authority, as PEM.
        chain: PathBuf,
        /// Its key, as PEM.
        key: PathBuf,
    },
}

impl Certificate {
    /// Reads the certificate; makes it first if it is one of our own and not there yet.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be; the sentence names it.
    pub fn load(&self, data: &Path) -> anyhow::Result<Arc<Shown>> {
        if let Self::Own { authority, names } = self {
            let (chain, key) = own(data);
            if !chain.exists() || !key.exists() {
                make(data, authority, names).context("no certificate can be made")?;
            }
        }
        Ok(Arc::new(Shown(RwLock::new(self.read(data)?))))
    }

    /// Reads the certificate as it is now; makes nothing.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(crate) fn read(&self, data: &Path) -> anyhow::Result<Arc<CertifiedKey>> {
        match self {
            Self::Files { chain, key } => read(chain, key, "give another one"),
            Self::Own { .. } => {
                let (chain, key) = own(data);
                read(&chain, &key, "delete it and start again")
            }
        }
    }

    /// The certificate of the authority that clients have to trust, if it is one of our own.
    #[must_use]
    pub fn authority(&self, data: &Path) -> Option<PathBuf> {
        match self {
            Self::Own { .. } => Some(data.join("ca.pem")),
            Self::Files { .. } => None,
        }
    }
}

/// Authorities in a file.
pub(crate) fn roots(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let roots = read.with_context(|| format!("{} cannot be read as certificates", file.display()))?;
    if roots.is_empty() {
        anyhow::bail!("there is no certificate in {}", file.display());
    }
    Ok(roots)
}

/// Where one of our own lies: chain and key.
fn own(data: &Path) -> (PathBuf, PathBuf) {
    (data.join("tls-chain.pem"), data.join("tls-key.pem"))
}

fn read(chain: &Path, key: &Path, remedy: &str) -> anyhow::Result<Arc<CertifiedKey>> {
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("{} holds no certificate; {remedy}", chain.display()))?;
    let key_read =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("{} holds no key; {remedy}", key.display()))?;
    let certified = CertifiedKey::from_der(certificates, key_read, &rustls::crypto::aws_lc_rs::default_provider());
    let certified =
        certified.with_context(|| format!("{} and {} do not fit; {remedy}", chain.display(), key.display()))?;
    Ok(Arc::new(certified))
}

/// The certificate that a node shows now; another can take its place while connections are open.
#[derive(Debug)]
pub struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    /// When the one that is shown ends, in seconds since 1970.
    pub(crate) fn ends_s(&self) -> Option<i64> {
        crate::room::ends_s(self.0.read().cert.first()?)
    }

    /// Shows this one from the next handshake on.
    pub(crate) fn show(&self, certificate: Arc<CertifiedKey>) {
        *self.0.write() = certificate;
    }

    /// TLS with the certificate that is shown at each handshake.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn config(self: &Arc<Self>) -> anyhow::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // RFC 8996: nothing below TLS 1.2.
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .context("TLS cannot be set up")?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = Vec::new();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// The same certificate for HTTPS, which also speaks HTTP/2; and beside it those of controllers' own host names.
pub(crate) fn for_web(config: &ServerConfig, certified: Arc<Certified>) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.cert_resolver = Arc::new(BesideNode::new(certified, Arc::clone(&config.cert_resolver)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn make(data: &Path, authority_name: &str, further: &[String]) -> anyhow::Result<()> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, authority_name);
    let root = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let leaf_key = KeyPair::generate()?;
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.extend(further.iter().filter(|name| *name != "localhost").cloned());
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let leaf = leaf.signed_by(&leaf_key, &issuer)?;
    // The authority's key is not kept: nobody can make another certificate under it.
    std::fs::write(data.join("ca.pem"), root.pem())?;
    std::fs::write(data.join("tls-chain.pem"), format!("{}{}", leaf.pem(), root.pem()))?;
    files::write(&data.join("tls-key.pem"), leaf_key.serialize_pem().as_bytes())
}
