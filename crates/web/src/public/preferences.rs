//! The preference centre: purposes, topics, how often, tracking, language, a break, and the end of everything.
//!
//! Invariants: tracking is a choice of its own and off unless the person switched it on; a browser that asks not to
//! be tracked (Global Privacy Control) is followed and not asked again; a break always ends by itself; everything can
//! be left in one action (GDPR Art. 7(3)).

use askama::Template;
use model::Timestamp;

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
    /// What became of the form that was sent before.
    pub message: Option<PreferencesMessage>,
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

/// The value of the field `frequency`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

/// What became of the form that was sent before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PreferencesMessage {
    /// Saved.
    Saved,
    /// The token had run out: nothing was saved.
    Stale,
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
        match self.message {
            None => &words.title,
            Some(PreferencesMessage::Saved) => &words.title_saved,
            Some(PreferencesMessage::Stale) => &words.title_stale,
        }
    }

    fn saved(&self) -> bool {
        self.message == Some(PreferencesMessage::Saved)
    }

    fn stale(&self) -> bool {
        self.message == Some(PreferencesMessage::Stale)
    }

    fn frequencies(&self) -> [Radio; 3] {
        let words = &self.frame.w().preferences;
        Frequency::ALL.map(|frequency| {
            let label = match frequency {
                Frequency::Every => &words.frequency_every,
                Frequency::Weekly => &words.frequency_weekly,
                Frequency::Monthly => &words.frequency_monthly,
            };
            Radio { word: frequency.word(), label: label.clone(), checked: Some(frequency) == self.frequency }
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
