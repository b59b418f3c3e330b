//! Turns of phrase that give an instruction away: purposes that say nothing, purposes of others, special categories in
//! plain words. A list cannot be complete; it catches what is usual and leaves the rest to people.

/// As a whole text: says nothing (GDPR Art. 5(1)(b); Art. 29 Working Party, WP203 III.1.1).
const GENERIC_WHOLE: &[&str] = &[
    "marketing",
    "marketing purposes",
    "direct marketing",
    "advertising",
    "communication",
    "communications",
    "e-mail",
    "email",
    "mail",
    "mailing",
    "messages",
    "business purposes",
    "commercial purposes",
    "the services",
    "our services",
    "services",
    "the service",
    "internal purposes",
    "improving the user experience",
    "future research",
    "it security purposes",
    "other",
    "other purposes",
    "various",
    "general",
    "werbung",
    "marketingzwecke",
    "mailings",
    "kommunikation",
    "geschäftszwecke",
    "sonstiges",
    "verschiedenes",
    "allgemein",
    "interne zwecke",
];
/// Anywhere in a text: opens it to everything.
const GENERIC_WITHIN: &[&str] = &[
    "any lawful purpose",
    "any legal purpose",
    "any purpose",
    "all purposes",
    "all lawful purposes",
    "whatever purpose",
    "any other purpose",
    "other purposes as",
    "as we see fit",
    "at our discretion",
    "for any reason",
    "without limitation",
    "and so on",
    "etc.",
    "and more",
    "unspecified",
    "to be determined",
    "tbd",
    "jeden zweck",
    "jeden rechtmäßigen zweck",
    "alle zwecke",
    "allen zwecken",
    "beliebige zwecke",
    "beliebigen zwecken",
    "nach belieben",
    "usw.",
    "und so weiter",
    "noch festzulegen",
];
/// Words of one or two letters and articles do not make a purpose specific.
const WORDS_MIN: usize = 3;

/// Anywhere in a text: somebody else's purpose (GDPR Art. 28(10)).
const FOREIGN: &[&str] = &[
    "processor's own",
    "operator's own",
    "provider's own",
    "platform's own",
    "improve the platform",
    "improving the platform",
    "improve the provider",
    "train a model",
    "train models",
    "training of models",
    "train machine",
    "across customers",
    "across controllers",
    "other customers",
    "benchmarks for",
    "resale",
    "resell",
    "sell the data",
    "selling data",
    "share with partners",
    "sharing with partners",
    "data broker",
    "zwecke des auftragsverarbeiters",
    "zwecke des betreibers",
    "verbesserung der plattform",
    "modelle trainieren",
    "training von modellen",
    "kundenübergreifend",
    "weiterverkauf",
    "verkauf der daten",
    "weitergabe an partner",
];

/// Anywhere in a text: a special category by another name (GDPR Art. 9(1), 10).
const SPECIAL: &[&str] = &[
    "health",
    "medical",
    "diagnos",
    "illness",
    "disease",
    "disab",
    "pregnan",
    "patient",
    "religio",
    "faith",
    "belief",
    "ethnic",
    "racial",
    "political",
    "trade union",
    "genetic",
    "biometric",
    "sexual",
    "sex life",
    "criminal",
    "conviction",
    "gesundheit",
    "krank",
    "medizin",
    "schwanger",
    "behinder",
    "weltanschau",
    "glaube",
    "konfession",
    "ethnisch",
    "politisch",
    "gewerkschaft",
    "genetisch",
    "biometrisch",
    "sexuell",
    "vorstraf",
    "verurteil",
];

/// Does a purpose say nothing in particular?
pub(super) fn is_generic(text: &str) -> bool {
    let text = plain(text);
    text.split(' ').filter(|word| word.chars().count() > 2).count() < WORDS_MIN
        || GENERIC_WHOLE.contains(&text.trim_end_matches('.'))
        || GENERIC_WITHIN.iter().any(|phrase| has(&text, phrase))
}

/// Does a purpose say that it is somebody else's?
pub(super) fn serves_others(text: &str) -> bool {
    let text = plain(text);
    FOREIGN.iter().any(|phrase| text.contains(phrase))
}

/// Does a type of data in words name a special category?
pub(super) fn names_special_category(text: &str) -> bool {
    let text = plain(text);
    SPECIAL.iter().any(|stem| text.contains(stem))
}

/// Small letters, single spaces, one kind of apostrophe.
fn plain(text: &str) -> String {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Does the phrase stand in the text as whole words?
fn has(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let before = text.get(..at).and_then(|left| left.chars().next_back());
        let after = text.get(at + phrase.len()..).and_then(|right| right.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}
