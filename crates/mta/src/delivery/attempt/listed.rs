//! A marketing message as it leaves to this recipient: with the list fields and the footer of his copy.
//!
//! Invariants: made before it is signed, so that both signatures cover it (RFC 8058 §4); the tokens in its links are
//! this recipient's and this message's; what cannot carry its way out does not leave.
//! Never: anything of another stream's mail.
//! Standards: ePrivacy Art. 13(4), RFC 8058.

use super::letter::Unwritten;
use crate::delivery::engine::Engine;
use crate::way_out::{self, Language, Links, Misfit, Named, Pages, WayOut};
use bytes::Bytes;
use mail::address::Domain;
use model::Purpose;
use model::stream::Footer;
use std::sync::Arc;
use store::permission::{Link, LinkTarget};
use store::{Content, List, QueueRow, Store};

/// Contents from this on are rewritten off the threads that serve connections.
const SMALL_OCTETS_MAX: usize = 256 * 1024;

/// The content with its way out. `domain`: that of its From field, which signs.
pub(super) async fn content(
    engine: &Engine,
    row: &QueueRow,
    content: &Content,
    domain: &str,
) -> Result<Content, Unwritten> {
    let Engine { store, settings, .. } = engine;
    let Some(pages) = &settings.pages else {
        engine.waits("marketing waits: this node does not know the pages for recipients; name them with --pages-url");
        return Err(Unwritten::NoPages);
    };
    // What is not there any more the gate will name.
    let aim = Aim::of(store, row).ok_or(Unwritten::Unknown)?;
    let stream = store.stream(row.controller, row.stream).ok_or(Unwritten::Unknown)?;
    let language = Language::of(&content.head);
    // His own host name, where its certificate holds; the tokens are the same everywhere.
    let own = store.own_pages(row.controller).map(Pages::of_host);
    let links = links(own.as_ref().unwrap_or(pages), store, row, &aim).map_err(|error| {
        engine.store_failed(&error, "the links of a marketing message could not be made; it waits");
        Unwritten::Unsigned
    })?;
    let named = Named { name: &stream.name, id: stream.id.0 };
    let way_out = WayOut {
        list_id: way_out::list_id(aim.named(), named, domain),
        title: aim.title(language).to_owned(),
        sender: store.controller_shown(row.controller).unwrap_or_default(),
        language,
        links,
    };
    let (head, body) = put(content, way_out, stream.terms.footer).await.map_err(|misfit| {
        tracing::warn!(%misfit, message = row.id.0, "a marketing message cannot carry its way out");
        // A fault of ours, or of a process that ends, says nothing of the message.
        if misfit == Misfit::Fault { Unwritten::Unsigned } else { Unwritten::NoWayOut }
    })?;
    let (recipient, sender) = (content.recipient.clone(), content.sender.clone());
    Ok(Content { recipient, sender, head, body, notice: content.notice.clone() })
}

/// What a message is for: a purpose, and the list below it if it is for one.
struct Aim {
    purpose: Arc<Purpose>,
    list: Option<List>,
}

impl Aim {
    fn of(store: &Store, row: &QueueRow) -> Option<Self> {
        let purpose = store.purpose(row.controller, row.purpose)?;
        if purpose.id == row.purpose {
            return Some(Self { purpose, list: None });
        }
        let list = store.lists(row.controller).into_iter().find(|list| list.id.0 == row.purpose.0)?;
        Some(Self { purpose, list: Some(list) })
    }

    fn named(&self) -> Named<'_> {
        match &self.list {
            Some(list) => Named { name: &list.name, id: list.id.0 },
            None => Named { name: &self.purpose.name, id: self.purpose.id.0 },
        }
    }

    fn title(&self, language: Language) -> &str {
        let texts = self.list.as_ref().map(|list| &list.texts);
        let of_list = texts.and_then(|texts| texts.get(language.tag()).or_else(|| texts.get("en")));
        let text = of_list.or_else(|| self.purpose.text(language.tag()));
        text.map(|text| text.title.trim()).filter(|title| !title.is_empty()).unwrap_or_else(|| self.named().name)
    }
}

/// The links of this copy. What they say is sealed: neither address nor person can be read from them.
fn links(pages: &Pages, store: &Store, row: &QueueRow, aim: &Aim) -> store::Result<Links> {
    let QueueRow { controller, tag, id, .. } = *row;
    let token = |target| store.link_token(&Link { controller, tag, target, message: Some(id) });
    let list = aim.list.as_ref().map(|list| list.id);
    let unsubscribe = token(LinkTarget::Unsubscribe { purpose: aim.purpose.id, list })?;
    let by_mail = store.return_path_name(controller, row.domain);
    Ok(pages.links(&unsubscribe, &token(LinkTarget::Preferences)?, by_mail.as_ref().map(Domain::as_str)))
}

async fn put(content: &Content, way_out: WayOut, footer: Footer) -> Result<(Bytes, Bytes), Misfit> {
    if content.body.len() <= SMALL_OCTETS_MAX {
        return way_out::put(&content.head, &content.body, &way_out, footer);
    }
    // Handles to the same octets, not copies.
    let Content { head, body, .. } = content.clone();
    let work = tokio::task::spawn_blocking(move || way_out::put(&head, &body, &way_out, footer));
    work.await.unwrap_or(Err(Misfit::Fault))
}
