//! How long certificates hold, for which names, and whether clients trust them (RFC 5280 §6, RFC 9525 §6).

use super::standing::Standing;
use crate::certificates::Certificate;
use crate::clock::SystemClock;
use crate::room::{certificate_ends, days_left};
use crate::settings::Settings;
use model::Clock as _;
use mta::health::Finding;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// Fewer days: worth to look at. Authorities and their robots renew at a third of the life, thirty days at the latest.
const LITTLE_DAYS: i64 = 14;
/// Fewer days: it must be renewed now.
const NONE_DAYS: i64 = 3;

pub(super) fn look(settings: &Settings, standing: &Standing) -> Vec<Finding> {
    let mut found = node(settings);
    let now = SystemClock.now();
    for host in &standing.hosts {
        found.push(match host.ends {
            Some(ends) => lasting(&host.name, days_left(ends, now), "see GET /v1/hosts for why its order fails"),
            None => Finding::warning(
                &host.name,
                "has no certificate yet",
                "see GET /v1/hosts for why its order fails, and that acme.directory is set",
            ),
        });
    }
    found
}

fn node(settings: &Settings) -> Vec<Finding> {
    let host = settings.hostname.as_str();
    let ends = certificate_ends(&settings.certificate, &settings.data);
    let files = match &settings.certificate {
        Certificate::Own { .. } if ends.is_none() => {
            return vec![Finding::note(host, "has no certificate yet: the node makes one of its own at its start")];
        }
        Certificate::Own { .. } => "delete tls-chain.pem and tls-key.pem in the data folder and start the node again",
        Certificate::Files { .. } => "renew it, put it into the files of tls.certificate and tls.key, and send SIGHUP",
    };
    let Some(ends) = ends else {
        let what = "its certificate cannot be read";
        return vec![Finding::wrong(host, what, "see postern config check")];
    };
    let mut found = vec![lasting(host, days_left(ends, SystemClock.now()), files)];
    if let Certificate::Own { .. } = settings.certificate {
        let what = "shows a certificate of its own, which clients have to be told to trust (ca.pem)";
        found.push(Finding::note(host, what));
        return found;
    }
    let mut names = vec![host.to_owned()];
    if let Some(pages) = settings.doors.https.and(settings.delivery.pages.as_ref()) {
        names.extend(web::hosts::host_of_url(pages.base()));
    }
    names.dedup();
    found.extend(names.iter().filter_map(|name| held(settings, name)));
    found
}

fn lasting(about: &str, days: i64, remedy: &str) -> Finding {
    match days {
        ..0 => Finding::wrong(about, format!("its certificate has ended {} days ago", -days), remedy),
        0..NONE_DAYS => Finding::wrong(about, format!("its certificate holds for {days} days"), remedy),
        NONE_DAYS..LITTLE_DAYS => Finding::warning(about, format!("its certificate holds for {days} days"), remedy),
        _ => Finding::good(about, format!("its certificate holds for {days} days")),
    }
}

/// What a client would mind who comes for this name; nothing when he would not, or minds what was told already.
fn held(settings: &Settings, name: &str) -> Option<Finding> {
    let read = settings.certificate.read(&settings.data).ok()?;
    let (leaf, between) = read.cert.split_first()?;
    let minded = judged(settings, leaf, between, name).err()?;
    Some(match minded {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => Finding::warning(
            name,
            "its certificate does not lead to an authority that clients know by themselves",
            "put those between it and its authority behind it in the file of tls.certificate; if the authority is your \
             own, tell clients to trust it, and this command with --exchanger-ca",
        ),
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Finding::warning(
            name,
            "the certificate of the node is not for this name",
            format!("get one that holds for {name}: clients who check names turn away"),
        ),
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => return None,
        other => Finding::warning(name, format!("clients mind its certificate: {other}"), "get another one"),
    })
}

fn judged(
    settings: &Settings,
    leaf: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    name: &str,
) -> Result<(), Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for own in &settings.delivery.roots {
        roots.add(own.clone())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let name = ServerName::try_from(name.to_owned()).map_err(|error| Error::General(error.to_string()))?;
    let seconds = u64::try_from(SystemClock.now().seconds()).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier.verify_server_cert(leaf, between, &name, &[], now).map(drop)
}
