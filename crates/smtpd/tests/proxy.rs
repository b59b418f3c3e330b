//! Clients behind proxies: who counts as what, and who is not believed.
#![cfg(test)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::address::Domain;
use mail::reply::Reply;
use parking_lot::Mutex;
use smtpd::connections::Bounds;
use smtpd::{Attempt, Connections, Door, Kind, Listener, Recipient, Sender, Settings, Trace, Verdict};
use testkit::smtp::SmtpClient;
use testkit::stream::Stream;
use testkit::tls::TestCa;
use testkit::within;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n";

/// Keeps who it was opened for.
#[derive(Default)]
struct Porter(Mutex<Vec<SocketAddr>>);

impl Door for Porter {
    type Session = ();

    fn open(&self, peer: SocketAddr) -> Result<(), Reply> {
        self.0.lock().push(peer);
        Ok(())
    }

    async fn authenticate(&self, (): &mut (), _attempt: Attempt) -> Verdict {
        Verdict::Refuse(Reply::new(535, (5, 7, 8), "no"))
    }

    async fn mail(&self, (): &mut (), _sender: Sender) -> Verdict {
        Verdict::Accept(Reply::sender_accepted())
    }

    async fn recipient(&self, (): &mut (), _recipient: Recipient) -> Verdict {
        Verdict::Accept(Reply::recipient_accepted())
    }

    async fn message(&self, (): &mut (), _content: Bytes, _trace: Trace<'_>) -> Verdict {
        Verdict::Accept(Reply::new(250, (2, 0, 0), "queued"))
    }

    fn reset(&self, (): &mut ()) {}
}

/// A listener, and what its door was opened for.
async fn listening(bounds: Bounds, change: impl FnOnce(&mut Settings)) -> (Listener, Arc<Porter>) {
    let hostname = Domain::parse("mx.sample.example").unwrap();
    let mut settings = Settings::new(Kind::Open, hostname, None, Connections::new(bounds));
    settings.timeouts.linger = Duration::from_millis(200);
    settings.proxies = Arc::new(["127.0.0.0/8".parse().unwrap()]);
    change(&mut settings);
    let porter = Arc::new(Porter::default());
    (Listener::bind(LOOPBACK, settings, Arc::clone(&porter)).await.unwrap(), porter)
}

/// The code of the greeting after these octets.
async fn greeted(listener: &Listener, header: &[u8]) -> (SmtpClient, u16) {
    let mut client = SmtpClient::connect_silently(listener.local_addr()).await.unwrap();
    client.raw(header).await.unwrap();
    let greeting = client.reply().await.unwrap();
    (client, greeting.code)
}

/// Version 2 for a client of 192.0.2.9.
fn binary() -> Vec<u8> {
    let body = [192, 0, 2, 9, 198, 51, 100, 7, 0xDC, 0x04, 0, 25, 4, 0, 1, 0];
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10".as_slice(), &body].concat()
}

#[tokio::test]
async fn the_client_that_a_known_proxy_names_is_the_client_in_both_versions() {
    let (listener, porter) = listening(Bounds::default(), |_| {}).await;
    for header in [V1.to_vec(), binary()] {
        // What follows the header at once is read as SMTP, octet for octet.
        let (mut client, code) = greeted(&listener, &[&header[..], b"EHLO client.example\r\n"].concat()).await;
        assert_eq!(code, 220);
        assert_eq!(client.reply().await.unwrap().code, 250);
    }
    let local = b"PROXY UNKNOWN\r\n";
    let (_client, code) = greeted(&listener, local).await;
    assert_eq!(code, 220);
    let seen: Vec<IpAddr> = porter.0.lock().iter().map(SocketAddr::ip).collect();
    let expected = ["192.0.2.1", "192.0.2.9", "127.0.0.1"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_header_in_pieces_is_waited_for_and_tls_comes_behind_it() {
    let ca = TestCa::new();
    let (listener, porter) = listening(Bounds::default(), |settings| {
        settings.kind = Kind::SubmissionTls;
        settings.tls = Some(ca.server(&["localhost"]));
    })
    .await;
    let mut stream = Stream::connect(listener.local_addr()).await.unwrap();
    for octet in V1 {
        stream.write_all(&[*octet]).await.unwrap();
        stream.flush().await.unwrap();
    }
    let mut stream = within("the handshake", stream.upgrade("localhost", ca.client())).await.unwrap();
    let mut said = [0; 3];
    within("the greeting", stream.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"220");
    assert_eq!(porter.0.lock()[0].ip(), "192.0.2.1".parse::<IpAddr>().unwrap());
}

#[tokio::test]
async fn limits_count_the_client_and_not_the_proxy() {
    let (listener, _) = listening(Bounds { network_max: 1, ..Bounds::default() }, |_| {}).await;
    let (mut one, code) = greeted(&listener, V1).await;
    assert_eq!(code, 220);
    let (_two, code) = greeted(&listener, V1).await;
    assert_eq!(code, 421, "a second of the same client");
    let (_three, code) = greeted(&listener, &binary()).await;
    assert_eq!(code, 220, "another client of the same proxy");
    assert_eq!(one.command("NOOP").await.unwrap().code, 250);
}

#[tokio::test]
async fn who_connects_like_a_proxy_and_says_nothing_of_the_kind_is_cut_off_without_a_word() {
    let (listener, porter) = listening(Bounds::default(), |settings| {
        settings.timeouts.proxy = Duration::from_millis(100);
    })
    .await;
    for said in
        [&b"EHLO client.example\r\n"[..], b"", b"PROXY TCP4 192.0.2.1 ", b"PROXY TCP4 192.0.2.01 1.1.1.1 1 1\r\n"]
    {
        let mut client = SmtpClient::connect_silently(listener.local_addr()).await.unwrap();
        client.raw(said).await.unwrap();
        assert!(client.closed().await.is_empty(), "{said:?}");
    }
    assert!(porter.0.lock().is_empty());
    // Its place is given back.
    assert_eq!(greeted(&listener, V1).await.1, 220);
}

#[tokio::test]
async fn twin_from_anywhere_else_a_header_is_refused_and_names_nobody() {
    let (listener, porter) = listening(Bounds::default(), |settings| {
        settings.proxies = Arc::new(["192.0.2.0/24".parse().unwrap()]);
    })
    .await;
    let (mut client, code) = greeted(&listener, V1).await;
    assert_eq!(code, 220);
    assert_eq!(client.reply().await.unwrap().code, 421);
    assert!(client.closed().await.is_empty());
    let (mut client, _) = greeted(&listener, &binary()).await;
    assert_eq!(client.reply().await.unwrap().code, 500);
    assert!(porter.0.lock().iter().all(|peer| peer.ip() == LOOPBACK.ip()));
}
