//! The preference centre: purposes, topics, how often, tracking, language, a break, and the end of everything.
//!
//! Invariants: tracking is a choice of its own and off unless the person switched it on; a browser that asks not to
//! be tracked (Global Privacy Control) is followed and not asked again; a break always ends by itself; everything can
//! be left in one action (GDPR Art. 7(3)). What was not saved is said, and why.

use askama::Template;
use model::Timestamp;
use std::time::Duration;

use super::{Frame, Language, Notice, Post, Purpose, View, date};

/// The page. Fields of the form `save`: `purpose` and `topic` (once for each that is switched on), `frequency`
/// ([`Frequency`]), `tracking` (`on`, or no such field), `language`, `pause` ([`Pause`]) and `form_token`. Fields of
/// the form `leave_all`: `scope` with the value `all`, and `form_token`.
#[derive(Template)]
#[template(path = "public/preferences.html")]
pub struct Preferences<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Where the choices go.
    pub save: Post<'a>,
    /// Where "unsubscribe from all" goes.
    pub leave_all: Post<'a>,
    /// Where "take back my objection" goes; nothing where none stands.
    pub take_back: Option<Post<'a>>,
    /// Every purpose, with its state.
    pub purposes: &'a [PurposeChoice<'a>],
    /// How often.
    pub frequency: Option<Frequency>,
    /// Whether opens and clicks may be measured.
    pub tracking: Tracking<'a>,
    /// The language of the messages.
    pub messages_in: Language,
    /// When a running break ends.
    pub paused_until: Option<Timestamp>,
    /// What a person agrees to by switching a purpose on (GDPR Art. 13).
    pub notice: Notice<'a>,
    /// What there is to say: what became of the form that was sent, what stands. The first names the page.
    pub messages: &'a [PreferencesMessage<'a>],
}

/// Whether something is switched on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// On.
    On,
    /// Off.
    Off,
}

impl Choice {
    fn is_on(self) -> bool {
        self == Self::On
    }
}

/// A purpose with its switch.
#[derive(Clone, Copy, Debug)]
pub struct PurposeChoice<'a> {
    /// The purpose.
    pub purpose: Purpose<'a>,
    /// On or off.
    pub choice: Choice,
    /// Its topics; may be empty.
    pub topics: &'a [TopicChoice<'a>],
}

/// A topic (a list) with its switch.
#[derive(Clone, Copy, Debug)]
pub struct TopicChoice<'a> {
    /// The value of the field `topic`.
    pub id: &'a str,
    /// What people read.
    pub title: &'a str,
    /// On or off.
    pub choice: Choice,
}

/// The value of the field `frequency`, the most often first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Frequency {
    /// `every`: as it comes.
    Every,
    /// `weekly`: at most once a week.
    Weekly,
    /// `monthly`: at most once a month.
    Monthly,
}

impl Frequency {
    /// Every value, in the page's order.
    pub const ALL: [Self; 3] = [Self::Every, Self::Weekly, Self::Monthly];

    /// The value of the field.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Every => "every",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// What people read.
    #[must_use]
    pub fn label(self, language: Language) -> &'static str {
        let words = &super::words::of(language).preferences;
        match self {
            Self::Every => &words.frequency_every,
            Self::Weekly => &words.frequency_weekly,
            Self::Monthly => &words.frequency_monthly,
        }
    }

    /// From the value of the field.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|frequency| frequency.word() == word)
    }
}

/// The value of the field `pause`. There is no break without an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pause {
    /// `keep`: a running break goes on until its end. Offered only then.
    Keep,
    /// `none`: no break; a running one ends.
    None,
    /// `week`: one week from now.
    Week,
    /// `month`: one month from now.
    Month,
    /// `quarter`: three months from now.
    Quarter,
}

impl Pause {
    /// Every value, in the page's order.
    pub const ALL: [Self; 5] = [Self::Keep, Self::None, Self::Week, Self::Month, Self::Quarter];

    /// The value of the field.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::None => "none",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
        }
    }

    /// From the value of the field.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pause| pause.word() == word)
    }
}

/// What the page says about measuring opens and clicks.
#[derive(Clone, Copy, Debug)]
pub enum Tracking<'a> {
    /// Nothing: the controller does not measure.
    NotOffered,
    /// The request carried `Sec-GPC: 1`: the page says that it is followed, and asks nothing.
    Signalled,
    /// A box of its own, with the words of this consent.
    Offered {
        /// On or off; off for who never chose.
        choice: Choice,
        /// What a person agrees to by ticking it.
        notice: Notice<'a>,
    },
}

/// What the page has to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PreferencesMessage<'a> {
    /// Saved.
    Saved,
    /// What takes away is saved; the rest needs the answer to a message that is on its way, if one may go.
    Asked {
        /// How long the link in it can be used.
        valid: Duration,
    },
    /// What was switched on is not saved: the person's objection or complaint stands.
    Opposed,
    /// What was switched on is not saved: nothing may be collected for it now.
    Closed,
    /// What was switched on is not saved: the address is not kept.
    Absent {
        /// The path of the form for signing up anew.
        form: Option<&'a str>,
    },
    /// The person's objection or complaint stands.
    Objected,
    /// The token had run out: nothing was saved.
    Stale,
}

impl<'a> PreferencesMessage<'a> {
    fn is_good(&self) -> bool {
        matches!(self, Self::Saved | Self::Asked { .. } | Self::Objected)
    }

    fn text(&self, frame: &Frame<'_>) -> String {
        let words = &frame.w().preferences;
        match self {
            Self::Saved => words.saved.clone(),
            Self::Asked { valid } => frame.say_with(&words.asked, "time", date::span(frame.language, *valid)),
            Self::Opposed => frame.say_with(&words.opposed, "contact", frame.whom()),
            Self::Closed => frame.say(&words.closed),
            Self::Absent { .. } => frame.say(&words.absent),
            Self::Objected => frame.say_with(&words.objected, "contact", frame.whom()),
            Self::Stale => words.stale.clone(),
        }
    }

    /// The form for signing up anew.
    fn form(&self) -> Option<&'a str> {
        match self {
            Self::Absent { form } => *form,
            _ => None,
        }
    }
}

/// One radio button.
struct Radio {
    word: &'static str,
    label: String,
    checked: bool,
}

impl Preferences<'_> {
    fn title(&self) -> &'static str {
        let words = &self.frame.w().preferences;
        match self.messages.first() {
            None | Some(PreferencesMessage::Objected) => &words.title,
            Some(PreferencesMessage::Saved) => &words.title_saved,
            Some(PreferencesMessage::Asked { .. }) => &words.title_asked,
            Some(PreferencesMessage::Opposed | PreferencesMessage::Closed | PreferencesMessage::Absent { .. }) => {
                &words.title_unsaved
            }
            Some(PreferencesMessage::Stale) => &words.title_stale,
        }
    }

    fn frequencies(&self) -> [Radio; 3] {
        Frequency::ALL.map(|frequency| Radio {
            word: frequency.word(),
            label: frequency.label(self.frame.language).to_owned(),
            checked: Some(frequency) == self.frequency,
        })
    }

    fn pauses(&self) -> Vec<Radio> {
        let words = &self.frame.w().preferences;
        let checked = if self.paused_until.is_some() { Pause::Keep } else { Pause::None };
        let radio = |pause: Pause| {
            let label = match (pause, self.paused_until) {
                (Pause::Keep, None) => return None,
                (Pause::Keep, Some(until)) => {
                    self.frame.say_with(&words.pause_keep, "date", date::day(self.frame.language, until))
                }
                (Pause::None, None) => words.pause_none.clone(),
                (Pause::None, Some(_)) => words.pause_end.clone(),
                (Pause::Week, _) => words.pause_week.clone(),
                (Pause::Month, _) => words.pause_month.clone(),
                (Pause::Quarter, _) => words.pause_quarter.clone(),
            };
            Some(Radio { word: pause.word(), label, checked: pause == checked })
        };
        Pause::ALL.into_iter().filter_map(radio).collect()
    }
}

impl View for Preferences<'_> {
    fn frame(&self) -> &Frame<'_> {
        &self.frame
    }
}
