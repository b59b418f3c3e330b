//! Text that one side writes and the other reads: in lines of a bounded length, without what could look like another
//! line or turn the reading order.

/// Characters of a line.
const LINE_MAX: usize = 200;
/// Lines of a postal address.
const LINES_MAX: usize = 8;

/// Control characters, line and paragraph separators, zero-width and direction marks.
pub(crate) fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// One line of at most 200 characters, with nothing misleading in it.
pub(crate) fn is_line(text: &str) -> bool {
    text.chars().count() <= LINE_MAX && !text.chars().any(misleads)
}

/// The same, and not blank.
pub(crate) fn is_said(text: &str) -> bool {
    !text.trim().is_empty() && is_line(text)
}

/// A postal address: one to eight such lines.
pub(crate) fn is_address(text: &str) -> bool {
    (1..=LINES_MAX).contains(&text.lines().count()) && text.lines().all(is_line)
}

/// A name that stands before an address in a mail. What looks like an address itself disguises who sends (directive
/// 2002/58/EC Art. 13(4)).
pub(crate) fn is_name_of_sender(text: &str) -> bool {
    is_said(text) && !text.contains(['<', '>', '@'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_is_no_line_and_no_name() {
        for good in ["Sample Shop Ltd", "Käserei Größe & Söhne", "O'Brien", &"x".repeat(200)] {
            assert!(is_said(good) && is_name_of_sender(good), "{good}");
        }
        for bad in ["a\nb", "a\u{202e}b", "a\u{2028}b", "a\u{200b}", " ", "", &"x".repeat(201)] {
            assert!(!is_said(bad) && !is_name_of_sender(bad), "{bad:?}");
        }
        assert!(!is_name_of_sender("<pay@bank.example>,"));
        assert!(is_address("1 Example Street\n12345 Town") && !is_address("") && !is_address(&"x\n".repeat(9)));
        assert!(!is_address(&"x".repeat(201)));
    }
}
