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
    /// With what he was asked for.
    pub asked_by: AskedBy,
    /// The notice that was shown; nothing where there was none.
    pub notice: Option<Notice<'a>>,
}

/// With what somebody asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskedBy {
    /// A form, where the address was typed.
    Form,
    /// The link of a message, on the person's own page.
    Link,
}

impl Confirm<'_> {
    fn lead(&self) -> String {
        let day = date::day(self.frame.language, self.asked_at);
        let words = &self.frame.w().confirm;
        let text = match self.asked_by {
            AskedBy::Form => &words.lead,
            AskedBy::Link => &words.lead_link,
        };
        self.frame.say_with(text, "date", day)
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
    /// It is kept, and waits: the person left everything, and takes that back on his own page.
    Waiting,
    /// Nothing was: his objection or complaint stands.
    Opposed,
    /// His objection or complaint is taken back, and nothing else.
    TakenBack,
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
    fn is_in_force(&self) -> bool {
        matches!(self.when, Confirmation::Now | Confirmation::Before)
    }

    fn title(&self) -> &'static str {
        let words = &self.frame.w().confirmed;
        match self.when {
            Confirmation::Now => &words.title_now,
            Confirmation::Before => &words.title_before,
            Confirmation::Waiting => &words.title_waiting,
            Confirmation::Opposed => &words.title_opposed,
            Confirmation::TakenBack => &words.title_taken_back,
        }
    }

    fn lead(&self) -> String {
        let words = &self.frame.w().confirmed;
        let text = match self.when {
            Confirmation::Now => &words.lead_now,
            Confirmation::Before => &words.lead_before,
            Confirmation::Waiting => &words.lead_waiting,
            Confirmation::Opposed => &words.lead_opposed,
            Confirmation::TakenBack => &words.lead_taken_back,
        };
        self.frame.say_with(text, "contact", self.frame.whom())
    }
}

impl View for Confirmed<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}
