//! Words: every language says everything, with the same places to fill.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const FILES: [(Language, &str); 5] = [
    (Language::English, ENGLISH),
    (Language::German, GERMAN),
    (Language::French, FRENCH),
    (Language::Spanish, SPANISH),
    (Language::Dutch, DUTCH),
];

fn places(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect();
    found.sort_unstable();
    found
}

#[test]
fn every_language_has_exactly_the_same_keys() {
    assert_eq!(FILES.map(|(language, _)| language), Language::ALL);
    for (language, text) in FILES {
        let parsed: Result<Words, _> = toml::from_str(text);
        assert!(parsed.is_ok(), "{language:?}: {:?}", parsed.err());
    }
}

#[test]
fn a_catalogue_with_a_key_more_or_less_does_not_parse() {
    let less = ENGLISH.replacen("send = ", "# ", 1);
    let more = ENGLISH.replacen("send = ", "sent = \"\"\nsend = ", 1);
    assert!(less != ENGLISH && toml::from_str::<Words>(&less).is_err());
    assert!(more != ENGLISH && toml::from_str::<Words>(&more).is_err());
}

#[test]
fn every_text_has_the_same_places_in_every_language() {
    let english: BTreeMap<_, _> = of(Language::English).each().into_iter().collect();
    for language in Language::ALL {
        for (key, text) in of(language).each() {
            assert_eq!(places(text), places(english[key]), "{language:?} {key}");
        }
    }
}

#[test]
fn no_text_is_empty_or_holds_markup() {
    for language in Language::ALL {
        for (key, text) in of(language).each() {
            assert!(!text.trim().is_empty() && text.trim() == text, "{language:?} {key}");
            assert!(!text.contains(['<', '>', '&', '\n']), "{language:?} {key}");
        }
    }
}

#[test]
fn no_long_text_was_left_in_english() {
    let english: BTreeMap<_, _> = of(Language::English).each().into_iter().collect();
    for language in Language::ALL.into_iter().filter(|language| *language != Language::English) {
        for (key, text) in of(language).each() {
            assert!(text.len() < 30 || text != english[key], "{language:?} {key}");
        }
    }
}

#[test]
fn values_are_filled_in_once() {
    assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "two")]), "{b} and two");
    assert_eq!(fill("{unknown} {a", &[("a", "one")]), "{unknown} {a");
    assert_eq!(fill("{{a}}", &[("a", "one")]), "{one}");
}

proptest! {
    #[test]
    fn any_text_can_be_filled(text in "\\PC{0,40}", value in "\\PC{0,20}") {
        let filled = fill(&text, &[("controller", &value)]);
        let has_a_place = text.contains("{controller}");
        prop_assert!(has_a_place || filled == text);
    }
}
