//! Keyed tags: what a person is found by where no address is kept.
//!
//! A tag is made of the normalised address under the controller's key number 0, and then of itself under each later
//! key: a new key is put around all tags that are there without knowing one address, so no opt-out is ever lost (GDPR
//! Art. 7(3), 21(3)). What lies outside (links in mails, names of persons in answers) says under which number it was
//! made and is brought forward when it comes back.

use super::{Key, KeyKind, Vault, crypto};
use crate::error::Result;
use mail::address::{Address, NORMALISER_VERSION};
use model::{ControllerId, RecipientTag, Timestamp};
use std::sync::Arc;

/// Between a name of a person and the number of the key, where that is not the first.
const NUMBER_MARK: char = '-';

impl Vault {
    /// The keyed tag of an address for one controller.
    pub(crate) fn tag(&self, controller: ControllerId, address: &Address) -> Result<RecipientTag> {
        let key = self.key(controller.0, KeyKind::Tag, 0)?;
        let whole = crypto::mac(key.as_slice(), &[&[NORMALISER_VERSION], address.normalised().as_bytes()]);
        self.nested(controller, first_half(&whole), 0)
    }

    /// How often a controller's tags were put under a new key.
    pub(crate) fn tag_number(&self, controller: ControllerId) -> i64 {
        self.keys.tag_number(controller.0)
    }

    /// A tag that was made when they had been put under so many keys, as it is now. Nothing for a number that has not
    /// come, or whose key is not there.
    pub(crate) fn brought_forward(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        number: i64,
    ) -> Option<RecipientTag> {
        (0..=self.tag_number(controller)).contains(&number).then(|| self.nested(controller, tag, number).ok())?
    }

    fn nested(&self, controller: ControllerId, tag: RecipientTag, from: i64) -> Result<RecipientTag> {
        (from..self.tag_number(controller))
            .try_fold(tag, |tag, number| Ok(nest(&*self.key(controller.0, KeyKind::Tag, number + 1)?, tag)))
    }

    /// The key of tags by its number, made and durable when it was not there.
    pub(crate) async fn tag_key(&self, controller: ControllerId, number: i64, now: Timestamp) -> Result<Arc<Key>> {
        match self.key(controller.0, KeyKind::Tag, number) {
            Ok(key) => Ok(key),
            Err(_) => self.make_key(controller.0, KeyKind::Tag, number, now).await,
        }
    }

    /// A person's name where his address is not kept.
    pub(crate) fn show_person(&self, controller: ControllerId, tag: RecipientTag) -> String {
        let shown = self.ids.show_tag(tag);
        match self.tag_number(controller) {
            0 => shown,
            number => format!("{shown}{NUMBER_MARK}{number}"),
        }
    }

    /// The person of a controller behind what [`Self::show_person`] showed, also when it was long ago. Any 26
    /// characters give one; most are nobody's.
    pub(crate) fn read_person(&self, controller: ControllerId, text: &str) -> Option<RecipientTag> {
        let (shown, number) = match text.split_once(NUMBER_MARK) {
            None => (text, 0),
            // One spelling each: no sign, no zeros before it.
            Some((shown, digits)) => {
                (shown, digits.parse().ok().filter(|number: &i64| *number > 0 && number.to_string() == digits)?)
            }
        };
        self.brought_forward(controller, self.ids.read_tag(shown)?, number)
    }
}

/// A tag under a further key.
pub(crate) fn nest(key: &Key, tag: RecipientTag) -> RecipientTag {
    first_half(&crypto::mac(key.as_slice(), &[&tag.0]))
}

fn first_half(whole: &[u8; 32]) -> RecipientTag {
    let mut tag = [0; 16];
    tag.copy_from_slice(whole.split_at(16).0);
    RecipientTag(tag)
}
