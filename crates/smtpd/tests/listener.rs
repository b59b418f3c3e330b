//! What a listener does beside the dialogue: limits, timeouts, drain, and a door that is closed or falls down.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mail::address::Domain;
use mail::reply::Reply;
use smtpd::connections::Bounds;
use smtpd::listener::Error;
use smtpd::{Attempt, Connections, Door, Kind, Listener, Recipient, Sender, Settings, Trace, Verdict};
use testkit::smtp::SmtpClient;
use testkit::stream::Stream;
use testkit::tls::TestCa;
use testkit::within;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

/// Accepts everything; waits with a message until it is told; falls down over a recipient `panic@…`.
#[derive(Default)]
struct SlowDoor {
    messages: AtomicUsize,
    arrived: Notify,
    go_on: Notify,
}

impl Door for SlowDoor {
    type Session = ();

    fn open(&self, _peer: SocketAddr) -> Result<(), Reply> {
        Ok(())
    }

    async fn authenticate(&self, (): &mut (), _attempt: Attempt) -> Verdict {
        Verdict::Close(Reply::new(421, (4, 7, 0), "too many failed authentications"))
    }

    async fn mail(&self, (): &mut (), _sender: Sender) -> Verdict {
        Verdict::Accept(Reply::sender_accepted())
    }

    async fn recipient(&self, (): &mut (), recipient: Recipient) -> Verdict {
        assert!(recipient.address.local() != "panic", "a fault of the door");
        Verdict::Accept(Reply::recipient_accepted())
    }

    async fn message(&self, (): &mut (), _content: Bytes, _trace: Trace<'_>) -> Verdict {
        self.messages.fetch_add(1, Ordering::SeqCst);
        self.arrived.notify_one();
        self.go_on.notified().await;
        Verdict::Accept(Reply::new(250, (2, 0, 0), "queued as msg_1"))
    }

    fn reset(&self, (): &mut ()) {}
}

/// Nobody comes in.
struct ClosedDoor;

impl Door for ClosedDoor {
    type Session = ();

    fn open(&self, _peer: SocketAddr) -> Result<(), Reply> {
        Err(Reply::new(554, (5, 7, 1), "not your network"))
    }

    async fn authenticate(&self, (): &mut (), _attempt: Attempt) -> Verdict {
        unreachable_verdict()
    }

    async fn mail(&self, (): &mut (), _sender: Sender) -> Verdict {
        unreachable_verdict()
    }

    async fn recipient(&self, (): &mut (), _recipient: Recipient) -> Verdict {
        unreachable_verdict()
    }

    async fn message(&self, (): &mut (), _content: Bytes, _trace: Trace<'_>) -> Verdict {
        unreachable_verdict()
    }

    fn reset(&self, (): &mut ()) {}
}

fn unreachable_verdict() -> Verdict {
    Verdict::Accept(Reply::new(250, (2, 0, 0), "the door was not closed"))
}

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn settings(bounds: Bounds) -> Settings {
    let hostname = Domain::parse("mx.sample.example").unwrap_or_else(|error| panic!("{error}"));
    let mut settings = Settings::new(Kind::Open, hostname, None, Connections::new(bounds));
    // Clients of these tests look on while the server waits for them to close.
    settings.timeouts.linger = Duration::from_millis(200);
    settings
}

async fn greeted(listener: &Listener) -> SmtpClient {
    let connected = SmtpClient::connect(listener.local_addr()).await;
    let (mut client, greeting) = connected.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(greeting.code, 220);
    let reply = client.command("EHLO client.example").await;
    assert!(reply.is_ok_and(|reply| reply.code == 250));
    client
}

#[tokio::test]
async fn rfc5321_3_8_one_connection_too_many_is_told_421() {
    let bounds = Bounds { network_max: 1, ..Bounds::default() };
    let settings = settings(bounds);
    let connections = Arc::clone(&settings.connections);
    let listener = Listener::bind(LOOPBACK, settings, Arc::new(SlowDoor::default())).await.unwrap();
    let mut first = greeted(&listener).await;
    let (mut second, reply) = SmtpClient::connect(listener.local_addr()).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (421, "4.3.2"));
    assert!(second.closed().await.is_empty());
    assert_eq!(first.command("NOOP").await.unwrap().code, 250, "the first is not disturbed");
    first.command("QUIT").await.unwrap();
    first.closed().await;
    drop(first);
    within("the place to be given back", async {
        while connections.open() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    greeted(&listener).await;
}

#[tokio::test]
async fn rfc5321_4_5_3_2_7_an_idle_session_is_told_421() {
    let mut settings = settings(Bounds::default());
    settings.timeouts.idle = Duration::from_millis(50);
    let listener = Listener::bind(LOOPBACK, settings, Arc::new(SlowDoor::default())).await.unwrap();
    // Nothing is said by the client: the time may be over before it could.
    let (mut client, _) = SmtpClient::connect(listener.local_addr()).await.unwrap();
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.code, reply.text.as_str()), (421, "nothing was heard for too long"));
    assert!(client.closed().await.is_empty());
}

#[tokio::test]
async fn a_session_that_lasts_too_long_ends_between_two_transactions() {
    let mut settings = settings(Bounds::default());
    settings.timeouts.session = Duration::from_millis(50);
    let listener = Listener::bind(LOOPBACK, settings, Arc::new(SlowDoor::default())).await.unwrap();
    // Nothing is said by the client: the time may be over before it could.
    let (mut client, _) = SmtpClient::connect(listener.local_addr()).await.unwrap();
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.code, reply.text.as_str()), (421, "the session has lasted long enough; connect again"));
    assert!(client.closed().await.is_empty());
}

#[tokio::test]
async fn a_drain_tells_the_idle_to_go_and_lets_a_transaction_end() {
    let door = Arc::new(SlowDoor::default());
    let listener = Listener::bind(LOOPBACK, settings(Bounds::default()), Arc::clone(&door)).await.unwrap();
    let address = listener.local_addr();
    let mut idle = greeted(&listener).await;
    let mut busy = greeted(&listener).await;
    assert_eq!(busy.command("MAIL FROM:<a@sample.example>").await.unwrap().code, 250);
    let draining = tokio::spawn(listener.drain(testkit::WAIT_MAX));
    let farewell = idle.reply().await.unwrap();
    assert_eq!((farewell.code, farewell.enhanced.unwrap().to_string().as_str()), (421, "4.3.2"));
    assert_eq!(busy.command("RCPT TO:<ada@dest.example>").await.unwrap().code, 250);
    assert!(!draining.is_finished(), "an open transaction is waited for");
    door.go_on.notify_one();
    assert_eq!(busy.data(b"x\r\n").await.unwrap().code, 250);
    assert_eq!(door.messages.load(Ordering::SeqCst), 1);
    assert_eq!(busy.reply().await.unwrap().code, 421, "and no other one begins");
    within("the drain", draining).await.unwrap();
    assert!(SmtpClient::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_drain_cuts_what_does_not_end() {
    let door = Arc::new(SlowDoor::default());
    let listener = Listener::bind(LOOPBACK, settings(Bounds::default()), Arc::clone(&door)).await.unwrap();
    let mut busy = greeted(&listener).await;
    let sending = tokio::spawn(async move { busy.send("", &["ada@dest.example"], b"x\r\n").await });
    within("the message", door.arrived.notified()).await;
    within("the drain", listener.drain(Duration::from_millis(20))).await;
    assert!(within("the end", sending).await.unwrap().is_err(), "there is no 250 for it");
}

#[tokio::test]
async fn a_closed_door_says_why_and_closes() {
    let listener = Listener::bind(LOOPBACK, settings(Bounds::default()), Arc::new(ClosedDoor)).await.unwrap();
    let (mut client, reply) = SmtpClient::connect(listener.local_addr()).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (554, "5.7.1"));
    assert!(client.closed().await.is_empty());
}

#[tokio::test]
async fn a_fault_in_one_session_leaves_the_others_alone() {
    let listener = Listener::bind(LOOPBACK, settings(Bounds::default()), Arc::new(SlowDoor::default())).await.unwrap();
    let mut other = greeted(&listener).await;
    let mut client = greeted(&listener).await;
    client.command("MAIL FROM:<>").await.unwrap();
    assert!(client.command("RCPT TO:<panic@dest.example>").await.is_err());
    assert_eq!(other.command("NOOP").await.unwrap().code, 250);
    greeted(&listener).await;
}

#[tokio::test]
async fn rfc8314_4_1_submission_without_a_certificate_does_not_start() {
    let mut settings = settings(Bounds::default());
    settings.kind = Kind::Submission;
    let refused = Listener::bind(LOOPBACK, settings, Arc::new(SlowDoor::default())).await;
    assert!(matches!(refused, Err(Error::NoCertificate)));
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let first = Listener::bind(LOOPBACK, settings(Bounds::default()), Arc::new(ClosedDoor)).await.unwrap();
    let second = Listener::bind(first.local_addr(), settings(Bounds::default()), Arc::new(ClosedDoor)).await;
    let said = second.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains(&first.local_addr().to_string()), "{said}");
}

#[tokio::test]
async fn a_door_can_end_a_session_at_auth() {
    let ca = TestCa::new();
    let mut settings = settings(Bounds::default());
    settings.kind = Kind::SubmissionTls;
    settings.tls = Some(ca.server(&["localhost"]));
    let listener = Listener::bind(LOOPBACK, settings, Arc::new(SlowDoor::default())).await.unwrap();
    let connected = SmtpClient::connect_tls(listener.local_addr(), "localhost", ca.client()).await;
    let (mut client, _) = connected.unwrap();
    client.command("EHLO client.example").await.unwrap();
    // What comes after is not executed, and does not take the reply away.
    client.raw(b"AUTH PLAIN AGEAYg==\r\n").await.unwrap();
    client.raw(&b"NOOP\r\n".repeat(1000)).await.unwrap();
    assert_eq!(client.reply().await.unwrap().code, 421);
    assert!(client.closed().await.is_empty());
}

#[tokio::test]
async fn whoever_does_not_authenticate_in_time_is_told_421() {
    let ca = TestCa::new();
    let mut settings = settings(Bounds::default());
    settings.kind = Kind::Submission;
    settings.tls = Some(ca.server(&["localhost"]));
    settings.timeouts.authentication = Duration::from_millis(50);
    let listener = Listener::bind(LOOPBACK, settings, Arc::new(SlowDoor::default())).await.unwrap();
    // Nothing is said by the client: the time may be over before it could.
    let (mut client, _) = SmtpClient::connect(listener.local_addr()).await.unwrap();
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.code, reply.text.as_str()), (421, "authenticate sooner; closing the connection"));
    assert!(client.closed().await.is_empty());
}

/// CVE-2026-45185: TLS ends in the midst of a message, and octets follow in clear.
#[tokio::test]
async fn what_follows_the_end_of_tls_is_never_read() {
    for (begin, reply, hidden) in [
        ("DATA\r\n", "single dot\r\n", "\r\n.\r\nNOOP\r\n"),
        ("BDAT 6\r\nx: y\r\nBDAT 100 LAST\r\n", "chunk received\r\n", &"x".repeat(200)),
        ("BDAT 20 LAST\r\n", "recipient accepted\r\n", "\r\nx\r\nx\r\nNOOP\r\n"),
    ] {
        tls_ends_within_content(begin, reply, hidden).await.unwrap();
    }
}

/// `begin` follows RCPT; `reply` ends what the server says before it awaits content; `hidden` comes in clear.
async fn tls_ends_within_content(begin: &str, reply: &str, hidden: &str) -> Result<(), Box<dyn std::error::Error>> {
    let ca = TestCa::new();
    let mut settings = settings(Bounds::default());
    settings.tls = Some(ca.server(&["localhost"]));
    let door = Arc::new(SlowDoor::default());
    let listener = Listener::bind(LOOPBACK, settings, Arc::clone(&door)).await?;
    let mut stream = Stream::connect(listener.local_addr()).await?;
    stream.write_all(b"EHLO client.example\r\nSTARTTLS\r\n").await?;
    within("220", read_up_to(&mut stream, b"ready to start TLS\r\n")).await;
    let mut stream = stream.upgrade("localhost", ca.client()).await?;
    let envelope = "EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n";
    stream.write_all(format!("{envelope}{begin}").as_bytes()).await?;
    within("the envelope", read_up_to(&mut stream, reply.as_bytes())).await;
    stream.write_all(b"Subject: x\r\n\r\nx").await?;
    stream.shutdown().await?;
    let Stream::Tls(tls) = stream else { panic!("TLS was begun") };
    let (mut tcp, _) = tls.into_inner();
    let _ = tcp.write_all(hidden.as_bytes()).await;
    // A message taken in would wait for its door, and the connection with it.
    let mut rest = Vec::new();
    let _ = within("the server to close", tcp.read_to_end(&mut rest)).await;
    assert_eq!(door.messages.load(Ordering::SeqCst), 0);
    Ok(())
}

async fn read_up_to(stream: &mut Stream, end: &[u8]) {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let octets = stream.read_buf(&mut read).await.unwrap_or(0);
        assert!(octets > 0, "the server closed after {:?}", String::from_utf8_lossy(&read));
    }
}

#[tokio::test]
async fn rfc8996_tls_1_2_and_1_3_are_spoken() {
    let ca = TestCa::new();
    let mut settings = settings(Bounds::default());
    settings.kind = Kind::SubmissionTls;
    settings.tls = Some(ca.server(&["localhost"]));
    let listener = Listener::bind(LOOPBACK, settings, Arc::new(SlowDoor::default())).await.unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = ca.client_speaking(&[version]);
        let connected = SmtpClient::connect_tls(listener.local_addr(), "localhost", config).await;
        assert_eq!(connected.unwrap().1.code, 220, "{version:?}");
    }
    // In clear there is no greeting on this listener, and no reply to a command.
    let mut clear = SmtpClient::connect_silently(listener.local_addr()).await.unwrap();
    clear.raw(b"EHLO client.example\r\n").await.unwrap();
    assert!(!clear.closed().await.starts_with(b"2"));
}
