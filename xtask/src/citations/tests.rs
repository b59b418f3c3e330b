//! Rules are read from comments and names; the page and the duties follow from them.

use anyhow::Result;

use super::rule::Rule;
use super::*;
use crate::repo::Source;

fn names(text: &str) -> Vec<String> {
    Rule::all_in(text).iter().map(ToString::to_string).collect()
}

fn of_test(name: &str) -> String {
    let rules: Vec<String> = Rule::all_of_test(name).iter().map(ToString::to_string).collect();
    rules.join(", ")
}

fn sample() -> Citations {
    let code = "//! x. RFC 3207.\n\
        /// Removes the dot.\n\
        // RFC 5321 §4.5.2: the first dot goes.\n\
        pub(crate) fn unstuff() {\n\
        \x20   if a { // GDPR Art. 21(3): stops here\n\
        \x20   }\n\
        \x20   // todo RFC 6152 §3: not yet\n\
        \x20   b();\n\
        }\n\
        #[cfg(test)]\n\
        mod tests {\n\
        \x20   // RFC 9999 §1 is only spoken of in a test\n\
        \x20   fn rfc5321_4_5_2_dot_is_unstuffed() {}\n\
        }\n";
    Citations::of(&[
        Source { path: "crates/mail/src/server.rs".to_owned(), text: code.to_owned() },
        Source { path: "tests/dialogues/rfc3207_4_discards.smtp".to_owned(), text: String::new() },
    ])
}

#[test]
fn comments_name_rules() {
    assert_eq!(names("// RFC 5321 §4.5.2: why"), ["RFC 5321 §4.5.2"]);
    assert_eq!(names("RFC 5321 §4.5.2, §4.1.1.4 and §2"), ["RFC 5321 §4.5.2", "RFC 5321 §4.1.1.4", "RFC 5321 §2"]);
    assert_eq!(names("RFC 7505, section 3. Next"), ["RFC 7505 §3"]);
    assert_eq!(names("RFC 7505: null MX"), ["RFC 7505"]);
    assert_eq!(names("GDPR Art. 28(3)(a), and ePrivacy Art. 13(2)"), ["GDPR Art. 28(3)(a)", "ePrivacy Art. 13(2)"]);
    assert_eq!(names("Art. 32 (see there)"), ["GDPR Art. 32"]);
    assert!(names("an RFC and an Art. of its own").is_empty());
}

#[test]
fn names_of_tests_name_rules() {
    assert_eq!(of_test("rfc5321_4_5_2_dot_is_unstuffed"), "RFC 5321 §4.5.2");
    assert_eq!(of_test("rfc8058_one_click"), "RFC 8058");
    assert_eq!(of_test("rfc5321_512_octets"), "RFC 5321");
    assert_eq!(of_test("art21_3_objection_stops"), "GDPR Art. 21(3)");
    assert_eq!(of_test("art28_3_a_instruction"), "GDPR Art. 28(3)(a)");
    assert_eq!(of_test("eprivacy13_2_soft_opt_in"), "ePrivacy Art. 13(2)");
    assert_eq!(of_test("art17_art18_1_restricted_get_nothing"), "GDPR Art. 17, GDPR Art. 18(1)");
    assert_eq!(of_test("artful_names_are_none"), "");
    assert_eq!(of_test("a_plain_test"), "");
}

#[test]
fn the_page_says_where_and_by_which_test() {
    let page = page::render(&sample());
    let row = "| RFC 5321 §4.5.2 | crates/mail/src/server.rs: unstuff | \
        crates/mail/src/server.rs: rfc5321_4_5_2_dot_is_unstuffed | done |";
    assert!(page.contains(row), "{page}");
    assert!(page.contains("| GDPR Art. 21(3) | crates/mail/src/server.rs: unstuff |  | no test by name |"), "{page}");
    assert!(page.contains("| RFC 6152 §3 | crates/mail/src/server.rs: unstuff |  | partial |"), "{page}");
    assert!(page.contains("rfc3207_4_discards.smtp: rfc3207_4_discards | test only |"), "{page}");
    assert!(!page.contains("9999"), "{page}");
}

#[test]
fn a_duty_needs_a_line_and_a_test() -> Result<()> {
    let duty = |rule: &str| format!("[[duty]]\nrules = [\"{rule}\"]\nwhat = \"x\"\n");
    let citations = sample();
    assert!(duties::unmet(&duty("RFC 5321 §4.5"), &citations)?.is_empty());
    assert_eq!(duties::unmet(&duty("GDPR Art. 21(3)"), &citations)?.len(), 1);
    assert_eq!(duties::unmet(&duty("RFC 3207"), &citations)?.len(), 1);
    assert_eq!(duties::unmet(&duty("RFC 5321 §4.6"), &citations)?.len(), 2);
    assert!(duties::unmet(&duty("nothing"), &citations).is_err());
    assert!(duties::unmet("", &citations).is_err());
    Ok(())
}
