//! "Why did I get this?": who is responsible, why it is allowed, what the person was told, and every right with a
//! button (GDPR Art. 12 to 22); and the page that says that a wish is recorded.
//!
//! Invariants: a wish is a POST; the page asks for nothing but the button (Art. 12(2): exercise is made easy); the
//! words of the notice are those shown then.

use askama::Template;
use model::Timestamp;
use model::basis::BasisKind;

use super::{Frame, Link, Notice, Post, Purpose, View, date};

/// The page. Fields of its POST: `right` ([`Right`]) and `form_token`. The frame must have branding.
#[derive(Template)]
#[template(path = "public/why.html")]
pub struct Why<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// What the message was for.
    pub purpose: Purpose<'a>,
    /// Why it is allowed.
    pub basis: BasisShown<'a>,
    /// The version of the instruction under which it was sent (GDPR Art. 28(3)(a)).
    pub instruction: &'a str,
    /// Where the buttons of the rights go.
    pub wish: Post<'a>,
    /// The supervisory authority (GDPR Art. 77), when one is known.
    pub authority: Option<Authority<'a>>,
    /// The path of the preference centre.
    pub preferences: Option<&'a str>,
}

/// A basis as the page tells it.
#[derive(Clone, Copy, Debug)]
pub struct BasisShown<'a> {
    /// Its kind.
    pub kind: BasisKind,
    /// When it was recorded.
    pub given_at: Timestamp,
    /// How.
    pub means: Means,
    /// When the person confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// The notice shown then, when it is kept.
    pub notice: Option<Notice<'a>>,
}

/// How a basis came to be recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    /// The hosted sign-up form.
    Form,
    /// The embedded sign-up form.
    Embedded,
    /// The preference centre.
    Preferences,
    /// The controller told it through the interface.
    Interface,
    /// On paper.
    Paper,
    /// In a conversation.
    Spoken,
    /// Brought along from another provider.
    Brought,
}

/// A supervisory authority.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its site.
    pub site: Option<Link<'a>>,
}

/// The value of the field `right`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Right {
    /// `withdraw` (GDPR Art. 7(3)). Offered where the basis is consent.
    Withdraw,
    /// `access` (Art. 15).
    Access,
    /// `rectify` (Art. 16).
    Rectify,
    /// `erase` (Art. 17).
    Erase,
    /// `restrict` (Art. 18).
    Restrict,
    /// `portability` (Art. 20).
    Portability,
    /// `object` (Art. 21).
    Object,
}

impl Right {
    /// Every right, in the page's order.
    pub const ALL: [Self; 7] =
        [Self::Withdraw, Self::Object, Self::Access, Self::Rectify, Self::Erase, Self::Restrict, Self::Portability];

    /// The value of the field.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Withdraw => "withdraw",
            Self::Access => "access",
            Self::Rectify => "rectify",
            Self::Erase => "erase",
            Self::Restrict => "restrict",
            Self::Portability => "portability",
            Self::Object => "object",
        }
    }

    /// From the value of the field.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.word() == word)
    }

    /// Whether it ends the messages without the controller's doing (GDPR Art. 7(3), 21(3)).
    const fn holds_at_once(self) -> bool {
        matches!(self, Self::Withdraw | Self::Object)
    }

    fn title(self, frame: &Frame<'_>) -> &'static str {
        let words = &frame.w().rights;
        match self {
            Self::Withdraw => &words.withdraw,
            Self::Access => &words.access,
            Self::Rectify => &words.rectify,
            Self::Erase => &words.erase,
            Self::Restrict => &words.restrict,
            Self::Portability => &words.portability,
            Self::Object => &words.object,
        }
    }

    fn text(self, frame: &Frame<'_>) -> &'static str {
        let words = &frame.w().rights;
        match self {
            Self::Withdraw => &words.withdraw_text,
            Self::Access => &words.access_text,
            Self::Rectify => &words.rectify_text,
            Self::Erase => &words.erase_text,
            Self::Restrict => &words.restrict_text,
            Self::Portability => &words.portability_text,
            Self::Object => &words.object_text,
        }
    }
}

/// A right as the page tells it.
struct RightShown {
    word: &'static str,
    title: &'static str,
    text: &'static str,
}

impl Why<'_> {
    fn basis_text(&self) -> String {
        let words = &self.frame.w().why;
        self.frame.say(match self.basis.kind {
            BasisKind::Consent => &words.basis_consent,
            BasisKind::SoftOptIn => &words.basis_soft_opt_in,
            BasisKind::Contract => &words.basis_contract,
            BasisKind::LegalObligation => &words.basis_legal_obligation,
            BasisKind::LegitimateInterest => &words.basis_legitimate_interest,
        })
    }

    fn given_text(&self) -> String {
        let words = &self.frame.w().why;
        let means = self.frame.say(match self.basis.means {
            Means::Form => &words.means_form,
            Means::Embedded => &words.means_embedded,
            Means::Preferences => &words.means_preferences,
            Means::Interface => &words.means_interface,
            Means::Paper => &words.means_paper,
            Means::Spoken => &words.means_spoken,
            Means::Brought => &words.means_brought,
        });
        let at = date::moment(self.frame.language, self.basis.given_at);
        super::words::fill(&words.given_at, &[("date", &at), ("means", &means)])
    }

    fn confirmed_text(&self) -> Option<String> {
        let at = date::moment(self.frame.language, self.basis.confirmed_at?);
        Some(self.frame.say_with(&self.frame.w().why.confirmed_at, "date", at))
    }

    fn rights(&self) -> Vec<RightShown> {
        let offered = |right: &Right| *right != Right::Withdraw || self.basis.kind == BasisKind::Consent;
        let shown = |right: Right| RightShown {
            word: right.word(),
            title: right.title(&self.frame),
            text: right.text(&self.frame),
        };
        Right::ALL.into_iter().filter(offered).map(shown).collect()
    }
}

impl View for Why<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}

/// The answer to the button of a right.
#[derive(Template)]
#[template(path = "public/wish.html")]
pub struct WishRecorded<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// What is wished.
    pub right: Right,
    /// The name of the case, without personal data.
    pub reference: &'a str,
    /// When it is forwarded to the controller at the latest (GDPR Art. 28(3)(e)).
    pub forwarded_by: Timestamp,
    /// When the controller must have answered (GDPR Art. 12(3)).
    pub answered_by: Timestamp,
    /// The path of [`Why`].
    pub back: Option<&'a str>,
}

impl WishRecorded<'_> {
    fn day(&self, text: &str, at: &Timestamp) -> String {
        self.frame.say_with(text, "date", date::day(self.frame.language, *at))
    }
}

impl View for WishRecorded<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}
