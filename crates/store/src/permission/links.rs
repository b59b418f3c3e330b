//! Tokens in links: who may decide what without a login.
//!
//! A token is sealed under a key of the installation and says nothing to whoever reads it: neither address nor person
//! nor controller. Bound to a person of a controller, what it is for, and the message it came with. It does not run
//! out by itself (RFC 8058 §3.1: an opt-out works as long as the mail lies around), and keys that were replaced still
//! open what they sealed. Whether what it points to has ended is looked up when it is used.

use super::*;
use crate::vault::base64url;
use model::{ConfirmationId, ListId, MessageId, PurposeId};

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkTarget {
    /// Going from a purpose, or from a list below it.
    Unsubscribe {
        /// The purpose.
        purpose: PurposeId,
        /// The list, where the mail was for one.
        list: Option<ListId>,
    },
    /// The person's own page.
    Preferences,
    /// Confirming.
    Confirm(ConfirmationId),
}

/// A link, opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Of whose person.
    pub controller: ControllerId,
    /// The person.
    pub tag: RecipientTag,
    /// What it is for.
    pub target: LinkTarget,
    /// The message it came with, if it came with one.
    pub message: Option<MessageId>,
}

/// Longest token that is looked at.
const TOKEN_MAX: usize = 256;
const CONTEXT: &[u8] = b"link";
/// Kind, controller, person, two numbers, message.
const PLAIN: usize = 1 + 8 + 16 + 8 + 8 + 8;

impl Link {
    fn to_octets(self) -> [u8; PLAIN] {
        let (kind, first, second) = match self.target {
            LinkTarget::Unsubscribe { purpose, list } => (1, purpose.0, list.map_or(0, |list| list.0)),
            LinkTarget::Preferences => (2, 0, 0),
            LinkTarget::Confirm(id) => (3, id.0, 0),
        };
        let mut out = [0; PLAIN];
        let message = self.message.map_or(0, |id| id.0);
        let numbers = [self.controller.0, first, second, message].map(i64::to_be_bytes);
        let [controller, first, second, message] = &numbers;
        let parts: [&[u8]; 6] = [&[kind], controller, &self.tag.0, first, second, message];
        let mut at = 0;
        for part in parts {
            if let Some(place) = out.get_mut(at..at + part.len()) {
                place.copy_from_slice(part);
            }
            at += part.len();
        }
        out
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; PLAIN] = octets.try_into().ok()?;
        let number = |at: usize| Some(i64::from_be_bytes(octets.get(at..at + 8)?.try_into().ok()?));
        let tag = RecipientTag(octets.get(9..25)?.try_into().ok()?);
        let (first, second, message) = (number(25)?, number(33)?, number(41)?);
        let target = match octets.first()? {
            1 => {
                let list = (second != 0).then_some(ListId(second));
                LinkTarget::Unsubscribe { purpose: PurposeId(first), list }
            }
            2 => LinkTarget::Preferences,
            3 => LinkTarget::Confirm(ConfirmationId(first)),
            _ => return None,
        };
        let message = (message != 0).then_some(MessageId(message));
        Some(Self { controller: ControllerId(number(1)?), tag, target, message })
    }
}

impl Store {
    /// The token of a link: letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// When no key is there.
    pub fn link_token(&self, link: &Link) -> Result<String> {
        let (epoch, key) = self.vault.link_key()?;
        let sealed = crypto::seal(&key, CONTEXT, &link.to_octets())?;
        let mut octets = Vec::with_capacity(1 + sealed.len());
        octets.push(epoch);
        octets.extend_from_slice(&sealed);
        Ok(base64url::encode(&octets))
    }

    /// What a token says. Nothing when it is altered, or none of ours.
    #[must_use]
    pub fn open_link(&self, token: &str) -> Option<Link> {
        if token.len() > TOKEN_MAX {
            return None;
        }
        let octets = base64url::decode(token)?;
        let (epoch, sealed) = octets.split_first()?;
        let key = self.vault.link_key_of(*epoch)?;
        Link::from_octets(&crypto::open(&key, CONTEXT, sealed, "link").ok()?)
    }

    /// From now on links are sealed under a new key; those under the keys before go on working.
    ///
    /// # Errors
    /// Those of the engine; when all numbers of keys are used up.
    pub async fn rotate_link_key(&self) -> Result<()> {
        self.vault.make_link_key(self.now()).await
    }
}
