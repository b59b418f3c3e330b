//! Bodies as objects of a bucket that speaks the S3 protocol.
//!
//! Requests are signed by `rusty-s3` with aws-lc-rs (decision 19), in their address, which holds no key and is good for
//! minutes; what is sent is sealed. An object is put with `If-None-Match: *`, so that the server refuses to overwrite.
//! Invariants: a put that failed is an error of the message; every wait has an end; what a server answered appears in
//! errors as its status and code, nothing else of it.

mod settings;
#[cfg(test)]
mod tests;
mod wire;

pub use settings::{Addressing, S3Keys, S3Settings};

use super::{BodyStore, id_of, name};
use crate::error::{BodiesUnfit, Error, Result};
use async_trait::async_trait;
use bytes::Bytes;
use model::Clock;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wire::{Answer, Fault, Patience, Wire};

/// Says to which installation a bucket or prefix belongs. Sorted behind all ids.
const OWNER: &str = "postern-owner";
/// A signed address is good for so long: clocks differ, and a try takes a while.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
/// The largest message a door takes, sealed, and a margin.
const OBJECT_OCTETS_MAX: usize = 80 * 1024 * 1024;
/// A page of a listing: a thousand names of a kilobyte, and what stands around them.
const LISTING_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// A bucket.
pub(super) struct S3 {
    bucket: Bucket,
    keys: Credentials,
    /// Empty, or with a slash at its end.
    prefix: String,
    /// For people.
    place: String,
    /// Does the server understand `If-None-Match`?
    is_conditional: AtomicBool,
    patience: Patience,
    wire: Wire,
    clock: Arc<dyn Clock>,
}

/// What a server is asked.
enum Ask<'a> {
    Put(&'a str, Bytes),
    Get(&'a str),
    Delete(&'a str),
    List { after: &'a str, limit: usize },
}

impl Ask<'_> {
    /// For people: "when asked to …".
    const fn what(&self) -> &'static str {
        match self {
            Self::Put(..) => "put objects",
            Self::Get(_) => "get objects",
            Self::Delete(_) => "delete objects",
            Self::List { .. } => "list objects",
        }
    }

    const fn answer_octets_max(&self) -> usize {
        match self {
            Self::Get(_) => OBJECT_OCTETS_MAX,
            _ => LISTING_OCTETS_MAX,
        }
    }
}

impl S3 {
    /// A bucket that is there, lets us do what we need, and belongs to the installation `owner`.
    pub(super) async fn open(settings: S3Settings, owner: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let mut s3 = Self::new(settings, clock)?;
        let patience = std::mem::replace(&mut s3.patience, Patience::at_start());
        s3.claim(owner).await?;
        for ask in [Ask::List { after: "", limit: 1 }, Ask::Delete(&name(0))] {
            s3.ask(&ask).await.map_err(|fault| s3.unfit(&ask, fault))?;
        }
        s3.patience = patience;
        Ok(s3)
    }

    fn new(settings: S3Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        let place = settings.place();
        let wire = Wire::new(settings.ca.as_deref())?;
        let (bucket, prefix, keys) = settings.read()?;
        let is_conditional = AtomicBool::new(true);
        Ok(Self { bucket, keys, prefix, place, is_conditional, patience: Patience::default(), wire, clock })
    }

    /// Says whose bucket it is, or finds that it is ours; and finds out whether the server refuses to overwrite.
    async fn claim(&self, owner: &str) -> Result<()> {
        let (get, put) = (Ask::Get(OWNER), Ask::Put(OWNER, Bytes::from(owner.to_owned())));
        let marked = match self.ask(&get).await {
            Ok(answer) => Some(answer.body),
            Err(fault) if fault.is_absent() => None,
            Err(fault) => return Err(self.unfit(&get, fault)),
        };
        let other = || BodiesUnfit::OtherOwner { place: self.place.clone() };
        if marked.is_some_and(|mark| mark.trim_ascii() != owner.as_bytes()) {
            return Err(other().into());
        }
        match self.ask(&put).await {
            Ok(_) => {}
            Err(fault) if fault.is_there_already() => {}
            Err(fault) if fault.is_not_implemented() => {
                self.is_conditional.store(false, Ordering::Relaxed);
                self.ask(&put).await.map_err(|fault| self.unfit(&put, fault))?;
            }
            Err(fault) => return Err(self.unfit(&put, fault)),
        }
        // Several nodes, or two installations, may start at once: the mark that stands now is the one that counts.
        let mark = self.ask(&get).await.map_err(|fault| self.unfit(&get, fault))?;
        if mark.body.trim_ascii() == owner.as_bytes() { Ok(()) } else { Err(other().into()) }
    }

    async fn ask(&self, ask: &Ask<'_>) -> std::result::Result<Answer, Fault> {
        let body = if let Ask::Put(_, body) = ask { body.clone() } else { Bytes::new() };
        let once = matches!(ask, Ask::Put(..)) && self.is_conditional.load(Ordering::Relaxed);
        let sign = || {
            let request = http::Request::builder();
            let request = if once { request.header(http::header::IF_NONE_MATCH, "*") } else { request };
            self.sign(ask, once, request)
        };
        self.wire.ask_patiently(&self.patience, sign, body, ask.answer_octets_max()).await
    }

    /// Method and signed address. Signed anew for each try: the time is part of it.
    fn sign(&self, ask: &Ask<'_>, once: bool, request: http::request::Builder) -> http::request::Builder {
        let keys = Some(&self.keys);
        // Years that a calendar does not have are no time to sign in either: the server will say so.
        let at = jiff::Timestamp::from_microsecond(self.clock.now().micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        match ask {
            Ask::Put(name, _) => {
                let key = self.key(name);
                let mut action = self.bucket.put_object(keys, &key);
                if once {
                    action.headers_mut().insert("if-none-match", "*");
                }
                request.method(http::Method::PUT).uri(action.sign_with_time(SIGNED_FOR, &at).as_str())
            }
            Ask::Get(name) => {
                let key = self.key(name);
                let action = self.bucket.get_object(keys, &key);
                request.method(http::Method::GET).uri(action.sign_with_time(SIGNED_FOR, &at).as_str())
            }
            Ask::Delete(name) => {
                let key = self.key(name);
                let action = self.bucket.delete_object(keys, &key);
                request.method(http::Method::DELETE).uri(action.sign_with_time(SIGNED_FOR, &at).as_str())
            }
            Ask::List { after, limit } => {
                let mut action = self.bucket.list_objects_v2(keys);
                action.with_max_keys(*limit);
                if !self.prefix.is_empty() {
                    action.with_prefix(self.prefix.as_str());
                }
                if !after.is_empty() {
                    action.with_start_after(self.key(after));
                }
                request.method(http::Method::GET).uri(action.sign_with_time(SIGNED_FOR, &at).as_str())
            }
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A page of names behind this one, and whether there are more.
    async fn page(&self, after: &str, limit: usize) -> Result<(Vec<String>, bool)> {
        let ask = Ask::List { after, limit };
        let answer = self.ask(&ask).await.map_err(|fault| self.failed(&ask, &fault))?;
        let read = std::str::from_utf8(&answer.body).ok().and_then(|text| ListObjectsV2::parse_response(text).ok());
        let Some(listing) = read else {
            let reason = "the server's listing is not understood".to_owned();
            return Err(Error::Bodies { place: self.place.clone(), reason });
        };
        let keys = listing.contents.into_iter().map(|object| object.key);
        let names = keys.filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned)).collect();
        Ok((names, listing.next_continuation_token.is_some()))
    }

    /// While running: the message is refused for now, or asked for again.
    fn failed(&self, ask: &Ask<'_>, fault: &Fault) -> Error {
        Error::Bodies { place: self.place.clone(), reason: format!("{fault} when asked to {}", ask.what()) }
    }

    /// At start: what to do about it.
    fn unfit(&self, ask: &Ask<'_>, fault: Fault) -> Error {
        let (place, what) = (self.place.clone(), ask.what());
        let unfit = match fault {
            Fault::NoAnswer { reason } => BodiesUnfit::Unreachable { place, reason },
            Fault::Answer { status, code, .. } => match (status, code.as_str()) {
                (_, "NoSuchBucket") => BodiesUnfit::NoBucket { place },
                (_, "RequestTimeTooSkewed") => BodiesUnfit::Clock { place, code },
                (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken")
                | (_, "AuthorizationQueryParametersError")
                | (401, _) => BodiesUnfit::Keys { place, code },
                (403, _) => BodiesUnfit::Rights { place, what, code },
                _ => BodiesUnfit::Answer { place, what, answer: format!("{status} {code}") },
            },
        };
        unfit.into()
    }
}

#[async_trait]
impl BodyStore for S3 {
    async fn put(self: Arc<Self>, id: i64, sealed: Bytes) -> Result<()> {
        let name = name(id);
        let ask = Ask::Put(&name, sealed);
        match self.ask(&ask).await {
            Ok(_) => Ok(()),
            // Ids are given once: an earlier try got there, and its answer was lost.
            Err(fault) if fault.is_there_already() && fault.was_tried_before() => Ok(()),
            Err(fault) => Err(self.failed(&ask, &fault)),
        }
    }

    async fn get(&self, id: i64) -> Result<Bytes> {
        let name = name(id);
        let ask = Ask::Get(&name);
        let answer = self.ask(&ask).await.map_err(|fault| self.failed(&ask, &fault))?;
        Ok(answer.body)
    }

    async fn remove(&self, ids: Vec<i64>) -> Result<()> {
        let mut outcome = Ok(());
        for id in ids {
            let name = name(id);
            let ask = Ask::Delete(&name);
            match self.ask(&ask).await {
                Ok(_) => {}
                Err(fault) if fault.is_absent() => {}
                // What is about this one object hinders no other.
                Err(fault) if fault.is_refusal() => outcome = Err(self.failed(&ask, &fault)),
                Err(fault) => return Err(self.failed(&ask, &fault)),
            }
        }
        outcome
    }

    async fn list(&self, after: i64, before: i64, limit: usize) -> Result<Vec<i64>> {
        let mut from = if after > 0 { name(after) } else { String::new() };
        loop {
            // Names are in the order of ids.
            let (names, more) = self.page(&from, limit).await?;
            let ids: Vec<i64> = names.iter().filter_map(|name| id_of(name)).collect();
            let is_past = ids.last().is_some_and(|last| *last >= before);
            let wanted: Vec<i64> = ids.into_iter().filter(|id| after < *id && *id < before).collect();
            // A page without an id may stand before one with some.
            match names.into_iter().next_back() {
                Some(last) if wanted.is_empty() && more && !is_past => from = last,
                _ => return Ok(wanted),
            }
        }
    }

    fn discard(self: Arc<Self>, id: i64) {
        // Outside a runtime nothing can be asked: the collector removes it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move { super::told(self.remove(vec![id]).await) });
    }
}
