//! GDPR Art. 14: people whose data came from somebody else are informed within a month. When it is over and nobody said
//! that they were, marketing to them stops; their other mail, and everybody else's, goes on.

use super::house::{ADA, BOB, HOUR, House, MINUTE, Tenant, bearer, http_told, json_of, last, letter};
use super::keeping::{asked_link, notice, posted, sign_up};
use ledger::{Entry, Folder};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::http::HttpAnswer;
use testkit::mx::Conduct;

const DAY: Duration = Duration::from_secs(86_400);
const CAM: &str = "cam@dest.example";

/// ADA and CAM came from a partner, BOB was asked by the shop itself. It is 15 January 2027.
const FILE: &str = "email,consent_at,source,obtained\r\n\
    ada@dest.example,2027-01-10,a partner,third-party\r\n\
    cam@dest.example,2027-01-12,a partner,third-party\r\n\
    bob@dest.example,2027-01-10,the shop,person\r\n";

/// The same people, and nothing said of from whom.
const OWN: &str = "email,consent_at,source\r\nada@dest.example,2027-01-10,the shop\r\n";

async fn import(house: &House, who: &Tenant, text: &str) -> Value {
    let words = json!({"name": "signup", "version": 3, "language": "en", "text": "Yes, send me the newsletter."});
    assert_eq!(house.post(who, "/v1/notices", &words).await.status, 201);
    let headers = [("Authorization", bearer(who)), ("Content-Type", "text/csv".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = "/v1/imports?purpose=newsletter&basis=consent&notice=signup:3&method=double_opt_in";
    let answer = house.http.request("POST", path, &headers, text.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    json_of(&answer)
}

fn path(receipt: &Value) -> String {
    format!("/v1/imports/{}", receipt["id"].as_str().unwrap())
}

async fn news(house: &House, who: &Tenant, to: &str) -> HttpAnswer {
    house.post(who, "/v1/messages", &letter(Some("newsletter"), &who.from, &[to])).await
}

async fn arrives(house: &House, to: &str) {
    let id = http_told(&news(house, &house.shop, to).await).id();
    house.until_state(&id, "delivered").await;
}

async fn refusal(house: &House, to: &str) -> String {
    http_told(&news(house, &house.shop, to).await).rule()
}

/// How often the ledger says that people were informed.
async fn leaves(house: &House) -> usize {
    let folder = Folder::open(&house.log(&house.shop).await).unwrap();
    let kinds = folder.entries(0).unwrap().map(|entry| Entry::decode(&entry.unwrap()).unwrap());
    kinds.filter(|entry| entry.kind() == "people.informed").count()
}

#[tokio::test]
async fn art14_3_marketing_stops_when_the_month_is_over_until_they_were_informed() {
    let house = House::new().await;
    let receipt = import(&house, &house.shop, FILE).await;
    assert_eq!(receipt["inform"], json!({"rows": 2, "by": "2027-02-10", "article": "GDPR Art. 14(3)"}), "{receipt}");
    let other = house.admit("other", "other.example").await;
    import(&house, &other, OWN).await;
    // Until the last day is over nothing is refused; whether the first message informs is the controller's to see.
    house.clock.advance(26 * DAY + 11 * HOUR);
    for to in [ADA, BOB, CAM] {
        arrives(&house, to).await;
    }
    // One waits over the end of that day.
    house.mx.treat_next(ADA, Conduct::defer(451, "4.3.0 busy"));
    let waits = http_told(&news(&house, &house.shop, ADA).await).id();
    house.until_event(&waits, "deferred", 1).await;
    house.clock.advance(HOUR + MINUTE);
    assert_eq!(last(&house.until_state(&waits, "stopped").await)["rule"], "information-overdue");
    let told = json_of(&house.get(&house.shop, &format!("/v1/decisions/{waits}")).await);
    let asked = told["asked"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&asked["rule"], &asked["facts"][0]["what"]), (&json!("information-overdue"), &json!("information")));

    let answer = news(&house, &house.shop, ADA).await;
    let result = json_of(&answer)["results"][0].clone();
    assert_eq!((&result["rule"], &result["article"]), (&json!("information-overdue"), &json!("GDPR Art. 14(3)")));
    let why = house.get(&house.shop, &format!("/v1/decisions/{}", result["decision"].as_str().unwrap())).await;
    let asked = json_of(&why)["asked"][0].clone();
    assert_eq!((&asked["rule"], &asked["verdict"]), (&json!("information-overdue"), &json!("refused")));
    assert_eq!(asked["facts"][0]["until"], "2027-02-11T00:00:00.000000Z", "{asked}");
    assert!(asked["passed"].as_array().unwrap().contains(&json!("consent-unconfirmed")), "{asked}");
    let dry = json!({"stream": "newsletter", "from": house.shop.from, "recipients": [ADA, BOB]});
    let dry = json_of(&house.post(&house.shop, "/v1/decisions", &dry).await);
    assert_eq!((&dry["groups"][0]["rule"], &dry["groups"][0]["places"]), (&json!("information-overdue"), &json!([0])));

    // Each has a day of his own; who was asked himself, mail that is no marketing, and another's people are not meant.
    arrives(&house, CAM).await;
    arrives(&house, BOB).await;
    let notice = house.send("transactional", ADA).await;
    house.until_state(&notice, "delivered").await;
    http_told(&news(&house, &other, ADA).await).id();
    house.clock.advance(2 * DAY);
    assert_eq!(refusal(&house, CAM).await, "information-overdue");

    says_so(&house, &other, &receipt).await;
    arrives(&house, ADA).await;
    arrives(&house, CAM).await;
}

async fn says_so(house: &House, other: &Tenant, receipt: &Value) {
    let information = format!("{}/information", path(receipt));
    let told = json!({"on": "2027-02-12", "how": "by letter", "notice": "privacy:3:en"});
    assert_eq!(house.post(other, &information, &told).await.status, 404, "another controller's import is not there");
    for body in [
        json!({}),
        json!({"on": "2027-02-12"}),
        json!({"on": "2027-03-12", "how": "by letter"}),
        json!({"exemption": "z", "assessment": "file 7"}),
        json!({"exemption": "b"}),
        json!({"on": "2027-02-12", "how": "by letter", "by": "me"}),
    ] {
        let answer = house.post(&house.shop, &information, &body).await;
        assert_eq!(answer.status, 400, "{body} {}", answer.text());
    }
    assert_eq!(refusal(house, ADA).await, "information-overdue", "nothing was said yet");
    assert_eq!(leaves(house).await, 0);
    let answer = house.post(&house.shop, &information, &told).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = json_of(&house.get(&house.shop, &path(receipt)).await);
    assert_eq!((&shown["inform"]["said"], &shown["inform"]["until"]), (&told, &json!("2027-02-11T00:00:00.000000Z")));
    assert_eq!(shown, json_of(&answer));
    assert_eq!(leaves(house).await, 1);
}

#[tokio::test]
async fn art14_5_an_exemption_names_its_assessment_and_a_direct_import_has_no_duty() {
    let house = House::new().await;
    let (bought, own) = (import(&house, &house.shop, FILE).await, import(&house, &house.shop, OWN).await);
    assert_eq!(own.get("inform"), None, "{own}");
    let said = json!({"exemption": "a", "assessment": "file 7"});
    let answer = house.post(&house.shop, &format!("{}/information", path(&own)), &said).await;
    assert_eq!(answer.status, 400, "nobody is to be informed: {}", answer.text());
    house.clock.advance(60 * DAY);
    assert_eq!(refusal(&house, ADA).await, "information-overdue");
    let answer = house.post(&house.shop, &format!("{}/information", path(&bought)), &said).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kept = json!({"exemption": "GDPR Art. 14(5)(a)", "assessment": "file 7"});
    assert_eq!(json_of(&answer)["inform"]["said"], kept);
    arrives(&house, ADA).await;
}

#[tokio::test]
async fn art13_whoever_signs_up_himself_carries_no_duty_of_an_import() {
    let house = House::new().await;
    import(&house, &house.shop, FILE).await;
    let asked = json!({"name": "news", "purposes": ["newsletter"], "notices": [notice()]});
    let url = json_of(&house.post(&house.shop, "/v1/forms", &asked).await)["url"].as_str().unwrap().to_owned();
    sign_up(&house, &url[url.find("/f/").unwrap()..], ADA).await;
    let link = asked_link(&house, ADA, 1).await;
    assert_eq!(posted(&house, &link, "").await.status, 200);
    house.clock.advance(60 * DAY);
    arrives(&house, ADA).await;
    assert_eq!(refusal(&house, CAM).await, "information-overdue");
}
