//! Decisions explained, through the doors: before sending (the dry run), after it (on what a message rested, and what
//! the gate said each time), and instead of it (who was refused, and why).

use super::canary_forms::found;
use super::house::{ADA, BOB, HOUR, House, Tenant, address, content, json_of, letter};
use model::PurposeId;
use model::basis::{BasisKind, Evidence};
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use store::permission::{Act, Method, Preference};
use store::{NewBasis, Verified};
use testkit::mx::{Conduct, Stage};

const DAY: Duration = Duration::from_secs(86_400);

async fn why(house: &House, who: &Tenant, id: &str) -> (u16, Value) {
    let answer = house.get(who, &format!("/v1/decisions/{id}")).await;
    (answer.status, json_of(&answer))
}

/// What the dry run says, by place: the rule, or nothing for who would be queued.
async fn foreseen(house: &House, stream: &str, people: &[String]) -> (Value, Vec<Option<String>>) {
    let body = json!({"stream": stream, "from": house.shop.from, "recipients": people});
    let answer = house.post(&house.shop, "/v1/decisions", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = json_of(&answer);
    let mut rules = vec![None; people.len()];
    for group in told["groups"].as_array().unwrap() {
        assert_eq!(group["count"], json!(group["places"].as_array().unwrap().len()));
        for place in group["places"].as_array().unwrap() {
            rules[usize::try_from(place.as_u64().unwrap()).unwrap()] = Some(group["rule"].as_str().unwrap().to_owned());
        }
    }
    (told, rules)
}

#[tokio::test]
async fn art5_2_a_message_says_on_what_it_rested_and_what_stopped_it() {
    let house = House::new().await;
    house.consent(ADA).await;
    house.mx.treat_next(ADA, Conduct::defer(451, "4.3.0 busy"));
    let id = house.send("newsletter", ADA).await;
    house.until_event(&id, "deferred", 1).await;

    let (status, told) = why(&house, &house.shop, &id).await;
    assert_eq!(status, 200, "{told}");
    let fields = ["id", "to", "stream", "purpose"].map(|name| told[name].as_str().unwrap_or_default().to_owned());
    assert_eq!(fields, [id.as_str(), ADA, "newsletter", "newsletter"]);
    let basis = &told["basis"];
    assert_eq!(
        (&basis["kinds"], &basis["evidence"], &basis["method"]),
        (&json!(["consent"]), &json!("complete"), &json!("api"))
    );
    assert_eq!((&basis["notice"]["name"], &basis["notice"]["version"]), (&json!("news"), &json!(1)));
    assert_eq!(basis["notice"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!((&told["agreement"]["version"], &told["instruction"]["version"]), (&json!(1), &json!(1)));
    let verdicts = |told: &Value| -> Vec<(String, String, Value)> {
        let word = |asked: &Value, name: &str| asked[name].as_str().unwrap().to_owned();
        let each = told["asked"].as_array().unwrap().iter();
        each.map(|asked| (word(asked, "moment"), word(asked, "verdict"), asked["rule"].clone())).collect()
    };
    let passed = |moment: &str| (moment.to_owned(), "passed".to_owned(), Value::Null);
    assert_eq!(verdicts(&told), [passed("acceptance"), passed("before-mail")]);
    let asked_about = told["asked"][0]["passed"].as_array().unwrap();
    assert!(asked_about.contains(&json!("consent-withdrawn")) && asked_about.contains(&json!("quota")));

    house.withdraw(ADA).await;
    house.clock.advance(HOUR);
    house.until_state(&id, "stopped").await;
    let (_, told) = why(&house, &house.shop, &id).await;
    let refused = ("before-mail".to_owned(), "refused".to_owned(), json!("suppressed"));
    assert_eq!(verdicts(&told), [passed("acceptance"), passed("before-mail"), refused]);
    // A withdrawal is an opt-out too, and that is asked about first.
    let last = &told["asked"][2];
    assert_eq!((&last["article"], &last["facts"][0]["what"]), (&json!("GDPR Art. 21(3)"), &json!("suppression")));
    assert_eq!(last["facts"][0]["kind"], "opt-out");
    assert!(last["facts"][0]["at"].is_string() && last["remedy"].is_string(), "{last}");
    assert_eq!(told["basis"]["kinds"], json!(["consent"]), "what it rested on stays what it was");

    // A receipt rests on its purpose, and on nothing of the person's.
    let receipt = house.send("transactional", ADA).await;
    let (_, told) = why(&house, &house.shop, &receipt).await;
    assert_eq!((&told["basis"]["kinds"], &told["basis"]["given_at"]), (&json!(["contract"]), &Value::Null));
    assert!(told["basis"]["reference"].is_string(), "{told}");

    let other = house.admit("other", "other.example").await;
    for id in [id.as_str(), "msg_aaaaaaaaaaaaaaaaaaaaaaaaaa", "nothing", "dec_aaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(why(&house, &other, id).await.0, 404, "{id}");
    }
}

#[tokio::test]
async fn art21_3_what_was_cut_before_the_final_dot_says_so() {
    let house = House::new().await;
    house.consent(ADA).await;
    let hold = house.mx.hold(Stage::Data);
    let id = house.send("newsletter", ADA).await;
    hold.reached(1).await;
    house.suppress(&house.shop, ADA, "marketing", "objection").await;
    hold.release();
    house.until_state(&id, "stopped").await;
    let (_, told) = why(&house, &house.shop, &id).await;
    let cut = told["asked"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&cut["moment"], &cut["rule"]), (&json!("before-final-dot"), &json!("objected")), "{told}");
    let fact = &cut["facts"][0];
    assert_eq!(
        (&fact["what"], &fact["kind"], &fact["scope"]),
        (&json!("suppression"), &json!("objection"), &json!("marketing"))
    );
}

#[tokio::test]
async fn who_was_refused_can_ask_why_at_either_door_and_nobody_else_can() {
    let house = House::new().await;
    house.suppress(&house.shop, BOB, "all", "opt-out").await;
    let answer =
        house.post(&house.shop, "/v1/messages", &letter(Some("newsletter"), &house.shop.from, &[ADA, BOB])).await;
    let results = json_of(&answer)["results"].clone();
    let id = |at: usize| results[at]["decision"].as_str().expect("a decision").to_owned();
    let (status, stranger) = why(&house, &house.shop, &id(0)).await;
    assert_eq!((status, &stranger["to"], &stranger["asked"][0]["rule"]), (200, &json!(ADA), &json!("no-basis")));
    assert_eq!((&stranger["stream"], &stranger["agreement"]["version"]), (&json!("newsletter"), &json!(1)));
    let (_, known) = why(&house, &house.shop, &id(1)).await;
    let asked = &known["asked"][0];
    assert_eq!(
        (&known["to"], &asked["rule"], &asked["verdict"]),
        (&json!(BOB), &json!("suppressed"), &json!("refused"))
    );
    let fact = &asked["facts"][0];
    assert_eq!((&fact["kind"], &fact["scope"]), (&json!("opt-out"), &json!("all")));
    assert!(fact["at"].is_string(), "since when: {fact}");
    assert!(
        !asked["passed"].as_array().unwrap().contains(&json!("quota")),
        "what was not asked is not said to have passed"
    );

    let mut client = house.session(&format!("{}+newsletter", house.shop.username), &house.shop.password).await.unwrap();
    let reply = client.send(&house.shop.from, &[BOB], &content(&house.shop.from, BOB)).await.unwrap();
    let shown = reply.text.rsplit_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).expect("an id in the reply");
    let (status, by_smtp) = why(&house, &house.shop, shown).await;
    assert_eq!((status, &by_smtp["to"], &by_smtp["asked"][0]["rule"]), (200, &json!(BOB), &json!("suppressed")));

    let search = json!({"email": BOB.to_ascii_uppercase()});
    let person = json_of(&house.post(&house.shop, "/v1/decisions/search", &search).await);
    assert_eq!(person["refusals"].as_array().unwrap().len(), 2, "{person}");
    assert_eq!(person["refusals"][0]["id"], shown, "newest first");
    let rules: Vec<&Value> = person["standing"].as_array().unwrap().iter().map(|one| &one["rule"]).collect();
    assert!(rules.contains(&&json!("suppressed")), "{person}");

    let other = house.admit("other", "other.example").await;
    assert_eq!(why(&house, &other, &id(0)).await.0, 404);
    assert_eq!(why(&house, &other, shown).await.0, 404);
    let elsewhere = json_of(&house.post(&other, "/v1/decisions/search", &search).await);
    assert_eq!((&elsewhere["refusals"], &elsewhere["suppressions"]), (&json!([]), &json!([])), "{elsewhere}");

    // GDPR Art. 28(3): while no agreement is in force, nothing about anybody is kept.
    house.store.set_agreement_state(house.shop.controller, model::agreement::AgreementState::Ended).await.unwrap();
    let answer = house.post(&house.shop, "/v1/messages", &letter(None, &house.shop.from, &[ADA, BOB])).await;
    let results = json_of(&answer)["results"].clone();
    assert_eq!(results[0]["decision"], results[1]["decision"], "one for all, and about none");
    let (_, told) = why(&house, &house.shop, results[0]["decision"].as_str().unwrap()).await;
    assert_eq!((&told["to"], &told["asked"][0]["rule"]), (&Value::Null, &json!("agreement-not-in-force")));
}

#[tokio::test]
async fn art17_nothing_of_an_erased_person_is_left_in_the_log_of_refusals() {
    let house = House::new().await;
    let (stranger, known) = ("Kw7RyQ4xZpVbN2aa@dest.example", "Hq3WtB9sLmXcD5bb@dest.example");
    house.suppress(&house.shop, known, "marketing", "controller").await;
    let mut ids = Vec::new();
    for person in [stranger, known] {
        let answer =
            house.post(&house.shop, "/v1/messages", &letter(Some("newsletter"), &house.shop.from, &[person])).await;
        ids.push(json_of(&answer)["results"][0]["decision"].as_str().unwrap().to_owned());
    }
    for (id, person) in ids.iter().zip([stranger, known]) {
        assert_eq!(why(&house, &house.shop, id).await.1["to"], person);
        house.store.restrict(house.shop.controller, &address(person), Restriction::Erased).await.unwrap();
        assert_eq!(why(&house, &house.shop, id).await.0, 404);
    }
    // Refused once more, as somebody who was erased: the rule is kept, and nothing of him.
    let answer = house.post(&house.shop, "/v1/messages", &letter(Some("newsletter"), &house.shop.from, &[known])).await;
    let id = json_of(&answer)["results"][0]["decision"].as_str().unwrap().to_owned();
    let (_, told) = why(&house, &house.shop, &id).await;
    assert_eq!((&told["to"], &told["asked"][0]["rule"]), (&Value::Null, &json!("recipient-erased")));
    // GDPR Art. 5(1)(e): and that for thirty days.
    house.clock.advance(DAY * 31);
    house.store.tidy().await.unwrap();
    assert_eq!(why(&house, &house.shop, &id).await.0, 404);

    let dir = house.stop().await;
    dir.spill("ended");
    for person in [stranger, known] {
        assert_eq!(hits(dir.path(), person.split('@').next().unwrap()), Vec::<String>::new(), "{person}");
    }
}

/// In which files below a folder a text stands, in whatever form.
fn hits(folder: &Path, text: &str) -> Vec<String> {
    let mut hits = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !found(text, &std::fs::read(&path).unwrap_or_default()).is_empty() {
                hits.push(path.display().to_string());
            }
        }
    }
    hits
}

/// Deterministic, and another one in each run.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let mut octets = [0; 8];
        aws_lc_rs::rand::fill(&mut octets).unwrap();
        Self(u64::from_le_bytes(octets) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// Puts a person into a state, or into several.
async fn befall(house: &House, chance: &mut Chance, person: &str) {
    let (store, controller) = (&house.store, house.shop.controller);
    let (to, purpose) = (address(person), PurposeId::of_stream(house.shop.newsletter));
    for _ in 0..chance.below(3) {
        let kind = if chance.below(3) == 0 { BasisKind::SoftOptIn } else { BasisKind::Consent };
        let basis = NewBasis {
            kind: if chance.below(8) == 0 { BasisKind::Contract } else { kind },
            confirmed: if chance.below(4) == 0 { Verified::No } else { Verified::Yes },
            evidence: if chance.below(5) == 0 { Evidence::Unverified } else { Evidence::Complete },
            expires: (chance.below(5) == 0)
                .then(|| store.now().plus(Duration::from_secs(1 + chance.below(2) * 86_400))),
        };
        // Whoever withdrew, or was erased, has no new one on the controller's word.
        drop(store.record_basis(controller, purpose, &to, basis, &Act::by(Method::Api)).await);
        if chance.below(5) == 0 {
            drop(store.withdraw_basis(controller, purpose, &to, &Act::by(Method::Api)).await);
        }
    }
    let scopes = [
        SuppressionScope::All,
        SuppressionScope::Marketing,
        SuppressionScope::Delivery,
        SuppressionScope::Purpose(purpose),
    ];
    let reasons = [
        SuppressionReason::OptOut,
        SuppressionReason::Objection,
        SuppressionReason::Controller,
        SuppressionReason::Complaint,
    ];
    if chance.below(5) == 0 {
        let (scope, reason) = (*chance.one_of(&scopes), *chance.one_of(&reasons));
        store.suppress(controller, &to, scope, reason).await.unwrap();
    }
    if chance.below(8) == 0 {
        let kinds = [Restriction::Restricted, Restriction::CaseOpen, Restriction::Erased];
        store.restrict(controller, &to, *chance.one_of(&kinds)).await.unwrap();
    }
    if chance.below(8) == 0 {
        let tag = store.tag_of(controller, &to).unwrap();
        let preference = Preference { paused: Some(store.now().plus(DAY)), ..Preference::default() };
        store.set_preference(controller, tag, &preference).await.unwrap();
    }
}

#[tokio::test]
async fn r4_what_the_dry_run_says_of_everybody_is_what_sending_does() {
    let house = House::new().await;
    let mut chance = Chance::new();
    let seed = chance.0;
    let people: Vec<String> = (0..200).map(|number| format!("person{number}@dest.example")).collect();
    for person in &people {
        befall(&house, &mut chance, person).await;
    }
    house.clock.advance(MINUTE_AND_MORE);
    let mut kinds = BTreeMap::new();
    for stream in ["newsletter", "transactional"] {
        let (told, rules) = foreseen(&house, stream, &people).await;
        let to: Vec<&str> = people.iter().map(String::as_str).collect();
        let answer = house.post(&house.shop, "/v1/messages", &letter(Some(stream), &house.shop.from, &to)).await;
        let results = json_of(&answer)["results"].clone();
        for (at, rule) in rules.iter().enumerate() {
            let became = &results[at];
            let expected = rule.as_deref().map_or(Value::Null, Value::from);
            assert_eq!(became["rule"], expected, "seed {seed}, {stream}, person {at}: {became}");
            assert_eq!(became["status"] == "refused", rule.is_some());
            *kinds.entry(rule.clone().unwrap_or_default()).or_insert(0) += 1;
        }
        let count = |name: &str| told[name].as_u64().unwrap();
        assert_eq!(count("queued") + count("refused") + count("held"), 200, "seed {seed}");
    }
    assert!(kinds.len() >= 8, "seed {seed}: a mixed lot {kinds:?}");
}

/// Longer than the consents that run out at once.
const MINUTE_AND_MORE: Duration = Duration::from_secs(61);

#[tokio::test]
async fn the_dry_run_keeps_to_scope_quota_and_purpose_and_names_what_is_no_address() {
    let house = House::new().await;
    house.consent(ADA).await;
    let people = [ADA, "no address", BOB, "ADA@DEST.EXAMPLE"].map(str::to_owned);
    let (told, rules) = foreseen(&house, "newsletter", &people).await;
    assert_eq!(rules, [None, None, Some("no-basis".to_owned()), None]);
    assert_eq!(told["repeats"], json!([{"place": 3, "first": 0}]), "normalised as for every look-up");
    assert_eq!(told["faults"][0]["places"], json!([1]));
    let (told, _) = foreseen(&house, "newsletter", &[ADA, BOB, ADA].map(str::to_owned)).await;
    assert_eq!(told["repeats"], json!([{"place": 2, "first": 0}]));
    for (field, value) in [("stream", "nothing"), ("purpose", "nothing")] {
        let mut body = json!({"stream": "newsletter", "recipients": [ADA]});
        body[field] = value.into();
        let told = json_of(&house.post(&house.shop, "/v1/decisions", &body).await);
        assert_eq!(told["groups"][0]["rule"], "operation-not-instructed", "{told}");
    }
    let foreign = json!({"stream": "newsletter", "recipients": [ADA], "from": "elsewhere.example"});
    let told = json_of(&house.post(&house.shop, "/v1/decisions", &foreign).await);
    assert_eq!(told["groups"][0]["rule"], "from-not-verified");
    // Another controller knows nothing of her.
    let other = house.admit("other", "other.example").await;
    let body = json!({"stream": "newsletter", "recipients": [ADA]});
    let told = json_of(&house.post(&other, "/v1/decisions", &body).await);
    assert_eq!(told["groups"][0]["rule"], "no-basis");
    assert_eq!(house.http.post_json("/v1/decisions", &[], &body.to_string()).await.unwrap().status, 401);
}

#[tokio::test]
async fn the_dry_run_writes_nothing_and_makes_nobody_known() {
    let house = House::new().await;
    house.consent(ADA).await;
    let leaves = leaves(&house).await;
    let generation = house.store.generation(house.shop.controller);
    let log = house.dir.path().join("main.db-wal");
    let before = std::fs::read(&log).unwrap_or_default();
    house.dir.spill("before");
    let canary = "Zt8KmWq4RxVb2Ncc";
    let people: Vec<String> = (0..300).map(|number| format!("{canary}{number}@dest.example")).collect();
    for stream in ["newsletter", "transactional"] {
        foreseen(&house, stream, &people).await;
    }
    if !testkit::postgres::wanted() {
        // Among several nodes memory moves by itself; there the rows are compared below, the counters among them.
        assert_eq!(house.store.generation(house.shop.controller), generation);
    }
    // Nothing was added to the database's log; the housekeeper may have emptied it meanwhile.
    let after = std::fs::read(&log).unwrap_or_default();
    assert!(after == before || after.is_empty(), "{} octets became {}", before.len(), after.len());
    house.dir.spill("after");
    for which in ["main", "keys"] {
        let dump = |when: &str| std::fs::read_to_string(house.dir.path().join(format!("{when}-{which}.sql"))).ok();
        assert_eq!(rows_of(dump("before")), rows_of(dump("after")), "{which}");
    }
    assert_eq!(self::leaves(&house).await, leaves, "no leaf, and no count of refusals that were none");
    let search = json_of(&house.post(&house.shop, "/v1/decisions/search", &json!({"email": people[0]})).await);
    assert_eq!((&search["refusals"], &search["steps"]), (&json!([]), &json!([])));
    let dir = house.stop().await;
    assert_eq!(hits(dir.path(), canary), Vec::<String>::new());
}

/// What a dump says of rows: the tool's own random marks and the nodes' heartbeats left out.
fn rows_of(dump: Option<String>) -> Vec<String> {
    let text = dump.unwrap_or_default();
    let mut of_nodes = false;
    let kept = text.lines().filter(|line| {
        if line.starts_with("COPY ") {
            of_nodes = ["COPY public.node ", "COPY public.lease ", "COPY public.cluster "]
                .iter()
                .any(|name| line.starts_with(name));
        }
        !of_nodes && !line.starts_with('\\') && !line.starts_with("--")
    });
    kept.map(str::to_owned).collect()
}

/// How many leaves the shop's ledger has.
async fn leaves(house: &House) -> usize {
    let folder = house.log(&house.shop).await;
    std::fs::read_to_string(folder.join("checkpoint")).unwrap().lines().nth(1).unwrap().parse().unwrap()
}
