//! Agreements and instructions through the real doors: what is signed is what is shown; what is not in force carries
//! nothing; what looks infringing is held, told with its article, and neither obeyed nor dropped.

use super::harness::demo::message;
use super::harness::tools::run_postern;
use super::harness::{Demo, Place};
use super::pages::Pages;
use serde_json::{Value, json};
use testkit::http::Http;

/// The demo and its controller's key.
struct Authority {
    pages: Pages,
}

impl Authority {
    async fn open() -> Self {
        Self { pages: Pages::open().await }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        ask(&self.pages.demo, method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {answer:#}");
        answer
    }

    /// The newest agreement or instruction.
    async fn newest(&self, what: &str) -> Value {
        self.get(&format!("/v1/{what}")).await[what].as_array().unwrap().last().unwrap().clone()
    }

    /// Writes an instruction that says what the newest says, with a change, and gives it.
    async fn instruct(&self, change: impl Fn(&mut Value)) -> Value {
        let newest = self.newest("instructions").await;
        let mut content =
            self.get(&format!("/v1/instructions/{}/document", text(&newest, "id"))).await["content"].take();
        change(&mut content);
        let (status, draft) = self.ask("POST", "/v1/instructions", Some(&json!({"content": content}))).await;
        assert_eq!((status, &draft["state"]), (201, &json!("proposed")), "{draft:#}");
        let path = format!("/v1/instructions/{}/issue", text(&draft, "id"));
        let (status, given) = self.ask("POST", &path, Some(&signer())).await;
        assert_eq!(status, 200, "{given:#}");
        given
    }

    async fn turn(&self, id: &str, state: &str) -> (u16, Value) {
        self.ask("POST", &format!("/v1/agreements/{id}/state"), Some(&json!({"state": state}))).await
    }

    /// What the gate says of a newsletter to somebody who consented, and of a receipt.
    async fn refusals(&self, subject: &str) -> [Option<String>; 2] {
        let ada = self.pages.demo.text("/consented/0").to_owned();
        let news = self.pages.refusal(&ada, subject).await;
        let receipt = self.pages.demo.post(&message("transactional", &ada, subject)).await;
        let told: Value = serde_json::from_slice(&receipt.body).unwrap();
        let receipt = (receipt.status != 202).then(|| told["rule"].as_str().unwrap().to_owned());
        [news, receipt]
    }
}

async fn ask(demo: &Demo, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let key = format!("Bearer {}", demo.text("/api_key"));
    let fields = [("Authorization", key.as_str()), ("Content-Type", "application/json")];
    let body = body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
    let answer = Http::plain(demo.address("http")).request(method, path, &fields, &body).await.unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value:#}"))
}

fn signer() -> Value {
    json!({"name": "Sam Sample", "capacity": "managing director"})
}

#[tokio::test(flavor = "multi_thread")]
async fn art28_3_what_is_signed_is_what_is_shown_and_nothing_is_carried_while_it_is_not_in_force() {
    let shop = Authority::open().await;
    let first = shop.newest("agreements").await;
    assert_eq!((text(&first, "state"), first["version"].as_u64()), ("in-force", Some(1)), "{first:#}");
    let sides: Vec<&str> = first["signatures"].as_array().unwrap().iter().map(|one| text(one, "side")).collect();
    assert_eq!(sides, ["controller", "processor"]);
    let (id, key) = (text(&first, "id"), format!("Bearer {}", shop.pages.demo.text("/api_key")));
    let http = Http::plain(shop.pages.demo.address("http"));
    let fields = [("Authorization", key.as_str()), ("Accept", "text/plain")];
    let octets = http.get(&format!("/v1/agreements/{id}/document"), &fields).await.unwrap().body;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &octets);
    assert_eq!(model::ids::hex(digest.as_ref()), text(&first, "sha256"), "the hash is that of the octets");
    let page = http.get(&format!("/v1/agreements/{id}/page"), &fields).await.unwrap().text();
    assert!(page.contains(text(&first, "sha256")) && page.contains("Sample Shop"), "{page}");
    assert_eq!(shop.refusals("under an agreement").await, [None, None]);

    // Suspended: nothing is taken in, nothing collected; leaving works; who suspended it takes it up again.
    assert_eq!(shop.turn(id, "suspended").await.0, 200);
    let closed = || Some("agreement-not-in-force".to_owned());
    assert_eq!(shop.refusals("suspended").await, [closed(), closed()]);
    assert_eq!(shop.pages.get(&shop.pages.form()).await.status, 404, "no form is shown");
    let (status, told) = shop.turn(id, "signed").await;
    assert_eq!(status, 409, "{told:#}");
    assert_eq!(shop.turn(id, "in-force").await.0, 200);
    assert_eq!(shop.refusals("taken up again").await, [None, None]);
    assert_eq!(shop.pages.get(&shop.pages.form()).await.status, 200);

    // A new version by the template: the operator offers it, one signature more and it is in force.
    let party = json!({"name": "Sample Shop", "address": "1 Example Street", "contact": "privacy@sample.example"});
    let drafted = json!({"preset": "both", "controller": party});
    let (status, draft) = shop.ask("POST", "/v1/agreements", Some(&drafted)).await;
    assert_eq!((status, text(&draft, "state")), (201, "draft"), "{draft:#}");
    assert_eq!(shop.refusals("a draft hides nothing").await, [None, None]);
    let path = format!("/v1/agreements/{}/signature", text(&draft, "id"));
    assert_eq!(shop.ask("POST", &path, Some(&json!({"name": " ", "capacity": "x"}))).await.0, 400);
    let (status, signed) = shop.ask("POST", &path, Some(&signer())).await;
    assert_eq!((status, text(&signed, "state")), (200, "in-force"), "{signed:#}");
    assert_eq!(shop.ask("POST", &path, Some(&signer())).await.0, 409, "once");
    assert_eq!(text(&shop.get(&format!("/v1/agreements/{id}")).await, "state"), "ended");
    assert_eq!(shop.refusals("under the second").await, [None, None]);

    // Ended is ended.
    assert_eq!(shop.turn(text(&draft, "id"), "ended").await.0, 200);
    assert_eq!(shop.refusals("over").await, [closed(), closed()]);
    assert_eq!(shop.turn(text(&draft, "id"), "in-force").await.0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn art28_3_own_words_wait_for_the_operator_and_what_is_missing_is_named() {
    let shop = Authority::open().await;
    let first = shop.newest("agreements").await;
    let mut content = shop.get(&format!("/v1/agreements/{}/document", text(&first, "id"))).await["content"].take();
    content["clauses"]["g"] = json!("");
    let (status, problem) = shop.ask("POST", "/v1/agreements", Some(&json!({"content": content}))).await;
    assert_eq!((status, text(&problem, "field")), (400, "clauses.g"), "{problem:#}");
    assert!(text(&problem, "detail").contains("GDPR Art. 28(3)(g)"), "{problem:#}");
    content["clauses"]["g"] = json!("Everything is given back and then deleted, within ten days.");
    let (status, draft) = shop.ask("POST", "/v1/agreements", Some(&json!({"content": content}))).await;
    assert_eq!(status, 201, "{draft:#}");
    let path = format!("/v1/agreements/{}/signature", text(&draft, "id"));
    let (status, signed) = shop.ask("POST", &path, Some(&signer())).await;
    assert_eq!((status, text(&signed, "state")), (200, "draft"), "one signature concludes nothing: {signed:#}");
    assert_eq!(text(&shop.newest("agreements").await, "state"), "draft");
    assert_eq!(shop.refusals("the first is in force").await, [None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn art28_3_an_infringing_instruction_is_held_and_told_and_neither_obeyed_nor_dropped() {
    let shop = Authority::open().await;
    let stream = |content: &Value, name: &str| {
        content["streams"].as_array().unwrap().iter().position(|one| one["name"] == name).unwrap()
    };
    let held = shop
        .instruct(|content| {
            let at = stream(content, "newsletter");
            content["streams"][at]["opt_out"] = json!("none");
            content["streams"][at]["retention"]["timeline"] = json!("without-end");
        })
        .await;
    assert_eq!(text(&held, "state"), "held", "{held:#}");
    let articles: Vec<&str> = held["findings"].as_array().unwrap().iter().map(|one| text(one, "article")).collect();
    assert_eq!(articles, ["ePrivacy Art. 13(4); GDPR Art. 21(3)", "GDPR Art. 5(1)(e)"]);
    let told = shop.get("/v1/notifications").await;
    let newest = &told["notifications"][0];
    assert_eq!(text(newest, "kind"), "instruction-held");
    assert!(text(newest, "text").contains("ePrivacy Art. 13(4)"), "{told:#}");
    let subject = format!("An instruction is held ({})", text(&held, "id"));
    let mail = shop.pages.demo.arrived_for("privacy@sample.example", &subject).await;
    assert!(text(&mail, "text").contains("GDPR Art. 5(1)(e)"));
    // The one before is still obeyed: the newsletter leaves with its way out.
    let ada = shop.pages.demo.text("/consented/0").to_owned();
    assert_eq!(shop.pages.refusal(&ada, "as before").await, None);
    let news = shop.pages.demo.arrived("as before").await;
    assert!(news["headers"].to_string().to_lowercase().contains("list-unsubscribe-post"), "{news:#}");
    // What leaves no room is amended, not confirmed.
    let statement = json!({"name": "Sam Sample", "capacity": "owner", "statement": "we want it so"});
    let path = format!("/v1/instructions/{}/confirmation", text(&held, "id"));
    let (status, refused) = shop.ask("POST", &path, Some(&statement)).await;
    assert_eq!(status, 409, "{refused:#}");
    assert!(text(&refused, "detail").contains("amended"), "{refused:#}");

    // What turns on facts that the controller alone knows, he confirms.
    let held = shop
        .instruct(|content| {
            let at = stream(content, "newsletter");
            content["streams"][at]["opt_out"] = json!("one-click");
            content["streams"][at]["retention"]["timeline"] = json!({"days": 90});
            content["streams"][at]["consent"]["condition"] = json!("required");
        })
        .await;
    assert_eq!((text(&held, "state"), held["findings"].as_array().unwrap().len()), ("held", 1), "{held:#}");
    assert_eq!(held["findings"][0]["can_be_confirmed"], json!(true));
    let path = format!("/v1/instructions/{}/confirmation", text(&held, "id"));
    let (status, confirmed) = shop.ask("POST", &path, Some(&statement)).await;
    assert_eq!((status, text(&confirmed, "state")), (200, "in-force"), "{confirmed:#}");
    assert_eq!(shop.ask("POST", &path, Some(&statement)).await.0, 409, "once");

    // Art. 32(1)(a): a verified server may be asked for.
    shop.instruct(|content| content["streams"][0]["tls_floor"] = json!("verified")).await;

    // What cannot be done here is refused when it is written, with its place.
    let newest = shop.newest("instructions").await;
    let mut content = shop.get(&format!("/v1/instructions/{}/document", text(&newest, "id"))).await["content"].take();
    content["streams"][0]["retention"]["body"] = json!({"days": 30});
    let (status, problem) = shop.ask("POST", "/v1/instructions", Some(&json!({"content": content}))).await;
    assert_eq!((status, text(&problem, "field")), (400, "streams[0].retention.body"), "{problem:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn art28_3_a_stream_that_is_instructed_no_more_carries_nothing_and_a_narrower_agreement_holds_the_rest() {
    let shop = Authority::open().await;
    let given = shop
        .instruct(|content| content["streams"].as_array_mut().unwrap().retain(|one| one["name"] != "newsletter"))
        .await;
    assert_eq!(text(&given, "state"), "in-force", "{given:#}");
    assert_eq!(shop.refusals("receipts alone").await, [Some("operation-not-instructed".to_owned()), None]);

    let (status, draft) =
        shop.ask("POST", "/v1/instructions", Some(&json!({"preset": "both", "issued_by": "S"}))).await;
    assert_eq!((status, draft["findings"].as_array().unwrap().len()), (201, 0), "{draft:#}");
    let path = format!("/v1/instructions/{}/issue", text(&draft, "id"));
    assert_eq!(text(&shop.ask("POST", &path, Some(&signer())).await.1, "state"), "in-force");
    assert_eq!(shop.refusals("both again").await, [None, None]);

    // An agreement for newsletters alone covers no receipts: the instruction is held, and mail waits.
    let party = json!({"name": "Sample Shop", "address": "1 Example Street", "contact": "privacy@sample.example"});
    let (_, offer) =
        shop.ask("POST", "/v1/agreements", Some(&json!({"preset": "newsletter", "controller": party}))).await;
    let path = format!("/v1/agreements/{}/signature", text(&offer, "id"));
    assert_eq!(shop.ask("POST", &path, Some(&signer())).await.0, 200);
    assert_eq!(text(&shop.newest("instructions").await, "state"), "held");
    let told = shop.get("/v1/notifications").await;
    assert!(text(&told["notifications"][0], "text").contains("the agreement does not cover"), "{told:#}");
    let receipt = shop.pages.demo.post(&message("transactional", shop.pages.demo.text("/consented/0"), "waits")).await;
    let answer: Value = serde_json::from_slice(&receipt.body).unwrap();
    assert_eq!((receipt.status, &answer["results"][0]["status"]), (202, &json!("held")), "{answer:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn art28_9_the_operator_signs_what_was_proposed_to_him_at_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let (_, known) = ask(&demo, "GET", "/v1/agreements", None).await;
    let first = text(&known["agreements"][0], "id").to_owned();
    let mut content = ask(&demo, "GET", &format!("/v1/agreements/{first}/document"), None).await.1["content"].take();
    content["audit"]["notice_days"] = json!(2);
    let (_, draft) = ask(&demo, "POST", "/v1/agreements", Some(&json!({"content": content}))).await;
    let id = text(&draft, "id").to_owned();
    assert_eq!(ask(&demo, "POST", &format!("/v1/agreements/{id}/signature"), Some(&signer())).await.0, 200);
    let (data, controller) = (demo.text("/data").to_owned(), demo.text("/controller").to_owned());
    let whose = ["--controller", &controller, "--data", &data];
    let in_use = run_postern(&[&["agreement", "list"][..], &whose].concat()).await.refusal();
    assert!(in_use.contains("in use"), "{in_use}");
    assert!(demo.terminate().await.success());

    let said = run_postern(&[&["agreement", "show", &id][..], &whose].concat()).await.good();
    assert!(said.contains(text(&draft, "sha256")), "{said}");
    let by = ["--name", "Olga Operator", "--capacity", "director"];
    let said = run_postern(&[&["agreement", "sign", &id][..], &by, &whose].concat()).await.good();
    assert!(said.contains("in-force") && said.contains("controller and processor"), "{said}");
    let said = run_postern(&[&["agreement", "suspend", &id][..], &whose].concat()).await.good();
    assert!(said.contains("suspended"), "{said}");

    // What the operator suspended, the controller cannot take up; the one before does not come back.
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let asked = message("transactional", "ada@dest.example", "suspended");
    assert_eq!(demo.post(&asked).await.status, 403);
    let path = format!("/v1/agreements/{id}/state");
    assert_eq!(ask(&demo, "POST", &path, Some(&json!({"state": "in-force"}))).await.0, 409);
    assert_eq!(text(&ask(&demo, "GET", &format!("/v1/agreements/{first}"), None).await.1, "state"), "ended");

    // Nor can it be replaced by what the operator offers to everybody, not even after the controller has ended it.
    for step in ["while it is suspended", "after it was ended"] {
        let (status, draft) = ask(&demo, "POST", "/v1/agreements", Some(&preset_for("Sample Shop"))).await;
        assert_eq!((status, draft["signatures"].as_array().map(Vec::len)), (201, Some(0)), "{step}: {draft:#}");
        let signing = format!("/v1/agreements/{}/signature", text(&draft, "id"));
        let (status, signed) = ask(&demo, "POST", &signing, Some(&signer())).await;
        assert_eq!((status, text(&signed, "state")), (200, "draft"), "{step}: {signed:#}");
        assert_eq!(demo.post(&asked).await.status, 403, "{step}");
        let (status, _) = ask(&demo, "POST", &path, Some(&json!({"state": "ended"}))).await;
        assert_eq!(status, if step.starts_with("while") { 200 } else { 409 });
    }
    let newest = ask(&demo, "GET", "/v1/agreements", None).await.1["agreements"].as_array().unwrap().last().cloned();
    let newest = text(&newest.unwrap(), "id").to_owned();
    assert!(demo.terminate().await.success());
    let said = run_postern(&[&["agreement", "sign", &newest][..], &by, &whose].concat()).await.good();
    assert!(said.contains("in-force"), "{said}");
    let demo = Demo::start(Place::on_sqlite(folder.path())).await;
    assert_eq!(demo.post(&asked).await.status, 202, "he has signed himself");
}

fn preset_for(name: &str) -> Value {
    json!({"preset": "both", "controller": {
        "name": name, "address": "1 Example Street", "contact": "privacy@sample.example",
    }})
}

/// What stands above the operator's standing signature is who the other side is, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn art28_3_the_operators_standing_signature_is_not_lent_to_other_words_or_other_names() {
    let shop = Authority::open().await;
    let (long, turned) = ("x".repeat(201), "Sample\u{202e}Shop");
    let wrong = [
        ("/controller/name", json!(long), "controller.name"),
        ("/controller/name", json!(turned), "controller.name"),
        ("/controller/address", json!("one line\n".repeat(9)), "controller.address"),
        ("/controller/contact", json!("a\nb"), "controller.contact"),
        ("/review_due", json!("9999-12-31"), "review_due"),
        ("/review_due", json!("2020-01-01"), "review_due"),
    ];
    for (place, value, field) in wrong {
        let mut asked = preset_for("Sample Shop");
        asked["review_due"] = json!(null);
        *asked.pointer_mut(place).unwrap() = value;
        let (status, problem) = shop.ask("POST", "/v1/agreements", Some(&asked)).await;
        assert_eq!((status, text(&problem, "field")), (400, field), "{problem:#}");
    }
    // Another company waits for the operator's own hand.
    let (status, draft) = shop.ask("POST", "/v1/agreements", Some(&preset_for("Somebody Else AG"))).await;
    assert_eq!((status, draft["signatures"].as_array().map(Vec::len)), (201, Some(0)), "{draft:#}");
    let (_, offered) = shop.ask("POST", "/v1/agreements", Some(&preset_for("Sample Shop"))).await;
    assert_eq!(offered["signatures"][0]["side"], json!("processor"), "{offered:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn eprivacy13_4_people_are_told_the_name_that_the_controller_gives_itself() {
    let shop = Authority::open().await;
    let mut profile = shop.get("/v1/profile").await;
    profile["sender"] = json!("hello@elsewhere.example");
    let (status, problem) = shop.ask("POST", "/v1/profile", Some(&profile)).await;
    assert_eq!((status, text(&problem, "field")), (400, "sender"), "{problem:#}");
    profile["sender"] = json!("news@sample.example");
    profile["name"] = json!("Shop\nof others");
    let (status, problem) = shop.ask("POST", "/v1/profile", Some(&profile)).await;
    assert_eq!((status, text(&problem, "field")), (400, "name"), "{problem:#}");
    profile["name"] = json!("Ada's Books");
    assert_eq!(shop.ask("POST", "/v1/profile", Some(&profile)).await, (200, profile.clone()));
    let ada = shop.pages.demo.text("/consented/0").to_owned();
    assert_eq!(shop.pages.refusal(&ada, "by its new name").await, None);
    let news = shop.pages.demo.arrived("by its new name").await;
    assert!(text(&news, "text").contains("Ada's Books"), "{news:#}");
    assert!(shop.pages.get(&shop.pages.form()).await.text().contains("Ada&#39;s Books"));
}
