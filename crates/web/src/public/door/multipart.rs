//! `multipart/form-data` as far as forms without files have it (RFC 7578, RFC 2046 §5.1).
//!
//! RFC 8058 §3.2 asks mail programs to send the one click so. Invariants: whatever comes is read to its end without a
//! fault, and what is no part with a name is passed over; lines may end in CR LF or LF alone.

/// Characters of a boundary (RFC 2046 §5.1.1).
const BOUNDARY_MAX: usize = 70;

/// The boundary that a Content-Type names; `None` when it is none of `multipart/form-data`, or has no boundary.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let mut pieces = parameters(content_type);
    let kind = pieces.next()?;
    if !kind.0.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (_, value) = pieces.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    (1..=BOUNDARY_MAX).contains(&value.len()).then_some(value)
}

/// Names and values of the parts, in order.
pub(super) fn parts<'o>(octets: &'o [u8], boundary: &str) -> impl Iterator<Item = (String, String)> + use<'o> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut rest = after_delimiter(octets, &delimiter, 0).and_then(|(_, after)| octets.get(after..));
    std::iter::from_fn(move || {
        loop {
            let here = rest?;
            let (content, next) = match after_delimiter(here, &delimiter, 0) {
                Some((before, after)) => (here.get(..before)?, here.get(after..)),
                // RFC 2046 §5.1.1 asks for a closing one; a part whose end did not come is none.
                None => return None,
            };
            rest = next;
            if let Some(part) = part(content) {
                return Some(part);
            }
        }
    })
}

/// The next delimiter line from `from`: where what stands before it ends, and where what stands after it begins.
fn after_delimiter(octets: &[u8], delimiter: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut from = from;
    loop {
        let tail = octets.get(from..)?;
        let at = from + tail.windows(delimiter.len()).position(|window| window == delimiter)?;
        let end = at + delimiter.len();
        let before = octets.get(..at)?;
        let at_line_start = before.is_empty() || before.ends_with(b"\n");
        if let (true, Some(after)) = (at_line_start, rest_of_line(octets.get(end..)?)) {
            let before = before.strip_suffix(b"\n").unwrap_or(before);
            let before = before.strip_suffix(b"\r").unwrap_or(before);
            return Some((before.len(), end + after));
        }
        from = at + 1;
    }
}

/// Octets of a delimiter's line behind it: `--` of the last one, white space, the line's end. `None` if more stands
/// there, for then it is no delimiter.
fn rest_of_line(rest: &[u8]) -> Option<usize> {
    let closing = if rest.starts_with(b"--") { 2 } else { 0 };
    let behind = rest.get(closing..)?;
    let padding = behind.iter().take_while(|octet| matches!(octet, b' ' | b'\t' | b'\r')).count();
    match behind.get(padding) {
        Some(b'\n') => Some(closing + padding + 1),
        None => Some(rest.len()),
        Some(_) => None,
    }
}

/// A part's name and value; `None` when it has no name.
fn part(content: &[u8]) -> Option<(String, String)> {
    let mut rest = content;
    let mut name = None;
    loop {
        let end = rest.iter().position(|octet| *octet == b'\n')?;
        let (line, after) = (rest.get(..end)?, rest.get(end + 1..)?);
        rest = after;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return name.map(|name| (name, String::from_utf8_lossy(rest).into_owned()));
        }
        let line = String::from_utf8_lossy(line);
        if let Some((field, value)) = line.split_once(':')
            && field.trim().eq_ignore_ascii_case("content-disposition")
        {
            let mut pieces = parameters(value);
            let kind = pieces.next().unwrap_or_default().0;
            if kind.eq_ignore_ascii_case("form-data") {
                name = pieces.find(|(name, _)| name.eq_ignore_ascii_case("name")).map(|(_, value)| value);
            }
        }
    }
}

/// The pieces of a field's value: the first word with an empty value, then each parameter (RFC 2045 §5.1), its value
/// without quotes.
fn parameters(text: &str) -> std::vec::IntoIter<(String, String)> {
    let (mut pieces, mut piece, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => {
                piece.push(letter);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => pieces.push(std::mem::take(&mut piece)),
            _ => piece.push(letter),
        }
    }
    pieces.push(piece);
    let split = |piece: String| match piece.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), value.trim().to_owned()),
        None => (piece.trim().to_owned(), String::new()),
    };
    pieces.into_iter().map(split).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &str, boundary: &str) -> Vec<(String, String)> {
        parts(body.as_bytes(), boundary).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn rfc8058_3_2_the_example_is_read() {
        let body = "-----FormBoundaryjWmhtjORrn\r\nContent-Disposition: form-data; \
                    name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n-----FormBoundaryjWmhtjORrn--\r\n";
        let named = boundary("multipart/form-data; boundary=---FormBoundaryjWmhtjORrn").unwrap();
        assert_eq!(read(body, &named), [pair("List-Unsubscribe", "One-Click")]);
    }

    #[test]
    fn rfc2046_5_1_1_preamble_padding_and_bare_line_feeds_are_taken() {
        let body = "preamble\n--b \t\ncontent-disposition:form-data;name=a\nContent-Type: text/plain\n\n1\n--b\n\
                    Content-Disposition: form-data; name=\"b; c\\\"\"\n\n--bx\n--b--";
        assert_eq!(read(body, "b"), [pair("a", "1"), pair("b; c\"", "--bx")]);
    }

    #[test]
    fn what_is_no_part_is_passed_over() {
        for body in
            ["", "--b", "--b\r\n", "--b\r\n\r\nx\r\n--b--", "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx"]
        {
            assert_eq!(read(body, "b"), [], "{body:?}");
        }
        for kind in ["", "multipart/form-data", "multipart/mixed; boundary=b", "multipart/form-data; boundary="] {
            assert_eq!(boundary(kind), None, "{kind:?}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "b".repeat(71))), None);
        assert_eq!(boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"").as_deref(), Some("a b"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_to_its_end(octets in proptest::collection::vec(any::<u8>(), 0..2_000), kind in ".*") {
            prop_assert!(parts(&octets, "b").count() <= octets.len());
            let _ = boundary(&kind);
        }

        #[test]
        fn lines_of_delimiters_and_names_in_any_order_are_read_to_their_end(
            lines in proptest::collection::vec(
                "(--b|--b--|--bb|content-disposition: form-data; name=\"?a\"?|x|)(\r\n|\n|)",
                0..40,
            )
        ) {
            prop_assert!(read(&lines.concat(), "b").len() <= lines.len());
        }

        #[test]
        fn what_a_program_writes_is_what_is_read(
            fields in proptest::collection::vec(("[A-Za-z][A-Za-z -]{0,20}[a-z]", "[^\r\n-][^-]{0,50}"), 0..8)
        ) {
            let mut body = String::new();
            for (name, value) in &fields {
                body += &format!("--gc0p4\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            }
            body += "--gc0p4--\r\n";
            prop_assert_eq!(read(&body, "gc0p4"), fields);
        }
    }
}
