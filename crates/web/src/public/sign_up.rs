//! Signing up: the hosted form, its embeddable text, and the page that sends people to their mailbox.
//!
//! Invariants: no box is ticked unless the person ticked it a moment ago (GDPR Art. 4(11), 7); each purpose has its
//! own box (Art. 7(2)); what is asked for is an address and a language, nothing else (Art. 5(1)(c)); the page after
//! the form is the same for every address.

use std::time::Duration;

use askama::Template;

use super::notice::{Paragraph, paragraphs};
use super::words::{self, Words};
use super::{Frame, Language, Link, Notice, Post, Purpose, View, date};

/// The form. Fields of its POST: `email`, `purpose` (once for each that was ticked), `language`, `form_version`,
/// `form_token`, and `homepage`, which people do not see and which must come back empty.
#[derive(Template)]
#[template(path = "public/sign_up.html")]
pub struct SignUp<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Where the form goes.
    pub send: Post<'a>,
    /// The controller's own words, in plain text.
    pub intro: &'a str,
    /// What is offered, at least one.
    pub purposes: &'a [Purpose<'a>],
    /// The notice of GDPR Art. 13.
    pub notice: Notice<'a>,
    /// The version of the form.
    pub form_version: &'a str,
    /// What the person sent, when the form is shown again; `None` for a fresh form.
    pub typed: Option<Typed<'a>>,
    /// What is wrong with that; empty for a fresh form.
    pub faults: &'a [SignUpFault],
}

/// What came with the form before. It is shown to nobody but who sent it.
#[derive(Clone, Copy)]
pub struct Typed<'a> {
    /// As it was typed.
    pub email: &'a str,
    /// The ids of the purposes that were ticked.
    pub purposes: &'a [&'a str],
    /// The language that was chosen.
    pub language: Language,
}

/// What may be wrong with a sign-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignUpFault {
    /// No address.
    EmailMissing,
    /// Not an address.
    EmailMalformed,
    /// No purpose was ticked.
    PurposeMissing,
    /// The token of the form has run out, or belongs to another version of it.
    Stale,
}

/// A fault as the page tells it: which element it leads to, and the text.
struct Told {
    anchor: &'static str,
    text: &'static str,
}

impl SignUp<'_> {
    fn title(&self) -> &'static str {
        let words = &self.frame.w().sign_up;
        if self.faults.is_empty() { &words.title } else { &words.title_faults }
    }

    fn intro(&self) -> Vec<Paragraph<'_>> {
        paragraphs(self.intro)
    }

    fn told(&self) -> Vec<Told> {
        let words = &self.frame.w().sign_up;
        let told = |fault: &SignUpFault| match fault {
            SignUpFault::EmailMissing => Told { anchor: "email", text: &words.email_missing },
            SignUpFault::EmailMalformed => Told { anchor: "email", text: &words.email_malformed },
            SignUpFault::PurposeMissing => Told { anchor: "purpose-1", text: &words.purpose_missing },
            SignUpFault::Stale => Told { anchor: "form", text: &words.stale },
        };
        self.faults.iter().map(told).collect()
    }

    fn fault_at(&self, anchor: &str) -> Option<&'static str> {
        self.told().into_iter().find(|told| told.anchor == anchor).map(|told| told.text)
    }

    fn email(&self) -> &str {
        self.typed.map(|typed| typed.email).unwrap_or_default()
    }

    // GDPR Art. 4(11), 7(2): silence and boxes ticked beforehand are no consent.
    fn ticked(&self, purpose: &Purpose<'_>) -> bool {
        self.typed.is_some_and(|typed| typed.purposes.contains(&purpose.id))
    }

    fn chosen(&self, language: &Language) -> bool {
        self.typed.map_or(self.frame.language, |typed| typed.language) == *language
    }
}

impl View for SignUp<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}

/// The form as static HTML for the controller's own site. It has the fields of [`SignUp`] but `form_token`, and it
/// goes to the hosted form's whole address.
#[derive(Template)]
#[template(path = "public/embed_snippet.html")]
pub struct EmbedSnippet<'a> {
    /// The language of the form and of the messages.
    pub language: Language,
    /// The whole address of the hosted form.
    pub hosted: Link<'a>,
    /// What is offered.
    pub purposes: &'a [Purpose<'a>],
    /// The notice; its full layer is read at the hosted form.
    pub notice: Notice<'a>,
    /// The version of the form.
    pub form_version: &'a str,
}

impl EmbedSnippet<'_> {
    fn w(&self) -> &'static Words {
        words::of(self.language)
    }
}

/// The page that shows an [`EmbedSnippet`] as text to copy.
#[derive(Template)]
#[template(path = "public/embed.html")]
pub struct EmbedPage<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The HTML.
    pub snippet: &'a str,
}

impl View for EmbedPage<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}

/// The answer to every sign-up that has an address and a purpose, whether or not the address is known.
#[derive(Template)]
#[template(path = "public/check_mail.html")]
pub struct CheckMail<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// How long the link in the mail can be used.
    pub valid: Duration,
    /// The path of the form.
    pub form: Option<&'a str>,
}

impl CheckMail<'_> {
    fn lead(&self) -> String {
        let time = date::span(self.frame.language, self.valid);
        self.frame.say_with(&self.frame.w().check_mail.lead, "time", time)
    }
}

impl View for CheckMail<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}
