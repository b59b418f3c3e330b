//! What strangers may do at the doors that are open to everybody, and that none of it keeps others from theirs.

use super::house::{ADA, BOB, House, address, bearer, json_of};
use super::keeping::{notice, posted};
use model::PurposeId;
use serde_json::{Value, json};
use store::permission::{Link, LinkTarget};
use testkit::http::HttpAnswer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Publishes a form for the newsletter; its path.
async fn published(house: &House) -> String {
    let asked = json!({"name": "news", "purposes": ["newsletter"], "notices": [notice()]});
    let answer = house.post(&house.shop, "/v1/forms", &asked).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let url = json_of(&answer)["url"].as_str().unwrap().to_owned();
    url[url.find("/f/").unwrap()..].to_owned()
}

/// A request of which only the head comes, announcing so many octets.
async fn silent(house: &House, path: &str, key: Option<&str>, octets: usize) -> TcpStream {
    let mut stream = TcpStream::connect(house.http_at).await.unwrap();
    let key = key.map(|key| format!("Authorization: {key}\r\n")).unwrap_or_default();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{key}Content-Type: application/json\r\nContent-Length: {octets}\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The largest body that the API takes.
const LARGEST: usize = 36 * 1024 * 1024;

#[tokio::test]
async fn art32_1_b_requests_that_announce_and_do_not_come_keep_nobody_from_withdrawing() {
    let house = House::new().await;
    let form = published(&house).await;
    house.consent(ADA).await;
    let key = bearer(&house.shop);
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(silent(&house, &form, None, LARGEST).await);
        open.push(silent(&house, "/v1/messages", Some(&key), LARGEST).await);
    }
    house.withdraw(ADA).await;
    house.suppress(&house.shop, BOB, "marketing", "objection").await;
    house.send("transactional", ADA).await;
    // Twin: what a stranger sends beyond his 16 KiB is refused, and within them it is read.
    let long = json!({"email": ADA, "purposes": ["x".repeat(17_000)]}).to_string();
    assert_eq!(house.http.post_json(&form, &[], &long).await.unwrap().status, 413);
    let unknown = json!({"email": ADA, "purposes": ["pur_unknown"]}).to_string();
    assert_eq!(house.http.post_json(&form, &[], &unknown).await.unwrap().status, 400);
    drop(open);
}

#[tokio::test]
async fn art32_1_b_no_body_is_larger_than_its_route_needs() {
    let house = House::new().await;
    let mut counted = 0;
    for (path, most) in [
        ("/v1/consents", 64),
        ("/v1/consents/withdraw", 64),
        ("/v1/consents/export", 64),
        ("/v1/suppressions", 64),
        ("/v1/hosts", 64),
        ("/v1/decisions/search", 64),
        ("/v1/notices", 1_024),
        ("/v1/forms", 1_024),
        ("/v1/agreements", 1_024),
        ("/v1/instructions", 1_024),
        ("/v1/profile", 1_024),
    ] {
        let body = |octets: usize| json!({"x": "y".repeat(octets)});
        let answer = house.post(&house.shop, path, &body(most * 1_024)).await;
        assert_eq!(answer.status, 413, "{path}: {}", answer.text());
        let answer = house.post(&house.shop, path, &body(most * 1_024 - 100)).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        counted += 1;
    }
    assert_eq!(counted, 11);
}

#[tokio::test]
async fn art5_1_c_what_is_told_of_a_consent_has_its_bound() {
    let house = House::new().await;
    let told = async |details: Value| {
        let body = json!({"email": ADA, "stream": "newsletter", "kind": "consent", "confirmed": true,
            "details": details});
        let answer = house.post(&house.shop, "/v1/consents", &body).await;
        (answer.status, json_of(&answer)["field"].clone())
    };
    assert_eq!(told(json!({"fair": "x".repeat(5_000)})).await, (400, "details".into()));
    let many: serde_json::Map<_, _> = (0..33).map(|at| (format!("m{at}"), json!(1))).collect();
    assert_eq!(told(Value::Object(many)).await, (400, "details".into()));
    assert_eq!(told(json!({"fair": "x".repeat(3_000)})).await.0, 201);
}

/// Ada's link for one click.
fn leave_link(house: &House, to: &str) -> String {
    let controller = house.shop.controller;
    let tag = house.store.tag_of(controller, &address(to)).unwrap();
    let target = LinkTarget::Unsubscribe { purpose: PurposeId::of_stream(house.shop.newsletter), list: None };
    let link = Link { controller, tag, target, message: None };
    format!("/u/{}", house.store.link_token(&link).unwrap())
}

async fn post_as(house: &House, path: &str, kind: &str, body: &str) -> HttpAnswer {
    house.http.request("POST", path, &[("Content-Type", kind)], body.as_bytes()).await.unwrap()
}

#[tokio::test]
async fn rfc8058_3_2_one_click_is_done_as_multipart_and_urlencoded_and_nothing_else_is() {
    let house = House::new().await;
    let multipart =
        "--=_b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--=_b--\r\n";
    let kinds = [
        ("multipart/form-data; boundary=\"=_b\"", multipart),
        ("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"),
        ("text/plain", "List-Unsubscribe=One-Click"),
    ];
    for (number, (kind, body)) in kinds.into_iter().enumerate() {
        let to = format!("r{number}@dest.example");
        house.consent(&to).await;
        let link = leave_link(&house, &to);
        // Twin: without the pair nothing is done.
        for other in [body.replace("One-Click", "Later"), body.replace("List-Unsubscribe", "X"), String::new()] {
            assert_eq!(post_as(&house, &link, kind, &other).await.status, 404, "{kind}: {other}");
        }
        house.send("newsletter", &to).await;
        let answer = post_as(&house, &link, kind, body).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "unsubscribed\n"), "{kind}");
        let told = house.by_http(&house.shop, Some("newsletter"), &house.shop.from, &to).await;
        assert_eq!(told.rule(), "suppressed", "{kind}");
    }
    assert_eq!(posted(&house, "/u/unknown", "List-Unsubscribe=One-Click").await.status, 404);
}

#[tokio::test]
async fn law_r5_sign_ups_of_a_network_are_counted_by_controller_and_junk_shuts_none() {
    let house = House::new().await;
    let form = published(&house).await;
    let junk = form.replace("/news", "/other");
    for _ in 0..100 {
        assert_eq!(posted(&house, &junk, "email=x").await.status, 404);
    }
    let page = house.http.get(&form, &[]).await.unwrap().text();
    let value = |name: &str| super::showing::value(&page, name);
    let sign_up = async |number: usize| {
        let (purpose, shown) = (value("purpose"), value("form_version"));
        let sent =
            format!("email=p{number}%40dest.example&purpose={purpose}&language=en&form_version={shown}&homepage=");
        posted(&house, &form, &sent).await.status
    };
    for number in 0..20 {
        assert_eq!(sign_up(number).await, 200);
    }
    assert_eq!(sign_up(20).await, 429);
    // And whatever it asks for, a network has its bound.
    let mut last = 0;
    for _ in 0..300 {
        last = posted(&house, &junk, "email=x").await.status;
    }
    assert_eq!(last, 429);
    assert_eq!(posted(&house, "/u/unknown", "List-Unsubscribe=One-Click").await.status, 404, "leaving has none");
}

#[tokio::test]
async fn art32_1_b_dry_runs_that_do_not_come_keep_nobody_from_asking() {
    let house = House::new().await;
    let key = bearer(&house.shop);
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(silent(&house, "/v1/decisions", Some(&key), LARGEST).await);
    }
    let ask = async || {
        let body = json!({"stream": "transactional", "recipients": [ADA]});
        house.post(&house.shop, "/v1/decisions", &body).await
    };
    let answer = ask().await;
    assert_eq!((answer.status, &json_of(&answer)["queued"]), (200, &json!(1)), "{}", answer.text());
    assert_eq!(ask().await.status, 200, "its turn ends with its answer");
    drop(open);
}

/// An import that sends its first row and no more.
async fn silent_import(house: &House, key: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(house.http_at).await.unwrap();
    let text = "email,consent_at\r\n";
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Type: text/csv\r\n\
         Content-Length: 1000000\r\n\r\n{text}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn art32_1_b_one_controllers_import_lets_anothers_in_and_not_a_second_of_his() {
    let house = House::new().await;
    let import = "/v1/imports?purpose=newsletter&basis=consent&notice=elsewhere&source=x&method=form";
    let import_of = async |who: &super::house::Tenant| {
        let key = bearer(who);
        let headers = [("Authorization", key.as_str()), ("Content-Type", "text/csv")];
        let text = "email,consent_at\r\nada@dest.example,2025-03-01\r\n";
        house.http.request("POST", import, &headers, text.as_bytes()).await.unwrap()
    };
    let open = silent_import(&house, &bearer(&house.shop), import).await;
    // It has its turn as soon as it was authenticated.
    let refused = loop {
        let answer = import_of(&house.shop).await;
        if answer.status == 503 {
            break answer;
        }
        assert_eq!(answer.status, 201, "{}", answer.text());
    };
    assert!(refused.text().contains("another one of yours"), "{}", refused.text());
    let agency = house.admit("agency", "agency.example").await;
    let answer = import_of(&agency).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    drop(open);
}
