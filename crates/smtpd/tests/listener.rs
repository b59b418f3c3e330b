//! What a listener does beside the dialogue: limits, timeouts, drain, and a door that is closed or falls down.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::address::{Address, Domain};
use mail::reply::Reply;
use smtpd::connections::Bounds;
use smtpd::listener::Error;
use smtpd::{Attempt, Connections, Door, Kind, Listener, Sender, Settings, Trace, Verdict};
use testkit::smtp::SmtpClient;
use testkit::tls::TestCa;
use testkit::within;
use tokio::sync::Notify;

/// Accepts everything; waits with a message until it is told; falls down over a recipient `panic@…`.
#[derive(Default)]
struct SlowDoor {
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

    async fn recipient(&self, (): &mut (), address: Address) -> Verdict {
        assert!(address.local() != "panic", "a fault of the door");
        Verdict::Accept(Reply::recipient_accepted())
    }

    async fn message(&self, (): &mut (), _content: Bytes, _trace: Trace<'_>) -> Verdict {
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

    async fn recipient(&self, (): &mut (), _address: Address) -> Verdict {
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
    let (mut client, greeting) = SmtpClient::connect(listener.local_addr()).await.unwrap_or_else(|error| panic!("{error}"));
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
    let mut client = greeted(&listener).await;
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (421, "4.4.2"));
    assert!(client.closed().await.is_empty());
}

#[tokio::test]
async fn a_session_that_lasts_too_long_ends_between_two_transactions() {
    let mut settings = settings(Bounds::default());
    settings.timeouts.session = Duration::from_millis(50);
    let listener = Listener::bind(LOOPBACK, settings, Arc::new(SlowDoor::default())).await.unwrap();
    let mut client = greeted(&listener).await;
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (421, "4.3.2"));
    assert!(client.closed().await.is_empty());
}

#[tokio::test]
async fn a_drain_tells_the_idle_to_go_and_lets_a_message_end() {
    let door = Arc::new(SlowDoor::default());
    let listener = Listener::bind(LOOPBACK, settings(Bounds::default()), Arc::clone(&door)).await.unwrap();
    let address = listener.local_addr();
    let mut idle = greeted(&listener).await;
    let mut busy = greeted(&listener).await;
    let sending = tokio::spawn(async move {
        let reply = busy.send("a@sample.example", &["ada@dest.example"], b"x\r\n").await;
        (reply, busy)
    });
    within("the message", door.arrived.notified()).await;
    let draining = tokio::spawn(listener.drain(testkit::WAIT_MAX));
    let farewell = idle.reply().await.unwrap();
    assert_eq!((farewell.code, farewell.enhanced.unwrap().to_string().as_str()), (421, "4.3.2"));
    assert!(!draining.is_finished(), "an open transaction is waited for");
    door.go_on.notify_one();
    let (reply, mut busy) = within("the reply", sending).await.unwrap();
    assert_eq!(reply.unwrap().code, 250);
    assert_eq!(busy.reply().await.unwrap().code, 421);
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
    // Octets that nobody reads any more must not take the reply away (a reset would).
    client.raw(b"AUTH PLAIN AGEAYg==\r\n").await.unwrap();
    client.raw(&b"NOOP\r\n".repeat(1000)).await.unwrap();
    assert_eq!(client.reply().await.unwrap().code, 421);
    assert!(client.closed().await.is_empty());
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
