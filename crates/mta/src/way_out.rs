//! The way out of a marketing message: the fields and the footer by which a person stops it, and the pages behind them.
//!
//! Invariants: what [`ensure_fits`] lets in, [`put`] can carry, whoever the recipient is; both ask in the same order;
//! the fields of the sender's own by these names are gone; all text is in one language.
//! Never: a recipient's address, in a link or anywhere; a marketing message without its fields.
//! Standards: ePrivacy Art. 13(4); RFC 2369, 2919, 8058.

#[cfg(test)]
mod tests;
mod text;

use bytes::Bytes;
use mail::footer::{FooterError, Unfit};
use mail::listing::{LIST_ID_OCTETS_MAX, ListId, Listing, ListingError};
use model::stream::Footer;
use std::sync::Arc;
pub(crate) use text::Language;

/// Longest address of the pages in octets.
const PAGES_OCTETS_MAX: usize = 400;
/// Longest address of pages under a host name of a controller's own: `https://` and 253 octets (RFC 1035 §2.3.4).
const HOST_ADDRESS_OCTETS_MAX: usize = 8 + 253;
/// The labels of a longest name, without its dots.
const LABELS_LONGEST: [usize; 4] = [63, 63, 63, 61];
/// No token of the store is longer.
const TOKEN_OCTETS_MAX: usize = 256;
/// Longest name that is said, in octets: of a sender, a purpose, a list.
const NAME_OCTETS_MAX: usize = 120;
/// Longest label made of a name, so that two of them leave room for a domain.
const LABEL_OCTETS_MAX: usize = 40;

/// Who takes opt-outs by mail, at the name to which failures return.
pub(crate) const UNSUBSCRIBE: &str = "unsubscribe";

/// Where the pages for recipients are: what stands before `/u/TOKEN` (opting out), `/p/TOKEN` (preferences) and
/// `/w/TOKEN` (why did I get this). RFC 8058 §3.1: https.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pages(Arc<str>);

/// Why an address is not that of the pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the pages for recipients need an address such as https://mail.example, with neither user name nor query, of at \
     most {PAGES_OCTETS_MAX} octets"
)]
pub struct PagesError;

impl Pages {
    /// From their address, with or without a slash at its end.
    ///
    /// # Errors
    /// [`PagesError`]
    pub fn parse(address: &str) -> Result<Self, PagesError> {
        let pages = Self(address.trim_end_matches('/').into());
        let list_id = ListId::new("a.b.c", None).map_err(|_| PagesError)?;
        // A query would take the token's place.
        let fits = pages.0.len() <= PAGES_OCTETS_MAX
            && !pages.0.contains('?')
            && Listing::new(&pages.page('u', "token"), list_id).is_ok();
        if fits { Ok(pages) } else { Err(PagesError) }
    }

    /// Under a controller's own host name, as the store keeps its address.
    pub(crate) const fn of_host(address: Arc<str>) -> Self {
        Self(address)
    }

    /// At least as long as any under which the links of a message may lead: his host name may come into force while
    /// the message waits.
    fn longest(&self) -> Self {
        if self.0.len() >= HOST_ADDRESS_OCTETS_MAX {
            return self.clone();
        }
        let labels = LABELS_LONGEST.map(|octets| "x".repeat(octets));
        Self(format!("https://{}", labels.join(".")).into())
    }

    /// Their address, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.0
    }

    fn page(&self, page: char, token: &str) -> String {
        format!("{}/{page}/{token}", self.0)
    }

    /// The links of one copy: to opt out of what it is for, and to the person's own pages.
    /// `by_mail`: the name to which failures return, and where mail to `unsubscribe` is read as well.
    pub(crate) fn links(&self, unsubscribe: &str, person: &str, by_mail: Option<&str>) -> Links {
        Links {
            by_mail: by_mail.map(|name| format!("mailto:{UNSUBSCRIBE}@{name}?subject={unsubscribe}")),
            unsubscribe: self.page('u', unsubscribe),
            preferences: self.page('p', person),
            why: self.page('w', person),
        }
    }
}

/// Where the links of one copy lead.
pub(crate) struct Links {
    by_mail: Option<String>,
    unsubscribe: String,
    preferences: String,
    why: String,
}

/// What the way out of one copy says.
pub(crate) struct WayOut {
    /// RFC 2919 §2.
    pub(crate) list_id: String,
    /// What the purpose, or the list below it, is called, in the language.
    pub(crate) title: String,
    /// What the controller is called (GDPR Art. 12(1), ePrivacy Art. 13(4): whose mail it is).
    pub(crate) sender: String,
    pub(crate) language: Language,
    pub(crate) links: Links,
}

/// Why a message cannot carry its way out. No text repeats a value of the message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Misfit {
    /// This node does not know where the pages are.
    #[error("the pages for recipients have no address here; name it with --pages-url")]
    NoPages,
    /// The fields.
    #[error("{0}")]
    Fields(#[from] ListingError),
    /// The footer, for the message.
    #[error("{0}")]
    Footer(#[from] Unfit),
    /// The footer itself: a fault of ours.
    #[error("{0}")]
    Text(#[from] FooterError),
    /// It could not be looked at: a fault of ours.
    #[error("a fault of this program; the way out could not be put in")]
    Fault,
}

/// Can every copy of a message carry its way out? Asked at the door.
pub(crate) fn ensure_fits(pages: Option<&Pages>, footer: Footer, head: &[u8], body: &[u8]) -> Result<(), Misfit> {
    // The longest that there may be: what is taken must fit whoever it goes to.
    let token = "x".repeat(TOKEN_OCTETS_MAX);
    let name = LABELS_LONGEST.map(|octets| "x".repeat(octets)).join(".");
    let links = pages.ok_or(Misfit::NoPages)?.longest().links(&token, &token, Some(&name));
    let list_id = vec!["x".repeat(LABEL_OCTETS_MAX); LIST_ID_OCTETS_MAX / (LABEL_OCTETS_MAX + 1)].join(".");
    let title = "é".repeat(NAME_OCTETS_MAX / "é".len());
    let head = listed(head, &links, &list_id, &title)?;
    if footer == Footer::Add {
        mail::footer::plan(&head, body)?;
    }
    Ok(())
}

/// The header block and the body of one copy, with its way out.
pub(crate) fn put(head: &[u8], body: &Bytes, way_out: &WayOut, footer: Footer) -> Result<(Bytes, Bytes), Misfit> {
    let head = listed(head, &way_out.links, &way_out.list_id, &one_line(&way_out.title))?;
    if footer == Footer::HeadersAlone {
        // A handle to the same octets, not a copy.
        return Ok((head.into(), body.clone()));
    }
    let footed = mail::footer::plan(&head, body)?.apply(&text::footer(way_out)?);
    Ok((footed.head.unwrap_or(head).into(), footed.body.into()))
}

fn listed(head: &[u8], links: &Links, list_id: &str, title: &str) -> Result<Vec<u8>, ListingError> {
    let listing = Listing::new(&links.unsubscribe, ListId::new(list_id, Some(title))?)?;
    let listing = match &links.by_mail {
        Some(by_mail) => listing.with_mail(by_mail)?,
        None => listing,
    };
    mail::listing::put_into(head, &listing)
}

/// A name as one line of bounded length, whatever it was given as.
fn one_line(name: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let line: String = name.chars().map(|c| if breaks(c) { ' ' } else { c }).collect();
    let line = line.trim();
    line.get(..line.floor_char_boundary(NAME_OCTETS_MAX)).unwrap_or_default().trim_end().to_owned()
}

/// A name and the number that tells it from others.
#[derive(Clone, Copy)]
pub(crate) struct Named<'n> {
    pub(crate) name: &'n str,
    pub(crate) id: i64,
}

/// The list id of a purpose, or of a list below one, of a stream of a domain: `offers.newsletter.sample.example`. The
/// same as long as names and domain are (RFC 2919 §2: it identifies the list for as long as it lives).
pub(crate) fn list_id(aim: Named<'_>, stream: Named<'_>, domain: &str) -> String {
    let own = format!("{}.{}", label(aim), label(stream));
    let mut domain = domain;
    // RFC 2919 §2: 255 octets. A domain of more than is left is a rare one; its last labels say whose list it is.
    while own.len() + 1 + domain.len() > LIST_ID_OCTETS_MAX {
        let Some((_, rest)) = domain.split_once('.') else { break };
        domain = rest;
    }
    format!("{own}.{}", domain.to_ascii_lowercase())
}

/// A name as a label. One that cannot be a label has its number behind it, so that no two become the same.
fn label(named: Named<'_>) -> String {
    let lower = named.name.to_ascii_lowercase();
    let fits = |text: &str| {
        (1..=LABEL_OCTETS_MAX).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    if fits(&lower) {
        return lower;
    }
    let number = named.id.unsigned_abs().to_string();
    let kept: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let room = LABEL_OCTETS_MAX.saturating_sub(number.len() + 1);
    let kept = kept.get(..room.min(kept.len())).unwrap_or_default().trim_matches('-');
    format!("{}-{number}", if kept.is_empty() { "list" } else { kept })
}
