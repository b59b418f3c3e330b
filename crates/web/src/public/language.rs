//! The languages of the pages, and which one a person gets.
//!
//! Invariants: always one of the five; a wish that was spoken (a link, a field) wins over what the browser asks for.

use http::header::HeaderValue;

#[cfg(test)]
mod tests;

/// Ranges of an Accept-Language field that are looked at; the rest is passed over.
const RANGES_MAX: usize = 32;

/// A language that the pages speak.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Language {
    /// English, the default.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Dutch.
    Dutch,
}

impl Language {
    /// Every language, in the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::English, Self::German, Self::French, Self::Spanish, Self::Dutch];

    /// The tag of RFC 5646, which is also the value of the field `language` and of the query parameter of that name.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Dutch => "nl",
        }
    }

    /// The language's name in itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::French => "Français",
            Self::Spanish => "Español",
            Self::Dutch => "Nederlands",
        }
    }

    /// From a tag, whatever its region and case: `de`, `de-AT`, `NL`.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let first = tag.trim().split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(first))
    }

    /// The spoken wish if we speak that language, else the best of an Accept-Language field (RFC 9110 §12.5.4), else
    /// English.
    #[must_use]
    pub fn negotiate(accept_language: Option<&str>, wished: Option<&str>) -> Self {
        let spoken = wished.and_then(Self::from_tag);
        spoken.or_else(|| accept_language.and_then(Self::best_of)).unwrap_or(Self::English)
    }

    /// The known range of the highest weight; of equal ones, the first. Weight 0 means: not this one.
    fn best_of(accept_language: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in accept_language.split(',').take(RANGES_MAX) {
            let (tag, parameter) = range.split_once(';').unwrap_or((range, ""));
            let (Some(language), Some(weight)) = (Self::from_tag(tag), weight(parameter)) else { continue };
            if weight > best.map_or(0, |(highest, _)| highest) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// For the field Content-Language.
    pub(super) const fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.tag())
    }
}

/// `q=0.8` in thousandths; 1 when it is not told; nothing when it is no weight (RFC 9110 §12.4.2).
fn weight(parameter: &str) -> Option<u16> {
    let parameter = parameter.trim();
    if parameter.is_empty() {
        return Some(1_000);
    }
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, digits) = value.split_once('.').unwrap_or((value, ""));
    if digits.len() > 3 || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}
