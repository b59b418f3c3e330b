//! Colours: whatever the controller chose, the text can be read.

use proptest::prelude::*;

use super::*;

const STYLE: &str = include_str!("../../../assets/public.css");

#[test]
fn only_six_hexadecimal_digits_are_a_colour() {
    assert_eq!(Accent::parse("#1A2b3c").map(Accent::hex).as_deref(), Some("1a2b3c"));
    assert_eq!(Accent::parse("1a2b3c"), Accent::parse("#1a2b3c"));
    for wrong in ["", "#", "#12345", "#1234567", "red", "#12345g", "##12345", "+12345", "#12éx", "url(x)"] {
        assert_eq!(Accent::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_surfaces_are_those_of_the_style_sheet() {
    for surface in LIGHT_SURFACES.into_iter().chain(DARK_SURFACES) {
        assert!(STYLE.contains(&format!("#{};", surface.hex())), "{}", surface.hex());
    }
}

#[test]
fn wcag_1_4_3_the_colours_of_the_style_sheet_contrast() {
    let scheme = |text: &str| -> Vec<(String, Accent)> {
        let pairs = text.split(';').filter_map(|pair| pair.trim().split_once(": #"));
        pairs
            .filter_map(|(name, value)| Some((name.trim_start_matches('-').to_owned(), Accent::parse(value)?)))
            .collect()
    };
    let blocks: Vec<&str> = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    let blocks: Vec<&str> = blocks.into_iter().filter(|block| block.contains("--paper")).collect();
    assert_eq!(blocks.len(), 2, "light and dark");
    for block in blocks {
        let colours = scheme(block);
        let of = |name: &str| colours.iter().find(|(known, _)| known == name).unwrap().1;
        for (text, least) in [("ink", 4.5), ("quiet", 4.5), ("accent", 4.5), ("edge", 3.0)] {
            for surface in ["paper", "sheet", "mark"] {
                assert!(of(text).contrast(of(surface)) >= least, "{text} on {surface} in {block}");
            }
        }
        assert!(of("bad").contrast(of("bad-back")) >= 4.5 && of("good").contrast(of("good-back")) >= 4.5);
        assert!(of("bad").contrast(of("sheet")) >= 4.5 && of("ink").contrast(of("bad-back")) >= 4.5);
        assert!(of("ink").contrast(of("good-back")) >= 4.5 && of("accent").contrast(of("bad-back")) >= 3.0);
    }
}

#[test]
fn a_pale_colour_is_darkened_for_text_and_kept_for_the_button() {
    let style = Accent::parse("#ffee00").unwrap().style();
    assert!(style.contains("--brand:#ffee00;--on-brand:#000000"));
    assert!(!style.contains("--accent:#ffee00}}\n@media"));
}

proptest! {
    #[test]
    fn wcag_1_4_3_any_colour_is_readable(red: u8, green: u8, blue: u8) {
        let colour = Accent(red, green, blue);
        prop_assert!(colour.text_on().contrast(colour) >= CONTRAST_MIN);
        for (surfaces, towards) in [(LIGHT_SURFACES, BLACK), (DARK_SURFACES, WHITE)] {
            let text = colour.readable_on(&surfaces, towards);
            prop_assert!(surfaces.iter().all(|surface| text.contrast(*surface) >= CONTRAST_MIN));
        }
    }

    #[test]
    fn any_text_is_a_colour_or_not(text in "\\PC{0,8}") {
        let style = Accent::parse(&text).map(Accent::style).unwrap_or_default();
        prop_assert!(!style.contains('<'));
    }
}
