//! The evidence of a consent, handed over by a node at work and by the command line, judged by programs that are not
//! ours: the words are those that were shown, and whatever is changed does not lead to the log.

use super::harness::binary;
use super::harness::tools::{Said, run_postern, run_python, word};
use super::harness::{Demo, Place};
use super::pages::{Pages, path};
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use testkit::http::{Http, HttpAnswer};

async fn post(demo: &Demo, path: &str, body: &Value) -> HttpAnswer {
    let key = format!("Bearer {}", demo.text("/api_key"));
    let headers = [("Authorization", key.as_str()), ("Content-Type", "application/json")];
    Http::plain(demo.address("http")).request("POST", path, &headers, body.to_string().as_bytes()).await.unwrap()
}

/// A notice with everything that people must be told, and a sentence of its version.
fn notice(version: u32) -> Value {
    json!({
        "version": version, "language": "en", "title": "How we use your address", "dated": "2026-01-01",
        "short": format!("Version {version}: we send you our newsletter until you say stop."),
        "controllers": [{"name": "Sample Shop", "address": "1 Example Street", "contact": "privacy@sample.example"}],
        "officer": {"contact": "privacy@sample.example"},
        "purposes": [{"id": "newsletter", "text": "To send you our newsletter.", "bases": ["consent"]}],
        "recipients": ["The operator of our mail service."], "transfers": "none",
        "retention": ["Until you withdraw."],
        "rights": ["access", "rectification", "erasure", "restriction", "portability", "objection"],
        "rights_contact": "Write to privacy@sample.example.", "withdrawal": "With one click in every message.",
        "complaint": "The authority of Sampletown.", "must_be_given": "You need not give it.",
        "automated": "none", "source": "from-person"
    })
}

async fn publish(demo: &Demo, version: u32) {
    let form = json!({"name": "newsletter", "purposes": ["newsletter"], "notices": [notice(version)]});
    let answer = post(demo, "/v1/forms", &form).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn parts(folder: &Path, file: &Path) -> PathBuf {
    let to = folder.join("parts");
    let _ = fs::remove_dir_all(&to);
    let said = std::process::Command::new("python3").args(["-m", "zipfile", "-e", word(file), word(&to)]).status();
    assert!(said.unwrap().success());
    to
}

/// The file with one octet changed in the middle of a part.
fn changed(folder: &Path, file: &Path, part: &str) -> PathBuf {
    let (mut octets, inner) = (fs::read(file).unwrap(), fs::read(parts(folder, file).join(part)).unwrap());
    let at = octets.windows(inner.len()).position(|window| window == inner).expect("stored as it is");
    octets[at + inner.len() / 2] ^= 1;
    let to = folder.join("changed.zip");
    fs::write(&to, octets).unwrap();
    to
}

/// The file with the record changed, and its sums mended.
async fn forge(folder: &Path, file: &Path, from: &str, to: &str) -> PathBuf {
    let forged = folder.join("forged.zip");
    let script = "import hashlib,sys,zipfile\n\
        a=zipfile.ZipFile(sys.argv[1]); p={n:a.read(n) for n in a.namelist()}\n\
        assert sys.argv[3].encode() in p['record.jsonld'], (sys.argv[3], p['record.jsonld'].decode())\n\
        p['record.jsonld']=p['record.jsonld'].replace(sys.argv[3].encode(),sys.argv[4].encode())\n\
        names=[l.split('  ')[1] for l in p['SHA256SUMS'].decode().splitlines()]\n\
        p['SHA256SUMS']=''.join(hashlib.sha256(p[n]).hexdigest()+'  '+n+'\\n' for n in names).encode()\n\
        o=zipfile.ZipFile(sys.argv[2],'w')\n\
        [o.writestr(n,b) for n,b in p.items()]; o.close()\n";
    run_python(&["-c", script, word(file), word(&forged), from, to]).await.good();
    forged
}

async fn foreign(file: &Path, vkey: &str) -> Said {
    let script = binary::workspace().join("crates/ledger/tests/foreign/verify_consent.py");
    run_python(&[word(&script), word(file), vkey.trim()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_1_the_words_shown_are_exported_when_newer_ones_are_in_use_and_every_change_is_found() {
    let pages = Pages::open().await;
    let (demo, folder) = (&pages.demo, tempfile::tempdir().unwrap());
    publish(demo, 3).await;
    let eve = "eve@dest.example";
    let link = pages.sign_up(eve).await;
    assert_eq!(pages.post(path(&link), "").await.status, 200);
    publish(demo, 4).await;

    let asked = json!({"email": "EVE@dest.example", "purpose": "newsletter"});
    let answer = post(demo, "/v1/consents/export", &asked).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/zip"));
    assert!(!answer.body.windows(eve.len()).any(|window| window == eve.as_bytes()), "no address in it");
    let file = folder.path().join("consent.zip");
    fs::write(&file, &answer.body).unwrap();

    let inner = parts(folder.path(), &file);
    let words = fs::read(inner.join("notice.txt")).unwrap();
    let text = String::from_utf8(words.clone()).unwrap();
    assert!(text.contains("Version 3:") && !text.contains("Version 4:"), "{text}");
    let record: Value = serde_json::from_slice(&fs::read(inner.join("record.jsonld")).unwrap()).unwrap();
    let sha256 = model::ids::hex(digest::digest(&digest::SHA256, &words).as_ref());
    assert_eq!(record["dpv:hasNotice"]["schema:sha256"], sha256);
    assert_eq!(record["dpv:hasNotice"]["schema:version"], 3);
    // Who processes is who signed the agreement, and where, what the instruction says.
    assert_eq!(record["dpv:hasDataProcessor"][0]["dpv:hasName"], "The operator of this demo");
    let stored = &record["dpv:hasProcess"][0]["dpv:hasStorageCondition"][0];
    assert_eq!((&stored["dpv:hasLocation"], &record["dpv:hasJurisdiction"]), (&json!(["loc:EEA"]), &json!("loc:EEA")));
    let readme = fs::read_to_string(inner.join("README.txt")).unwrap();
    assert!(readme.contains("Nothing is missing"), "{readme}");

    let vkey = fs::read_to_string(demo.log().join("log.vkey")).unwrap();
    let said = foreign(&file, &vkey).await.good();
    assert_eq!(said.trim(), format!("ok receipts=3 words={sha256}"), "asked, confirmed, handed over");
    let verify = ["consent", "verify", word(&file), "--key", vkey.trim()];
    let said = run_postern(&verify).await.good();
    assert!(said.contains("3 receipts, 3 opened") && said.contains(&sha256), "{said}");
    assert!(said.contains("\ncomplete: "), "{said}");
    run_postern(&[&verify[..], &["--log", word(&demo.log())]].concat()).await.good();
    for part in ["record.jsonld", "notice.txt", "act-1.json", "act-2.tlog-proof", "export.tlog-proof", "blinds.txt"] {
        let changed = changed(folder.path(), &file, part);
        let said = run_postern(&["consent", "verify", word(&changed), "--key", vkey.trim()]).await.refusal();
        assert!(said.contains("is not right"), "{part}: {said}");
        assert_ne!(foreign(&changed, &vkey).await.code, 0, "{part}");
    }
    // A forger who also mends the sums says what the acts do not.
    for (from, to) in [
        ("newsletter", "everything"),
        ("\"dpv:ConsentGiven\"", "\"dpv:RenewedConsentGiven\""),
        (&sha256, &sha256.replace(|c: char| c.is_ascii_digit(), "f")),
        ("ticked an empty box", "signed"),
        ("\"dpv:isIndicatedBy\":\"dpv:DataSubject\"", "\"dpv:isIndicatedBy\":\"dpv:DataController\""),
        ("Z\"", "Z \""),
        ("eu-gdpr:A6-1-a", "eu-gdpr:A6-1-b"),
    ] {
        let forged = forge(folder.path(), &file, from, to).await;
        let said = run_postern(&["consent", "verify", word(&forged), "--key", vkey.trim()]).await;
        let found = ["says another", "the words that record.jsonld names"].iter().any(|words| said.err.contains(words));
        assert!(found && said.code == 1, "{from}: {said:?}");
    }
    // What no act says is bound by the log's word for what was handed over.
    let forged = forge(folder.path(), &file, "The operator of this demo", "Somebody Else").await;
    let said = run_postern(&["consent", "verify", word(&forged), "--key", vkey.trim()]).await.refusal();
    assert!(said.contains("this is not what was kept"), "{said}");
    let said = foreign(&forged, &vkey).await;
    assert_eq!(said.out.trim(), "fault: the log says that SHA256SUMS is not what was kept");

    // Nor does one who says that it was somebody else: each act names the person.
    let subject = record["dpv:hasDataSubject"]["dct:identifier"].as_str().unwrap();
    let other = forge(folder.path(), &file, subject, &subject.replace(|c: char| c.is_ascii_digit(), "f")).await;
    let said = run_postern(&["consent", "verify", word(&other), "--key", vkey.trim()]).await.refusal();
    assert!(said.contains("act-1.json is about another person"), "{said}");
    let said = foreign(&other, &vkey).await;
    assert_eq!(said.out.trim(), "fault: act-1.json is about another person");

    // Of whom nothing is recorded, or for what nothing is, there is no file.
    for (email, purpose, status) in
        [("stranger@dest.example", "newsletter", 404), (eve, "transactional", 404), (eve, "nothing", 400)]
    {
        let answer = post(demo, "/v1/consents/export", &json!({"email": email, "purpose": purpose})).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_1_the_command_line_exports_what_was_withdrawn_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let ada = demo.text("/consented/0").to_owned();
    let gone = json!({"email": ada, "stream": "newsletter"});
    let answer = post(&demo, "/v1/consents/withdraw", &gone).await;
    assert_eq!((answer.status, answer.text().contains("withdrawn")), (200, true), "{}", answer.text());
    assert!(demo.terminate().await.success());

    let (address, file) = (folder.path().join("address"), folder.path().join("consent.zip"));
    fs::write(&address, format!("{ada}\n")).unwrap();
    let mut export = vec!["consent", "export", "--data", word(&demo.place.data), "--controller"];
    export.extend([demo.text("/controller"), "--purpose", "newsletter", "--address", word(&address)]);
    export.extend(["--out", word(&file)]);
    run_postern(&export).await.good();
    let said = run_postern(&export).await.refusal();
    assert!(said.contains("exists"), "a file never goes over another: {said}");
    let vkey = fs::read_to_string(demo.log().join("log.vkey")).unwrap();
    let said = foreign(&file, &vkey).await.good();
    assert!(said.starts_with("ok receipts=3"), "{said}");
    let record = fs::read(parts(folder.path(), &file).join("record.jsonld")).unwrap();
    assert!(String::from_utf8(record).unwrap().contains("dpv:ConsentWithdrawn"));
    // Another log's key does not open it.
    let mut logs = fs::read_dir(demo.place.data.join("ledger")).unwrap().map(|entry| entry.unwrap().path());
    let other = logs.find(|path| *path != demo.log()).expect("the operator has a log too");
    let other = fs::read_to_string(other.join("log.vkey")).unwrap();
    let said = run_postern(&["consent", "verify", word(&file), "--key", other.trim()]).await.refusal();
    assert!(said.contains("is not right"), "{said}");
}

/// What is exported of a person whose basis the controller told so: the record and the README.
async fn told(demo: &Demo, folder: &Path, (email, stream): (&str, &str), basis: &Value) -> (Value, String) {
    let words = json!({"name": "told", "version": 1, "language": "en", "text": "We write to you."});
    let notice: Value = serde_json::from_slice(&post(demo, "/v1/notices", &words).await.body).unwrap();
    let mut body = json!({"email": email, "stream": stream, "confirmed": true, "notice": notice["id"]});
    body.as_object_mut().unwrap().extend(basis.as_object().unwrap().clone());
    let answer = post(demo, "/v1/consents", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let answer = post(demo, "/v1/consents/export", &json!({"email": email, "purpose": stream})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let file = folder.join("told.zip");
    fs::write(&file, &answer.body).unwrap();
    let vkey = fs::read_to_string(demo.log().join("log.vkey")).unwrap();
    let said = run_postern(&["consent", "verify", word(&file), "--key", vkey.trim()]).await;
    assert_eq!(said.code, 3, "whole, and no complete evidence: {said:?}");
    assert!(said.out.contains("\nincomplete: ") && !said.out.contains("version 1"), "{said:?}");
    foreign(&file, &vkey).await.good();
    let inner = parts(folder, &file);
    let record = serde_json::from_slice(&fs::read(inner.join("record.jsonld")).unwrap()).unwrap();
    let act: Value = serde_json::from_slice(&fs::read(inner.join("act-1.json")).unwrap()).unwrap();
    assert_eq!((&act["v"], &act["by"], &act["basis"]), (&json!(2), &json!("controller"), &basis["kind"]));
    (record, fs::read_to_string(inner.join("README.txt")).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_1_what_is_no_consent_is_never_exported_as_one_and_what_was_told_is_marked_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(Place::below(folder.path())).await;
    let basis = json!({"kind": "contract", "action": "signature", "method": "paper"});
    let whose = ("contract@dest.example", "transactional");
    let (record, readme) = told(&demo, folder.path(), whose, &basis).await;
    assert_eq!(
        (&record["@type"], &record["dpv:hasLegalBasis"]),
        (&json!("postern:BasisRecord"), &json!("eu-gdpr:A6-1-b"))
    );
    assert!(!record.to_string().contains("Consent"), "{record}");
    assert!(readme.contains("This is no consent") && !readme.contains("Nothing is missing"), "{readme}");
    // Consent on the controller's word is his word; unconfirmed it is not given.
    for (email, confirmed, status) in
        [("told@dest.example", true, "dpv:ConsentGiven"), ("unconfirmed@dest.example", false, "dpv:ConsentRequested")]
    {
        let basis = json!({"kind": "consent", "confirmed": confirmed, "action": "checkbox-ticked", "method": "form"});
        let (record, readme) = told(&demo, folder.path(), (email, "newsletter"), &basis).await;
        assert_eq!(record["dpv:hasLegalBasis"], "eu-gdpr:A6-1-a");
        assert_eq!(record["dpv:hasConsentStatus"][0]["@type"], json!([status]));
        assert_eq!(record["dpv:hasConsentStatus"][0]["dpv:isIndicatedBy"], "dpv:DataController");
        assert!(record["dpv:hasConsentControl"].is_null() && record["dpv:hasJurisdiction"].is_null(), "{record}");
        assert!(readme.contains("the controller told it") && !readme.contains("Nothing is missing"), "{readme}");
        assert_eq!(readme.contains("the person did not confirm it"), !confirmed, "{readme}");
    }
    // What a page of ours would say of itself cannot be told.
    for name in ["controller", "withdrawal", "action", "page"] {
        let body = json!({"email": "told@dest.example", "stream": "newsletter", "kind": "consent", "confirmed": true,
            "details": {name: "Totally Other Ltd"}});
        let answer = post(&demo, "/v1/consents", &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    let free = json!({"email": "told@dest.example", "stream": "newsletter", "kind": "consent", "confirmed": true,
        "details": {"till": 4}});
    assert_eq!(post(&demo, "/v1/consents", &free).await.status, 201, "twin: what else is known is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_1_a_sign_up_without_a_key_is_the_persons_own_once_he_confirms_and_never_told_by_the_controller() {
    let pages = Pages::open().await;
    let (demo, folder) = (&pages.demo, tempfile::tempdir().unwrap());
    let page = pages.get(&pages.form()).await.text();
    let value = |name: &str| {
        let before = format!("name=\"{name}\" value=\"");
        let at = page.find(&before).unwrap() + before.len();
        page[at..].split('"').next().unwrap().to_owned()
    };
    for (email, version, missing) in [
        ("whole@dest.example", Some(value("form_version")), None),
        ("versionless@dest.example", None, Some("it is not known on which form consent was given")),
    ] {
        let mut asked = json!({"email": email, "purposes": [value("purpose")], "language": "en"});
        if let Some(version) = version {
            asked["form_version"] = version.into();
        }
        let headers = [("Content-Type", "application/json")];
        let http = Http::plain(demo.address("http"));
        let answer = http.request("POST", &pages.form(), &headers, asked.to_string().as_bytes()).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
        let link = pages.link_for(email).await;
        assert_eq!(pages.post(path(&link), "").await.status, 200);
        let answer = post(demo, "/v1/consents/export", &json!({"email": email, "purpose": "newsletter"})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let file = folder.path().join("embedded.zip");
        fs::write(&file, &answer.body).unwrap();
        let vkey = fs::read_to_string(demo.log().join("log.vkey")).unwrap();
        let said = run_postern(&["consent", "verify", word(&file), "--key", vkey.trim()]).await;
        assert_eq!(said.code, if missing.is_some() { 3 } else { 0 }, "{said:?}");
        foreign(&file, &vkey).await.good();
        let inner = parts(folder.path(), &file);
        let read = |name: &str| fs::read_to_string(inner.join(name)).unwrap();
        let act: Value = serde_json::from_str(&read("act-1.json")).unwrap();
        assert_eq!(
            (&act["by"], &act["method"], &act["confirmed"]),
            (&json!("stranger"), &json!("embedded"), &json!(false))
        );
        let act: Value = serde_json::from_str(&read("act-2.json")).unwrap();
        assert_eq!(
            (&act["by"], &act["method"], &act["confirmed"]),
            (&json!("page"), &json!("double-opt-in"), &json!(true))
        );
        let (record, readme) = (read("record.jsonld"), read("README.txt"));
        let whom = serde_json::from_str::<Value>(&record).unwrap();
        assert_eq!(whom["dpv:hasConsentStatus"][0]["dpv:isIndicatedBy"], "dpv:DataSubject");
        assert!(!readme.contains("the controller told it"), "{readme}");
        match missing {
            None => assert!(readme.contains("Nothing is missing"), "{readme}"),
            Some(lack) => assert!(readme.contains(lack) && !readme.contains("Nothing is missing"), "{readme}"),
        }
    }
}
