//! What comes back by mail, through the inbound door's socket: bounces, complaints, opt-outs, and whatever strangers
//! try there. In shapes that real systems write (`tests/reports/`), with the return paths that the receiver was shown.

use super::house::{ADA, BOB, HOUR, House, Tenant, address, events, http_told, last, letter};
use crate::outside::harness::tools::{run_python, word};
use mail::reply::ReceivedReply;
use std::path::Path;
use std::time::Duration;
use store::permission::{Act, Chosen, Method};
use testkit::mx::{Conduct, Stage};
use testkit::smtp::SmtpClient;

const DAY: Duration = Duration::from_secs(86_400);
/// The return path in the samples.
const SAMPLE_PATH: &str = "b+aaaabbbbccccddddeeeeffffgg@bounce.sample.example";

/// A sample as it comes for this return path.
fn sample(name: &str, path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reports").join(format!("{name}.eml"));
    std::fs::read_to_string(file).unwrap().replace(SAMPLE_PATH, path).replace('\n', "\r\n")
}

/// Brings a message to the inbound door; the reply that decided.
async fn bring(house: &House, from: &str, to: &str, text: &str) -> ReceivedReply {
    let (mut client, greeting) = SmtpClient::connect(house.desk.inbound).await.unwrap();
    assert_eq!(greeting.code, 220);
    assert!(client.command("EHLO mx.dest.example").await.unwrap().is_positive());
    client.send(from, &[to], text.as_bytes()).await.unwrap()
}

async fn taken(house: &House, to: &str, text: &str) {
    let reply = bring(house, "", to, text).await;
    assert_eq!(reply.code, 250, "{}", reply.text);
}

/// Sends, and waits until it arrived: the public id, the return path, and the text as it arrived.
async fn arrived(house: &House, who: &Tenant, stream: &str, to: &str) -> (String, String, String) {
    let answer = house.post(who, "/v1/messages", &letter(Some(stream), &who.from, &[to])).await;
    let id = http_told(&answer).id();
    let start = format!("b+{}", id.strip_prefix("msg_").unwrap());
    let (path, text) = house
        .mx
        .wait_until("the message", |received, _| {
            received.iter().find(|one| one.from.starts_with(&start)).map(|one| (one.from.clone(), one.text()))
        })
        .await;
    if who.key == house.shop.key {
        house.until_state(&id, "delivered").await;
    }
    (id, path, text)
}

async fn may_write(house: &House, stream: &str, to: &str) -> Result<(), String> {
    let shop = &house.shop;
    match house.by_http(shop, Some(stream), &shop.from, to).await {
        super::house::Told::Taken(_) => Ok(()),
        other => Err(other.rule()),
    }
}

#[tokio::test]
async fn rfc3464_a_bounce_after_delivery_is_in_the_timeline_once_and_suppresses_by_the_table() {
    let house = House::new().await;
    let (id, path, _) = arrived(&house, &house.shop, "transactional", ADA).await;
    taken(&house, &path, &sample("postfix", &path)).await;
    let message = house.until_state(&id, "bounced").await;
    assert_eq!((events(&message, "delivered"), events(&message, "bounced")), (1, 1));
    assert_eq!((&last(&message)["enhanced"], &last(&message)["attempt"]), (&"5.1.1".into(), &0.into()));
    assert!(last(&message)["detail"].as_str().unwrap().contains("unknown-mailbox"));
    assert_eq!(may_write(&house, "transactional", ADA).await, Err("suppressed".to_owned()));
    // Again, in another form, and in capitals: it counts once, also after the controller lifted what it made.
    let tag = house.store.tag_of(house.shop.controller, &address(ADA)).unwrap();
    let scope = model::person::SuppressionScope::Delivery;
    house.store.lift_suppression(house.shop.controller, tag, scope).await.unwrap();
    for name in ["postfix", "gmail-report"] {
        taken(&house, &path.to_ascii_uppercase(), &sample(name, &path)).await;
    }
    assert_eq!(events(&house.message(&id).await, "bounced"), 1);
    assert_eq!(may_write(&house, "transactional", ADA).await, Ok(()));
    // Twins: somebody else may be written to, and the ledger verifies.
    assert_eq!(may_write(&house, "transactional", BOB).await, Ok(()));
    let log = house.log(&house.shop).await;
    assert!(log.exists());
}

#[tokio::test]
async fn rfc3463_what_is_not_about_the_recipient_is_told_and_suppresses_nobody() {
    let house = House::new().await;
    for name in ["postfix-relayed-refusal", "exchange-quota", "gateway-base64", "postfix-text", "gmail-text"] {
        let to = format!("{name}@dest.example");
        let (id, path, _) = arrived(&house, &house.shop, "transactional", &to).await;
        // As if it were about him: the samples name another recipient.
        taken(&house, &path, &sample(name, &path).replace(ADA, &to)).await;
        assert_eq!(events(&house.until_state(&id, "bounced").await, "bounced"), 1, "{name}");
        assert_eq!(may_write(&house, "transactional", &to).await, Ok(()), "{name}");
    }
    // Passed on by the recipient to somebody whose mailbox is gone: that says nothing of his.
    let (id, path, _) = arrived(&house, &house.shop, "transactional", BOB).await;
    taken(&house, &path, &sample("postfix", &path)).await;
    house.until_state(&id, "bounced").await;
    assert_eq!(may_write(&house, "transactional", BOB).await, Ok(()));
}

#[tokio::test]
async fn rfc3834_delays_are_noted_and_answers_of_machines_and_people_change_nothing() {
    let house = House::new().await;
    let (id, path, _) = arrived(&house, &house.shop, "transactional", ADA).await;
    for name in ["vacation", "vacation-exchange", "receipt-mdn", "ticket", "person-quoting"] {
        taken(&house, &path, &sample(name, &path)).await;
        let reply = bring(&house, "someone@dest.example", &path, &sample(name, &path)).await;
        assert_eq!(reply.code, 250);
    }
    assert_eq!(house.message(&id).await["timeline"].as_array().unwrap().len(), 2, "accepted and delivered");
    for _ in 0..2 {
        taken(&house, &path, &sample("postfix-delay", &path)).await;
        taken(&house, &path, &sample("relayed", &path)).await;
    }
    let message = house.message(&id).await;
    assert_eq!(
        (message["state"].as_str(), events(&message, "delayed"), events(&message, "relayed")),
        (Some("delivered"), 1, 1)
    );
    // The twin: what fails after it was delayed bounces.
    taken(&house, &path, &sample("utf8", &path).replace("zoë@dest.example", ADA)).await;
    house.until_state(&id, "bounced").await;
    assert_eq!(may_write(&house, "transactional", ADA).await, Err("suppressed".to_owned()));
}

#[tokio::test]
async fn a9_b5_nothing_comes_in_without_a_token_of_that_message_and_that_controller() {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    let (id, path, _) = arrived(&house, &house.shop, "transactional", ADA).await;
    let (_, others, _) = arrived(&house, &other, "transactional", ADA).await;
    let (local, theirs) = (path.split('@').next().unwrap(), others.split('@').next().unwrap());
    let report = sample("postfix", &path);
    for forged in [
        format!("{local}@bounce.other.example"),
        format!("{theirs}@bounce.shop.example"),
        format!("{local}@shop.example"),
        format!("{local}@dest.example"),
        format!("{}@bounce.shop.example", &local[..28]),
        format!("{}{}@bounce.shop.example", &local[..53], if local.ends_with('a') { 'e' } else { 'a' }),
        format!("{}{}@bounce.shop.example", &theirs[..28], &local[28..]),
        "b+@bounce.shop.example".to_owned(),
        "someone@bounce.shop.example".to_owned(),
        "complaints@dest.example".to_owned(),
        "unsubscribe@shop.example".to_owned(),
        "postmaster@dest.example".to_owned(),
    ] {
        let reply = bring(&house, "", &forged, &report).await;
        assert_eq!(
            (reply.code, reply.enhanced.map(|code| code.to_string())),
            (550, Some("5.1.1".to_owned())),
            "{forged}"
        );
        // No oracle: the same words for all of them.
        assert_eq!(reply.text, "no such mailbox here; this host takes return paths, postmaster and abuse alone");
    }
    assert_eq!(house.message(&id).await["state"], "delivered");
    assert_eq!(may_write(&house, "transactional", ADA).await, Ok(()));
    // A report with the right addresses in it, at the wrong place: nothing either.
    for place in ["complaints@bounce.shop.example", "unsubscribe@bounce.shop.example"] {
        taken(&house, place, &report).await;
    }
    assert_eq!(house.message(&id).await["state"], "delivered");
    // The twin.
    taken(&house, &path, &report).await;
    house.until_state(&id, "bounced").await;
}

#[tokio::test]
async fn a_bounce_that_overtakes_the_reply_is_to_be_brought_again() {
    let house = House::new().await;
    let hold = house.mx.hold(Stage::EndOfData);
    let id = house.send("transactional", ADA).await;
    hold.reached(1).await;
    let path = house.mx.begun().last().unwrap().from.clone();
    let reply = bring(&house, "", &path, &sample("postfix", &path)).await;
    assert_eq!(reply.code, 451, "{}", reply.text);
    hold.release();
    house.until_state(&id, "delivered").await;
    taken(&house, &path, &sample("postfix", &path)).await;
    house.until_state(&id, "bounced").await;
}

#[tokio::test]
async fn a9_b2_a_mailbox_that_stays_full_is_left_alone_after_five_times_in_fourteen_days() {
    let house = House::new().await;
    let full = || Conduct::reject(552, "5.2.2", "mailbox full");
    for time in 0..5 {
        assert_eq!(may_write(&house, "transactional", BOB).await, Ok(()), "time {time}");
        let (id, path, _) = arrived(&house, &house.shop, "transactional", BOB).await;
        taken(&house, &path, &sample("exchange-quota", &path).replace(ADA, BOB)).await;
        house.until_state(&id, "bounced").await;
        house.clock.advance(4 * DAY);
    }
    // A delivery in between ends the count, so Bob, who got each of them before it came back, is not suppressed.
    assert_eq!(may_write(&house, "transactional", BOB).await, Ok(()));
    for time in 0..5 {
        house.mx.treat_next(ADA, full());
        let id = house.send("transactional", ADA).await;
        house.until_state(&id, "bounced").await;
        // Twice on a day counts once.
        if time == 0 {
            house.mx.treat_next(ADA, full());
            let id = house.send("transactional", ADA).await;
            house.until_state(&id, "bounced").await;
        }
        house.clock.advance(4 * DAY);
    }
    testkit::within("the suppression", async {
        while may_write(&house, "transactional", ADA).await.is_ok() {
            testkit::wait::breathe().await;
        }
    })
    .await;
    assert_eq!(may_write(&house, "transactional", ADA).await, Err("suppressed".to_owned()));
}

/// A complaint about a message as it arrived, with the person's address taken out as providers do.
fn complaint(text: &str, kind: &str) -> String {
    let text = text.replace(ADA, "redacted@provider.example").replace(BOB, "redacted@provider.example");
    format!(
        "From: <abuse@provider.example>\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"arf\"\r\n\r\n\
         --arf\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n\
         --arf\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: {kind}\r\nUser-Agent: Provider/1\r\nVersion: 1\r\n\r\n\
         --arf\r\nContent-Type: message/rfc822\r\n\r\n{text}\r\n--arf--\r\n"
    )
}

#[tokio::test]
async fn rfc5965_rfc9477_a_complaint_stops_marketing_for_that_person_and_no_confirmation_lifts_it() {
    let house = House::new().await;
    let report_at = "complaints@bounce.shop.example";
    house.consent(ADA).await;
    house.consent(BOB).await;
    let (id, _, text) = arrived(&house, &house.shop, "newsletter", ADA).await;
    assert!(text.contains("\r\nCFBL-Address: complaints@bounce.shop.example; report=arf\r\n"), "{text}");
    assert!(text.contains("\r\nCFBL-Feedback-ID: "));
    // RFC 9477 §3.1.1: covered by the signature.
    assert!(text.to_ascii_lowercase().replace("\r\n\t", "").replace("\r\n ", "").contains("cfbl-feedback-id"));
    // What is no complaint changes nothing, nor does one that names nobody.
    for kind in ["not-spam", "auth-failure", "other"] {
        taken(&house, report_at, &complaint(&text, kind)).await;
    }
    taken(&house, report_at, &complaint("From: shop@shop.example\r\nTo: ada@dest.example\r\n\r\nx\r\n", "abuse")).await;
    assert_eq!(may_write(&house, "newsletter", ADA).await, Ok(()));
    taken(&house, report_at, &complaint(&text, "abuse")).await;
    assert_eq!(may_write(&house, "newsletter", ADA).await, Err("suppressed".to_owned()));
    assert_eq!(events(&house.until_event(&id, "complained", 1).await, "delivered"), 1);
    // Again: once.
    taken(&house, report_at, &complaint(&text, "abuse")).await;
    assert_eq!(events(&house.message(&id).await, "complained"), 1);
    // Transactional mail goes on; so does everybody else's.
    assert_eq!(may_write(&house, "transactional", ADA).await, Ok(()));
    assert_eq!(may_write(&house, "newsletter", BOB).await, Ok(()));
    // Architecture §10: no consent that he gives by confirming lifts it.
    let (store, controller) = (&house.store, house.shop.controller);
    let tag = store.tag_of(controller, &address(ADA)).unwrap();
    let purpose = model::PurposeId::of_stream(house.shop.newsletter);
    let given = Chosen { given: &[purpose], left: &[] };
    store.choose(controller, tag, given, &Act::by(Method::DoubleOptIn)).await.unwrap();
    assert_eq!(may_write(&house, "newsletter", ADA).await, Err("suppressed".to_owned()));
}

#[tokio::test]
async fn rfc6449_a_complaint_that_names_two_people_or_another_controller_changes_nothing_of_this_one() {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    for to in [ADA, BOB] {
        house.consent(to).await;
    }
    let (_, path, ada) = arrived(&house, &house.shop, "newsletter", ADA).await;
    let (_, _, bob) = arrived(&house, &house.shop, "newsletter", BOB).await;
    let (_, _, theirs) = arrived(&house, &other, "transactional", ADA).await;
    // One about Bob, at Ada's return path: somebody mixes them up, or tries to.
    taken(&house, &path, &complaint(&bob, "abuse")).await;
    let two = ada.replacen("\r\n", &format!("\r\n{}\r\n", fields_of(&bob, "CFBL-Feedback-ID")), 1);
    taken(&house, "complaints@bounce.shop.example", &complaint(&two, "abuse")).await;
    // The other controller's: it is his alone, wherever it comes.
    taken(&house, "complaints@bounce.shop.example", &complaint(&theirs, "abuse")).await;
    for to in [ADA, BOB] {
        assert_eq!(may_write(&house, "newsletter", to).await, Ok(()), "{to}");
    }
    let theirs = house.by_http(&other, Some("newsletter"), &other.from, ADA).await;
    assert_eq!(theirs.rule(), "suppressed", "he complained there");
    // The twin, at the return path.
    taken(&house, &path, &complaint(&ada, "abuse")).await;
    assert_eq!(may_write(&house, "newsletter", ADA).await, Err("suppressed".to_owned()));
}

fn fields_of(text: &str, name: &str) -> String {
    let start = text.find(&format!("\r\n{name}:")).unwrap() + 2;
    let rest = &text[start..];
    let end = rest.match_indices("\r\n").map(|(at, _)| at).find(|at| !rest[at + 2..].starts_with([' ', '\t'])).unwrap();
    rest[..end].to_owned()
}

#[tokio::test]
async fn a_complaint_about_a_receipt_is_told_to_the_controller_and_receipts_go_on() {
    let house = House::new().await;
    let (id, _, text) = arrived(&house, &house.shop, "transactional", ADA).await;
    for _ in 0..2 {
        taken(&house, "complaints@bounce.shop.example", &complaint(&text, "abuse")).await;
    }
    assert_eq!(events(&house.until_event(&id, "complained", 1).await, "complained"), 1);
    let notices = house.store.notices(house.shop.controller, i64::MAX, 100).await.unwrap();
    assert_eq!(notices.iter().filter(|notice| notice.kind == "complaint").count(), 1);
    assert_eq!(may_write(&house, "transactional", ADA).await, Ok(()));
    // What the controller says of her consent does not undo it.
    let told = serde_json::json!({"email": ADA, "stream": "newsletter", "kind": "consent", "confirmed": true});
    assert_eq!(house.post(&house.shop, "/v1/consents", &told).await.status, 409);
    assert!(may_write(&house, "newsletter", ADA).await.is_err());
}

#[tokio::test]
async fn rfc2369_an_opt_out_by_mail_is_as_good_as_the_click() {
    let house = House::new().await;
    house.consent(ADA).await;
    house.consent(BOB).await;
    let (_, _, text) = arrived(&house, &house.shop, "newsletter", ADA).await;
    let field = fields_of(&text, "List-Unsubscribe").replace("\r\n", "");
    let mailto = field.split("<mailto:").nth(1).unwrap().split('>').next().unwrap();
    let (to, subject) = mailto.split_once("?subject=").unwrap();
    assert_eq!(to, "unsubscribe@bounce.shop.example");
    // Without the token, by whomever: nothing.
    for wrong in ["unsubscribe", "", &subject[..subject.len() - 1]] {
        let text = format!("From: {ADA}\r\nSubject: {wrong}\r\n\r\nStop.\r\n");
        assert_eq!(bring(&house, ADA, to, &text).await.code, 250);
    }
    assert_eq!(may_write(&house, "newsletter", ADA).await, Ok(()));
    let text = format!("From: {ADA}\r\nTo: {to}\r\nSubject:\r\n {subject}\r\n\r\n");
    assert_eq!(bring(&house, ADA, to, &text).await.code, 250);
    assert_eq!(may_write(&house, "newsletter", ADA).await, Err("suppressed".to_owned()));
    assert_eq!(may_write(&house, "newsletter", BOB).await, Ok(()));
    assert_eq!(may_write(&house, "transactional", ADA).await, Ok(()));
}

#[tokio::test]
async fn hostile_reports_are_bounded_and_the_door_goes_on() {
    let house = House::new().await;
    let (id, path, _) = arrived(&house, &house.shop, "transactional", ADA).await;
    let mut bomb = String::from("Content-Type: multipart/report; boundary=b0\r\n\r\n");
    for level in 1..5_000 {
        bomb.push_str(&format!("--b{}\r\nContent-Type: multipart/mixed; boundary=b{level}\r\n\r\n", level - 1));
    }
    taken(&house, &path, &bomb).await;
    // Larger than what is looked at: what stands at its beginning counts.
    let padding = format!("{}\r\n", "x".repeat(78)).repeat(40_000);
    let (_, other, _) = arrived(&house, &house.shop, "transactional", BOB).await;
    taken(&house, &other, &(sample("postfix", &other).replace(ADA, BOB) + &padding)).await;
    assert_eq!(may_write(&house, "transactional", BOB).await, Err("suppressed".to_owned()));
    // Beyond the limit of the listener.
    let (mut client, _) = SmtpClient::connect(house.desk.inbound).await.unwrap();
    client.command("EHLO mx.dest.example").await.unwrap();
    assert_eq!(client.command("MAIL FROM:<> SIZE=20000000").await.unwrap().code, 552);
    // Old systems end lines as they like; the end of data is strict all the same.
    let text = sample("postfix", &path).replace("\r\n", "\n");
    taken(&house, &path, &text).await;
    house.until_state(&id, "bounced").await;
}

#[tokio::test]
async fn rfc5321_4_5_1_postmaster_and_abuse_reach_the_operator_and_nothing_is_sent_on() {
    let house = House::new().await;
    let text = "From: someone@dest.example\r\nSubject: hello\r\n\r\nIs anybody there?\r\n";
    for to in ["postmaster", "Postmaster@mx.sample.example", "abuse@mx.sample.example", "abuse@bounce.shop.example"] {
        let reply = bring(&house, "someone@dest.example", to, text).await;
        assert_eq!(reply.code, 250, "{to}");
    }
    let letters = house.desk.letters();
    assert_eq!(letters.len(), 4);
    assert!(letters[0].content.ends_with(b"Is anybody there?\r\n"));
    house.clock.advance(HOUR);
    house.until_empty().await;
    assert_eq!(house.mx.counts().mails, 0, "this is no relay");
}

#[tokio::test]
async fn gdpr_5_1_c_marketing_leaves_with_a_signed_feedback_id_that_names_nobody_and_other_mail_without() {
    let house = House::new().await;
    house.consent(ADA).await;
    let (id, _, text) = arrived(&house, &house.shop, "newsletter", ADA).await;
    let value = fields_of(&text, "Feedback-ID");
    let parts: Vec<&str> = value.trim().strip_prefix("Feedback-ID: ").unwrap().split(':').collect();
    let [campaign, controller, stream, platform] = parts.as_slice() else { panic!("{value}") };
    let known = |text: &str, prefix: &str| text.starts_with(prefix) && text.len() > 20;
    assert!(known(campaign, "pur_") && known(controller, "ctl_") && known(stream, "str_"), "{value}");
    assert_eq!(*platform, "postern");
    // The same for everybody: it tells nobody apart.
    house.consent(BOB).await;
    let (_, _, of_bob) = arrived(&house, &house.shop, "newsletter", BOB).await;
    assert_eq!(fields_of(&of_bob, "Feedback-ID"), value);
    // By the other door.
    house.by_smtp(&house.shop, Some("newsletter"), &house.shop.from, BOB).await.id();
    let by_smtp = house.mx.wait_for(3).await.pop().unwrap().text();
    assert_eq!(fields_of(&by_smtp, "Feedback-ID"), value);
    // Twin: what is no marketing has none.
    let (_, _, receipt) = arrived(&house, &house.shop, "transactional", ADA).await;
    assert!(!receipt.contains("\r\nFeedback-ID:"), "{receipt}");
    // Both signatures cover it, judged by a verifier that is not ours; with another value neither holds.
    let added = text.replacen("\r\nFeedback-ID:", "\r\nFeedback-ID: x:another\r\nFeedback-ID:", 1);
    let changed = text.replace(":postern\r\n", ":another\r\n");
    assert_eq!(judged_by_dkimpy(&house, &[&text, &added, &changed]).await, ["pass", "fail", "fail"]);
    // A complaint that brings it back is still matched by its own fields.
    taken(&house, "complaints@bounce.shop.example", &complaint(&text, "abuse")).await;
    house.until_event(&id, "complained", 1).await;
    assert_eq!(may_write(&house, "newsletter", ADA).await, Err("suppressed".to_owned()));
}

/// What dkimpy makes of both signatures of each message, where it makes the same of both.
async fn judged_by_dkimpy(house: &House, texts: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let domains = house.store.sending_domains();
    let signers = domains.iter().flat_map(|domain| domain.signers.iter());
    let keys = signers.map(|signer| {
        let value = signer.key().public_dns_value().unwrap();
        format!("{}._domainkey.{}\t{value}\n", signer.selector(), signer.domain())
    });
    std::fs::write(folder.path().join("keys.txt"), keys.collect::<String>()).unwrap();
    for (at, text) in texts.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{at}.eml")), text).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mail/tests/foreign/dkim_dkimpy.py");
    // The house has a calendar of its own, and signatures run out.
    let at = "import runpy, sys, time\nnow = float(sys.argv[1])\ntime.time = lambda: now\ndel sys.argv[:2]\n\
              runpy.run_path(sys.argv[0], run_name='__main__')";
    let now = house.store.now().seconds().to_string();
    let judged = run_python(&["-c", at, &now, word(&script), word(folder.path())]).await.good();
    let verdicts: Vec<&str> = judged.lines().map(|line| line.rsplit('\t').next().unwrap()).collect();
    assert_eq!(verdicts.len(), 2 * texts.len(), "{judged}");
    verdicts.chunks(2).map(|both| if both[0] == both[1] { both[0].to_owned() } else { judged.clone() }).collect()
}
