//! Local parts outside ASCII: which characters they may have, in which form they are kept, and what is the same.
//!
//! Invariants: [`folded`] gives the same for a text in NFC and NFD, in capitals and small letters, in wide and narrow
//! forms, with and without joiners; of ASCII it makes small letters and nothing else.
//! Standards: RFC 6531 §3.3, RFC 6532 §3.1 (NFC), Unicode §3.13 (case folding), UAX 15 (NFC, NFKC).

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::{AddressError, LOCAL_OCTETS_MAX};

/// ZERO WIDTH NON-JOINER and JOINER: spelling in several scripts of Asia, so that they are taken; to a reader they
/// often make no difference, so that they make none in [`folded`].
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// A local part in NFC.
///
/// # Errors
/// [`AddressError::LocalPartTooLong`] before anything is looked at, [`AddressError::LocalPartCharacter`].
pub(super) fn composed(local: &str) -> Result<Cow<'_, str>, AddressError> {
    if local.is_ascii() {
        return Ok(Cow::Borrowed(local));
    }
    // NFC makes a text shorter by a third of it at most, and what was taken apart is four times as long at most.
    if local.len() > LOCAL_OCTETS_MAX * 4 {
        return Err(AddressError::LocalPartTooLong);
    }
    let categories = CodePointMapData::<GeneralCategory>::new();
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let is_bad = |letter: char| {
        let unseen = match categories.get(letter) {
            GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::SpaceSeparator
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned => true,
            _ => ignorable.contains(letter),
        };
        // The replacement character stands for octets that were no character.
        (unseen && !JOINERS.contains(&letter)) || letter == char::REPLACEMENT_CHARACTER
    };
    if local.chars().any(|letter| !letter.is_ascii() && is_bad(letter)) {
        return Err(AddressError::LocalPartCharacter);
    }
    Ok(ComposingNormalizerBorrowed::new_nfc().normalize(local))
}

/// The one form of all that a reader, or the host of the mailbox, may take for the same.
pub(super) fn folded(local: &str) -> String {
    if local.is_ascii() {
        return local.to_ascii_lowercase();
    }
    let compatible = ComposingNormalizerBorrowed::new_nfkc();
    let joined: String = local.chars().filter(|letter| !JOINERS.contains(letter)).collect();
    // By way of the capitals, since several small letters have one and the same: `ß` and `ss`, `ς` and `σ`.
    let small = |text: &str| -> String { text.chars().flat_map(char::to_lowercase).collect() };
    let folded = small(&small(&compatible.normalize(&joined)).to_uppercase());
    compatible.normalize(&folded).into_owned()
}
