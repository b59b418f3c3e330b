//! Notices: marked as paragraphs, and still the same words.

use proptest::prelude::*;

use super::*;

fn texts(text: &str) -> Vec<&str> {
    paragraphs(text).into_iter().map(|paragraph| paragraph.text).filter(|text| !text.is_empty()).collect()
}

#[test]
fn blank_lines_part_paragraphs_and_single_breaks_do_not() {
    assert_eq!(texts("one\ntwo\n\nthree\r\n \r\n\r\nfour\n"), ["one\ntwo", "three", "four"]);
    assert_eq!(texts("\n\n  indented\n"), ["  indented"]);
    assert!(texts("").is_empty() && texts(" \n\n").is_empty());
}

proptest! {
    #[test]
    fn art7_1_paragraphs_put_together_are_the_text(text in "[ab \\r\\n\\u{2028}é]{0,60}") {
        let together: String = paragraphs(&text).iter().flat_map(|part| [part.before, part.text]).collect();
        prop_assert_eq!(together, text);
    }
}
