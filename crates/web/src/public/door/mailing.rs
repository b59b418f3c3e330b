//! The platform's own mail: the request to confirm, to a recipient; a right that was exercised, to the controller. It
//! takes the one way in, as all mail does, on the controller's `service` stream (`architecture.md` §10).

use bytes::Bytes;
use mail::address::Address;
use mail::compose::{Draft as Letter, Mailbox, compose};
use model::message::{Draft, Heads};
use model::{ControllerId, MessageId, WishId};
use mta::submission::Submission;
use std::sync::Arc;

use crate::api::Api;
use crate::public::words::{self, fill};
use crate::public::{Language, date};
use store::Store;
use store::permission::Right;

use super::Owner;
use super::throttle::Own;

/// What is asked.
pub(super) struct Request<'a> {
    pub(super) controller: ControllerId,
    /// Who asks, as people know the controller.
    pub(super) name: &'a str,
    /// From which address.
    pub(super) sender: &'a str,
    pub(super) to: &'a Address,
    pub(super) language: Language,
    /// Titles of the purposes.
    pub(super) purposes: &'a [String],
    /// Where the button is.
    pub(super) url: &'a str,
    /// How long it can be used.
    pub(super) valid: std::time::Duration,
}

/// A right that a person exercised, for the controller.
pub(super) struct Wish<'a> {
    pub(super) owner: &'a Owner,
    pub(super) right: Right,
    pub(super) address: Option<&'a str>,
    pub(super) reference: &'a str,
}

/// May this person be asked to confirm now? Not where his mailbox was asked often today, however the address was
/// spelled, nor where strangers have set off enough mail of this controller today.
pub(super) fn has_room(api: &Api, controller: ControllerId, to: &Address) -> bool {
    let now = api.store().clock().monotonic();
    api.throttle().ask(controller, to, now) && may_write(api, controller, Own::Asking)
}

/// May the platform write one message more of this kind today?
fn may_write(api: &Api, controller: ControllerId, own: Own) -> bool {
    let store = api.store();
    let when = (store.now().utc_day(), store.clock().monotonic());
    api.throttle().write(controller, own, when, store.quota_max(controller))
}

/// Asks a person to confirm. False when it was not taken in.
pub(super) async fn send(api: &Api, request: &Request<'_>) -> bool {
    let (subject, text) = texts(request);
    let mail = Mail { controller: request.controller, name: request.name, sender: request.sender, to: request.to };
    mail.send(api, &subject, &text).await
}

/// Tells the controller as soon as it is recorded, as often as strangers may have that done in a day. False when it was
/// not: it is tried again with those that wait, and he finds it by the API.
pub(super) async fn forward_now(api: &Api, wish: &Wish<'_>) -> bool {
    may_write(api, wish.owner.controller, Own::Telling) && forward(api, wish).await
}

/// Tells the controller (GDPR Art. 28(3)(e)). False when he cannot be told by mail; he finds it by the API.
pub(super) async fn forward(api: &Api, wish: &Wish<'_>) -> bool {
    let profile = &wish.owner.profile;
    let Ok(to) = Address::parse(&profile.email) else { return false };
    let mail = Mail { controller: wish.owner.controller, name: &profile.name, sender: &profile.sender, to: &to };
    let right = wish.right.as_str();
    let person = wish.address.unwrap_or("(the address is not kept any more)");
    let text = format!(
        "A person used the page \"why did I get this?\" to exercise a right.\n\n\
         Right: {right}\nPerson: {person}\nReference: {}\n\n\
         It came by the link of a message to this person, and is not authenticated: messages are forwarded, and their \
         links with them. Make sure who asks before you hand out, change or erase anything (GDPR Art. 12(6)).\n\n\
         You answer it, without undue delay and within one month (GDPR Art. 12(3)). We have told the person that it \
         was passed on to you, and have not answered it ourselves.",
        wish.reference
    );
    mail.send(api, &format!("A right was exercised: {right} ({})", wish.reference), &text).await
}

/// Tells the controller that his instruction is held, and why (GDPR Art. 28(3), last subparagraph). False when he
/// cannot be told by mail; he finds it among his notifications.
pub(super) async fn tell_held(api: &Api, owner: &Owner, reference: &str, why: &str) -> bool {
    let profile = &owner.profile;
    let Ok(to) = Address::parse(&profile.email) else { return false };
    let mail = Mail { controller: owner.controller, name: &profile.name, sender: &profile.sender, to: &to };
    let text = format!(
        "The instruction {reference} looks infringing to us, and we have to tell you so at once (GDPR Art. 28(3), last \
         subparagraph). It is neither carried out nor dropped: the one before stays in force until you amend or \
         confirm it.\n\n{why}\n\nThis is not legal advice."
    );
    mail.send(api, &format!("An instruction is held ({reference})"), &text).await
}

/// Wishes that a request could not pass on are tried again until their 24 hours are over (law.md R16; GDPR Art.
/// 28(3)(e)); of several nodes one mails a wish. Those that are late are counted in the log; their controller still
/// finds them by the API.
///
/// # Errors
/// Those of the store; calling again later is safe.
pub async fn forward_wishes(store: &Arc<Store>, submission: &Arc<Submission>) -> store::Result<()> {
    let api = Api::new(Arc::clone(store), Arc::clone(submission), "", None, Arc::default());
    let mut after = WishId(0);
    loop {
        let waiting = store.wishes_waiting(after).await?;
        let Some((_, newest)) = waiting.last() else { break };
        after = newest.id;
        for (controller, wish) in waiting {
            let Ok(owner) = Owner::load(&api, controller).await else { continue };
            let reference = store.public_id(wish.id);
            let (right, address) = (wish.right, wish.address.as_deref());
            if store.claim_wish(controller, wish.id).await?
                && forward(&api, &Wish { owner: &owner, right, address, reference: &reference }).await
            {
                store.wish_forwarded(controller, wish.id).await?;
            }
        }
    }
    let late = store.wishes_late().await?;
    if late > 0 {
        tracing::warn!(
            late,
            "rights that people exercised were not passed on to their controllers within 24 hours; see GET /v1/requests"
        );
    }
    Ok(())
}

/// Who sends what to whom.
struct Mail<'a> {
    controller: ControllerId,
    name: &'a str,
    sender: &'a str,
    to: &'a Address,
}

impl Mail<'_> {
    /// Sends it. False when it was not taken in: the gate has something against it, or there is nobody to send it as.
    async fn send(&self, api: &Api, subject: &str, text: &str) -> bool {
        let request = self;
        let store = api.store();
        let Some(authority) = store.system_authority(request.controller) else { return false };
        let Some(from) = request.sender(api) else { return false };
        let fields = [("Auto-Submitted".to_owned(), "auto-generated".to_owned())];
        let letter = Letter {
            from: Mailbox {
                address: from.clone(),
                name: Some(request.name.to_owned()).filter(|name| !name.is_empty()),
            },
            cc: Vec::new(),
            reply_to: Vec::new(),
            subject,
            text: Some(text),
            html: None,
            headers: &fields,
            attachments: Vec::new(),
        };
        let id = store.new_message_id();
        let to = Mailbox { address: request.to.clone(), name: None };
        let message_id = format!("{}@{}", store.public_id(id), from.domain());
        let date = u64::try_from(store.now().seconds()).unwrap_or_default();
        let composed = compose(&letter).and_then(|composed| {
            let head = composed.head_for(std::slice::from_ref(&to), &message_id, date)?;
            Ok((head, composed.body))
        });
        let (head, body) = match composed {
            Ok(composed) => composed,
            Err(error) => {
                tracing::error!(%error, "a message of the platform could not be written");
                return false;
            }
        };
        let draft = Draft {
            stream: authority.stream().id,
            purpose: authority.stream().default_purpose(),
            from,
            reverse_path: None,
            recipients: vec![request.to.clone()],
            heads: Heads::Same(Bytes::from(head)),
            body,
            metadata: String::new(),
            notices: Vec::new(),
        };
        let ids: Vec<MessageId> = vec![id];
        match api.submission().accept_all(&authority, draft, ids).await {
            Ok(answers) => answers.iter().all(|answer| !matches!(answer, mta::submission::Answer::Refused(_))),
            Err(error) => {
                tracing::warn!(%error, "a message of the platform was not taken in");
                false
            }
        }
    }

    /// The profile's sender, or one at the controller's first verified domain.
    fn sender(&self, api: &Api) -> Option<Address> {
        if let Ok(address) = Address::parse(self.sender) {
            return Some(address);
        }
        let domain = api.store().first_domain(self.controller)?;
        Address::parse(&format!("no-reply@{domain}")).ok()
    }
}

fn texts(request: &Request<'_>) -> (String, String) {
    let words = &words::of(request.language).mail;
    let purposes = request.purposes.join(", ");
    let days = date::span(request.language, request.valid);
    let say = |text: &str| {
        fill(text, &[("controller", request.name), ("purposes", purposes.as_str()), ("days", days.as_str())])
    };
    let paragraphs =
        [say(&words.lead), say(&words.open), request.url.to_owned(), say(&words.nothing), say(&words.ignore)];
    (say(&words.subject), paragraphs.join("\n\n"))
}
