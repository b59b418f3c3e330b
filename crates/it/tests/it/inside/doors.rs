//! One gate, three doors: SMTP submission, the trusted listener and HTTP say the same about the same situation, and the
//! receiver sees what they say.

use super::house::{ADA, BOB, HOUR, House, Tenant, Told, address, content, json_of, letter};
use mail::address::Domain;
use mail::dkim::SigningKey;
use model::agreement::AgreementState;
use model::basis::BasisKind;
use model::instruction::{InstructionState, Operation};
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::{ControllerId, StreamKind};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{DomainKeys, NewCredential, Store, Verified};

/// What both doors must say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    /// Taken in, and delivered.
    Delivered,
    /// Taken in, and held by this rule.
    Held(&'static str),
    /// Refused by this rule.
    Refused(&'static str),
    /// The credential is not believed.
    NotAuthenticated,
}

use Wanted::{Delivered, Held, NotAuthenticated, Refused};

/// Puts situations to the doors and counts them.
struct Bench<'h> {
    house: &'h House,
    situations: usize,
    /// Messages that the receiver must have got, by recipient.
    delivered: BTreeMap<String, usize>,
}

/// What is offered.
#[derive(Clone, Copy)]
struct Offer<'a> {
    who: &'a Tenant,
    stream: Option<&'a str>,
    from: &'a str,
    to: &'a str,
}

impl<'h> Bench<'h> {
    fn new(house: &'h House) -> Self {
        Self { house, situations: 0, delivered: BTreeMap::new() }
    }

    async fn put(&mut self, what: &str, offer: Offer<'_>, wanted: Wanted) {
        let Offer { who, stream, from, to } = offer;
        let mut told = vec![
            ("SMTP", self.house.by_smtp(who, stream, from, to).await),
            ("HTTP", self.house.by_http(who, stream, from, to).await),
        ];
        if stream.is_none() && who.password == self.house.shop.password {
            told.push(("trusted", self.house.by_trust(from, to).await));
        }
        for (door, told) in told {
            self.held_against(&format!("{what} by {door}"), told, who, to, wanted).await;
        }
        self.situations += 1;
        // What is changed for the next situation must not stop what was rightly taken in for this one.
        self.house.mx.wait_for(self.delivered.values().sum()).await;
    }

    async fn held_against(&mut self, what: &str, told: Told, who: &Tenant, to: &str, wanted: Wanted) {
        match (told, wanted) {
            (Told::Refused(rule), Refused(wanted)) => assert_eq!(rule, wanted, "{what}"),
            (Told::NotAuthenticated, NotAuthenticated) => {}
            (Told::Taken(_), Delivered) => *self.delivered.entry(to.to_owned()).or_default() += 1,
            (Told::Taken(id), Held(rule)) => {
                let view = self.house.store.message(who.controller, self.house.inner(&id)).await.unwrap().unwrap();
                assert_eq!(view.state.as_str(), "held", "{what}");
                assert_eq!(view.timeline.first().unwrap().rule.as_deref(), Some(rule), "{what}");
            }
            (told, wanted) => panic!("{what}: {told:?} instead of {wanted:?}"),
        }
    }

    /// The receiver has what was taken in and nothing else.
    async fn agree_with_the_sink(&self, situations: usize) {
        assert!(self.situations >= situations, "only {} situations", self.situations);
        let all = self.delivered.values().sum();
        let received = self.house.mx.wait_for(all).await;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for to in received.into_iter().flat_map(|message| message.to) {
            *seen.entry(to).or_default() += 1;
        }
        assert_eq!(seen, self.delivered);
    }
}

#[tokio::test]
async fn both_doors_say_the_same_about_persons() {
    let house = House::new().await;
    let mut bench = Bench::new(&house);
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    for (scope, receipt, newsletter) in [
        ("all", Refused("suppressed"), Refused("suppressed")),
        ("delivery", Refused("suppressed"), Refused("suppressed")),
        ("marketing", Delivered, Refused("suppressed")),
        ("stream:newsletter", Delivered, Refused("suppressed")),
        ("stream:transactional", Refused("suppressed"), Delivered),
    ] {
        let to = format!("{}@dest.example", scope.replace(':', "-"));
        house.consent(&to).await;
        house.suppress(shop, &to, scope, "opt-out").await;
        let offer = Offer { who: shop, stream: None, from, to: &to };
        bench.put(&format!("{scope}, receipt"), offer, receipt).await;
        let offer = Offer { stream: Some("newsletter"), ..offer };
        bench.put(&format!("{scope}, newsletter"), offer, newsletter).await;
    }
    for (name, restriction, rule) in [
        ("restricted@dest.example", Restriction::Restricted, "recipient-restricted"),
        ("erased@dest.example", Restriction::Erased, "recipient-erased"),
        ("case@dest.example", Restriction::CaseOpen, "case-open"),
    ] {
        house.store.restrict(shop.controller, &address(name), restriction).await.unwrap();
        bench.put(rule, Offer { who: shop, stream: None, from, to: name }, Refused(rule)).await;
    }
    let objector = "objector@dest.example";
    house.consent(objector).await;
    house.suppress(shop, objector, "marketing", "objection").await;
    let offer = Offer { who: shop, stream: Some("newsletter"), from, to: objector };
    bench.put("objection", offer, Refused("objected")).await;
    bench.put("objection, receipt", Offer { stream: None, ..offer }, Delivered).await;
    // A tag ignores case and quotes: so does every rule about the person.
    let shouted = Offer { who: shop, stream: None, from, to: "ALL@DEST.example" };
    bench.put("suppressed in capitals", shouted, Refused("suppressed")).await;
    let quoted = Offer { who: shop, stream: None, from, to: "\"all\"@dest.example" };
    bench.put("suppressed in quotes", quoted, Refused("suppressed")).await;
    bench.agree_with_the_sink(17).await;
}

#[tokio::test]
async fn both_doors_say_the_same_about_bases() {
    let house = House::new().await;
    let mut bench = Bench::new(&house);
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    let day = Some(24 * HOUR);
    for (to, kind, confirmed, expires, wanted) in [
        ("consent@dest.example", BasisKind::Consent, Verified::Yes, None, Delivered),
        ("unconfirmed@dest.example", BasisKind::Consent, Verified::No, None, Refused("consent-unconfirmed")),
        ("soft@dest.example", BasisKind::SoftOptIn, Verified::No, None, Delivered),
        ("contract@dest.example", BasisKind::Contract, Verified::Yes, None, Refused("consent-missing")),
        ("law@dest.example", BasisKind::LegalObligation, Verified::Yes, None, Refused("consent-missing")),
        ("lasting@dest.example", BasisKind::Consent, Verified::Yes, day, Delivered),
        ("expired@dest.example", BasisKind::Consent, Verified::Yes, Some(Duration::ZERO), Refused("consent-expired")),
    ] {
        house.basis(to, kind, confirmed, expires).await;
        bench.put(to, Offer { who: shop, stream: Some("newsletter"), from, to }, wanted).await;
        bench.put(&format!("{to}, receipt"), Offer { who: shop, stream: None, from, to }, Delivered).await;
    }
    let offer = Offer { who: shop, stream: Some("newsletter"), from, to: ADA };
    bench.put("no basis", offer, Refused("no-basis")).await;
    house.consent(ADA).await;
    bench.put("given", offer, Delivered).await;
    house.withdraw(ADA).await;
    bench.put("withdrawn", offer, Refused("suppressed")).await;
    // GDPR Art. 7(3): the controller cannot undo what the person withdrew.
    let again = serde_json::json!({"email": ADA, "stream": "newsletter", "kind": "consent", "confirmed": true});
    assert_eq!(house.post(shop, "/v1/consents", &again).await.status, 409);
    bench.put("claimed anew by the controller", offer, Refused("suppressed")).await;
    house.clock.advance(25 * HOUR);
    let offer = Offer { to: "lasting@dest.example", ..offer };
    bench.put("run out", offer, Refused("consent-expired")).await;
    bench.agree_with_the_sink(19).await;
}

#[tokio::test]
async fn both_doors_say_the_same_about_agreement_and_instruction() {
    let house = House::new().await;
    let mut bench = Bench::new(&house);
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    let (store, controller) = (&house.store, shop.controller);
    let offer = Offer { who: shop, stream: None, from, to: ADA };
    house.consent(ADA).await;
    for state in [AgreementState::Draft, AgreementState::Signed, AgreementState::Suspended, AgreementState::Ended] {
        store.set_agreement_state(controller, state).await.unwrap();
        bench.put(state.as_str(), offer, Refused("agreement-not-in-force")).await;
        store.sign_agreement(controller, None).await.unwrap();
        bench.put("signed anew", offer, Delivered).await;
    }
    store.sign_agreement(controller, Some(store.now().plus(HOUR))).await.unwrap();
    bench.put("an agreement with an end", offer, Delivered).await;
    house.clock.advance(HOUR);
    bench.put("an agreement that ran out", offer, Refused("agreement-not-in-force")).await;
    store.sign_agreement(controller, None).await.unwrap();
    for (state, wanted) in [
        (InstructionState::Proposed, Refused("instruction-missing")),
        (InstructionState::Held, Held("instruction-infringing")),
        (InstructionState::InForce, Delivered),
        (InstructionState::Superseded, Refused("instruction-missing")),
    ] {
        store.set_instruction_state(controller, state).await.unwrap();
        bench.put(state.as_str(), offer, wanted).await;
    }
    let (receipts, all) = ([shop.transactional], [shop.transactional, shop.newsletter]);
    store.issue_instruction(controller, &[Operation::Store], &all, 1_000).await.unwrap();
    bench.put("transmission is not instructed", offer, Refused("operation-not-instructed")).await;
    store.issue_instruction(controller, &Operation::ALL, &receipts, 1_000).await.unwrap();
    bench.put("the stream is instructed", offer, Delivered).await;
    let newsletter = Offer { stream: Some("newsletter"), ..offer };
    bench.put("the stream is not instructed", newsletter, Refused("operation-not-instructed")).await;
    store.issue_instruction(controller, &Operation::ALL, &all, 0).await.unwrap();
    bench.put("nothing is allowed today", offer, Refused("quota")).await;
    bench
        .put(
            "the person comes before the quota",
            Offer { stream: Some("newsletter"), to: BOB, ..offer },
            Refused("no-basis"),
        )
        .await;
    bench.agree_with_the_sink(17).await;
}

#[tokio::test]
async fn both_doors_say_the_same_about_credential_and_from() {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    let mut bench = Bench::new(&house);
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    let (store, controller) = (&house.store, shop.controller);
    let narrow = credential(store, shop, "narrow", None).await;
    let brief = credential(store, shop, "brief", Some(HOUR)).await;
    let offer = Offer { who: &narrow, stream: None, from, to: ADA };
    bench.put("within the credential's scope", offer, Delivered).await;
    house.consent(ADA).await;
    let newsletter = Offer { stream: Some("newsletter"), ..offer };
    bench.put("out of the credential's scope", newsletter, Refused("credential-scope")).await;
    bench.put("with another credential", Offer { who: shop, ..newsletter }, Delivered).await;
    bench.put("before it runs out", Offer { who: &brief, ..offer }, Delivered).await;
    house.clock.advance(HOUR);
    bench.put("after it ran out", Offer { who: &brief, ..offer }, NotAuthenticated).await;
    store.revoke_credential(controller, narrow.credential).await.unwrap();
    bench.put("revoked", offer, NotAuthenticated).await;
    let mut forged = shop.clone();
    (forged.password, forged.key) = ("x".repeat(32), format!("{}x", shop.key));
    bench.put("a wrong secret", Offer { who: &forged, stream: None, ..offer }, NotAuthenticated).await;
    add_domain(store, controller, "unverified.example", Verified::No).await;
    for alien in ["shop@unverified.example", "shop@nobodys.example", "shop@sub.shop.example", "shop@other.example"] {
        bench.put(alien, Offer { who: shop, from: alien, ..offer }, Refused("from-not-verified")).await;
    }
    bench.put("its own controller's", Offer { who: &other, from: &other.from, ..offer }, Delivered).await;
    add_domain(store, controller, "second.example", Verified::Yes).await;
    bench.put("a second domain", Offer { who: shop, from: "shop@second.example", ..offer }, Delivered).await;
    bench.put("in capitals", Offer { who: shop, from: "Shop@SHOP.Example", ..offer }, Delivered).await;
    let kind = StreamKind::Legal;
    let legal = store.create_stream(controller, "recalls", kind, "product recalls").await.unwrap();
    let uninstructed = Offer { who: shop, stream: Some("recalls"), ..offer };
    bench.put("a new stream", uninstructed, Refused("operation-not-instructed")).await;
    let streams = [shop.transactional, shop.newsletter, legal];
    store.issue_instruction(controller, &Operation::ALL, &streams, 1_000).await.unwrap();
    bench.put("a new stream, instructed", uninstructed, Refused("credential-scope")).await;
    bench.agree_with_the_sink(16).await;
}

/// SMTP asks at RCPT before the From field is known, so where both are at fault it names the person's rule and HTTP the
/// sender's. Both refuse.
#[tokio::test]
async fn with_two_faults_each_door_names_the_first_that_it_can_know() {
    let house = House::new().await;
    let shop = &house.shop;
    house.suppress(shop, ADA, "all", "opt-out").await;
    let alien = "shop@nobodys.example";
    assert_eq!(house.by_smtp(shop, None, alien, ADA).await.rule(), "suppressed");
    assert_eq!(house.by_http(shop, None, alien, ADA).await.rule(), "from-not-verified");
    assert_eq!(house.mx.counts().connections, 0);
}

#[tokio::test]
async fn the_last_messages_of_a_day_are_the_same_at_both_doors() {
    let house = House::new().await;
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    let streams = [shop.transactional];
    for by_smtp_first in [true, false] {
        let used = house.store.quota(shop.controller).await.unwrap().used;
        house.store.issue_instruction(shop.controller, &Operation::ALL, &streams, used + 1).await.unwrap();
        let (first, second) = if by_smtp_first {
            (house.by_smtp(shop, None, from, ADA).await, house.by_http(shop, None, from, ADA).await)
        } else {
            (house.by_http(shop, None, from, ADA).await, house.by_smtp(shop, None, from, ADA).await)
        };
        first.id();
        assert_eq!(second.rule(), "quota");
    }
    house.mx.wait_for(2).await;
    house.clock.advance(24 * HOUR);
    house.by_smtp(shop, None, from, ADA).await.id();
    assert_eq!(house.mx.wait_for(3).await.len(), 3);
}

#[tokio::test]
async fn a_mixed_set_of_recipients_is_parted_the_same_way() {
    let house = House::new().await;
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    house.suppress(shop, BOB, "all", "opt-out").await;
    let people = [ADA, BOB, "carol@dest.example"];
    let mut client = house.session(&shop.username, &shop.password).await.unwrap();
    assert_eq!(client.command(&format!("MAIL FROM:<{from}>")).await.unwrap().code, 250);
    let mut codes = Vec::new();
    for to in people {
        codes.push(client.command(&format!("RCPT TO:<{to}>")).await.unwrap().code);
    }
    assert_eq!(codes, [250, 550, 250]);
    assert_eq!(client.data(&content(from, ADA)).await.unwrap().code, 250);
    let answer = house.post(shop, "/v1/messages", &letter(None, from, &people)).await;
    assert_eq!(answer.status, 202);
    let body = json_of(&answer);
    let statuses: Vec<_> = body["results"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, ["queued", "refused", "queued"]);
    let received = house.mx.wait_for(4).await;
    assert!(received.iter().all(|message| message.to.len() == 1 && message.to != [BOB]));
}

/// SMTP has one reply for the whole and keeps one copy for a person; HTTP answers each entry of `to` with a message of
/// its own. Neither fails for a person who is new and named twice.
#[tokio::test]
async fn a_person_named_twice_is_one_copy_by_smtp_and_one_for_each_entry_by_http() {
    let house = House::new().await;
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    let mut client = house.session(&shop.username, &shop.password).await.unwrap();
    assert_eq!(client.send(from, &[ADA, ADA], &content(from, ADA)).await.unwrap().code, 250);
    let answer = house.post(shop, "/v1/messages", &letter(None, from, &[BOB, BOB])).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let body = json_of(&answer);
    assert_ne!(body["results"][0]["id"], body["results"][1]["id"]);
    house.mx.wait_for_recipient(ADA, 1).await;
    house.mx.wait_for_recipient(BOB, 2).await;
    house.until_empty().await;
    let copies = |to: &str| house.mx.counts().recipients.get(to).copied();
    assert_eq!((copies(ADA), copies(BOB)), (Some(1), Some(2)));
}

/// A suppression of a bounce runs out; an opt-out never does.
#[tokio::test]
async fn a_bounce_ages_and_an_opt_out_does_not_at_both_doors() {
    let house = House::new().await;
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    house.mx.treat_next(ADA, testkit::mx::Conduct::reject(550, "5.1.1", "no such mailbox"));
    let id = house.send("transactional", ADA).await;
    house.until_state(&id, "bounced").await;
    let reason = SuppressionReason::OptOut;
    house.store.suppress(shop.controller, &address(BOB), SuppressionScope::All, reason).await.unwrap();
    let mut bench = Bench::new(&house);
    for to in [ADA, BOB] {
        bench.put("now", Offer { who: shop, stream: None, from, to }, Refused("suppressed")).await;
    }
    house.clock.advance(Duration::from_secs(181 * 86_400));
    bench.put("the bounce, later", Offer { who: shop, stream: None, from, to: ADA }, Delivered).await;
    bench.put("the opt-out, later", Offer { who: shop, stream: None, from, to: BOB }, Refused("suppressed")).await;
    bench.agree_with_the_sink(4).await;
}

async fn credential(store: &Store, of: &Tenant, username: &str, life: Option<Duration>) -> Tenant {
    let new = NewCredential {
        username,
        default_stream: of.transactional,
        streams: &[of.transactional],
        expires: life.map(|life| store.now().plus(life)),
    };
    let made = store.create_credential(of.controller, new).await.unwrap();
    Tenant { credential: made.id, username: made.username, password: made.password, key: made.api_key, ..of.clone() }
}

async fn add_domain(store: &Store, controller: ControllerId, name: &str, verified: Verified) {
    let keys = DomainKeys {
        rsa_selector: "p1".into(),
        rsa: SigningKey::generate_rsa().unwrap(),
        ed25519_selector: "p2".into(),
        ed25519: SigningKey::generate_ed25519().unwrap(),
    };
    store.add_domain(controller, &Domain::parse(name).unwrap(), &keys, verified).await.unwrap();
}
