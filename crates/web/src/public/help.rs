//! The page for when it does not work: what happened as far as it may be told, and what to do.
//!
//! Invariants: a link that has run out, is unknown or was altered gets one and the same page, which names no
//! controller unless the frame does: the page is no oracle.

use std::time::Duration;

use askama::Template;

use super::{Frame, View, date};

/// The page.
#[derive(Template)]
#[template(path = "public/help.html")]
pub struct Help<'a> {
    /// The frame; without branding for [`HelpKind::LinkUnusable`].
    pub frame: Frame<'a>,
    /// What happened.
    pub kind: HelpKind,
}

/// What happened. The status of the answer is the router's; the one that fits is named here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HelpKind {
    /// The link has run out, is unknown, or was altered (404).
    LinkUnusable,
    /// Too many requests (429, with the field Retry-After).
    TooManyRequests {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The form is not published, or no longer (404).
    FormNotPublished,
    /// The node cannot at the moment (503, with the field Retry-After).
    Unavailable {
        /// When it is worth trying again.
        retry_after: Duration,
    },
}

impl Help<'_> {
    fn title(&self) -> &'static str {
        let words = &self.frame.w().help;
        match self.kind {
            HelpKind::LinkUnusable => &words.link,
            HelpKind::TooManyRequests { .. } => &words.busy,
            HelpKind::FormNotPublished => &words.unpublished,
            HelpKind::Unavailable { .. } => &words.unavailable,
        }
    }

    fn text(&self) -> &'static str {
        let words = &self.frame.w().help;
        match self.kind {
            HelpKind::LinkUnusable => &words.link_text,
            HelpKind::TooManyRequests { .. } => &words.busy_text,
            HelpKind::FormNotPublished => &words.unpublished_text,
            HelpKind::Unavailable { .. } => &words.unavailable_text,
        }
    }

    fn steps(&self) -> Vec<String> {
        let words = &self.frame.w().help;
        let retry =
            |text: &str, after: Duration| self.frame.say_with(text, "time", date::span(self.frame.language, after));
        match self.kind {
            HelpKind::LinkUnusable => {
                let steps = [&words.link_whole, &words.link_newest, &words.link_again, &words.link_leave];
                steps.map(String::clone).into()
            }
            HelpKind::TooManyRequests { retry_after } => vec![retry(&words.busy_retry, retry_after)],
            HelpKind::FormNotPublished => vec![words.unpublished_ask.clone()],
            HelpKind::Unavailable { retry_after } => {
                vec![retry(&words.unavailable_retry, retry_after), words.unavailable_leave.clone()]
            }
        }
    }
}

impl View for Help<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}
