//! Encodings, their marks, and what is wrong in them.

use super::super::{Encoding, FileFault, Input, Reason};
use super::*;

fn utf16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_header() {
    let (fates, finished) = all(b"\xEF\xBB\xBFemail\nada@example.com\n", Input::of(CSV), whole());
    assert_eq!(told(&fates), [(2, "contact")]);
    assert!(finished.report.ignored.is_empty());
    // It is believed before what was said.
    let said = Input { encoding: Encoding::Windows1252, ..Input::of(CSV) };
    let (fates, _) = all("\u{FEFF}email,source\nada@example.com,é\n".as_bytes(), said, whole());
    assert_eq!(&*contact(&fates[0]).evidence.source, "é");
}

#[test]
fn utf16_is_read_by_its_mark_or_as_said_in_both_orders() {
    let text = "email,source\r\nada@example.com,\"ä\n😀\"\r\nno,x\r\n";
    for (big, said) in [(true, Encoding::Utf16Be), (false, Encoding::Utf16Le)] {
        let mark: &[u8] = if big { b"\xFE\xFF" } else { b"\xFF\xFE" };
        let marked = [mark, &utf16(text, big)].concat();
        let unmarked = utf16(text, big);
        let by_mark = all(&marked, Input::of(CSV), whole()).0;
        let as_said = all(&unmarked, Input { encoding: said, ..Input::of(CSV) }, whole()).0;
        assert_eq!(told(&by_mark), [(2, "contact"), (4, "malformed")]);
        assert_eq!(&*contact(&by_mark[0]).evidence.source, "ä\n😀");
        assert!(by_mark == as_said);
        assert_eq!(open(&unmarked[..], Input::of(CSV), whole()).err(), Some(FileFault::Utf16Unmarked.into()));
    }
}

#[test]
fn utf16_half_a_pair_is_a_fault_of_its_row_with_the_offset_in_the_file() {
    let mut octets = b"\xFF\xFE".to_vec();
    octets.extend(utf16("email,source\nada@example.com,😀ä", false));
    let offset = octets.len() as u64;
    octets.extend(0xD800_u16.to_le_bytes());
    octets.extend(utf16("x\nbob@example.com,y\n", false));
    let (fates, _) = all(&octets, Input::of(CSV), whole());
    assert_eq!(told(&fates), [(2, "malformed"), (3, "contact")]);
    assert_eq!(reason(&fates[0]), Reason::Encoding { offset });
    // Half a unit at the end.
    octets.extend(utf16("bea@example.com,y", false));
    octets.push(b'x');
    assert_eq!(told(&all(&octets, Input::of(CSV), whole()).0).last(), Some(&(4, "malformed")));
}

#[test]
fn windows_1252_is_read_when_it_is_said_and_reported_when_not() {
    let text = b"email,source\nada@example.com,Caf\xE9 \x80\nbob@example.com,x\n";
    let said = Input { encoding: Encoding::Windows1252, ..Input::of(CSV) };
    let (fates, _) = all(text, said, whole());
    assert_eq!(&*contact(&fates[0]).evidence.source, "Café €");
    let (fates, _) = all(text, Input::of(CSV), whole());
    assert_eq!(told(&fates), [(2, "malformed"), (3, "contact")]);
    assert_eq!(reason(&fates[0]), Reason::Encoding { offset: 32 });
}

#[test]
fn wrong_octets_at_the_edges_of_rows_belong_to_one_row_only() {
    let fates =
        all(b"email,source\na@example.com,x\n\xFFb@example.com,x\nc@example.com,x\xC3\n", Input::of(CSV), whole());
    assert_eq!(told(&fates.0), [(2, "contact"), (3, "malformed"), (4, "malformed")]);
    let fates = all(b"email,source\n\xFF\na@example.com,\"x\xE2\x82\"\nb@example.com,\"x\"\n", Input::of(CSV), whole());
    assert_eq!(told(&fates.0), [(2, "malformed"), (3, "malformed"), (4, "contact")]);
    let fates = all(b"email,source\na@example.com,x\nb@example.com,x\xF0\x9F", Input::of(CSV), whole());
    assert_eq!(told(&fates.0), [(2, "contact"), (3, "malformed")]);
    assert_eq!(reason(&fates.0[1]), Reason::Encoding { offset: 44 });
    // Two halves that would make a character together, if the cells were joined.
    let fates = all(b"email,source,notice\na@example.com,\xC3,\xA4\n", Input::of(CSV), whole());
    assert_eq!(told(&fates.0), [(2, "malformed")]);
}

#[test]
fn a_nul_ends_the_reading_after_the_rows_before_it_and_the_digest_is_still_of_the_whole_file() {
    let text = b"email\na@example.com\nb@example.com\nc\0@example.com\nd@example.com\n";
    let mut reader = open(&text[..], Input::of(CSV), whole()).unwrap();
    assert_eq!(told(&reader.next_batch(10).unwrap().unwrap()), [(2, "contact"), (3, "contact")]);
    let fault = FileFault::Nul { line: 4, offset: 35 };
    assert_eq!(reader.next_batch(10), Err(fault));
    assert_eq!(reader.next_row(), Err(fault));
    let finished = reader.finish().unwrap();
    assert_eq!(finished.fault, Some(fault));
    assert_eq!(finished.digest.octets, text.len() as u64);
    assert_eq!(finished.digest.sha256, sha256(text));
    assert_eq!((finished.report.rows, finished.report.reconciles()), (2, true));
    // In the header, and as the first octet.
    assert_eq!(
        open(&b"em\0il\n"[..], Input::of(CSV), whole()).err(),
        Some(FileFault::Nul { line: 1, offset: 2 }.into())
    );
    assert_eq!(open(&b"\0"[..], Input::of(CSV), whole()).err(), Some(FileFault::Nul { line: 1, offset: 0 }.into()));
}

#[test]
fn art5_2_the_digest_is_of_all_octets_as_they_were() {
    for text in [&b"\xEF\xBB\xBFemail\r\na@example.com\r\n"[..], b"\xFF\xFEe\0m\0a\0i\0l\0\n\0x\0", b"email\nx\n\n# y"]
    {
        let (_, finished) = all(text, Input::of(CSV), whole());
        assert_eq!(finished.digest.sha256, sha256(text));
        assert_eq!(finished.digest.octets, text.len() as u64);
    }
    // A caller who stops early still gets the digest of the file.
    let text = format!("email\n{}", "a@example.com\n".repeat(20_000));
    let mut reader = open(text.as_bytes(), Input::of(CSV), whole()).unwrap();
    reader.next_row().unwrap();
    let finished = reader.finish().unwrap();
    assert_eq!((finished.digest.sha256, finished.report.rows), (sha256(text.as_bytes()), 1));
}

#[test]
fn a_reader_that_fails_has_no_digest() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let text = format!("email\n{}", "x\n".repeat(40_000));
    let mut reader = open(text.as_bytes().chain(Fails), Input::of(CSV), whole()).unwrap();
    let fault = FileFault::Read(std::io::ErrorKind::Other);
    while let Ok(Some(_)) = reader.next_row() {}
    assert_eq!(reader.next_row(), Err(fault));
    assert_eq!(reader.finish(), Err(fault));
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets);
    digest.as_ref().try_into().unwrap()
}
