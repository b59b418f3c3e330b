//! Host names of controllers' own, through real sockets, with an authority that is not ours (Debian's `pebble`).

mod retired;

use super::house::{ADA, BOB, HOUR, House, PAGES, Plan, Tenant, address, bearer, json_of};
use model::Clock as _;
use model::basis::BasisKind;
use mta::Names;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::permission::{Act, Method};
use store::{NewBasis, Verified};
use testkit::dns::RecordType;
use testkit::http::{Http, HttpAnswer};
use testkit::pebble::CERTIFICATE_DAYS;
use testkit::{Pebble, SystemClock};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use web::hosts::{Acme, AcmeSettings, BesideNode, Certified, Hosts, Keeper, Strangers};
use web::{Api, Drained, Readiness};

const NAME: &str = "mail.shop.example";
const RECORD: &str = "_postern-challenge.mail.shop.example";
/// The authority issues nothing for it.
const REFUSED: &str = "mail.refused.example";
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A house with doors for host names, and an authority that looks at them.
struct Scene {
    house: House,
    pebble: Option<Pebble>,
    keeper: Keeper,
    http: SocketAddr,
    https: SocketAddr,
    web: Vec<JoinHandle<Drained>>,
    stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        // What the authority issues holds from the moment that the system shows.
        let start = |plan: &mut Plan| plan.start = SystemClock.now().plus(HOUR);
        let house = House::built(start).await;
        let server = Some(house.dns.addr());
        let hosts = Hosts::new(server, vec!["mail.sample.example".into()], Strangers::NotFound).unwrap();
        let readiness = Arc::new(Readiness::default());
        let (store, submission) = (Arc::clone(&house.store), Arc::clone(&house.running.submission));
        let api = Api::new(store, submission, PAGES, None, readiness).with_hosts(hosts);
        let router = web::router(api);
        let mut tls = (*house.ca.server(&["localhost"])).clone();
        let certified = Certified::new(Arc::clone(&house.store));
        tls.cert_resolver = Arc::new(BesideNode::new(certified, Arc::clone(&tls.cert_resolver)));
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (stop, _) = watch::channel(false);
        let (mut places, mut web) = (Vec::new(), Vec::new());
        for tls in [None, Some(Arc::new(tls))] {
            let listener = web::Listener::bind(loopback, router.clone(), tls).await.unwrap();
            places.push(listener.local_addr());
            let mut stopped = stop.subscribe();
            web.push(tokio::spawn(listener.serve(async move {
                let _ = stopped.changed().await;
            })));
        }
        let [http, https] = places[..] else { panic!("two doors") };
        let folder = tempfile::tempdir().unwrap();
        let pebble = Pebble::start(folder.path(), http.port(), house.dns.addr(), &[REFUSED]).await;
        let keeper = keeper(&house, &pebble.directory(), &pebble.ca);
        Self { house, pebble: Some(pebble), keeper, http, https, web, stop, _folder: folder }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        for door in self.web {
            door.await.unwrap();
        }
        self.house.stop().await;
    }

    async fn ask(&self, who: &Tenant, method: &str, path: &str, body: Option<Value>) -> HttpAnswer {
        let key = bearer(who);
        let fields = [("Authorization", key.as_str()), ("Content-Type", "application/json")];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        Http::plain(self.http).request(method, path, &fields, body.as_bytes()).await.unwrap()
    }

    async fn claim(&self, who: &Tenant, name: &str) -> Value {
        let answer = self.ask(who, "POST", "/v1/hosts", Some(json!({"name": name}))).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        json_of(&answer)
    }

    async fn give_up(&self, who: &Tenant, host: &Value, status: u16) {
        let path = format!("/v1/hosts/{}", host["id"].as_str().unwrap());
        let answer = self.ask(who, "DELETE", &path, None).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }

    async fn verify(&self, who: &Tenant, host: &Value) -> HttpAnswer {
        self.ask(who, "POST", &format!("/v1/hosts/{}/verify", host["id"].as_str().unwrap()), None).await
    }

    /// Claims a name for the shop, publishes its records and verifies it.
    async fn in_force(&self, name: &str) -> Value {
        let host = self.claim(&self.house.shop, name).await;
        publish(&self.house, &host);
        self.house.dns.loopback(name);
        let answer = self.verify(&self.house.shop, &host).await;
        assert_eq!((answer.status, &json_of(&answer)["state"]), (200, &json!("verified")), "{}", answer.text());
        host
    }

    /// The controller's only host name.
    async fn told(&self, who: &Tenant) -> Value {
        json_of(&self.ask(who, "GET", "/v1/hosts", None).await)["hosts"][0].take()
    }

    /// Over HTTPS under a name, trusting the authority alone.
    async fn over_tls(&self, name: &str) -> Http {
        let client = self.pebble.as_ref().unwrap().client().await;
        Http::tls(self.https, name, client).asking(name)
    }

    /// The way out of a newsletter that is sent now.
    async fn way_out(&self, who: &Tenant, to: &str) -> String {
        let count = self.house.mx.received().iter().filter(|one| one.to.iter().any(|one| one == to)).count();
        self.house.by_http(who, Some("newsletter"), &who.from, to).await.id();
        let letter = self.house.mx.wait_for_recipient(to, count + 1).await.pop().unwrap();
        let text = letter.text().replace("\r\n ", " ").replace("\r\n\t", " ");
        let field = text.lines().find(|line| line.starts_with("List-Unsubscribe:")).unwrap();
        let url = field[field.find('<').unwrap() + 1..].split('>').next().unwrap().to_owned();
        let base = &url[..url.find("/u/").unwrap()];
        let body = text.split_once("\r\n\r\n").unwrap().1.replace("=\r\n", "");
        assert!(body.contains(&format!("{base}/w/")), "the footer leads to the same place: {body}");
        url
    }
}

fn keeper(house: &House, directory: &str, ca: &str) -> Keeper {
    let names = Names::new(Some(house.dns.addr())).unwrap();
    let roots = testkit::tls::certificates(ca);
    let contact = vec!["mailto:ops@node.example".to_owned()];
    let settings = AcmeSettings { directory: directory.to_owned(), contact, roots };
    let acme = Acme::new(settings, Arc::clone(&house.store), names.clone()).unwrap();
    Keeper::new(Arc::clone(&house.store), names, Some(acme))
}

fn publish(house: &House, host: &Value) {
    let record = &host["records"][0];
    assert_eq!(record["type"], "TXT");
    house.dns.txt(record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
}

async fn consents(house: &House, to: &str) {
    house.basis(to, BasisKind::Consent, Verified::Yes, None).await;
}

fn path(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap();
    &rest[rest.find('/').unwrap()..]
}

fn refused(answer: &HttpAnswer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.text().contains(words), "{}", answer.text());
}

/// The whole way: claimed, proven, certified, served, linked to, given up, and proven again.
#[tokio::test(flavor = "multi_thread")]
async fn rfc8555_a_name_is_proven_certified_served_linked_to_and_given_up() {
    let mut scene = Scene::new().await;
    let (shop, dns) = (scene.house.shop.clone(), &scene.house.dns);
    consents(&scene.house, ADA).await;
    let before = scene.way_out(&shop, ADA).await;
    assert!(before.starts_with(&format!("{PAGES}/u/")), "{before}");

    let host = scene.claim(&shop, "Mail.Shop.example").await;
    assert_eq!((&host["name"], &host["state"], &host["links"]), (&json!(NAME), &json!("claimed"), &json!(false)));
    assert_eq!(host["records"][0]["name"], RECORD);
    assert_eq!(
        (&host["records"][1]["type"], &host["records"][1]["value"]),
        (&json!("CNAME"), &json!("mail.sample.example"))
    );
    // Not in force: nothing is asked, ordered or served.
    dns.loopback(NAME);
    scene.keeper.round().await.unwrap();
    assert_eq!(dns.queries(NAME, RecordType::A), 0, "nothing is ordered for a name that nobody has proven");
    assert!(scene.over_tls(NAME).await.get(path(&before), &[]).await.is_err());
    let own = Http::tls(scene.https, "localhost", scene.house.ca.client());
    assert_eq!(own.get("/public.css", &[]).await.unwrap().status, 200, "the node's own certificate is there");
    refused(&scene.verify(&shop, &host).await, 400, "DNS has no TXT record _postern-challenge.mail.shop.example");
    dns.txt(RECORD, "postern-host=something-else");
    refused(&scene.verify(&shop, &host).await, 400, "does not hold the value");
    dns.clear(RECORD).servfail(RECORD);
    refused(&scene.verify(&shop, &host).await, 503, "DNS did not answer");

    dns.clear(RECORD);
    publish(&scene.house, &host);
    assert_eq!(scene.verify(&shop, &host).await.status, 200);
    let told = scene.told(&shop).await;
    assert_eq!((&told["state"], &told["certificate"]["state"]), (&json!("verified"), &json!("none")));
    assert!(scene.way_out(&shop, ADA).await.starts_with(PAGES), "without a certificate no link leads there");
    scene.keeper.round().await.unwrap();
    let told = scene.told(&shop).await;
    assert_eq!((&told["certificate"]["state"], &told["links"]), (&json!("valid"), &json!(true)), "{told:#}");

    let after = scene.way_out(&shop, ADA).await;
    assert!(after.starts_with("https://mail.shop.example/u/"), "{after}");
    let there = scene.over_tls(NAME).await;
    for url in [&before, &after] {
        let answer = there.get(path(url), &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        // What was linked to before goes on working where it led.
        let answer = Http::plain(scene.http).asking("mail.sample.example").get(path(url), &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(there.get("/public.css", &[]).await.unwrap().status, 200);
    // Nothing else of the node is there.
    for foreign in
        ["/", "/v1/openapi.json", "/v1/hosts", "/help/rules", "/healthz", "/metrics", "/style.css", "/u", "//"]
    {
        let answer = there.get(foreign, &[("Authorization", &bearer(&shop))]).await.unwrap();
        assert_eq!(answer.status, 404, "{foreign}");
    }
    // In clear there is nothing but the way to https.
    let clear = Http::plain(scene.http).asking(NAME);
    let answer = clear.request("POST", path(&after), &[], b"List-Unsubscribe=One-Click").await.unwrap();
    assert_eq!((answer.status, answer.header("location")), (308, Some(after.as_str())));
    for challenge in ["/.well-known/acme-challenge/unknown", "/.well-known/acme-challenge/", "/.well-known/other"] {
        assert_eq!(clear.get(challenge, &[]).await.unwrap().status, 404, "{challenge}");
    }

    // A name that no mail can name is gone when it is given up.
    let unused = scene.claim(&shop, "unused.shop.example").await;
    scene.give_up(&shop, &unused, 204).await;
    scene.give_up(&shop, &unused, 404).await;
    // This one is retired: no new link leads there, and those that were sent go on working.
    scene.give_up(&shop, &host, 204).await;
    let told = scene.told(&shop).await;
    assert_eq!((&told["state"], &told["links"]), (&json!("retired"), &json!(false)), "{told:#}");
    assert!(told["retired_until"].is_string(), "{told:#}");
    assert!(scene.way_out(&shop, ADA).await.starts_with(PAGES));
    assert_eq!(scene.over_tls(NAME).await.get(path(&after), &[]).await.unwrap().status, 200);
    assert_eq!(there.get("/v1/openapi.json", &[]).await.unwrap().status, 404, "and nothing else is there");
    scene.give_up(&shop, &host, 204).await;
    // Proven again, it is in force again, with the certificate that is there.
    assert_eq!(json_of(&scene.verify(&shop, &host).await)["state"], "verified");
    assert!(scene.way_out(&shop, ADA).await.starts_with("https://mail.shop.example/"));
    scene.end().await;
}

/// On a name of one controller nothing of another is there.
#[tokio::test(flavor = "multi_thread")]
async fn art32_a_name_is_one_controller_s_and_shows_his_pages_alone() {
    let mut scene = Scene::new().await;
    let shop = scene.house.shop.clone();
    let other = scene.house.admit("other", "other.example").await;
    // Both claim it; whoever proves it first has it.
    let theirs = scene.claim(&other, NAME).await;
    let ours = scene.in_force(NAME).await;
    publish(&scene.house, &theirs);
    refused(&scene.verify(&other, &theirs).await, 400, "verified by another controller");
    let again = scene.ask(&other, "POST", "/v1/hosts", Some(json!({"name": NAME}))).await;
    refused(&again, 400, "verified by another controller");
    let twice = scene.ask(&shop, "POST", "/v1/hosts", Some(json!({"name": "MAIL.shop.example."}))).await;
    refused(&twice, 400, "claimed by you already");
    scene.keeper.round().await.unwrap();
    assert_eq!(scene.told(&shop).await["links"], json!(true));
    assert_eq!(scene.told(&other).await["state"], json!("claimed"));
    // What is one's is not there for the other.
    let id = ours["id"].as_str().unwrap();
    for (method, path) in [("POST", format!("/v1/hosts/{id}/verify")), ("DELETE", format!("/v1/hosts/{id}"))] {
        assert_eq!(scene.ask(&other, method, &path, None).await.status, 404, "{method}");
        let nobody = Http::plain(scene.http).request(method, &path, &[], b"").await.unwrap();
        assert_eq!(nobody.status, 401, "{method}");
    }

    consents(&scene.house, ADA).await;
    let way_out = scene.way_out(&shop, ADA).await;
    consents_to(&scene.house, &other, BOB).await;
    let foreign = scene.way_out(&other, BOB).await;
    assert!(foreign.starts_with(PAGES), "{foreign}");
    let foreign = path(&foreign).to_owned();
    let there = scene.over_tls(NAME).await;
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    for (url, status) in [(path(&way_out), 200), (foreign.as_str(), 404)] {
        assert_eq!(there.get(url, &[]).await.unwrap().status, status, "{url}");
    }
    let altered = format!("{}x", &foreign[..foreign.len() - 1]);
    let broken = there.get(&altered, &[]).await.unwrap();
    let answer = there.request("POST", &foreign, &form, b"List-Unsubscribe=One-Click").await.unwrap();
    assert_eq!((answer.status, answer.text()), (404, broken.text()), "as if it were broken");
    for whose in [&shop, &other] {
        let path = format!("/f/{}/newsletter", scene.house.store.public_id(whose.controller));
        let answer = there.get(&path, &[]).await.unwrap();
        assert_eq!(answer.status, 404, "neither has a form");
    }
    // The other's link did nothing there, and works where it belongs.
    let sent = async || scene.house.by_http(&other, Some("newsletter"), &other.from, BOB).await;
    sent().await.id();
    let clicked = Http::plain(scene.http).request("POST", &foreign, &form, b"List-Unsubscribe=One-Click").await;
    assert_eq!(clicked.unwrap().status, 200);
    assert_eq!(sent().await.rule(), "suppressed");
    scene.end().await;
}

/// The other controller's person consents to his newsletter.
async fn consents_to(house: &House, whose: &Tenant, to: &str) {
    let basis = NewBasis {
        kind: BasisKind::Consent,
        confirmed: Verified::Yes,
        evidence: model::basis::Evidence::Complete,
        expires: None,
    };
    let purpose = model::PurposeId::of_stream(whose.newsletter);
    let by = Act::by(Method::Api);
    house.store.record_basis(whose.controller, purpose, &address(to), basis, &by).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_nobody_may_have_are_refused_with_what_to_do() {
    let scene = Scene::new().await;
    let shop = scene.house.shop.clone();
    for (name, words) in [
        ("co.uk", "public suffix"),
        ("192.0.2.1", "network address"),
        ("[2001:db8::1]", "network address"),
        ("mail.sample.example", "a name of this node itself"),
        ("a b.example", "is not a host name"),
    ] {
        let answer = scene.ask(&shop, "POST", "/v1/hosts", Some(json!({"name": name}))).await;
        refused(&answer, 400, words);
        assert!(!answer.text().contains(name), "{}", answer.text());
    }
    for number in 0..20 {
        scene.claim(&shop, &format!("n{number}.shop.example")).await;
    }
    let more = scene.ask(&shop, "POST", "/v1/hosts", Some(json!({"name": "n20.shop.example"}))).await;
    refused(&more, 400, "one too many");
    scene.end().await;
}

/// What goes wrong with an order is told, tried again later and later, and costs nobody his links.
#[tokio::test(flavor = "multi_thread")]
async fn rfc8555_6_7_an_order_that_fails_is_told_and_tried_again_later() {
    let mut scene = Scene::new().await;
    let (shop, dns) = (scene.house.shop.clone(), &scene.house.dns);
    let host = scene.claim(&shop, REFUSED).await;
    publish(&scene.house, &host);
    assert_eq!(scene.verify(&shop, &host).await.status, 200);
    // No address: nothing is ordered.
    scene.keeper.round().await.unwrap();
    let told = scene.told(&shop).await;
    assert_eq!(told["certificate"]["failures"], 1);
    assert!(told["certificate"]["fault"].as_str().unwrap().contains("has no address in DNS"), "{told:#}");
    // At once nothing is tried again; after the wait the authority refuses.
    dns.loopback(REFUSED);
    scene.keeper.round().await.unwrap();
    assert_eq!(scene.told(&shop).await["certificate"]["failures"], 1);
    scene.house.clock.advance(Duration::from_secs(400));
    scene.keeper.round().await.unwrap();
    let told = scene.told(&shop).await;
    assert_eq!((&told["certificate"]["failures"], &told["certificate"]["state"]), (&json!(2), &json!("none")));
    let fault = told["certificate"]["fault"].as_str().unwrap();
    assert!(fault.contains("the certificate authority refused it (rejectedIdentifier)"), "{fault}");
    scene.house.clock.advance(Duration::from_secs(400));
    scene.keeper.round().await.unwrap();
    assert_eq!(scene.told(&shop).await["certificate"]["failures"], 2, "the second wait is longer");

    // A name that leads elsewhere: the authority finds nobody there.
    let elsewhere = scene.claim(&shop, "mail.elsewhere.example").await;
    publish(&scene.house, &elsewhere);
    dns.address("mail.elsewhere.example", [127, 0, 0, 9].into());
    assert_eq!(scene.verify(&shop, &elsewhere).await.status, 200);
    scene.keeper.round().await.unwrap();
    let hosts = json_of(&scene.ask(&shop, "GET", "/v1/hosts", None).await);
    let fault = hosts["hosts"][1]["certificate"]["fault"].as_str().unwrap().to_owned();
    assert!(fault.starts_with("the certificate authority refused it (connection)"), "{fault}");

    // Nobody is there at all.
    drop(scene.pebble.take());
    scene.house.clock.advance(HOUR);
    scene.keeper.round().await.unwrap();
    let told = scene.told(&shop).await;
    assert_eq!(told["certificate"]["fault"], "the certificate authority cannot be reached", "{told:#}");
    consents(&scene.house, ADA).await;
    assert!(scene.way_out(&shop, ADA).await.starts_with(PAGES), "links lead where they work");
    scene.end().await;
}

/// A certificate is renewed before it ends; one that could not be is used no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_after_two_thirds_of_its_life_and_one_that_ended_is_not_used() {
    let mut scene = Scene::new().await;
    let shop = scene.house.shop.clone();
    consents(&scene.house, ADA).await;
    scene.in_force(NAME).await;
    scene.keeper.round().await.unwrap();
    let life = DAY * u32::try_from(CERTIFICATE_DAYS).unwrap();
    let revision = |scene: &Scene| {
        let book = scene.house.store.host_book();
        let kept = book.named(NAME).unwrap().certificate.clone().unwrap();
        (kept.revision, kept.chain)
    };
    let (first, chain) = revision(&scene);
    scene.house.clock.advance(life * 2 / 3 - DAY);
    scene.keeper.round().await.unwrap();
    assert_eq!(revision(&scene), (first, chain.clone()), "not yet");
    scene.house.clock.advance(DAY);
    // The authority forgot us, as pebble does when it ends: its address stays, and a new account is made.
    scene.keeper.round().await.unwrap();
    let (second, renewed) = revision(&scene);
    assert!(second > first && renewed != chain);
    assert!(scene.over_tls(NAME).await.get("/public.css", &[]).await.is_ok(), "and it is shown");
    assert!(scene.way_out(&shop, ADA).await.starts_with("https://mail.shop.example/"));

    drop(scene.pebble.take());
    scene.house.clock.advance(life / 3 + DAY);
    scene.keeper.round().await.unwrap();
    let told = scene.told(&shop).await;
    assert_eq!((&told["certificate"]["state"], &told["links"]), (&json!("expired"), &json!(false)), "{told:#}");
    assert_eq!(told["certificate"]["fault"], "the certificate authority cannot be reached");
    assert!(scene.way_out(&shop, ADA).await.starts_with(PAGES));
    let own = Http::tls(scene.https, NAME, scene.house.ca.client());
    assert!(own.get("/public.css", &[]).await.is_err(), "the node's own certificate is shown, which is not for it");
    scene.end().await;
}
