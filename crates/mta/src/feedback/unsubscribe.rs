//! An opt-out by mail: the token of the message's own List-Unsubscribe, in the subject.
//!
//! Invariants: as good as the click (GDPR Art. 7(3)): in force when it is answered; without a token nothing happens,
//! whoever writes.
//! Standards: RFC 2369 §3.2, RFC 6068.

use super::Came;
use crate::Error;
use store::Store;
use store::permission::{Act, Leaving, LinkTarget, Method};

/// Words of a subject that are looked at.
const WORDS_MAX: usize = 16;

pub(super) async fn apply(store: &Store, content: &[u8]) -> Result<Came, Error> {
    let subject = mail::report::subject(content).unwrap_or_default();
    let link = subject.split_whitespace().take(WORDS_MAX).find_map(|word| store.open_link(word));
    let Some(link) = link else { return Ok(Came::NotOurs) };
    let LinkTarget::Unsubscribe { purpose, list } = link.target else { return Ok(Came::NotOurs) };
    let from = list.map_or(Leaving::Purpose(purpose), Leaving::List);
    store.leave(link.controller, link.tag, from, &Act::by(Method::Mail)).await?;
    Ok(Came::Unsubscribed)
}
