//! Confirming a sign-up: a page with one button, and what it leads to.
//!
//! Invariants: to look at the page changes nothing, since programs follow links in mail; only the POST of its one
//! button confirms (GDPR Art. 7(1)).

use askama::Template;
use model::Timestamp;

use super::{Frame, Notice, Post, Purpose, View, date};

/// What the link in the mail leads to. The POST has `form_token` alone.
#[derive(Template)]
#[template(path = "public/confirm.html")]
pub struct Confirm<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Where the button goes.
    pub confirm: Post<'a>,
    /// When the form was sent.
    pub asked_at: Timestamp,
    /// What was asked for.
    pub purposes: &'a [Purpose<'a>],
    /// The notice that the form showed.
    pub notice: Notice<'a>,
}

impl Confirm<'_> {
    fn lead(&self) -> String {
        let day = date::day(self.frame.language, self.asked_at);
        self.frame.say_with(&self.frame.w().confirm.lead, "date", day)
    }
}

impl View for Confirm<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}

/// When a sign-up was confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confirmation {
    /// By this request.
    Now,
    /// By an earlier one.
    Before,
}

/// The answer to the button, and to the link when the button was pressed before.
#[derive(Template)]
#[template(path = "public/confirmed.html")]
pub struct Confirmed<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Now or before.
    pub when: Confirmation,
    /// What was confirmed.
    pub purposes: &'a [Purpose<'a>],
    /// The path of the preference centre.
    pub preferences: Option<&'a str>,
}

impl Confirmed<'_> {
    fn title(&self) -> &'static str {
        let words = &self.frame.w().confirmed;
        match self.when {
            Confirmation::Now => &words.title_now,
            Confirmation::Before => &words.title_before,
        }
    }

    fn lead(&self) -> String {
        let words = &self.frame.w().confirmed;
        self.frame.say(match self.when {
            Confirmation::Now => &words.lead_now,
            Confirmation::Before => &words.lead_before,
        })
    }
}

impl View for Confirmed<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}
