//! How a person said what he said: the words that evidence uses.

/// How a step was taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// On a sign-up form.
    Form,
    /// On a page of the controller's, as whoever sent it says: nobody authenticated it.
    Embedded,
    /// By confirming what was asked by mail.
    DoubleOptIn,
    /// By one click in the mail program (RFC 8058).
    OneClick,
    /// By a mail to the address that the message names for it (RFC 2369).
    Mail,
    /// On the person's own page.
    Page,
    /// By the controller's system.
    Api,
    /// On paper, as the controller says.
    Paper,
    /// By word of mouth, as the controller says.
    Verbal,
    /// With a file.
    Import,
}

impl Method {
    const ALL: [Self; 10] = [
        Self::Form,
        Self::Embedded,
        Self::DoubleOptIn,
        Self::OneClick,
        Self::Mail,
        Self::Page,
        Self::Api,
        Self::Paper,
        Self::Verbal,
        Self::Import,
    ];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Embedded => "embedded",
            Self::DoubleOptIn => "double-opt-in",
            Self::OneClick => "one-click",
            Self::Mail => "mail",
            Self::Page => "page",
            Self::Api => "api",
            Self::Paper => "paper",
            Self::Verbal => "verbal",
            Self::Import => "import",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }
}
