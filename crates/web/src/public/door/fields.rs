//! The fields of a form, as a browser sends them (`application/x-www-form-urlencoded`).
//!
//! Bounds: 16 KiB of body, 64 fields. What is beyond is not read.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use std::time::Duration;

use crate::problem::Problem;
use crate::router::Fault;

/// Octets of a form.
const OCTETS_MAX: usize = 16 * 1_024;
/// Fields of a form.
const FIELDS_MAX: usize = 64;
/// How long a form may take to come.
const BODY_MAX: Duration = Duration::from_secs(15);

/// Names and values, in order. A name may come several times.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn of(octets: &[u8]) -> Self {
        Self(form_urlencoded::parse(octets).take(FIELDS_MAX).map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Reads a request's body.
    pub(super) async fn read(body: Body) -> Result<Self, Response> {
        let reading = Limited::new(body, OCTETS_MAX).collect();
        match tokio::time::timeout(BODY_MAX, reading).await {
            Ok(Ok(read)) => Ok(Self::of(&read.to_bytes())),
            _ => Err(Problem::of(Fault::TooLarge).into_response()),
        }
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
