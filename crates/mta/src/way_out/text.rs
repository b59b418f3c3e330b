//! The words of the footer, in the languages of the pages behind it.
//!
//! Never: a word from outside as markup. Names and links are escaped in the HTML form.

use super::{WayOut, one_line};
use mail::footer::{Footer, FooterError};
use mail::header::{HeaderBlock, Limits};
use std::borrow::Cow;

/// A language of the footer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    English,
    German,
    French,
    Spanish,
    Dutch,
}

/// What the footer says in one language.
struct Words {
    /// Around the sender's name and the title of the purpose.
    sentence: [&'static str; 3],
    unsubscribe: &'static str,
    preferences: &'static str,
    why: &'static str,
    /// Between the name of a link and the link.
    colon: &'static str,
}

const ENGLISH: Words = Words {
    sentence: ["You receive this message from ", " for this purpose: ", "."],
    unsubscribe: "Unsubscribe",
    preferences: "Your preferences",
    why: "Why did I get this?",
    colon: ": ",
};
const GERMAN: Words = Words {
    sentence: ["Sie erhalten diese Nachricht von ", " zu diesem Zweck: ", "."],
    unsubscribe: "Abbestellen",
    preferences: "Ihre Einstellungen",
    why: "Warum habe ich das bekommen?",
    colon: ": ",
};
const FRENCH: Words = Words {
    sentence: ["Vous recevez ce message de ", " pour la finalité suivante\u{a0}: ", "."],
    unsubscribe: "Se désabonner",
    preferences: "Vos préférences",
    why: "Pourquoi ai-je reçu ce message\u{202f}?",
    colon: "\u{a0}: ",
};
const SPANISH: Words = Words {
    sentence: ["Recibe este mensaje de ", " con esta finalidad: ", "."],
    unsubscribe: "Darse de baja",
    preferences: "Sus preferencias",
    why: "¿Por qué he recibido este mensaje?",
    colon: ": ",
};
const DUTCH: Words = Words {
    sentence: ["U ontvangt dit bericht van ", " voor dit doel: ", "."],
    unsubscribe: "Uitschrijven",
    preferences: "Uw voorkeuren",
    why: "Waarom heb ik dit ontvangen?",
    colon: ": ",
};

impl Language {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [Self::English, Self::German, Self::French, Self::Spanish, Self::Dutch];

    /// That of a message: the first one that its Content-Language names (RFC 3282 §2), if the footer has it; else
    /// English.
    pub(crate) fn of(head: &[u8]) -> Self {
        let block = HeaderBlock::scan(head, Limits::INTERNATIONAL).ok();
        let value = block.as_ref().and_then(|block| block.first("Content-Language")).map(|field| field.unfolded());
        let value = String::from_utf8(value.unwrap_or_default()).unwrap_or_default();
        let first = value.split([',', '-']).next().unwrap_or_default().trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|language| language.tag() == first).unwrap_or(Self::English)
    }

    /// Its tag (RFC 5646).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Dutch => "nl",
        }
    }

    const fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Spanish => &SPANISH,
            Self::Dutch => &DUTCH,
        }
    }
}

/// Between the text and the footer. Not `-- `: readers hide what follows it.
const RULE: &str = "________________________________________";

/// Whose mail it is, what for, and the way out (ePrivacy Art. 13(4)), in both forms.
pub(super) fn footer(way_out: &WayOut) -> Result<Footer, FooterError> {
    let WayOut { language, links, .. } = way_out;
    let Words { sentence: [before, between, after], unsubscribe, preferences, why, colon } = language.words();
    let (sender, title) = (one_line(&way_out.sender), one_line(&way_out.title));
    let ways = [(unsubscribe, &links.unsubscribe), (preferences, &links.preferences), (why, &links.why)];
    let mut plain = format!("{RULE}\n{before}{sender}{between}{title}{after}\n");
    let mut html = format!(
        "<div lang=\"{}\" dir=\"ltr\" style=\"margin-top:2em;font-size:small\"><hr>\n<p>{}{}{}{}{}</p>\n<p>",
        language.tag(),
        escaped(before),
        escaped(&sender),
        escaped(between),
        escaped(&title),
        escaped(after)
    );
    for (at, (name, link)) in ways.into_iter().enumerate() {
        // A question has its mark already.
        let colon = if name.ends_with('?') { " " } else { *colon };
        plain.push_str(&format!("{name}{colon}{link}\n"));
        let apart = if at == 0 { "" } else { " |\n" };
        html.push_str(&format!("{apart}<a href=\"{}\">{}</a>", escaped(link), escaped(name)));
    }
    html.push_str("</p></div>");
    Footer::new(&plain, &html)
}

/// Text within HTML, also within a quoted attribute.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}
