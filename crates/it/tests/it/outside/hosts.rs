//! `postern serve` with an authority for certificates (Debian's `pebble`): a person signs up and confirms on the
//! controller's own host name, over HTTPS, with a certificate that the node ordered by itself.

use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place, until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use testkit::http::Http;
use testkit::{FakeDns, FakeMx, Pebble};

const NAME: &str = "mail.sample.example";

/// A node on the folder of a demo that has ended, with these further arguments.
async fn served(demo: &mut Demo, further: &[&str]) {
    demo.place.command = "serve";
    demo.place.further = further.iter().map(|word| (*word).to_owned()).collect();
    demo.restart().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8555_art7_a_person_signs_up_and_confirms_on_the_controller_s_own_host_name() {
    let folder = tempfile::tempdir().unwrap();
    let (dns, mx) = (FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap());
    let sink = Some(mx.addr());
    let mut demo = Demo::start(Place { sink, ..Place::below(folder.path()) }).await;
    assert!(demo.terminate().await.success());
    let (key, controller) = (demo.text("/api_key").to_owned(), demo.text("/controller").to_owned());
    let (http, https) = (demo.address("http"), demo.address("https"));
    let pebble = Pebble::start(folder.path(), http.port(), dns.addr(), &[]).await;
    let ca = folder.path().join("acme-ca.pem");
    fs::write(&ca, &pebble.ca).unwrap();
    let (directory, server) = (pebble.directory(), dns.addr().to_string());
    let mut words = vec!["--dns", &server, "--pages-url", "https://pages.node.example"];
    words.extend(["--acme-directory", &directory, "--acme-contact", "ops@node.example", "--acme-ca", word(&ca)]);
    served(&mut demo, &words).await;

    let bearer = format!("Bearer {key}");
    let own = Http::plain(http);
    let ask = async |method: &str, path: &str, body: &str| {
        let fields = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let answer = own.request(method, path, &fields, body.as_bytes()).await.unwrap();
        assert!(answer.status < 300, "{}: {}", answer.text(), demo.place.said());
        serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()
    };
    let host = ask("POST", "/v1/hosts", &json!({"name": NAME}).to_string()).await;
    assert_eq!(host["records"][1]["value"], "pages.node.example");
    let record = &host["records"][0];
    dns.txt(record["name"].as_str().unwrap(), record["value"].as_str().unwrap()).loopback(NAME);
    let id = host["id"].as_str().unwrap();
    ask("POST", &format!("/v1/hosts/{id}/verify"), "").await;
    until("a certificate", async || {
        let told = ask("GET", "/v1/hosts", "").await["hosts"][0].take();
        assert_eq!(told["certificate"]["failures"], 0, "{told:#}");
        (told["links"] == true).then_some(())
    })
    .await;

    let there = Http::tls(https, NAME, pebble.client().await).asking(NAME);
    let form = format!("/f/{controller}/newsletter");
    let page = there.get(&form, &[]).await.unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    let purpose = text[text.find("value=\"pur_").unwrap() + "value=\"".len()..].split('"').next().unwrap().to_owned();
    let before = "name=\"form_version\" value=\"";
    let shown = text[text.find(before).unwrap() + before.len()..].split('"').next().unwrap().to_owned();
    let sent = format!("email=gina%40dest.example&purpose={purpose}&form_version={shown}&language=en&homepage=");
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(there.request("POST", &form, &kind, sent.as_bytes()).await.unwrap().status, 200);
    let mail = mx.wait_for_recipient("gina@dest.example", 1).await.remove(0).text().replace("=\r\n", "");
    let begin = format!("https://{NAME}");
    let link = mail.split_whitespace().find(|word| word.starts_with(&format!("{begin}/c/"))).expect("a link there");
    let answer = there.request("POST", link.strip_prefix(&begin).unwrap(), &kind, b"").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Neither the API nor a name that nobody has is there.
    assert_eq!(there.get("/v1/openapi.json", &[]).await.unwrap().status, 404);
    assert_eq!(own.clone().asking("other.sample.example").get("/", &[]).await.unwrap().status, 404);
    assert_eq!(own.clone().asking("pages.node.example").get("/public.css", &[]).await.unwrap().status, 200);
    assert_eq!(own.clone().asking("other.sample.example").get("/readyz", &[]).await.unwrap().status, 200);

    // It is there again after a start without the authority: nothing is ordered that is there.
    assert!(demo.terminate().await.success());
    let client = pebble.client().await;
    drop(pebble);
    served(&mut demo, &words).await;
    let there = Http::tls(https, NAME, client).asking(NAME);
    assert_eq!(there.get(&form, &[]).await.unwrap().status, 200);
    assert!(demo.terminate().await.success());
    assert_eq!(keys_in_clear(&demo.place.data), 0, "no key of the name lies in clear");
}

/// Files of a folder, the node's own key aside, that hold a private key in PEM, or its beginning in DER.
fn keys_in_clear(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += keys_in_clear(&path);
        } else if !path.ends_with("tls-key.pem") {
            let octets = fs::read(&path).unwrap();
            let holds = |part: &[u8]| memchr::memmem::find(&octets, part).is_some();
            count += usize::from(holds(b"PRIVATE KEY") || holds(b"key_pkcs8"));
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_named_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let start = async |further: &[&str]| {
        let mut words = vec!["serve", "--quiet", "--data", word(&data)];
        words.extend(further);
        run_postern(&words).await.refusal()
    };
    let https = "https://acme.example/directory";
    let said = start(&["--acme-directory", "http://acme.example", "--acme-contact", "ops@node.example"]).await;
    assert!(said.contains("--acme-directory http://acme.example is not an https address"), "{said}");
    let said = start(&["--acme-directory", https, "--acme-contact", "nobody"]).await;
    assert!(said.contains("--acme-contact is not an e-mail address") && !said.contains("nobody"), "{said}");
    let missing = folder.path().join("missing.pem");
    let ca = ["--acme-directory", https, "--acme-contact", "ops@node.example", "--acme-ca", word(&missing)];
    let said = start(&ca).await;
    assert!(said.contains("missing.pem cannot be read as certificates"), "{said}");
    assert!(!data.exists(), "nothing was begun");
}
