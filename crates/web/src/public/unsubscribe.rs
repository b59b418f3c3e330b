//! Unsubscribing: one page with two buttons, and what they lead to.
//!
//! Invariants: as easy as signing up, without a reason, an account or an address to type (GDPR Art. 7(3), 21(2) and
//! (3)); to look at the page changes nothing.

use askama::Template;

use super::{Frame, Post, Purpose, View};

/// What the link at the foot of a message leads to. Fields of its POST: `scope`, which is `purpose` or `all`, and
/// `form_token`.
#[derive(Template)]
#[template(path = "public/unsubscribe.html")]
pub struct Unsubscribe<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Where both buttons go.
    pub leave: Post<'a>,
    /// What the message was for.
    pub purpose: Purpose<'a>,
    /// The path of the preference centre.
    pub preferences: Option<&'a str>,
}

impl View for Unsubscribe<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}

/// The value of the field `scope`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The one purpose of the message.
    Purpose,
    /// All marketing of the controller.
    All,
}

impl Scope {
    /// From the value of the field.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "purpose" => Some(Self::Purpose),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// What a person unsubscribed from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left<'a> {
    /// One purpose, with its title.
    Purpose(&'a str),
    /// All marketing of the controller, and all tracking.
    All,
}

/// The answer to either button.
#[derive(Template)]
#[template(path = "public/unsubscribed.html")]
pub struct Unsubscribed<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// What was left.
    pub left: Left<'a>,
    /// The path of the preference centre.
    pub preferences: Option<&'a str>,
}

impl Unsubscribed<'_> {
    fn title(&self) -> &'static str {
        let words = &self.frame.w().unsubscribed;
        match self.left {
            Left::Purpose(_) => &words.title_one,
            Left::All => &words.title_all,
        }
    }

    fn lead(&self) -> String {
        let words = &self.frame.w().unsubscribed;
        match self.left {
            Left::Purpose(title) => self.frame.say_with(&words.lead_one, "purpose", title),
            Left::All => self.frame.say(&words.lead_all),
        }
    }
}

impl View for Unsubscribed<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}
