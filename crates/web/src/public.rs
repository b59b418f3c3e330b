//! The pages where recipients decide: sign-up, confirmation, unsubscribing, preferences, and "why did I get this?".
//! Views only: a struct goes in, HTML comes out; routes, tokens and the store are elsewhere.
//!
//! Invariants: no script, no cookie, nothing from a third party; every change is the POST of a form; every variable
//! text is escaped by the template engine; five languages say the same (`words`); colours stay readable (`accent`).
//! Never: an address, except the one that the person typed a moment ago, in the field where it was typed.
//! Read in this order: `frame`, `sign_up`, `preferences`, `why`, `words`.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE};

mod accent;
mod confirm;
mod date;
pub(crate) mod door;
mod frame;
mod help;
mod language;
mod notice;
mod preferences;
mod sign_up;
mod unsubscribe;
mod why;
mod words;

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod tests;

pub use accent::Accent;
pub use confirm::{AskedBy, Confirm, Confirmation, Confirmed};
pub use frame::{Branding, Contact, Frame, Link, Logo, Post};
pub use help::{Help, HelpKind};
pub use language::Language;
pub use notice::Notice;
pub use preferences::{
    Choice, Frequency, Pause, Preferences, PreferencesMessage, PurposeChoice, TopicChoice, Tracking,
};
pub use sign_up::{CheckMail, EmbedPage, EmbedSnippet, SignUp, SignUpFault, Typed};
pub use unsubscribe::{Left, Scope, Unsubscribe, Unsubscribed};
pub use why::{Authority, BasisShown, Means, Right, Why, WishRecorded};

use crate::pages::page;

/// Where the pages look for [`style`].
pub const STYLE_PATH: &str = "/public.css";

const STYLE: &str = include_str!("../assets/public.css");

/// A purpose as people read it.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// The value of the field `purpose`.
    pub id: &'a str,
    /// A few words.
    pub title: &'a str,
    /// A sentence or two.
    pub description: &'a str,
}

/// A page for recipients.
pub trait View: askama::Template {
    /// Its frame.
    fn frame(&self) -> &Frame<'_>;
}

/// The page as an answer with status 200; the router sets another where one fits.
pub fn respond(view: &impl View) -> Response {
    let mut response = page(view);
    response.headers_mut().insert(CONTENT_LANGUAGE, view.frame().language.header());
    response
}

/// The style sheet of these pages, for [`STYLE_PATH`].
pub fn style() -> Response {
    style_sheet(STYLE.to_owned())
}

/// The style sheet of a colour, for [`Accent::style_path`].
pub fn accent_style(accent: Accent) -> Response {
    style_sheet(accent.style())
}

fn style_sheet(text: String) -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], text).into_response()
}
