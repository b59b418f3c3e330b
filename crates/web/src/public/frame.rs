//! What surrounds every page: language, the controller's branding, and the foot with who is responsible.
//!
//! Invariants: a link leaves only for `https:`; a picture is inside the page; without a controller (a link that
//! cannot be read) the page names none.
//! Never: an address of a recipient, in a title or anywhere else in here.

use super::words::{self, Words, fill};
use super::{Accent, Language};

#[cfg(test)]
mod tests;

/// Octets of a link.
const LINK_OCTETS_MAX: usize = 2_048;
/// Octets of a logo as a data URI.
const LOGO_OCTETS_MAX: usize = 64 * 1_024;
/// Kinds of picture that may be a logo: no SVG, which is a document of its own.
const LOGO_KINDS: [&str; 4] = ["png", "jpeg", "webp", "gif"];

/// What every page needs besides what it says.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The page's language.
    pub language: Language,
    /// Whose page it is; `None` where that is not known or must not be told.
    pub branding: Option<Branding<'a>>,
    /// The processor's name (GDPR Art. 28), as the foot tells it.
    pub processor: &'a str,
    /// This page's own path with its query, for the links to the other languages; `None` for the answer to a form,
    /// which cannot be asked for again.
    pub here: Option<&'a str>,
}

/// How a controller appears.
#[derive(Clone, Copy, Debug)]
pub struct Branding<'a> {
    /// The controller's name (GDPR Art. 13(1)(a)).
    pub controller: &'a str,
    /// Its colour.
    pub accent: Option<Accent>,
    /// Its sign.
    pub logo: Option<Logo<'a>>,
    /// How to reach it.
    pub contact: Contact<'a>,
}

/// How to reach a controller (GDPR Art. 13(1)(a) and (b)).
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// The postal address, in lines.
    pub postal_address: &'a str,
    /// An e-mail address.
    pub email: Option<&'a str>,
    /// A telephone number.
    pub telephone: Option<&'a str>,
    /// The data protection officer: a name, an address or both, as plain text.
    pub officer: Option<&'a str>,
    /// The privacy policy.
    pub privacy_policy: Option<Link<'a>>,
}

/// A link to another site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link<'a>(&'a str);

/// A picture inside the page, as a data URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Logo<'a>(&'a str);

/// Where a form goes: always by POST.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// A path on this site.
    pub action: &'a str,
    /// The value of the hidden field `form_token`; without one there is no such field.
    pub token: Option<&'a str>,
}

/// A link to the same page in another language.
pub(super) struct LanguageLink {
    pub(super) language: Language,
    pub(super) href: String,
    pub(super) current: bool,
}

impl<'a> Link<'a> {
    /// Only `https:`, without white space, control characters or a name of somebody before the host.
    #[must_use]
    pub fn https(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let plain = |character: char| !character.is_whitespace() && !character.is_control() && character != '\\';
        let named = host.starts_with(|first: char| first.is_alphanumeric() || first == '[') && !host.contains('@');
        (named && text.len() <= LINK_OCTETS_MAX && text.chars().all(plain)).then_some(Self(text))
    }

    /// The text of the link.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<'a> Logo<'a> {
    /// Only `data:image/png;base64,…` and its like, up to 64 KiB.
    #[must_use]
    pub fn data(text: &'a str) -> Option<Self> {
        let (kind, picture) = text.strip_prefix("data:image/")?.split_once(";base64,")?;
        let letter = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
        let whole = !picture.is_empty() && picture.bytes().all(letter);
        (LOGO_KINDS.contains(&kind) && whole && text.len() <= LOGO_OCTETS_MAX).then_some(Self(text))
    }

    /// The data URI.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<'a> Contact<'a> {
    /// The postal address, line by line.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.postal_address.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    /// A link to write to, when the address has no sign that would mean something else in a link.
    pub(super) fn mailto(&self) -> Option<String> {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'-' | b'+' | b'@');
        let email = self.email?;
        (email.bytes().all(plain) && email.matches('@').count() == 1).then(|| format!("mailto:{email}"))
    }
}

impl<'a> Frame<'a> {
    /// The words of the page's language.
    pub(super) fn w(&self) -> &'static Words {
        words::of(self.language)
    }

    /// The controller's name; empty where there is none, so that no text that names it may be on such a page.
    pub(super) fn controller(&self) -> &'a str {
        self.branding.map(|branding| branding.controller).unwrap_or_default()
    }

    pub(super) fn contact(&self) -> Option<Contact<'a>> {
        self.branding.map(|branding| branding.contact)
    }

    pub(super) fn accent(&self) -> Option<Accent> {
        self.branding.and_then(|branding| branding.accent)
    }

    pub(super) fn logo(&self) -> Option<Logo<'a>> {
        self.branding.and_then(|branding| branding.logo)
    }

    /// A text with the names of controller and processor in their places.
    pub(super) fn say(&self, text: impl AsRef<str>) -> String {
        fill(text.as_ref(), &[("controller", self.controller()), ("processor", self.processor)])
    }

    /// The same, with one more value.
    pub(super) fn say_with(&self, text: impl AsRef<str>, place: &str, value: impl AsRef<str>) -> String {
        let (controller, processor) = (("controller", self.controller()), ("processor", self.processor));
        fill(text.as_ref(), &[controller, processor, (place, value.as_ref())])
    }

    /// Where one writes to the controller: the quickest way that is known, or its name alone.
    pub(super) fn whom(&self) -> String {
        let Some(contact) = self.contact() else { return self.controller().to_owned() };
        let postal: Vec<&str> = contact.lines().collect();
        match (contact.email, contact.telephone) {
            (Some(email), _) => email.to_owned(),
            (None, _) if !postal.is_empty() => format!("{}, {}", self.controller(), postal.join(", ")),
            (None, Some(telephone)) => telephone.to_owned(),
            (None, None) => self.controller().to_owned(),
        }
    }

    /// Links to this page in every language; none for a page that cannot be asked for again.
    pub(super) fn languages(&self) -> Vec<LanguageLink> {
        let Some(here) = self.here else { return Vec::new() };
        let (path, query) = here.split_once('?').unwrap_or((here, ""));
        let kept: Vec<&str> =
            query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("language=")).collect();
        let link = |language: Language| {
            let wish = format!("language={}", language.tag());
            let query: Vec<&str> = kept.iter().copied().chain([wish.as_str()]).collect();
            LanguageLink { language, href: format!("{path}?{}", query.join("&")), current: language == self.language }
        };
        Language::ALL.into_iter().map(link).collect()
    }
}
