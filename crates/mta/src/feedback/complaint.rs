//! A complaint, applied to whom its tokens name.
//!
//! Invariants: what names nobody, or several, changes nothing; an address in a report is never looked at (RFC 6449
//! §5.2: providers take it out, and anybody can put one in).
//! Standards: RFC 5965, 6650, 9477.

use super::Came;
use crate::Error;
use mail::address::Address;
use mail::report::Complaint;
use store::Store;
use store::feedback::{Complained, Sent};
use store::permission::LinkTarget;

/// No token of the store is longer.
const TOKEN_OCTETS_MAX: usize = 256;
/// Words of one clue.
const WORDS_MAX: usize = 32;

/// `to`: the message at whose return path the report came.
pub(super) async fn apply(store: &Store, to: Option<Sent>, complaint: &Complaint) -> Result<Came, Error> {
    if !complaint.kind.is_complaint() {
        return Ok(Came::NoComplaint);
    }
    let mut about: Vec<Complained> = Vec::new();
    if let Some(sent) = to {
        about.extend(store.complained_message(sent).await?);
    }
    for clue in &complaint.clues {
        for word in words(clue) {
            about.extend(named(store, word).await?);
        }
    }
    let Some(first) = about.first().copied() else { return Ok(Came::NotOurs) };
    if about.iter().any(|other| (other.controller, other.tag) != (first.controller, first.tag)) {
        return Ok(Came::NotOurs);
    }
    // The one that says most.
    let first = about.iter().copied().find(|one| one.message.is_some()).unwrap_or(first);
    let news = store.complained(first, complaint.kind.as_str()).await?;
    Ok(if news { Came::Complained } else { Came::Before })
}

/// What may be a token or an address of ours in a value such as `<https://pages.example/u/TOKEN>,
/// <mailto:unsubscribe@bounce.example?subject=TOKEN>`.
fn words(clue: &str) -> impl Iterator<Item = &str> {
    let parts = |c: char| c.is_whitespace() || "<>,;/=?&\"".contains(c);
    clue.split(parts).filter(|word| (20..=TOKEN_OCTETS_MAX).contains(&word.len())).take(WORDS_MAX)
}

async fn named(store: &Store, word: &str) -> Result<Option<Complained>, Error> {
    if word.contains('@') {
        let Ok(address) = Address::parse(word.trim_start_matches("mailto:")) else { return Ok(None) };
        let Some(sent) = store.open_return_path(&address).await? else { return Ok(None) };
        return Ok(store.complained_message(sent).await?);
    }
    let Some(link) = store.open_link(word) else { return Ok(None) };
    // A link to confirm goes to whoever's address somebody typed: it was no mail that he could complain of here.
    let fits =
        matches!(link.target, LinkTarget::Complain { .. } | LinkTarget::Unsubscribe { .. } | LinkTarget::Preferences);
    Ok(fits.then_some(Complained { controller: link.controller, tag: link.tag, message: link.message }))
}
