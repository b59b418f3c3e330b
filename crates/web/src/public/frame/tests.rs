//! Frames: what a controller may bring along, and what not.

use proptest::prelude::*;

use super::*;

fn contact(email: &str) -> Contact<'_> {
    Contact { postal_address: "", email: Some(email), telephone: None, officer: None, privacy_policy: None }
}

#[test]
fn a_link_leaves_only_for_https() {
    assert_eq!(Link::https("https://shop.example/privacy?a=b#c").map(|link| link.0.len()), Some(34));
    for wrong in [
        "http://shop.example/",
        "javascript:alert(1)",
        "HTTPS:/x",
        "//shop.example",
        "https://",
        "https:///x",
        "https://a@b.example/",
        "https://shop.example/a b",
        "https://shop.example/\u{7}",
        "https://\\evil.example",
        "data:text/html,x",
        " https://shop.example",
    ] {
        assert_eq!(Link::https(wrong), None, "{wrong}");
    }
    assert_eq!(Link::https(&format!("https://a.example/{}", "a".repeat(LINK_OCTETS_MAX))), None);
}

#[test]
fn a_logo_is_a_small_picture_inside_the_page() {
    assert!(Logo::data("data:image/png;base64,iVBORw0KGgo=").is_some());
    for wrong in [
        "https://shop.example/logo.png",
        "data:image/svg+xml;base64,AAAA",
        "data:text/html;base64,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,AA\"AA",
        "data:image/png,AAAA",
    ] {
        assert_eq!(Logo::data(wrong), None, "{wrong}");
    }
    let large = format!("data:image/png;base64,{}", "A".repeat(LOGO_OCTETS_MAX));
    assert_eq!(Logo::data(&large), None);
}

#[test]
fn an_address_becomes_a_link_only_when_it_is_plain() {
    assert_eq!(contact("hello@shop.example").mailto().as_deref(), Some("mailto:hello@shop.example"));
    assert_eq!(contact("a@b.example?cc=c@d.example").mailto(), None);
    assert_eq!(contact("a b").mailto(), None);
}

#[test]
fn the_other_languages_keep_the_rest_of_the_query() {
    let frame =
        Frame { language: Language::Dutch, branding: None, processor: "P", here: Some("/u?t=1&language=de&x=2") };
    let links = frame.languages();
    assert_eq!(links[1].href, "/u?t=1&x=2&language=de");
    assert_eq!(links.iter().filter(|link| link.current).count(), 1);
    assert!(Frame { here: None, ..frame }.languages().is_empty());
    assert_eq!(Frame { here: Some("/f/shop"), ..frame }.languages()[0].href, "/f/shop?language=en");
}

#[test]
fn a_name_with_braces_is_not_filled_again() {
    let contact = contact("");
    let branding = Branding { controller: "{processor}", accent: None, logo: None, contact };
    let frame = Frame { language: Language::English, branding: Some(branding), processor: "P", here: None };
    assert_eq!(frame.say("{controller} by {processor}"), "{processor} by P");
}

proptest! {
    #[test]
    fn any_text_is_a_link_or_not(text in "\\PC{0,40}") {
        prop_assert!(Link::https(&text).is_none_or(|link| link.as_str().starts_with("https://")));
        prop_assert!(Logo::data(&text).is_none_or(|logo| logo.as_str().starts_with("data:image/")));
    }
}
