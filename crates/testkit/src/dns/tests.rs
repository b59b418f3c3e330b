//! Answers of the fake DNS, read octet by octet.

use super::*;

fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&kind.code().to_be_bytes());
    message.extend_from_slice(&1_u16.to_be_bytes());
    message
}

/// Response code, number of answers, and whether it was cut.
fn read(message: &[u8]) -> (u8, u8, bool) {
    assert_eq!(&message[..2], &[0xab, 0xcd]);
    (message[3] & 15, message[7], message[2] & 2 != 0)
}

async fn ask(dns: &FakeDns, name: &str, kind: RecordType) -> Vec<u8> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.send_to(&query(name, kind), dns.addr()).await.unwrap();
    let mut buffer = [0; 1024];
    let octets = crate::within("an answer", socket.recv(&mut buffer)).await.unwrap();
    buffer[..octets].to_vec()
}

#[tokio::test]
async fn rfc1035_4_an_mx_is_answered_and_counted() {
    let dns = FakeDns::start().await.unwrap();
    dns.mx("dest.example", 10, "mx.dest.example");
    let answer = ask(&dns, "Dest.Example", RecordType::Mx).await;
    assert_eq!(read(&answer), (0, 1, false));
    let expected = b"\x00\x0a\x02mx\x04dest\x07example\x00";
    assert!(answer.ends_with(expected));
    assert!(answer.windows(13).any(|window| window == b"\x04Dest\x07Example"), "letters as in the question");
    assert_eq!(dns.queries("dest.example", RecordType::Mx), 1);
    assert_eq!(dns.queries("dest.example", RecordType::A), 0);
}

#[tokio::test]
async fn rfc2308_2_no_name_and_no_data_are_two_things() {
    let dns = FakeDns::start().await.unwrap();
    dns.loopback("host.example").nodata("empty.example").servfail("broken.example");
    assert_eq!(read(&ask(&dns, "host.example", RecordType::A).await), (0, 1, false));
    assert_eq!(read(&ask(&dns, "host.example", RecordType::Mx).await), (0, 0, false));
    assert_eq!(read(&ask(&dns, "empty.example", RecordType::A).await), (0, 0, false));
    assert_eq!(read(&ask(&dns, "other.example", RecordType::A).await), (3, 0, false));
    assert_eq!(read(&ask(&dns, "broken.example", RecordType::A).await), (2, 0, false));
    dns.clear("broken.example");
    assert_eq!(read(&ask(&dns, "broken.example", RecordType::A).await), (3, 0, false));
}

#[tokio::test]
async fn rfc1034_3_6_2_aliases_are_followed() {
    let dns = FakeDns::start().await.unwrap();
    dns.cname("www.example", "host.example").loopback("host.example");
    assert_eq!(read(&ask(&dns, "www.example", RecordType::A).await), (0, 2, false));
}

#[tokio::test]
async fn rfc1035_4_2_1_what_is_too_long_for_udp_comes_by_tcp() {
    let dns = FakeDns::start().await.unwrap();
    dns.txt("long.example", &"x".repeat(700));
    assert_eq!(read(&ask(&dns, "long.example", RecordType::Txt).await), (0, 0, true));
    let mut stream = TcpStream::connect(dns.addr()).await.unwrap();
    let question = query("long.example", RecordType::Txt);
    stream.write_all(&u16::try_from(question.len()).unwrap().to_be_bytes()).await.unwrap();
    stream.write_all(&question).await.unwrap();
    let octets = crate::within("a length", stream.read_u16()).await.unwrap();
    let mut answer = vec![0; usize::from(octets)];
    crate::within("an answer", stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(read(&answer), (0, 1, false));
    assert!(answer.len() > 700);
}
