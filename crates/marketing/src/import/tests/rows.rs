//! RFC 4180: where rows begin and end, and on which line.

use super::super::{Delimiter, Format, Input, Reason};
use super::*;

#[test]
fn rfc4180_2_1_lines_end_with_crlf_or_lf_or_cr() {
    for end in ["\r\n", "\n", "\r"] {
        let text = ["email,source", "ada@example.com,x", "", "bob@example.com,y", "bea@example.com,z"].join(end);
        assert_eq!(told(&csv(&text)), [(2, "contact"), (4, "contact"), (5, "contact")], "{end:?}");
        let (_, finished) = all(text.as_bytes(), Input::of(CSV), whole());
        assert_eq!(finished.digest.lines, 5);
        assert_eq!(finished.report.blank, 1);
        let (_, finished) = all(format!("{text}{end}").as_bytes(), Input::of(CSV), whole());
        assert_eq!(finished.digest.lines, 5);
    }
}

#[test]
fn rfc4180_2_6_quoted_newlines_keep_the_line_numbers_right() {
    for end in ["\r\n", "\n", "\r"] {
        let text = format!(
            "email,source{end}ada@example.com,\"a{end}b{end}{end}c\"{end}bob@example.com,x{end}no,\"{end}\"{end}no,x"
        );
        let fates = csv(&text);
        assert_eq!(told(&fates), [(2, "contact"), (6, "contact"), (7, "malformed"), (9, "malformed")], "{end:?}");
        assert_eq!(&*contact(&fates[0]).evidence.source, format!("a{end}b{end}{end}c"));
    }
}

#[test]
fn rfc4180_2_7_a_doubled_quote_is_a_quote_and_delimiters_are_text_within_quotes() {
    let fates =
        csv("email,source\nada@example.com,\"a \"\"b\"\", c\"\nbob@example.com,5\" nails\nbea@example.com,\"x\" \n");
    assert_eq!(&*contact(&fates[0]).evidence.source, "a \"b\", c");
    assert_eq!(&*contact(&fates[1]).evidence.source, "5\" nails");
    assert_eq!(&*contact(&fates[2]).evidence.source, "x");
}

#[test]
fn text_after_a_closing_quote_is_malformed_and_the_next_row_is_not() {
    let fates = csv("email,source\nada@example.com,\"x\"y\nbob@example.com,\"x\" y\nbea@example.com,\"xy\"\n");
    assert_eq!(told(&fates), [(2, "malformed"), (3, "malformed"), (4, "contact")]);
    assert_eq!(reason(&fates[0]), Reason::QuoteStray);
    assert_eq!(reason(&fates[1]), Reason::QuoteStray);
}

#[test]
fn a_quote_that_is_never_closed_names_the_line_where_it_was_opened() {
    let text = "email,source,notice\nada@example.com,x,y\nbob@example.com,\"a\nb\",\"c\nbea@example.com,x,y\n";
    let (fates, finished) = all(text.as_bytes(), Input::of(CSV), whole());
    assert_eq!(told(&fates), [(2, "contact"), (3, "malformed")]);
    assert_eq!(reason(&fates[1]), Reason::QuoteUnterminated { opened: 4 });
    assert_eq!(finished.digest.lines, 5);
    // Also when the rest of the file is longer than any row.
    let long = format!("{text}{}", "more@example.com,x,y\n".repeat(10_000));
    let fates = csv(&long);
    assert_eq!(reason(&fates[1]), Reason::QuoteUnterminated { opened: 4 });
    assert_eq!(fates.len(), 2);
}

#[test]
fn the_last_row_needs_no_end_of_line() {
    assert_eq!(told(&csv("email,source\nada@example.com,")), [(2, "contact")]);
    assert_eq!(told(&csv("email,source\nada@example.com,\"x\"")), [(2, "contact")]);
    assert_eq!(told(&csv("email\nada@example.com")), [(2, "contact")]);
}

#[test]
fn an_empty_file_does_not_open_and_a_header_alone_is_no_row() {
    for format in [CSV, Format::JsonLines] {
        assert_eq!(open(&b""[..], Input::of(format), whole()).err(), Some(OpenError::Empty));
    }
    assert_eq!(open(&b"\xEF\xBB\xBF"[..], Input::of(CSV), whole()).err(), Some(OpenError::Empty));
    assert_eq!(open(&b"\n\r\n \n"[..], Input::of(CSV), whole()).err(), Some(OpenError::Empty));
    for text in ["email", "email\n", "email,source\r\n\r\n"] {
        let (fates, finished) = all(text.as_bytes(), Input::of(CSV), whole());
        assert!(fates.is_empty());
        assert_eq!(finished.report.rows, 0);
        assert_eq!(finished.fault, None);
    }
}

#[test]
fn the_delimiter_is_found_by_the_first_lines_or_given() {
    for (octet, delimiter) in
        [(',', Delimiter::Comma), (';', Delimiter::Semicolon), ('\t', Delimiter::Tab), ('|', Delimiter::Pipe)]
    {
        let text = format!("email{octet}source{octet}\"a, b; c\"\nada@example.com{octet}x{octet}y\n");
        let opened = Opened::read(text.as_bytes(), Input::of(CSV)).unwrap();
        assert_eq!(opened.format(), Format::Csv { delimiter });
        assert_eq!(told(&csv(&text)), [(2, "contact")]);
    }
    // A comma in the header, and rows that agree about the semicolon.
    let text = "email;name, first\nada@example.com;Ada\nbob@example.com;Bob\n";
    assert_eq!(told(&csv(text)), [(2, "contact"), (3, "contact")]);
    let given = Input::of(Format::Csv { delimiter: Delimiter::Pipe });
    let (fates, _) = all(b"email|source;a;b\nada@example.com|x;y\n", given, whole());
    assert_eq!(told(&fates), [(2, "contact")]);
    // As spreadsheets write it.
    assert_eq!(told(&csv("sep=|\r\nemail|a,b\r\nada@example.com|x\r\n")), [(3, "contact")]);
}

#[test]
fn a_format_is_proposed_by_name_and_content() {
    let guess = |name: &str, octets: &[u8]| Format::guess(name, octets);
    let csv = Some(CSV);
    let plain = Some(Format::PlainList { comments: Default::default() });
    assert_eq!(guess("a.CSV", b"email\n"), csv);
    assert_eq!(guess("a.tsv", b"email\n"), Some(Format::Csv { delimiter: Delimiter::Tab }));
    assert_eq!(guess("a.ndjson", b"{}"), Some(Format::JsonLines));
    assert_eq!(guess("upload", b"\xEF\xBB\xBF\n {\"email\":1}"), Some(Format::JsonLines));
    assert_eq!(guess("list.txt", b"# mine\nada@example.com\n"), plain);
    assert_eq!(guess("list.txt", b"email,name\nada@example.com,Ada\n"), csv);
    assert_eq!(guess("list.txt", b"\xFF\xFEa\0@\0b\0.\0c\0\n\0"), plain);
    for (name, octets) in [("a.xlsx", &b"PK\x03\x04.."[..]), ("a.json", b"[{}]"), ("a.csv", b""), ("a.csv", b"e\0m")] {
        assert_eq!(guess(name, octets), None, "{name}");
    }
}

#[test]
fn pieces_of_any_size_make_the_same_rows() {
    /// Gives as few octets at a time as it may.
    struct Drops<'a>(&'a [u8]);
    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let (Some((first, rest)), Some(place)) = (self.0.split_first(), into.first_mut()) else { return Ok(0) };
            *place = *first;
            self.0 = rest;
            Ok(1)
        }
    }
    // Longer than the buffer, so that pieces end anywhere: in characters, in quotes, between CR and LF.
    let row = |number: usize| format!("a{number}@example.com,\"ä\"\"\r\n€😀\",x\r\n");
    let text = format!("email,source,notice\r\n{}", (0..5_000).map(row).collect::<String>());
    let (fates, finished) = all(text.as_bytes(), Input::of(CSV), whole());
    let mut reader = open(Drops(text.as_bytes()), Input::of(CSV), whole()).unwrap();
    let mut again = Vec::new();
    while let Some(fate) = reader.next_row().unwrap() {
        again.push(fate);
    }
    assert!(fates == again);
    assert_eq!(fates.len(), 5_000);
    assert!(fates.iter().enumerate().all(|(index, fate)| fate.line() == 2 + 2 * index as u64));
    assert!(fates.iter().all(|fate| &*contact(fate).evidence.source == "ä\"\r\n€😀"));
    assert_eq!(reader.finish().unwrap(), finished);
}
