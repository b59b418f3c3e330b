//! The fake server does what it is told, and keeps only what ended well.

use super::*;
use crate::smtp::SmtpClient;

async fn connected(mx: &FakeMx) -> SmtpClient {
    let (mut client, greeting) = SmtpClient::connect(mx.addr()).await.unwrap();
    assert_eq!(greeting.code, 220);
    assert_eq!(client.command("EHLO client.example").await.unwrap().code, 250);
    client
}

#[tokio::test]
async fn a_message_is_kept_as_it_was_meant() {
    let mx = FakeMx::start().await.unwrap();
    let mut client = connected(&mx).await;
    let content = b"Subject: x\r\n\r\n.dot\r\n..two\r\n";
    assert_eq!(client.send("a@from.example", &["b@dest.example"], content).await.unwrap().code, 250);
    let received = mx.wait_for(1).await.remove(0);
    assert_eq!(received.content, content);
    assert_eq!((received.from.as_str(), received.to), ("a@from.example", vec!["b@dest.example".to_owned()]));
    assert!(!received.tls);
}

#[tokio::test]
async fn a_message_without_its_final_dot_is_not_kept() {
    let mx = FakeMx::start().await.unwrap();
    let mut client = connected(&mx).await;
    client.command("MAIL FROM:<a@from.example>").await.unwrap();
    client.command("RCPT TO:<b@dest.example>").await.unwrap();
    client.command("DATA").await.unwrap();
    client.raw(b"half\r\n.\n").await.unwrap();
    drop(client);
    mx.wait_until("the connection to close", |_, counts| (counts.open == 0).then_some(())).await;
    assert!(mx.received().is_empty());
}

#[tokio::test]
async fn recipients_are_treated_as_told_and_attempts_counted() {
    let mx = FakeMx::start().await.unwrap();
    mx.treat("gone@dest.example", Conduct::reject(550, "5.1.1", "no such mailbox"));
    mx.treat_next("slow@dest.example", Conduct::defer(451, "4.2.1 busy"));
    mx.treat("big@dest.example", Conduct::reject(552, "5.3.4", "too big").at(Stage::EndOfData));
    let mut client = connected(&mx).await;
    assert_eq!(client.send("", &["gone@dest.example"], b"x\r\n").await.unwrap().code, 550);
    assert_eq!(client.send("", &["slow@dest.example"], b"x\r\n").await.unwrap().code, 451);
    assert_eq!(client.send("", &["Slow@dest.example"], b"x\r\n").await.unwrap().code, 250);
    assert_eq!(client.send("", &["big@dest.example"], b"x\r\n").await.unwrap().code, 552);
    mx.wait_for_attempts("slow@dest.example", 2).await;
    let outcomes: Vec<Outcome> = mx.received().iter().map(|message| message.outcome).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Refused]);
}

#[tokio::test]
async fn connections_are_cut_before_or_after_the_final_dot() {
    let mx = FakeMx::start().await.unwrap();
    mx.treat("before@dest.example", Conduct::CutBeforeDot);
    mx.treat("after@dest.example", Conduct::CutAfterDot);
    for recipient in ["before@dest.example", "after@dest.example"] {
        let mut client = connected(&mx).await;
        assert!(client.send("", &[recipient], b"x\r\n").await.is_err(), "{recipient}");
    }
    let received = mx.wait_for(1).await;
    assert_eq!((received.len(), received[0].outcome), (1, Outcome::Cut));
}

#[tokio::test]
async fn a_held_reply_waits_for_its_release() {
    let mx = FakeMx::start().await.unwrap();
    let hold = mx.hold(Stage::EndOfData);
    let mut client = connected(&mx).await;
    let sending = tokio::spawn(async move { client.send("", &["a@dest.example"], b"x\r\n").await });
    hold.reached(1).await;
    assert!(!sending.is_finished());
    assert!(mx.received().is_empty());
    hold.release();
    assert_eq!(within("the reply", sending).await.unwrap().unwrap().code, 250);
}

#[tokio::test]
async fn rfc3207_starttls_works_or_fails_as_told() {
    let mx = FakeMx::start().await.unwrap();
    mx.manners(|manners| manners.starttls = StartTls::On);
    let mut client = connected(&mx).await;
    assert_eq!(client.starttls("localhost", mx.ca().client()).await.unwrap().code, 220);
    client.command("EHLO client.example").await.unwrap();
    assert_eq!(client.send("", &["a@dest.example"], b"x\r\n").await.unwrap().code, 250);
    assert!(mx.wait_for(1).await[0].tls);

    mx.manners(|manners| manners.starttls = StartTls::Broken);
    assert!(connected(&mx).await.starttls("localhost", mx.ca().client()).await.is_err());
    mx.manners(|manners| manners.starttls = StartTls::Refused);
    assert_eq!(connected(&mx).await.starttls("localhost", mx.ca().client()).await.unwrap().code, 454);
    assert_eq!(mx.counts().handshakes, 1);
}

#[tokio::test]
async fn rfc5321_3_8_a_busy_server_says_421() {
    let mx = FakeMx::start().await.unwrap();
    mx.manners(|manners| manners.messages_max = 1);
    let mut client = connected(&mx).await;
    assert_eq!(client.send("", &["a@dest.example"], b"x\r\n").await.unwrap().code, 250);
    assert_eq!(client.send("", &["a@dest.example"], b"x\r\n").await.unwrap().code, 421);
    assert!(client.closed().await.is_empty());
    mx.manners(|manners| manners.greeting = Some((421, "4.3.2 busy".to_owned())));
    assert_eq!(SmtpClient::connect(mx.addr()).await.unwrap().1.code, 421);
}
