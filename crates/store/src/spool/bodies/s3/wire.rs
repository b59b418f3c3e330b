//! The way to the server: HTTP/1.1, by TLS with aws-lc-rs, over connections that are kept for a while.
//!
//! Invariants: each try and all of them together have an end; an answer is read up to a limit; what is tried again is
//! what may succeed another time. Never: a signed address in an error.

use crate::error::{Error, Result};
use crate::postgres::roots;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Servers close connections that rest for longer than some seconds.
const IDLE_MAX: Duration = Duration::from_secs(10);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A code is a word; what is longer is none.
const CODE_LETTERS_MAX: usize = 64;

/// How long a server is given.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// For one try.
    pub(super) one: Duration,
    /// For all of them: less than clients wait for an answer to their final dot (RFC 5321 §4.5.3.2.6).
    pub(super) whole: Duration,
    /// Between the first two; doubled each time.
    pub(super) pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { one: Duration::from_secs(20), whole: Duration::from_secs(40), pause: Duration::from_millis(200) }
    }
}

impl Patience {
    /// Somebody watches.
    pub(super) fn at_start() -> Self {
        Self { whole: Duration::from_secs(15), ..Self::default() }
    }
}

/// A good answer.
pub(super) struct Answer {
    pub(super) body: Bytes,
}

/// No good answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// None at all.
    NoAnswer {
        /// What happened.
        reason: String,
    },
    /// One that says no.
    Answer {
        /// HTTP status.
        status: u16,
        /// The server's word for it, or nothing.
        code: String,
        /// Was it tried before, so that an earlier try may have done it?
        tried_before: bool,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { reason } => write!(formatter, "no answer ({reason})"),
            Self::Answer { status, code, .. } if code.is_empty() => write!(formatter, "{status}"),
            Self::Answer { status, code, .. } => write!(formatter, "{status} {code}"),
        }
    }
}

impl Fault {
    /// No such object. A missing bucket is another thing.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Answer { status: 404, code, .. } if code != "NoSuchBucket")
    }

    /// It would have overwritten something.
    pub(super) const fn is_there_already(&self) -> bool {
        matches!(self, Self::Answer { status: 412, .. })
    }

    pub(super) const fn was_tried_before(&self) -> bool {
        matches!(self, Self::Answer { tried_before: true, .. })
    }

    /// The server does not know a header of ours.
    pub(super) fn is_not_implemented(&self) -> bool {
        matches!(self, Self::Answer { status, code, .. } if *status == 501 || code == "NotImplemented")
    }

    /// It concerns what was asked, not the server.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Answer { status: 400..=499, .. })
    }

    /// May another try succeed? A conflict is two requests for one name at once.
    fn is_passing(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Answer { status, code, .. } => {
                matches!(status, 408 | 409 | 429 | 500 | 502 | 503 | 504) || code == "RequestTimeout"
            }
        }
    }
}

/// A client.
pub(super) struct Wire {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Wire {
    /// Trusts the authorities in the file, or the usual ones.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Engine(format!("TLS: {error}")))?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(tls.wrap_connector(tcp));
        Ok(Self { client })
    }

    /// Asks until there is a good answer, or one that will not change, or the patience ends.
    pub(super) async fn ask_patiently(
        &self,
        patience: &Patience,
        sign: impl Fn() -> http::request::Builder,
        body: Bytes,
        octets_max: usize,
    ) -> Result<Answer, Fault> {
        let mut fault = Fault::NoAnswer { reason: "it took too long".into() };
        let tries = async {
            let (mut pause, mut tried_before) = (patience.pause, false);
            loop {
                let one = tokio::time::timeout(patience.one, self.ask(sign(), body.clone(), octets_max, tried_before));
                match one.await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(lasting)) if !lasting.is_passing() => return Err(lasting),
                    Ok(Err(passing)) => fault = passing,
                    Err(_) => fault = Fault::NoAnswer { reason: "it took too long".into() },
                }
                tried_before = true;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        };
        match tokio::time::timeout(patience.whole, tries).await {
            Ok(outcome) => outcome,
            // The last thing that was heard says more than that time is over.
            Err(_) => Err(fault),
        }
    }

    async fn ask(
        &self,
        request: http::request::Builder,
        body: Bytes,
        octets_max: usize,
        tried_before: bool,
    ) -> Result<Answer, Fault> {
        let unasked = |error: http::Error| Fault::NoAnswer { reason: error.to_string() };
        let request = request.body(Full::new(body)).map_err(unasked)?;
        let answer = self.client.request(request).await.map_err(|error| Fault::NoAnswer { reason: chain(&error) })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), octets_max).collect().await;
        let body = body.map_err(|error| Fault::NoAnswer { reason: chain(&*error) })?.to_bytes();
        match status.is_success() {
            true => Ok(Answer { body }),
            false => Err(Fault::Answer { status: status.as_u16(), code: code(&body), tried_before }),
        }
    }
}

/// The server's word for what is wrong. Nothing else of its answer is taken over.
pub(super) fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let word = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(word, _)| word);
    let is_word = word.len() <= CODE_LETTERS_MAX && word.bytes().all(|letter| letter.is_ascii_alphanumeric());
    if is_word { word.to_owned() } else { String::new() }
}

/// An error and what lies under it. None of them holds an address beyond host and port.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut under = error.source();
    while let Some(error) = under {
        text.push_str(": ");
        text.push_str(&error.to_string());
        under = error.source();
    }
    text
}
