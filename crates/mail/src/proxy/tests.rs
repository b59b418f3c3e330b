//! Headers as proxies write them, and whatever else may come first on a connection.

use proptest::prelude::*;

use super::{HEADER_OCTETS_MAX, Progress, ProxyError, SIGNATURE, Source, read};

/// Reads as a driver does: as many octets as are asked for. What is left is not the header's.
fn driven(octets: &[u8]) -> Result<(Source, usize), Option<ProxyError>> {
    let mut taken = 0;
    loop {
        match read(&octets[..taken]).map_err(Some)? {
            Progress::Done(source) => return Ok((source, taken)),
            Progress::More(more) => {
                assert!(more > 0);
                taken += more;
                if taken > octets.len() {
                    return Err(None);
                }
            }
        }
    }
}

fn client(address: &str) -> Source {
    Source::Client(address.parse().unwrap())
}

fn binary(version: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE.as_slice(), &[version, family], &length, body].concat()
}

const FOUR: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 7, 0xDC, 0x04, 0, 25];

#[test]
fn version_1_is_read_up_to_its_line_end_and_no_further() {
    let cases = [
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n", client("192.0.2.1:56324")),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n", client("[2001:db8::1]:0")),
        ("PROXY UNKNOWN\r\n", Source::Proxy),
        ("PROXY UNKNOWN ffff::ffff whatever 1 2 3\r\n", Source::Proxy),
    ];
    for (line, source) in cases {
        let with_more = format!("{line}EHLO a\r\n");
        assert_eq!(driven(with_more.as_bytes()), Ok((source, line.len())), "{line}");
    }
}

#[test]
fn version_1_has_one_form() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
    let cases = [
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\n",
        "PROXY TCP4  192.0.2.1 198.51.100.7 56324 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 25 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 056324 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 +5632 25\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.7 56324 25\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 56324 25\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.7 56324 25\r\n",
        "PROXY TCP6 fe80::1%eth0 2001:db8::2 56324 25\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.7 56324 25\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.7 56324 25\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP4\t192.0.2.1 198.51.100.7 56324 25\r\n",
        long.as_str(),
    ];
    for line in cases {
        assert_eq!(driven(line.as_bytes()), Err(Some(ProxyError::Line)), "{line:?}");
    }
}

#[test]
fn version_2_is_read_by_its_length_and_no_further() {
    let six = [[0x20; 16].as_slice(), &[0x30; 16], &[0xDC, 0x04, 0, 25]].concat();
    let with_values = [FOUR.as_slice(), &[1, 0, 2, b'h', b'2', 4, 0, 0]].concat();
    let cases = [
        (binary(0x21, 0x11, &FOUR), client("192.0.2.1:56324")),
        (binary(0x21, 0x11, &with_values), client("192.0.2.1:56324")),
        (binary(0x21, 0x21, &six), client("[2020:2020:2020:2020:2020:2020:2020:2020]:56324")),
        (binary(0x20, 0x00, &[]), Source::Proxy),
        (binary(0x20, 0x11, &FOUR), Source::Proxy),
        (binary(0x21, 0x00, b"anything"), Source::Proxy),
    ];
    for (header, source) in cases {
        let with_more = [&header[..], b"EHLO a\r\n"].concat();
        assert_eq!(driven(&with_more), Ok((source, header.len())));
    }
}

#[test]
fn version_2_is_strict() {
    let cut_value = [FOUR.as_slice(), &[1, 0, 9, b'h']].concat();
    let cases = [
        (binary(0x11, 0x11, &FOUR), ProxyError::Binary),
        (binary(0x22, 0x11, &FOUR), ProxyError::Binary),
        (binary(0x21, 0x11, &FOUR[..11]), ProxyError::Binary),
        (binary(0x21, 0x21, &FOUR), ProxyError::Binary),
        (binary(0x21, 0x41, &FOUR), ProxyError::Binary),
        (binary(0x21, 0x11, &cut_value), ProxyError::Binary),
        (binary(0x21, 0x12, &FOUR), ProxyError::Transport),
        (binary(0x21, 0x31, &[0; 216]), ProxyError::Transport),
        (binary(0x21, 0x11, &[0; 4_097]), ProxyError::TooLong),
    ];
    for (header, error) in cases {
        assert_eq!(driven(&header), Err(Some(error)), "{:?}", &header[12..16]);
    }
}

#[test]
fn what_is_no_header_is_seen_at_its_first_octet_that_differs() {
    for begin in ["EHLO a\r\n", "\r\n\r\nX", "proxy TCP4 ", "PROXIED ", "\x16\x03\x01"] {
        assert_eq!(read(begin.as_bytes()), Err(ProxyError::NotProxy), "{begin:?}");
    }
}

proptest! {
    #[test]
    fn no_octets_break_it_and_it_never_asks_for_more_than_the_longest_header(
        begin in prop::sample::select(vec![
            &b""[..],
            b"PROXY TCP4 ",
            b"PROXY TCP6 1::2 ",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0",
        ]),
        octets in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let octets = [begin, &octets].concat();
        for end in 0..=octets.len() {
            if let Ok(Progress::More(more)) = read(&octets[..end]) {
                prop_assert!(more > 0 && end + more <= HEADER_OCTETS_MAX);
            }
        }
    }

    #[test]
    fn what_a_proxy_writes_is_read(
        v6 in any::<[u8; 16]>(),
        v4 in any::<[u8; 4]>(),
        port in any::<u16>(),
        more in ".*",
    ) {
        let (six, four) = (std::net::Ipv6Addr::from(v6), std::net::Ipv4Addr::from(v4));
        let line = format!("PROXY TCP6 {six} ::1 {port} 25\r\n");
        let wire = format!("{line}{more}");
        prop_assert_eq!(driven(wire.as_bytes()), Ok((Source::Client((six, port).into()), line.len())));
        let body = [&v4[..], &[127, 0, 0, 1], &port.to_be_bytes(), &[0, 25]].concat();
        let header = binary(0x21, 0x11, &body);
        let wire = [&header[..], more.as_bytes()].concat();
        prop_assert_eq!(driven(&wire), Ok((Source::Client((four, port).into()), header.len())));
    }
}
