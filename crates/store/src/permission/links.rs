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
    /// Complaining about mail for a purpose, or for a list below it (RFC 9477).
    Complain {
        /// The purpose.
        purpose: PurposeId,
    },
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
/// Kind, controller, person, two numbers, message. Behind it, where the controller's tags were put under a new key, two
/// octets that say how often.
const PLAIN: usize = 1 + 8 + 16 + 8 + 8 + 8;

impl Link {
    fn to_octets(self) -> [u8; PLAIN] {
        let (kind, first, second) = match self.target {
            LinkTarget::Unsubscribe { purpose, list } => (1, purpose.0, list.map_or(0, |list| list.0)),
            LinkTarget::Preferences => (2, 0, 0),
            LinkTarget::Confirm(id) => (3, id.0, 0),
            LinkTarget::Complain { purpose } => (4, purpose.0, 0),
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

    /// The link, and under which number of the key of tags it was made.
    fn from_octets(octets: &[u8]) -> Option<(Self, i64)> {
        let (octets, tag_number) = match octets.split_at_checked(PLAIN)? {
            (octets, []) => (octets, 0),
            (octets, number) => (octets, i64::from(u16::from_be_bytes(number.try_into().ok()?))),
        };
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
            4 => LinkTarget::Complain { purpose: PurposeId(first) },
            _ => return None,
        };
        let message = (message != 0).then_some(MessageId(message));
        Some((Self { controller: ControllerId(number(1)?), tag, target, message }, tag_number))
    }
}

impl Store {
    /// The token of a link: letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// When no key is there.
    pub fn link_token(&self, link: &Link) -> Result<String> {
        let (epoch, key) = self.vault.link_key()?;
        let mut plain = link.to_octets().to_vec();
        match u16::try_from(self.vault.tag_number(link.controller)).map_err(|_| Error::Sealed { what: "key" })? {
            0 => {}
            number => plain.extend_from_slice(&number.to_be_bytes()),
        }
        let sealed = crypto::seal(&key, CONTEXT, &plain)?;
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
        let (link, tag_number) = Link::from_octets(&crypto::open(&key, CONTEXT, sealed, "link").ok()?)?;
        let tag = self.vault.brought_forward(link.controller, link.tag, tag_number)?;
        Some(Link { tag, ..link })
    }

    /// From now on links are sealed under a new key; those under the keys before go on working. No other node serves
    /// meanwhile: it would not know the key.
    ///
    /// # Errors
    /// [`Error::NodesServe`]; those of the engine; when all numbers of keys are used up.
    pub async fn rotate_link_key(&self) -> Result<()> {
        self.refuse_other_nodes().await?;
        let number = self.vault.make_link_key(self.now()).await?;
        self.tell_rotated(&[b"links", &[number]]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::place::Place;
    use proptest::prelude::*;

    fn link(kind: u8, numbers: [i64; 4], tag: [u8; 16]) -> Link {
        let [controller, first, second, message] = numbers.map(|number| number.saturating_abs().max(1));
        let target = match kind {
            0 => LinkTarget::Unsubscribe { purpose: PurposeId(first), list: None },
            1 => LinkTarget::Unsubscribe { purpose: PurposeId(first), list: Some(ListId(second)) },
            2 => LinkTarget::Preferences,
            3 => LinkTarget::Complain { purpose: PurposeId(first) },
            _ => LinkTarget::Confirm(ConfirmationId(first)),
        };
        let message = (message % 2 == 0).then_some(MessageId(message));
        Link { controller: ControllerId(controller), tag: RecipientTag(tag), target, message }
    }

    /// RFC 8058 §3.1: the URI is opaque and hard to forge, and works as long as the mail lies around.
    #[tokio::test]
    async fn rfc8058_3_1_a_token_outlives_its_key_and_an_altered_one_is_none() {
        let place = Place::new();
        let store = place.open().await.unwrap();
        let links: Vec<Link> = (0..4).map(|kind| link(kind, [7, 8, 9, i64::from(kind) + 1], [kind; 16])).collect();
        let tokens: Vec<String> = links.iter().map(|link| store.link_token(link).unwrap()).collect();
        store.rotate_link_key().await.unwrap();
        let later = store.link_token(&links[0]).unwrap();
        store.close().await;
        // And a new start.
        let store = place.open().await.unwrap();
        for (link, token) in links.iter().zip(&tokens) {
            assert_eq!(store.open_link(token), Some(*link));
            for at in 0..token.len() {
                let mut octets = base64url::decode(token).unwrap();
                let Some(octet) = octets.get_mut(at) else { break };
                *octet ^= 1 << (at % 8);
                assert_eq!(store.open_link(&base64url::encode(&octets)), None, "octet {at}");
            }
        }
        assert_eq!(store.open_link(&later), Some(links[0]));
        let numbers = [&later, &tokens[0]].map(|token| base64url::decode(token).unwrap()[0]);
        assert!(numbers[0] > numbers[1], "the new key seals");
        // Two tokens of one link do not show that they are of one.
        assert_ne!(store.link_token(&links[0]).unwrap(), later);
        store.close().await;
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(kind in 0_u8..5, numbers in any::<[i64; 4]>(), tag in any::<[u8; 16]>()) {
            let link = link(kind, numbers, tag);
            prop_assert_eq!(Link::from_octets(&link.to_octets()), Some((link, 0)));
            let later = [&link.to_octets()[..], &[1, 2]].concat();
            prop_assert_eq!(Link::from_octets(&later), Some((link, 258)));
        }

        #[test]
        fn arbitrary_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Link::from_octets(&octets);
        }
    }
}
