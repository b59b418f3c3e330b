//! Can a draft carry its way out? Asked before the gate is, of marketing alone.
//!
//! Invariant: mail of other streams is not looked at. Never: a value of the message in a log line.
//! Standards: ePrivacy Art. 13(4), RFC 8058.

use crate::way_out::{Misfit, Pages, ensure_fits};
use gate::facts::WayOut;
use model::message::Draft;
use store::{Authority, Store};

/// Contents from this on are looked at off the threads that serve connections.
const SMALL_OCTETS_MAX: usize = 256 * 1024;

/// What the gate is told of a draft. The copies differ in fields alone, so the first stands for all.
pub(super) async fn of(store: &Store, pages: Option<&Pages>, authority: &Authority, draft: &Draft) -> WayOut {
    let chosen = authority.stream();
    if chosen.id == draft.stream && !chosen.kind.is_marketing() {
        return WayOut::Fits;
    }
    // Looked up anew: the terms may have changed since the login. A stream that is not there the gate refuses.
    let stream = store.stream(authority.controller(), draft.stream);
    let Some(stream) = stream.filter(|stream| stream.kind.is_marketing()) else { return WayOut::Fits };
    let (head, body, footer) = (draft.heads.of(0), draft.body.clone(), stream.terms.footer);
    let fits = if body.len() <= SMALL_OCTETS_MAX {
        ensure_fits(pages, footer, &head, &body)
    } else {
        let pages = pages.cloned();
        let work = tokio::task::spawn_blocking(move || ensure_fits(pages.as_ref(), footer, &head, &body));
        work.await.unwrap_or(Err(Misfit::Fault))
    };
    match fits {
        Ok(()) => WayOut::Fits,
        Err(misfit) => {
            tracing::debug!(%misfit, "marketing is refused, because it cannot carry its way out");
            WayOut::DoesNotFit
        }
    }
}
