//! Marketing by whatever door leaves with its way out, in fields and footer, signed; or it is refused at acceptance.
//! Other mail is left as it is.

use super::house::{ADA, BOB, House, PAGES, Tenant, Told, address, bearer, http_told, json_of, last, letter};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mail::dkim::{self, TxtAnswer, VerdictResult};
use mail::header::{HeaderBlock, Limits};
use model::basis::BasisKind;
use model::purpose::PurposeText;
use model::stream::{Footer, Terms};
use model::{ListId, MessageId, PurposeId, StreamKind};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use store::permission::{Link, LinkTarget};
use store::{NewStream, Verified};
use testkit::mx::Received;

const FIELDS: [&str; 3] = ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"];
const DATE: &str = "Date: Fri, 15 Jan 2027 12:00:00 +0000";

/// A newsletter with a text and an HTML version, and a way out of its own, for SMTP.
fn news(from: &str, more: &str) -> Vec<u8> {
    format!(
        "From: <{from}>\r\nTo: <{ADA}>\r\nSubject: News\r\n{DATE}\r\n{more}MIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nDear \
         reader.\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Dear reader.</p>\r\n--b--\r\n"
    )
    .into_bytes()
}

/// The same signed by its author (RFC 1847).
fn signed_news(from: &str) -> Vec<u8> {
    format!(
        "From: <{from}>\r\nTo: <{ADA}>\r\nSubject: News\r\n{DATE}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/signed; boundary=b; micalg=pgp-sha256; protocol=\"application/pgp-signature\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nDear reader.\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n\
         -----BEGIN PGP SIGNATURE-----\r\n-----END PGP SIGNATURE-----\r\n--b--\r\n"
    )
    .into_bytes()
}

async fn consent(house: &House, to: &str) {
    house.basis(to, BasisKind::Consent, Verified::Yes, None).await;
}

async fn submit(house: &House, stream: &str, to: &[&str], content: &[u8]) -> mail::reply::ReceivedReply {
    let login = format!("{}+{stream}", house.shop.username);
    let mut client = house.session(&login, &house.shop.password).await.unwrap();
    client.send(&house.shop.from, to, content).await.unwrap()
}

async fn arrived(house: &House, to: &str) -> Received {
    house.mx.wait_for_recipient(to, 1).await.remove(0)
}

/// The values of a field, unfolded.
fn values(message: &[u8], name: &str) -> Vec<String> {
    let block = HeaderBlock::scan(message, Limits::INBOUND).unwrap();
    block.named(name).map(|field| String::from_utf8(field.unfolded()).unwrap().trim().to_owned()).collect()
}

fn body_of(message: &[u8]) -> String {
    let block = HeaderBlock::scan(message, Limits::INBOUND).unwrap();
    String::from_utf8(message[block.body_start()..].to_vec()).unwrap()
}

/// RFC 6376: both signatures hold, and cover these fields.
fn signed_over(house: &House, message: &[u8], fields: &[&str]) {
    let domain = house.store.from_domain(house.shop.controller, address(&house.shop.from).domain()).1.unwrap();
    let signers = house.store.dkim_signers(house.shop.controller, domain).unwrap();
    let records: HashMap<String, String> = signers
        .iter()
        .map(|signer| {
            let name = format!("{}._domainkey.{}", signer.selector(), signer.domain());
            (name, signer.key().public_dns_value().unwrap())
        })
        .collect();
    let lookup = |name: &str| records.get(name).map_or(TxtAnswer::Absent, |record| TxtAnswer::Record(record.clone()));
    let now = u64::try_from(house.store.now().seconds()).unwrap();
    let verdicts = dkim::verify(message, &lookup, now);
    assert_eq!(verdicts.iter().map(|one| &one.result).collect::<Vec<_>>(), [&VerdictResult::Pass; 2]);
    let signatures = values(message, "DKIM-Signature");
    assert_eq!(signatures.len(), 2);
    for signature in signatures {
        let tag = signature.split(';').find_map(|tag| tag.trim().strip_prefix("h=")).unwrap();
        let covered: Vec<String> = tag.split(':').map(|name| name.trim().to_ascii_lowercase()).collect();
        for field in fields {
            assert!(covered.contains(&field.to_ascii_lowercase()), "{field} is not covered: {signature}");
        }
    }
}

/// The one link to a page in a text.
fn link<'t>(text: &'t str, page: &str) -> &'t str {
    let start = format!("{PAGES}/{page}/");
    let at = text.find(&start).unwrap_or_else(|| panic!("no {start} in {text}"));
    let rest = &text[at..];
    &rest[..rest.find(|c: char| c.is_whitespace() || "\"<>".contains(c)).unwrap_or(rest.len())]
}

/// Has everything that a marketing message leaves with; gives its opt-out URL.
fn has_way_out(house: &House, one: &Received, id: &str, list_id: &str) -> String {
    for field in FIELDS {
        assert_eq!(values(&one.content, field).len(), 1, "{field} in {}", one.text());
    }
    let [unsubscribe, post, list] = FIELDS.map(|field| values(&one.content, field).remove(0));
    let url = unsubscribe.strip_prefix('<').and_then(|rest| rest.split('>').next()).unwrap().to_owned();
    assert!(unsubscribe.contains(">, <mailto:unsubscribe@"), "{unsubscribe}");
    assert!(url.starts_with(&format!("{PAGES}/u/")), "{url}");
    assert_eq!(post, "List-Unsubscribe=One-Click");
    assert!(list.ends_with(list_id), "{list}");
    signed_over(house, &one.content, &FIELDS);
    let body = body_of(&one.content);
    let texts: Vec<&str> = body.split("<div lang=").collect();
    let [plain, html] = texts[..] else { panic!("the footer is not in both texts: {body}") };
    for text in [plain, html] {
        assert!(text.contains("You receive this message from shop for this purpose: newsletter."), "{body}");
        assert_eq!(link(text, "u"), url);
        let (preferences, why) = (link(text, "p"), link(text, "w"));
        let token = |link: &str| link.rsplit('/').next().unwrap().to_owned();
        assert_eq!(token(preferences), token(why));
        let opened = house.store.open_link(&token(preferences)).unwrap();
        assert_eq!((opened.target, opened.message), (LinkTarget::Preferences, Some(house.inner(id))));
    }
    url
}

fn opened(house: &House, url: &str) -> Link {
    house.store.open_link(url.rsplit('/').next().unwrap()).unwrap()
}

fn html_letter(stream: &str, from: &str, to: &[&str]) -> serde_json::Value {
    let mut body = letter(Some(stream), from, to);
    body["text"] = "Dear reader.".into();
    body["html"] = "<p>Dear reader.</p>".into();
    body["headers"] = json!({"List-Unsubscribe": "<https://elsewhere.example/u>"});
    body
}

#[tokio::test]
async fn rfc8058_marketing_by_both_doors_leaves_with_its_fields_and_footer_signed() {
    let house = House::new().await;
    let shop = &house.shop;
    consent(&house, ADA).await;
    consent(&house, BOB).await;
    let own = "List-Unsubscribe: <mailto:leave@elsewhere.example>\r\nList-Id: <theirs.elsewhere.example>\r\n";
    let reply = submit(&house, "newsletter", &[ADA], &news(&shop.from, own)).await;
    assert_eq!(reply.code, 250, "{}", reply.text);
    let by_smtp = reply.text.trim_start_matches("queued as ").split(' ').next().unwrap().to_owned();
    let answer = house.post(shop, "/v1/messages", &html_letter("newsletter", &shop.from, &[BOB])).await;
    let by_http = http_told(&answer).id();
    let list_id = "<newsletter.newsletter.shop.example>";
    let mut urls = Vec::new();
    for (to, id) in [(ADA, &by_smtp), (BOB, &by_http)] {
        let one = arrived(&house, to).await;
        let url = has_way_out(&house, &one, id, list_id);
        assert!(!one.text().contains("elsewhere.example"), "the client's own way out is still there: {}", one.text());
        let expected = Link {
            controller: shop.controller,
            tag: opened(&house, &url).tag,
            target: LinkTarget::Unsubscribe { purpose: PurposeId::of_stream(shop.newsletter), list: None },
            message: Some(house.inner(id)),
        };
        assert_eq!(opened(&house, &url), expected);
        urls.push(url);
    }
    assert_ne!(opened(&house, &urls[0]).tag, opened(&house, &urls[1]).tag);
}

#[tokio::test]
async fn art5_1_c_every_recipient_has_tokens_of_his_own_and_no_link_says_who_he_is() {
    let house = House::new().await;
    consent(&house, ADA).await;
    consent(&house, BOB).await;
    // One body for both (SMTP), and one after the other by HTTP.
    let reply = submit(&house, "newsletter", &[ADA, BOB], &news(&house.shop.from, "")).await;
    assert_eq!(reply.code, 250, "{}", reply.text);
    let mut tokens = std::collections::HashSet::new();
    let mut tags = std::collections::HashSet::new();
    for to in [ADA, BOB] {
        let one = arrived(&house, to).await;
        let body = body_of(&one.content);
        for page in ["u", "p"] {
            let url = link(&body, page);
            assert!(tokens.insert(url.to_owned()), "{url} twice");
            // Chance letters may well be "ada": names are looked for in what the letters stand for.
            let (before, token) = url.rsplit_once('/').unwrap();
            assert!(!before.contains("dest.example") && !url.contains(['@', '%', '?']), "{url}");
            let told = URL_SAFE_NO_PAD.decode(token).unwrap().to_ascii_lowercase();
            let told = String::from_utf8_lossy(&told);
            assert!(!["ada@", "bob@", "dest.example"].iter().any(|word| told.contains(word)), "{url}");
            tags.insert(opened(&house, url).tag);
        }
    }
    assert_eq!((tokens.len(), tags.len()), (4, 2));
}

#[tokio::test]
async fn the_footer_speaks_the_language_of_the_message() {
    let house = House::new().await;
    for (to, language, words) in [
        (ADA, "de-AT", "Sie erhalten diese Nachricht von shop zu diesem Zweck: newsletter."),
        (BOB, "it", "You receive this message from shop for this purpose: newsletter."),
    ] {
        consent(&house, to).await;
        let content = news(&house.shop.from, &format!("Content-Language: {language}\r\n"));
        assert_eq!(submit(&house, "newsletter", &[to], &content).await.code, 250);
        let one = arrived(&house, to).await;
        assert_eq!(one.text().matches(words).count(), 2, "{}", one.text());
    }
}

#[tokio::test]
async fn transactional_mail_leaves_octet_for_octet_as_it_came() {
    let house = House::new().await;
    let own = "List-Unsubscribe: <mailto:leave@elsewhere.example>\r\n";
    let content = news(&house.shop.from, own);
    let reply = submit(&house, "transactional", &[ADA], &content).await;
    assert_eq!(reply.code, 250, "{}", reply.text);
    let one = arrived(&house, ADA).await;
    assert_eq!(body_of(&one.content), body_of(&content));
    assert_eq!(values(&one.content, "List-Unsubscribe"), ["<mailto:leave@elsewhere.example>"]);
    assert!(values(&one.content, "List-Unsubscribe-Post").is_empty() && values(&one.content, "List-Id").is_empty());
    // Every field of the client is there as it was; in front of them stand those of the trace and the signatures.
    let head = String::from_utf8(content[..content.windows(4).position(|at| at == b"\r\n\r\n").unwrap()].to_vec());
    for field in head.unwrap().split("\r\n") {
        assert!(one.text().contains(&format!("\r\n{field}\r\n")), "{field}");
    }
    let answer = house.post(&house.shop, "/v1/messages", &html_letter("transactional", &house.shop.from, &[BOB])).await;
    house.until_state(&http_told(&answer).id(), "delivered").await;
    let one = arrived(&house, BOB).await;
    assert!(!one.text().contains(PAGES) && one.text().contains("elsewhere.example"), "{}", one.text());
    signed_over(&house, &one.content, &["List-Unsubscribe"]);
}

/// Refused at both doors, and nothing is kept.
async fn refused_everywhere(house: &House, stream: &str, smtp: &[u8], http: &serde_json::Value) {
    let reply = submit(house, stream, &[ADA], smtp).await;
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (550, "5.7.1"), "{}", reply.text);
    assert!(reply.text.starts_with("opt-out-missing "), "{}", reply.text);
    let answer = house.post(&house.shop, "/v1/messages", http).await;
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(json_of(&answer)["results"][0]["article"], "ePrivacy Art. 13(4)");
    assert_eq!(http_told(&answer), Told::Refused("opt-out-missing".into()));
    assert!(house.store.backlog().await.unwrap().is_empty());
}

/// By HTTP nobody can hand in a structure; a text that its reader sees as armour takes no footer either.
fn armoured(house: &House, stream: &str) -> serde_json::Value {
    let mut body = letter(Some(stream), &house.shop.from, &[ADA]);
    body["text"] = "-----BEGIN PGP MESSAGE-----\r\n\r\nx\r\n-----END PGP MESSAGE-----\r\n".into();
    body
}

#[tokio::test]
async fn eprivacy13_4_marketing_that_takes_no_footer_is_refused_at_both_doors() {
    let house = House::new().await;
    consent(&house, ADA).await;
    let (signed, armoured) = (signed_news(&house.shop.from), armoured(&house, "newsletter"));
    refused_everywhere(&house, "newsletter", &signed, &armoured).await;
    assert!(house.mx.received().is_empty());
    // Twins: the same as a receipt leaves as it is, and marketing that takes one leaves.
    assert_eq!(submit(&house, "transactional", &[ADA], &signed).await.code, 250);
    let one = arrived(&house, ADA).await;
    assert_eq!(body_of(&one.content), body_of(&signed));
    let id = house.send("newsletter", ADA).await;
    house.until_state(&id, "delivered").await;
}

#[tokio::test]
async fn eprivacy13_4_without_pages_marketing_is_refused_and_a_receipt_is_not() {
    let house = House::built(|plan| plan.delivery.pages = None).await;
    consent(&house, ADA).await;
    let http = html_letter("newsletter", &house.shop.from, &[ADA]);
    refused_everywhere(&house, "newsletter", &news(&house.shop.from, ""), &http).await;
    let id = house.send("transactional", ADA).await;
    house.until_state(&id, "delivered").await;
    assert_eq!(house.mx.received().len(), 1);
}

/// A second marketing stream of the shop, which it may use.
async fn alone(house: &House, footer: Footer) {
    let shop = &house.shop;
    let purposes = [PurposeId::of_stream(shop.newsletter)];
    let terms = Terms { footer, ..Terms::default() };
    let new = NewStream { name: "alone", kind: StreamKind::Marketing, about: "news", purposes: &purposes, terms };
    let stream = house.store.create_stream_for(shop.controller, &new).await.unwrap();
    let streams = [shop.transactional, shop.newsletter, stream];
    let operations = &model::instruction::Operation::ALL;
    house.store.issue_instruction(shop.controller, operations, &streams, 1_000_000).await.unwrap();
}

async fn key_for_all(house: &House) -> Tenant {
    let shop = &house.shop;
    let streams: Vec<_> = house.store.streams(shop.controller).iter().map(|stream| stream.id).collect();
    let new =
        store::NewCredential { username: "all", default_stream: shop.transactional, streams: &streams, expires: None };
    let created = house.store.create_credential(shop.controller, new).await.unwrap();
    Tenant {
        credential: created.id,
        username: created.username,
        password: created.password,
        key: created.api_key,
        ..shop.clone()
    }
}

#[tokio::test]
async fn headers_alone_suit_a_signed_message_and_leave_its_body_as_it_came() {
    let mut house = House::new().await;
    consent(&house, ADA).await;
    alone(&house, Footer::HeadersAlone).await;
    house.shop = key_for_all(&house).await;
    let signed = signed_news(&house.shop.from);
    let reply = submit(&house, "alone", &[ADA], &signed).await;
    assert_eq!(reply.code, 250, "{}", reply.text);
    let one = arrived(&house, ADA).await;
    assert_eq!(body_of(&one.content), body_of(&signed));
    assert!(values(&one.content, "List-Id")[0].ends_with("<newsletter.alone.shop.example>"));
    assert!(values(&one.content, "List-Unsubscribe")[0].starts_with(&format!("<{PAGES}/u/")));
    signed_over(&house, &one.content, &FIELDS);
    assert!(!bearer(&house.shop).is_empty());
}

#[tokio::test]
async fn rfc2919_mail_for_a_list_below_a_purpose_names_the_list_and_leads_out_of_it_alone() {
    let house = House::new().await;
    let shop = &house.shop;
    consent(&house, ADA).await;
    let text = |title: &str| PurposeText { title: title.to_owned(), description: "Every week.".to_owned() };
    let texts = BTreeMap::from([("en".to_owned(), text("Wéekly"))]);
    let purpose = PurposeId::of_stream(shop.newsletter);
    let list: ListId = house.store.create_list(shop.controller, purpose, "weekly", texts).await.unwrap();
    let mut body = letter(Some("newsletter"), &shop.from, &[ADA]);
    body["purpose"] = "weekly".into();
    let id = http_told(&house.post(shop, "/v1/messages", &body).await).id();
    let one = arrived(&house, ADA).await;
    let list_id = values(&one.content, "List-Id").remove(0);
    assert!(list_id.ends_with("<weekly.newsletter.shop.example>") && list_id.contains("=?utf-8?"), "{list_id}");
    let url = values(&one.content, "List-Unsubscribe").remove(0);
    let link = opened(&house, url.split('>').next().unwrap());
    let inner: MessageId = house.inner(&id);
    assert_eq!((link.target, link.message), (LinkTarget::Unsubscribe { purpose, list: Some(list) }, Some(inner)));
    signed_over(&house, &one.content, &FIELDS);
    assert_eq!(last(&house.until_state(&id, "delivered").await)["event"], "delivered");
}
