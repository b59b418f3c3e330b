//! Languages: a wish first, then the browser, then English.

use proptest::prelude::*;

use super::*;

fn of(accept: &str) -> Language {
    Language::negotiate(Some(accept), None)
}

#[test]
fn rfc9110_12_5_4_the_highest_weight_wins() {
    assert_eq!(of("fr;q=0.5, de-AT;q=0.9, en;q=0.1"), Language::German);
    assert_eq!(of("nl, es"), Language::Dutch);
    assert_eq!(of("pl, es;q=0.3"), Language::Spanish);
    assert_eq!(of("FR-ca"), Language::French);
}

#[test]
fn rfc9110_12_4_2_weight_nought_and_what_is_no_weight_do_not_count() {
    assert_eq!(of("de;q=0"), Language::English);
    assert_eq!(of("de;q=0.000, fr;q=0.001"), Language::French);
    assert_eq!(of("de;q=9, fr;q=1.5, es;q=-1, nl;q=0.2"), Language::Dutch);
    assert_eq!(of("*"), Language::English);
    assert_eq!(Language::negotiate(None, None), Language::English);
}

#[test]
fn a_spoken_wish_wins_unless_we_do_not_speak_it() {
    assert_eq!(Language::negotiate(Some("de"), Some("es")), Language::Spanish);
    assert_eq!(Language::negotiate(Some("de"), Some("pl")), Language::German);
    assert_eq!(Language::negotiate(Some("de"), Some("\"><script>")), Language::German);
}

#[test]
fn a_field_without_end_is_not_read_to_its_end() {
    let many = format!("{}de", "pl,".repeat(RANGES_MAX));
    assert_eq!(of(&many), Language::English);
}

#[test]
fn every_tag_leads_back() {
    for language in Language::ALL {
        assert_eq!(Language::from_tag(language.tag()), Some(language));
        assert_eq!(language.header(), language.tag());
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_language(accept in "\\PC{0,60}", wished in "\\PC{0,10}") {
        prop_assert!(Language::ALL.contains(&Language::negotiate(Some(&accept), Some(&wished))));
    }
}
