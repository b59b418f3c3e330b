//! Postern's own door over a real store and real sockets: from AUTH to the queue, and every way in which it says no.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail::address::{Address, Domain};
use mail::dkim::SigningKey;
use model::agreement::AgreementState;
use model::instruction::Operation;
use model::person::{SuppressionReason, SuppressionScope};
use model::{ControllerId, CredentialId, StreamId, StreamKind};
use mta::submission::Submission;
use smtpd::connections::Bounds;
use smtpd::throttle::{FAILURES_MAX, NAME_FAILURES_MAX, Throttle, WINDOW};
use smtpd::{Connections, Kind, Listener, Network, Settings, SubmissionDoor};
use store::{Content, DomainKeys, NewCredential, Options, Store, Verified};
use testkit::ManualClock;
use testkit::smtp::SmtpClient;
use testkit::tls::TestCa;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const CONTENT: &[u8] = b"From: Shop <shop@sample.example>\r\nTo: someone\r\nSubject: one\r\n\r\nHello.\r\n";
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A controller in good order, and the listeners of its node.
struct House {
    store: Arc<Store>,
    clock: Arc<ManualClock>,
    ca: TestCa,
    controller: ControllerId,
    transactional: StreamId,
    credential: CredentialId,
    username: String,
    password: String,
    submission: Listener,
    trusted: Listener,
    throttle: Arc<Throttle>,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new(trusted_network: &str) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let clock = ManualClock::start();
        let store = Store::open_sqlite(folder.path(), Options::new(Arc::clone(&clock) as _, folder.path())).await?;
        let controller = store.create_controller("sample").await?;
        store.sign_agreement(controller, None).await?;
        let transactional =
            store.create_stream(controller, "transactional", StreamKind::Transactional, "receipts").await?;
        let newsletter = store.create_stream(controller, "newsletter", StreamKind::Marketing, "news").await?;
        let streams = [transactional, newsletter];
        store.issue_instruction(controller, &Operation::ALL, &streams, 1_000).await?;
        let keys = DomainKeys {
            rsa_selector: "r1".to_owned(),
            rsa: SigningKey::generate_rsa()?,
            ed25519_selector: "e1".to_owned(),
            ed25519: SigningKey::generate_ed25519()?,
        };
        store.add_domain(controller, &Domain::parse("sample.example")?, &keys, Verified::Yes).await?;
        let new = NewCredential { username: "sample", default_stream: transactional, streams: &streams, expires: None };
        let created = store.create_credential(controller, new).await?;
        let gone = Address::parse("suppressed@dest.example")?;
        store.suppress(controller, &gone, SuppressionScope::All, SuppressionReason::OptOut).await?;

        let ca = TestCa::new();
        let submission = Arc::new(Submission::new(Arc::clone(&store)));
        let hostname = Domain::parse("mx.sample.example")?;
        let connections = Connections::new(Bounds::default());
        let throttle = Arc::new(Throttle::new());
        let door = SubmissionDoor::new(Arc::clone(&submission), hostname.clone(), Arc::clone(&throttle))
            .with_failure_delay(Duration::from_millis(1));
        let tls = Some(ca.server(&["localhost"]));
        let settings = Settings::new(Kind::Submission, hostname.clone(), tls, Arc::clone(&connections));
        let submission_listener = Listener::bind(LOOPBACK, settings, Arc::new(door)).await?;
        let networks = vec![trusted_network.parse::<Network>()?];
        let door = SubmissionDoor::trusted(submission, hostname.clone(), created.id, networks);
        let settings = Settings::new(Kind::Trusted, hostname, None, connections);
        let trusted = Listener::bind(LOOPBACK, settings, Arc::new(door)).await?;
        Ok(Self {
            store,
            clock,
            ca,
            controller,
            transactional,
            credential: created.id,
            username: created.username,
            password: created.password,
            submission: submission_listener,
            trusted,
            throttle,
            _folder: folder,
        })
    }

    /// Under TLS, not yet authenticated.
    async fn connect(&self) -> Outcome<SmtpClient> {
        let (mut client, _) = SmtpClient::connect(self.submission.local_addr()).await?;
        client.command("EHLO client.example").await?;
        client.starttls("localhost", self.ca.client()).await?;
        client.command("EHLO client.example").await?;
        Ok(client)
    }

    async fn log_in(&self, stream: &str) -> Outcome<SmtpClient> {
        let mut client = self.connect().await?;
        let reply = client.auth_plain(&format!("{}{stream}", self.username), &self.password).await?;
        assert_eq!(reply.code, 235);
        Ok(client)
    }

    async fn trusted(&self) -> Outcome<SmtpClient> {
        let (mut client, greeting) = SmtpClient::connect(self.trusted.local_addr()).await?;
        assert_eq!(greeting.code, 220);
        client.command("EHLO client.example").await?;
        Ok(client)
    }

    /// Everything in the queue, opened.
    async fn queued(&self) -> Outcome<Vec<Content>> {
        let mut contents = Vec::new();
        for backlog in self.store.backlog().await? {
            let rows = self.store.due(&backlog.lane, self.store.now(), 1_000).await?;
            let rows: Vec<_> = rows.iter().collect();
            contents.extend(self.store.open_content(&rows).await?.into_iter().flatten());
        }
        Ok(contents)
    }
}

fn head(content: &Content) -> String {
    String::from_utf8_lossy(&content.head).into_owned()
}

#[tokio::test]
async fn a_message_is_queued_for_each_recipient_once() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.log_in("").await.unwrap();
    let to = ["ada@dest.example", "bob@dest.example", "ada@dest.example"];
    let reply = client.send("bounces@elsewhere.example", &to, CONTENT).await.unwrap();
    assert_eq!(reply.code, 250);
    assert!(reply.text.starts_with("queued as msg_") && reply.text.ends_with(" and 1 more"), "{}", reply.text);
    let queued = house.queued().await.unwrap();
    let mut to: Vec<&str> = queued.iter().map(|content| content.recipient.local()).collect();
    to.sort_unstable();
    assert_eq!(to, ["ada", "bob"]);
    assert!(queued.iter().all(|content| content.body.as_ref() == b"Hello.\r\n"));
}

#[tokio::test]
async fn rfc3848_received_says_how_it_came_and_nothing_of_the_client() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    house.log_in("").await.unwrap().send("", &["ada@dest.example"], CONTENT).await.unwrap();
    let heads: Vec<String> = house.queued().await.unwrap().iter().map(head).collect();
    assert!(heads[0].contains("with ESMTPSA"), "{}", heads[0]);
    assert!(!heads[0].contains("127.0.0.1") && !heads[0].contains("client.example"), "{}", heads[0]);
    assert!(!heads[0].contains("ada@"), "{}", heads[0]);
    house.trusted().await.unwrap().send("", &["bob@dest.example"], CONTENT).await.unwrap();
    let queued = house.queued().await.unwrap();
    let second = queued.iter().find(|content| content.recipient.local() == "bob").unwrap();
    assert!(head(second).contains("with ESMTP\r\n") || head(second).contains("with ESMTP "), "{}", head(second));
}

#[tokio::test]
async fn art21_3_a_suppressed_recipient_is_refused_at_rcpt_and_the_others_go() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.log_in("").await.unwrap();
    assert_eq!(client.command("MAIL FROM:<>").await.unwrap().code, 250);
    let reply = client.command("RCPT TO:<suppressed@dest.example>").await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (550, "5.7.1"));
    assert!(reply.text.starts_with("suppressed (GDPR Art. 21(3)): "), "{}", reply.text);
    assert_eq!(client.command("RCPT TO:<ada@dest.example>").await.unwrap().code, 250);
    assert_eq!(client.data(CONTENT).await.unwrap().code, 250);
    assert_eq!(house.queued().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_changes_after_rcpt_is_refused_at_the_end_of_the_data() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let ada = Address::parse("ada@dest.example").unwrap();
    let mut client = house.log_in("").await.unwrap();
    client.command("MAIL FROM:<>").await.unwrap();
    assert_eq!(client.command("RCPT TO:<ada@dest.example>").await.unwrap().code, 250);
    house.store.suppress(house.controller, &ada, SuppressionScope::All, SuppressionReason::OptOut).await.unwrap();
    let reply = client.data(CONTENT).await.unwrap();
    assert_eq!(reply.code, 550);
    assert!(reply.text.starts_with("suppressed "), "{}", reply.text);
    assert!(house.queued().await.unwrap().is_empty());
}

/// RFC 5321 §6.1: a 250 answers for every recipient. One whom the gate refuses only at the end takes the others along;
/// sent again, RCPT parts them.
#[tokio::test]
async fn rfc5321_6_1_after_the_dot_it_is_all_recipients_or_none() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.log_in("").await.unwrap();
    let to = ["bob@dest.example", "carl@dest.example", "dora@dest.example"];
    client.command("MAIL FROM:<>").await.unwrap();
    for to in to {
        assert_eq!(client.command(&format!("RCPT TO:<{to}>")).await.unwrap().code, 250);
    }
    let carl = Address::parse(to[1]).unwrap();
    house.store.suppress(house.controller, &carl, SuppressionScope::All, SuppressionReason::OptOut).await.unwrap();
    let reply = client.data(CONTENT).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (550, "5.7.1"));
    assert!(reply.text.starts_with("suppressed "), "{}", reply.text);
    assert!(house.queued().await.unwrap().is_empty(), "nothing is kept of it");
    assert_eq!(house.store.quota(house.controller).await.unwrap().used, 0, "nor counted");

    client.command("MAIL FROM:<>").await.unwrap();
    let mut codes = Vec::new();
    for to in to {
        codes.push(client.command(&format!("RCPT TO:<{to}>")).await.unwrap().code);
    }
    assert_eq!(codes, [250, 550, 250]);
    assert_eq!(client.data(CONTENT).await.unwrap().code, 250);
    let mut queued: Vec<_> =
        house.queued().await.unwrap().iter().map(|content| content.recipient.local().to_owned()).collect();
    queued.sort_unstable();
    assert_eq!(queued, ["bob", "dora"]);
}

/// RFC 5321 §4.2.1: where one refusal is temporary and another lasting, the temporary one is told: trying again helps.
#[tokio::test]
async fn rfc5321_4_2_1_a_temporary_refusal_goes_before_a_lasting_one() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.log_in("").await.unwrap();
    client.command("MAIL FROM:<>").await.unwrap();
    for to in ["ada@dest.example", "bob@dest.example"] {
        assert_eq!(client.command(&format!("RCPT TO:<{to}>")).await.unwrap().code, 250);
    }
    let ada = Address::parse("ada@dest.example").unwrap();
    house.store.suppress(house.controller, &ada, SuppressionScope::All, SuppressionReason::OptOut).await.unwrap();
    house.store.issue_instruction(house.controller, &Operation::ALL, &[house.transactional], 0).await.unwrap();
    let reply = client.data(CONTENT).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (452, "4.7.1"));
    assert!(house.queued().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_name_chooses_the_stream_and_the_header_only_confirms_it() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.log_in("+newsletter").await.unwrap();
    client.command("MAIL FROM:<>").await.unwrap();
    let reply = client.command("RCPT TO:<ada@dest.example>").await.unwrap();
    assert_eq!(reply.code, 550, "marketing without a basis");
    assert!(reply.text.starts_with("no-basis "), "{}", reply.text);

    let mut client = house.log_in("").await.unwrap();
    let confirming = [b"X-Postern-Stream: transactional\r\n", CONTENT].concat();
    assert_eq!(client.send("", &["ada@dest.example"], &confirming).await.unwrap().code, 250);
    let other = [b"X-Postern-Stream: newsletter\r\n".as_slice(), CONTENT].concat();
    let reply = client.send("", &["ada@dest.example"], &other).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (554, "5.6.0"));
}

#[tokio::test]
async fn art28_3_without_an_agreement_in_force_mail_is_refused() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.log_in("").await.unwrap();
    assert_eq!(client.command("MAIL FROM:<>").await.unwrap().code, 250);
    client.command("RSET").await.unwrap();
    house.store.set_agreement_state(house.controller, AgreementState::Ended).await.unwrap();
    let reply = client.command("MAIL FROM:<>").await.unwrap();
    assert_eq!(reply.code, 550);
    assert!(reply.text.starts_with("agreement-not-in-force "), "{}", reply.text);
}

#[tokio::test]
async fn content_that_is_not_well_formed_is_refused_with_the_reason() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.log_in("").await.unwrap();
    let foreign = b"From: a@other.example\r\nSubject: x\r\n\r\nx\r\n";
    let reply = client.send("", &["ada@dest.example"], foreign).await.unwrap();
    assert_eq!(reply.code, 550);
    assert!(reply.text.starts_with("from-not-verified "), "{}", reply.text);
    let twice = b"From: shop@sample.example\r\nFrom: shop@sample.example\r\n\r\nx\r\n";
    let reply = client.send("", &["ada@dest.example"], twice).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (554, "5.6.0"));
    let circling = [&b"Received: from a by b; Mon, 4 Jan 2027 10:00:00 +0000\r\n".repeat(101), CONTENT].concat();
    let reply = client.send("", &["ada@dest.example"], &circling).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (554, "5.4.6"));
    assert!(house.queued().await.unwrap().is_empty());
}

#[tokio::test]
async fn rfc4954_9_five_wrong_passwords_close_the_door_for_a_minute() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.connect().await.unwrap();
    for _ in 1..FAILURES_MAX {
        let reply = client.auth_plain(&house.username, "wrong").await.unwrap();
        assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (535, "5.7.8"));
    }
    let reply = client.auth_plain("nobody", "wrong").await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (421, "4.7.0"));
    assert!(client.closed().await.is_empty());
    // Not even the right password is looked at now; after a minute it is.
    let mut client = house.connect().await.unwrap();
    assert_eq!(client.auth_plain(&house.username, &house.password).await.unwrap().code, 421);
    house.clock.advance(WINDOW);
    house.log_in("").await.unwrap();
}

#[tokio::test]
async fn rfc4954_9_a_name_that_was_tried_from_everywhere_is_not_looked_at_for_a_minute() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    for _ in 0..NAME_FAILURES_MAX {
        house.throttle.name_failed(&house.username, house.store.now());
    }
    let mut client = house.connect().await.unwrap();
    let reply = client.auth_plain(&house.username, &house.password).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (454, "4.7.0"));
    house.clock.advance(WINDOW);
    assert_eq!(client.auth_plain(&house.username, &house.password).await.unwrap().code, 235);
}

#[tokio::test]
async fn rfc4616_2_nobody_speaks_for_another() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.connect().await.unwrap();
    let response = |authzid: &str| testkit::smtp::base64(&format!("{authzid}\0{}\0{}", house.username, house.password));
    assert_eq!(client.command(&format!("AUTH PLAIN {}", response("other"))).await.unwrap().code, 535);
    assert_eq!(client.command(&format!("AUTH PLAIN {}", response(&house.username))).await.unwrap().code, 235);
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_a_wrong_credential() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.connect().await.unwrap();
    let reply = client.auth_plain(&format!("{}+nothing", house.username), &house.password).await.unwrap();
    assert_eq!(reply.code, 535);
}

#[tokio::test]
async fn a_revoked_credential_sends_no_more_within_its_session() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let mut client = house.log_in("").await.unwrap();
    assert_eq!(client.send("", &["ada@dest.example"], CONTENT).await.unwrap().code, 250);
    house.store.revoke_credential(house.controller, house.credential).await.unwrap();
    let reply = client.command("MAIL FROM:<>").await.unwrap();
    assert_eq!(reply.code, 550);
    assert!(reply.text.starts_with("credential-scope "), "{}", reply.text);
    let (_, greeting) = SmtpClient::connect(house.trusted.local_addr()).await.unwrap();
    assert_eq!(greeting.code, 554, "the trusted listener has nobody to speak for");
}

#[tokio::test]
async fn the_trusted_listener_serves_its_networks_only() {
    let house = House::new("192.0.2.0/24").await.unwrap();
    let (mut client, reply) = SmtpClient::connect(house.trusted.local_addr()).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (554, "5.7.1"));
    assert!(client.closed().await.is_empty());
    let house = House::new("127.0.0.1/32").await.unwrap();
    let reply = house.trusted().await.unwrap().send("", &["ada@dest.example"], CONTENT).await.unwrap();
    assert_eq!(reply.code, 250);
}

#[tokio::test]
async fn art28_3_a_the_day_s_allowance_is_asked_at_rcpt() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let streams = [house.transactional];
    house.store.issue_instruction(house.controller, &Operation::ALL, &streams, 3).await.unwrap();
    let mut client = house.trusted().await.unwrap();
    assert_eq!(client.send("", &["ada@dest.example"], CONTENT).await.unwrap().code, 250);
    client.command("MAIL FROM:<>").await.unwrap();
    for to in ["bob", "bob", "carl"] {
        let reply = client.command(&format!("RCPT TO:<{to}@dest.example>")).await.unwrap();
        assert_eq!(reply.code, 250, "two are left, and nobody counts twice");
    }
    for to in ["dora", "emil"] {
        let reply = client.command(&format!("RCPT TO:<{to}@dest.example>")).await.unwrap();
        assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (452, "4.7.1"));
        assert!(reply.text.starts_with("quota "), "{}", reply.text);
    }
    assert_eq!(client.data(CONTENT).await.unwrap().code, 250);
    assert_eq!(house.queued().await.unwrap().len(), 3, "whoever had a 250 is queued");
    client.command("MAIL FROM:<>").await.unwrap();
    assert_eq!(client.command("RCPT TO:<fred@dest.example>").await.unwrap().code, 452, "used up");
}

#[tokio::test]
async fn art28_3_a_an_allowance_that_others_used_up_meanwhile_keeps_nothing() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let streams = [house.transactional];
    house.store.issue_instruction(house.controller, &Operation::ALL, &streams, 2).await.unwrap();
    let mut client = house.trusted().await.unwrap();
    client.command("MAIL FROM:<>").await.unwrap();
    for to in ["ada", "bob"] {
        assert_eq!(client.command(&format!("RCPT TO:<{to}@dest.example>")).await.unwrap().code, 250);
    }
    let mut other = house.trusted().await.unwrap();
    assert_eq!(other.send("", &["carl@dest.example"], CONTENT).await.unwrap().code, 250);
    let reply = client.data(CONTENT).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (452, "4.7.1"));
    assert_eq!(house.queued().await.unwrap().len(), 1, "not even the one for whom there was room");
}

/// A SCRAM client of RFC 5802 §3; `plus` binds to these octets. The last reply.
async fn scram(client: &mut SmtpClient, username: &str, password: &str, plus: Option<[u8; 32]>) -> Outcome<u16> {
    let hmac = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let (name, flag) = if plus.is_some() { ("-PLUS", "p=tls-exporter,,") } else { ("", "n,,") };
    let bare = format!("n={username},r=abcdefghijkl");
    let reply = client.command(&format!("AUTH SCRAM-SHA-256{name} {}", BASE64.encode(format!("{flag}{bare}")))).await?;
    if reply.code != 334 {
        return Ok(reply.code);
    }
    let challenge = String::from_utf8(BASE64.decode(&reply.text)?)?;
    let [nonce, salt, iterations] = challenge.split(',').collect::<Vec<_>>()[..] else { panic!("{challenge}") };
    let (salt, iterations) = (BASE64.decode(&salt[2..])?, iterations[2..].parse()?);
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut salted);
    let bound = [flag.as_bytes(), &plus.map(Vec::from).unwrap_or_default()].concat();
    let unproven = format!("c={},{nonce}", BASE64.encode(bound));
    let (key, said) = (hmac(&salted, "Client Key"), format!("{bare},{challenge},{unproven}"));
    let signature = hmac(digest::digest(&digest::SHA256, key.as_ref()).as_ref(), &said);
    let proof: Vec<u8> = key.as_ref().iter().zip(signature.as_ref()).map(|(one, other)| one ^ other).collect();
    let last = format!("{unproven},p={}", BASE64.encode(proof));
    let reply = client.command(&BASE64.encode(last)).await?;
    if reply.code != 334 {
        return Ok(reply.code);
    }
    let ours = format!("v={}", BASE64.encode(hmac(hmac(&salted, "Server Key").as_ref(), &said)));
    assert_eq!(BASE64.decode(&reply.text)?, ours.as_bytes());
    Ok(client.command("").await?.code)
}

#[tokio::test]
async fn rfc7677_and_rfc9266_a_password_is_proven_with_and_without_binding() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let (name, password) = (house.username.as_str(), house.password.as_str());
    let mut client = house.connect().await.unwrap();
    let exporter = client.exporter();
    assert!(exporter.is_some());
    assert_eq!(scram(&mut client, name, "wrong", exporter).await.unwrap(), 535);
    assert_eq!(scram(&mut client, name, password, Some([9; 32])).await.unwrap(), 535, "another connection's binding");
    assert_eq!(scram(&mut client, "nobody", password, None).await.unwrap(), 535);
    assert_eq!(scram(&mut client, &format!("{name}+newsletter"), password, exporter).await.unwrap(), 235);
    let mut client = house.connect().await.unwrap();
    assert_eq!(scram(&mut client, name, password, None).await.unwrap(), 235);
    assert_eq!(client.send("", &["ada@dest.example"], CONTENT).await.unwrap().code, 250);
    house.store.revoke_credential(house.controller, house.credential).await.unwrap();
    let mut client = house.connect().await.unwrap();
    assert_eq!(scram(&mut client, name, password, None).await.unwrap(), 535, "revoked");
}

#[tokio::test]
async fn rfc5802_an_independent_client_agrees() {
    let house = House::new("127.0.0.0/8").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, house.ca.pem()).unwrap();
    for (password, code) in [(house.password.as_str(), "235"), ("wrong", "535")] {
        let port = house.submission.local_addr().port().to_string();
        let mut client = std::process::Command::new("python3");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scram.py");
        client.args([script, "localhost", &port]).arg(&authority).args([&house.username, password]);
        let said = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
        let (out, fault) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert_eq!(out.trim(), code, "{fault}");
    }
}
