//! Fetching a policy from its host, and from nobody else; and handing a report to the host that a domain names for it.
//!
//! Invariants: one request to `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` with a certificate that holds for that
//! name; an answer other than 200, a redirect among them, is no policy; no more than [`POLICY_OCTETS_MAX`] are read, in
//! no more than the settings allow; the host's addresses are public, unless the operator allows others; of the answer
//! to a report the status alone is looked at.
//! Never: a proxy, a cookie, a second request. Standards: RFC 8461 §3.3, RFC 8460 §5.4.

use crate::delivery::route::lookup::{Addresses, Dns};
use crate::delivery::route::public::is_public;
use crate::delivery::settings::Settings;
use crate::delivery::tls::roots;
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// RFC 8461 §3.3 lets a sender bound it; the longest that is useful has some hundreds of octets.
const POLICY_OCTETS_MAX: usize = 64 * 1024;
/// Addresses of a host that are tried.
const ADDRESSES_MAX: usize = 3;
const PATH: &str = "/.well-known/mta-sts.txt";

/// Fetches policies.
#[derive(Clone)]
pub(crate) struct Fetcher {
    connector: TlsConnector,
    port: u16,
    allows_private: bool,
    whole: Duration,
    connect: Duration,
}

impl Fetcher {
    /// # Errors
    /// A root certificate in the settings is not one.
    pub(crate) fn new(settings: &Settings) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(settings)?)
            .with_no_client_auth();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            port: settings.policy_port,
            allows_private: settings.allows_private,
            whole: settings.timeouts.policy,
            connect: settings.timeouts.connect.min(settings.timeouts.policy),
        })
    }

    /// The text that the domain's policy host gives out; nothing when it does not.
    pub(crate) async fn fetch(&self, dns: &Dns, domain: &str) -> Option<String> {
        timeout(self.whole, self.ask(dns, domain)).await.ok().flatten()
    }

    async fn ask(&self, dns: &Dns, domain: &str) -> Option<String> {
        let host = format!("mta-sts.{domain}");
        let stream = self.connect(dns, &host, self.port).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let request =
            Request::get(PATH).header(HOST, &host).header(USER_AGENT, "postern").body(Empty::<Bytes>::new()).ok()?;
        let asking = async {
            let answer = sender.send_request(request).await.ok()?;
            let is_text = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| {
                kind.as_bytes().get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/plain"))
            });
            // RFC 8461 §3.3: 3xx must not be followed.
            if answer.status() != StatusCode::OK || !is_text {
                return None;
            }
            let body = Limited::new(answer.into_body(), POLICY_OCTETS_MAX).collect().await.ok()?;
            String::from_utf8(body.to_bytes().to_vec()).ok()
        };
        tokio::pin!(connection, asking);
        tokio::select! {
            answer = &mut asking => answer,
            // The server closed; what it said before may still be there.
            _ = &mut connection => asking.await,
        }
    }

    /// RFC 8460 §5.4: hands a report over; was it taken?
    pub(crate) async fn post(&self, dns: &Dns, to: (&str, u16, &str), kind: &str, octets: &[u8]) -> bool {
        timeout(self.whole, self.hand(dns, to, kind, octets))
            .await
            .ok()
            .flatten()
            .is_some_and(|status| status.is_success())
    }

    async fn hand(
        &self,
        dns: &Dns,
        (host, port, path): (&str, u16, &str),
        kind: &str,
        octets: &[u8],
    ) -> Option<StatusCode> {
        let stream = self.connect(dns, host, port).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let named = if port == 443 { host.to_owned() } else { format!("{host}:{port}") };
        let request = Request::post(path).header(HOST, named).header(USER_AGENT, "postern").header(CONTENT_TYPE, kind);
        let request = request.body(Full::new(Bytes::copy_from_slice(octets))).ok()?;
        let asking = async { sender.send_request(request).await.ok().map(|answer| answer.status()) };
        tokio::pin!(connection, asking);
        tokio::select! {
            status = &mut asking => status,
            // The server closed; what it said before may still be there.
            _ = &mut connection => asking.await,
        }
    }

    async fn connect(&self, dns: &Dns, host: &str, port: u16) -> Option<TlsStream<TcpStream>> {
        let Addresses::Some(located) = dns.addresses(host).await else { return None };
        let name = ServerName::try_from(host.to_owned()).ok()?;
        let ips = located.ips.into_iter().filter(|ip| self.allows_private || is_public(*ip));
        for ip in ips.take(ADDRESSES_MAX) {
            let connecting = timeout(self.connect, TcpStream::connect(SocketAddr::new(ip, port)));
            if let Ok(Ok(stream)) = connecting.await {
                return self.connector.connect(name, stream).await.ok();
            }
        }
        None
    }
}
