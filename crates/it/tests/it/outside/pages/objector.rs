//! A person who signed up and objected on his pages stays away, however a file spells him (GDPR Art. 21(3)).

use super::{Pages, path};
use serde_json::{Value, json};

const JUDY: &str = "judy@xn--bcher-kva.example";

impl Pages {
    async fn import(&self, text: &str) -> Value {
        let key = format!("Bearer {}", self.demo.text("/api_key"));
        let fields = [("Authorization", key.as_str()), ("Content-Type", "text/csv")];
        let path = "/v1/imports?purpose=newsletter&basis=consent&notice=elsewhere&source=the+shop&method=double_opt_in";
        let answer = self.http().request("POST", path, &fields, text.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn art21_3_who_objected_on_his_page_is_not_raised_by_a_file_in_another_spelling() {
    let pages = Pages::open().await;
    let link = pages.sign_up(JUDY).await;
    assert_eq!(pages.post(path(&link), "").await.status, 200);
    assert_eq!(pages.refusal(JUDY, "for judy").await, None);
    let news = pages.demo.arrived("for judy").await;
    let text = news["text"].as_str().unwrap();
    let why = text.split_whitespace().find(|word| word.contains("/w/")).expect("why, in the footer");
    assert_eq!(pages.post(path(why), "right=object").await.status, 200);
    assert_eq!(pages.refusal(JUDY, "no more").await.as_deref(), Some("objected"));

    for (number, spelt) in [
        "JUDY@XN--BCHER-KVA.EXAMPLE",
        "judy@bücher.example",
        "Judy@BÜCHER.example",
        "\"\"\"judy\"\"@bücher.example\"",
        "judy@bücher\u{3002}example",
        "judy@ｂücher.ｅｘａｍｐｌｅ",
    ]
    .into_iter()
    .enumerate()
    {
        let twin = format!("twin{number}@dest.example");
        let receipt = pages.import(&format!("email,consent_at\r\n{spelt},2025-03-01\r\n{twin},2025-03-01\r\n")).await;
        assert_eq!(receipt["counts"]["blocked"], json!(1), "{spelt}: {receipt}");
        assert_eq!(receipt["counts"]["contacts"], json!(1), "{spelt}: {receipt}");
        for to in [JUDY, "Judy@bücher.example"] {
            assert_eq!(pages.refusal(to, "never").await.as_deref(), Some("objected"), "{spelt}");
        }
        // Twin: the other one came in. His consent has no words that are kept, so it is refused for that.
        assert_ne!(pages.refusal(&twin, "twin").await.as_deref(), Some("no-basis"), "{spelt}");
    }
}
