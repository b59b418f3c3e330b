//! The fields of a form, as browsers and mail programs send them: `application/x-www-form-urlencoded`, or
//! `multipart/form-data` (RFC 7578), which RFC 8058 §3.2 prefers for the one click.
//!
//! Bounds: 16 KiB of body, 64 fields. What is beyond is not read.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use std::time::Duration;

use super::multipart;
use crate::problem::Problem;
use crate::router::Fault;

/// Octets of a form.
const OCTETS_MAX: usize = 16 * 1_024;
/// Fields of a form.
const FIELDS_MAX: usize = 64;
/// How long a form may take to come.
const BODY_MAX: Duration = Duration::from_secs(15);
/// The pair of RFC 8058 §3.1.
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");

/// Names and values, in order. A name may come several times.
#[derive(Default)]
pub(crate) struct Fields {
    pairs: Vec<(String, String)>,
    /// The body has the pair of the one click, whatever else it is.
    bare_click: bool,
}

impl Fields {
    pub(super) fn of(octets: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(octets).map(|(name, value)| (name.into(), value.into()));
        Self { pairs: pairs.take(FIELDS_MAX).collect(), bare_click: false }
    }

    /// A body by its Content-Type.
    fn typed(content_type: &str, octets: &[u8]) -> Self {
        let read = match multipart::boundary(content_type) {
            Some(boundary) => {
                Self { pairs: multipart::parts(octets, &boundary).take(FIELDS_MAX).collect(), bare_click: false }
            }
            None => Self::of(octets),
        };
        Self { bare_click: has_bare_click(octets), ..read }
    }

    /// Reads a request's body.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Response> {
        let reading = Limited::new(body, OCTETS_MAX).collect();
        let content_type = headers.get(CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or_default();
        match tokio::time::timeout(BODY_MAX, reading).await {
            Ok(Ok(read)) => Ok(Self::typed(content_type, &read.to_bytes())),
            _ => Err(Problem::of(Fault::TooLarge).into_response()),
        }
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Is it the one click of RFC 8058 §3.1? Where the body has none of a form's fields at all, but this pair once, it
    /// means nothing else: who sends it, in whatever wrapping, wants to leave (GDPR Art. 7(3)).
    pub(super) fn is_one_click(&self) -> bool {
        let (name, value) = ONE_CLICK;
        let mut given = self.pairs.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).peekable();
        if given.peek().is_some() {
            return given.all(|(_, said)| said.trim().eq_ignore_ascii_case(value));
        }
        self.bare_click && self.first("scope").is_none()
    }
}

/// Both words of the pair once, in their order.
fn has_bare_click(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets).to_ascii_lowercase();
    let (name, value) = (ONE_CLICK.0.to_ascii_lowercase(), ONE_CLICK.1.to_ascii_lowercase());
    let once = |word: &str| text.match_indices(word).map(|(at, _)| at).collect::<Vec<_>>();
    match (once(&name).as_slice(), once(&value).as_slice()) {
        ([first], [second]) => first < second,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8058_3_2_the_click_is_known_in_every_wrapping_and_nothing_else_is() {
        let part = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
        let urlencoded = "application/x-www-form-urlencoded";
        for (kind, body) in [
            (urlencoded, "List-Unsubscribe=One-Click"),
            ("application/x-www-form-urlencoded; charset=utf-8", "a=b&list-unsubscribe=one-click"),
            ("", "List-Unsubscribe=One-Click\r\n"),
            ("text/plain", "List-Unsubscribe=One-Click"),
            ("multipart/form-data; boundary=b", part),
            ("multipart/form-data; boundary=\"b\"", part),
            // The boundary is not named, or another one.
            ("multipart/form-data", part),
            ("multipart/form-data; boundary=c", part),
            (urlencoded, part),
            ("application/json", r#"{"List-Unsubscribe": "One-Click"}"#),
        ] {
            assert!(Fields::typed(kind, body.as_bytes()).is_one_click(), "{kind}: {body}");
        }
        for (kind, body) in [
            (urlencoded, ""),
            (urlencoded, "scope=purpose"),
            (urlencoded, "List-Unsubscribe=Two-Clicks"),
            (urlencoded, "List-Unsubscribe=One-Click&List-Unsubscribe=No"),
            (urlencoded, "One-Click=List-Unsubscribe"),
            (urlencoded, "scope=all&text=List-Unsubscribe%20One-Click"),
            ("application/json", r#"{"List-Unsubscribe": "no", "List-Unsubscribe": "One-Click"}"#),
        ] {
            assert!(!Fields::typed(kind, body.as_bytes()).is_one_click(), "{kind}: {body}");
        }
    }
}
