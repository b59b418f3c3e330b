//! The same in a real browser, every page looked at by axe-core (WCAG 2.2 AA).

use super::super::harness::tools::{run, tools, word};
use super::{Pages, one_click};
use serde_json::{Value, json};
use std::path::Path;

const PERSON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/outside/pages/person.js");

/// Goes through pages; answers what was seen. Fails when anything is wrong with any of them.
async fn person(steps: &Value, locale: &str) -> Vec<Value> {
    let modules = format!("NODE_PATH={}", word(&tools().join("node/node_modules")));
    let said = run("env", &[&modules, "node", word(Path::new(PERSON)), &steps.to_string(), locale]).await.good();
    let told: Value = serde_json::from_str(&said).unwrap();
    let seen = told["seen"].as_array().unwrap().clone();
    assert!(!seen.is_empty());
    for page in &seen {
        assert_eq!(page["violations"], json!([]), "{page:#}");
        assert_eq!((&page["wide"], &page["cookies"]), (&json!(false), &json!(0)), "{page:#}");
    }
    assert_eq!(told["faults"], json!([]), "{told:#}");
    assert_eq!(told["hosts"].as_array().unwrap().len(), 1, "nobody else was asked for anything: {told:#}");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn wcag22_a_person_with_a_browser_signs_up_and_chooses() {
    let pages = Pages::open().await;
    let (base, heidi) = (pages.demo.text("/http").to_owned(), "heidi@dest.example");
    let at = |path: &str| format!("{base}{path}");
    let seen = person(
        &json!([
            {"goto": at(&pages.form())}, {"width": 320}, {"fill": ["#email", heidi]}, {"press": "button[type=submit]"},
            {"check": "#purpose-1"}, {"press": "button[type=submit]"},
        ]),
        "en-GB",
    )
    .await;
    assert_eq!(seen.iter().map(|page| page["status"].as_u64().unwrap()).collect::<Vec<_>>(), [200, 200, 422, 200]);
    let link = pages.link_for(heidi).await;
    let steps = json!([{"goto": at(super::path(&link))}, {"press": "main form button"}]);
    person(&steps, "en-GB").await;
    assert_eq!(pages.refusal(heidi, "for heidi").await, None);

    let news = pages.demo.arrived("for heidi").await;
    let text = news["text"].as_str().unwrap().to_owned();
    let of = |letter: &str| {
        let word = text.split_whitespace().find(|word| word.contains(&format!("/{letter}/")));
        at(super::path(word.unwrap_or_else(|| panic!("a link /{letter}/ in {text}"))))
    };
    let why = person(&json!([{"goto": of("w")}, {"press": "button[value=access]"}]), "de-DE").await;
    assert_eq!((&why[0]["language"], &why[1]["language"]), (&json!("de"), &json!("de")));
    assert!(why[0]["text"].as_str().unwrap().contains("Sample Shop"), "{why:#?}");

    let own = of("p");
    // Off on her own page; and on again she is asked first, for she holds no more than the link of a mail.
    person(&json!([{"goto": own}, {"uncheck": "input[name=purpose]"}, {"press": "main form button"}]), "en-GB").await;
    assert_eq!(pages.refusal(heidi, "not now").await.as_deref(), Some("suppressed"));
    let on = json!([{"goto": own}, {"check": "input[name=purpose]"}, {"press": "main form button"}]);
    let seen = person(&on, "de-DE").await;
    assert!(seen[1]["text"].as_str().unwrap().contains("brauchen wir Ihr Wort aus Ihrem Postfach"), "{seen:#?}");
    assert_eq!(pages.refusal(heidi, "again").await.as_deref(), Some("suppressed"));
    // She answered her mailbox a moment ago: behind that link the page takes her word.
    let fresh = at(&super::path(&link).replace("/c/", "/p/"));
    person(&json!([{"goto": fresh}, {"check": "input[name=purpose]"}, {"press": "main form button"}]), "en-GB").await;
    assert_eq!(pages.refusal(heidi, "again").await, None);
    // And rarer, which the page shows as her choice from then on.
    let rarer = json!([{"goto": own}, {"check": "#frequency-monthly"}, {"press": "main form button"}]);
    let seen = person(&rarer, "nl-NL").await;
    assert!(seen[0]["text"].as_str().unwrap().contains("Hooguit één keer per maand"), "{seen:#?}");
    assert_eq!(pages.refusal(heidi, "the one of this month").await, None);
    assert_eq!(pages.refusal(heidi, "one too many").await.as_deref(), Some("frequency-cap"));

    let out = at(super::path(&one_click(&news)));
    person(&json!([{"goto": out}, {"press": "button[value=all]"}]), "fr-FR").await;
    assert_eq!(pages.refusal(heidi, "never").await.as_deref(), Some("suppressed"));
    // Who objects is told so on her page, in words that no tick changes.
    person(&json!([{"goto": of("w")}, {"press": "button[value=object]"}]), "nl-NL").await;
    let seen = person(&on, "fr-FR").await;
    for page in &seen {
        assert!(page["text"].as_str().unwrap().contains("votre plainte à leur sujet"), "{seen:#?}");
    }
    person(&json!([{"goto": at("/u/nonsense")}, {"goto": at("/f/x/y")}]), "es-ES").await;
}
