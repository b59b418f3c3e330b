//! The way to the authority: HTTPS, with a limit on time and octets.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

const CONNECT_MAX: Duration = Duration::from_secs(10);
/// One request and its answer.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// A chain of certificates is some thousand octets.
const ANSWER_OCTETS_MAX: usize = 256 * 1024;
/// Connections are not kept for longer than an order takes.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Trusts the usual authorities for the web, and those that it was given.
#[derive(Clone)]
pub(super) struct Way(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Way {
    pub(super) fn new(further: &[CertificateDer<'static>]) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in further {
            roots.add(root.clone())?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let tls = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(tls.wrap_connector(tcp));
        Ok(Self(client))
    }
}

impl HttpClient for Way {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let asking = self.0.request(request);
        let answered = async move {
            let (parts, body) = asking.await.map_err(|error| Error::Other(Box::new(error)))?.into_parts();
            let octets = Limited::new(body, ANSWER_OCTETS_MAX).collect().await.map_err(Error::Other)?.to_bytes();
            Ok(BytesResponse::from(Response::from_parts(parts, BodyWrapper::from(octets.to_vec()))))
        };
        Box::pin(async move {
            tokio::time::timeout(REQUEST_MAX, answered).await.unwrap_or(Err(Error::Str("no answer in time")))
        })
    }
}
