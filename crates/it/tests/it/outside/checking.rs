//! `postern check`: a domain as a newcomer has it, step by step until all is well, and each thing that can be wrong
//! with what it says of it; without a node, beside one, and judged by an implementation of DMARC that is not ours.

use super::harness::tools::{Said, run_postern, run_python, word};
use super::harness::{Demo, Place, database, until};
use super::quickstarting::ANSWERS;
use serde_json::Value;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use testkit::FakeDns;
use testkit::http::Http;
use testkit::tls::{Leaf, TestCa};
use tokio::net::UdpSocket;

/// Where mail leaves from, as the world sees it.
const ADDRESS: &str = "203.0.113.25";
const HOST: &str = "mx.node.example";

/// A node that quickstart made, and a zone in which nothing is published yet.
struct Ground {
    place: Place,
    dns: FakeDns,
    /// Its DKIM records.
    keys: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Place { command: "serve", ..Place::below(folder.path()) };
        database::provide(&place.data).await;
        let dns = FakeDns::start().await.unwrap();
        let store = database::arguments(&place.data);
        let store = match store.as_slice() {
            [_, url, _, keys] => format!("[store]\nurl = \"{url}\"\nkeys_url = \"{keys}\"\n"),
            _ => String::new(),
        };
        let node = format!(
            "[node]\nehlo = \"{HOST}\"\n[listen]\nbase_port = {}\n[delivery]\ndns = \"{}\"\ndnssec = \"off\"\n{store}",
            place.base_port,
            dns.addr()
        );
        let path = |name: &str| folder.path().join(name);
        fs::write(path("answers.toml"), format!("{}{node}", ANSWERS.replace("\"both\"", "\"transactional\""))).unwrap();
        let (answers, config, credential) = (path("answers.toml"), path("postern.toml"), path("credential.json"));
        let mut words = vec!["quickstart", "--offline", "--answers", word(&answers), "--config", word(&config)];
        words.extend(["--data", word(&place.data), "--credentials", word(&credential)]);
        run_postern(&words).await.good();
        let told: Value = serde_json::from_slice(&fs::read(&credential).unwrap()).unwrap();
        let text = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
        let records = told["dns"].as_array().unwrap();
        let keys = records.iter().map(|record| (text(record, "name"), text(record, "value"))).collect();
        place.further = vec!["--config".to_owned(), word(&config).to_owned()];
        Self { place, dns, keys, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn check(&self, further: &[&str]) -> Said {
        let config = self.path("postern.toml");
        run_postern(&[&["check", "--config", word(&config)], further].concat()).await
    }

    /// Exit code and findings of one part, each as its level and what it says in all.
    async fn looked(&self, part: &str, further: &[&str]) -> (i32, Vec<(String, String)>) {
        let said = self.check(&[&["--json", "--only", part], further].concat()).await;
        let told: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let findings = told["findings"].as_array().unwrap().iter().map(|one| {
            assert_eq!(one["check"], part);
            let text = |name: &str| one[name].as_str().unwrap_or_default();
            let remedy = text("remedy");
            assert_eq!(remedy.is_empty(), ["ok", "note"].contains(&text("level")), "{one}");
            (text("level").to_owned(), format!("{}: {} {remedy}", text("about"), text("what")))
        });
        (said.code, findings.collect())
    }

    /// One part, of which one finding has to say this, at this level; the exit code goes with the worst.
    async fn says(&self, part: &str, further: &[&str], level: &str, what: &str) {
        let (code, found) = self.looked(part, further).await;
        assert!(found.iter().any(|(at, text)| at == level && text.contains(what)), "{level} {what}: {found:?}");
        let worst = found.iter().map(|(at, _)| match at.as_str() {
            "wrong" => 2,
            "warning" => 1,
            _ => 0,
        });
        assert_eq!(Some(code), worst.max(), "{found:?}");
    }

    /// Publishes all that quickstart says, and the names of the node.
    fn publish(&self) {
        let address: IpAddr = ADDRESS.parse().unwrap();
        self.dns.address(HOST, address).ptr(address, HOST).txt(HOST, "v=spf1 a -all");
        for (name, value) in &self.keys {
            self.dns.txt(name, value);
        }
        self.dns.txt("bounce.shop.example", "v=spf1 a:mx.node.example -all").mx("bounce.shop.example", 10, HOST);
        self.dns.txt("_dmarc.shop.example", "v=DMARC1; p=reject; rua=mailto:dmarc@shop.example");
    }

    async fn name_return_path(&self) {
        let dns = self.dns.addr().to_string();
        let mut words = vec!["return-path", "--data", word(&self.place.data), "--controller", "shop"];
        words.extend(["--domain", "shop.example", "--inbound-host", HOST, "--dns", &dns]);
        let store = database::arguments(&self.place.data);
        words.extend(store.iter().map(String::as_str));
        run_postern(&words).await.good();
    }
}

const MAIL: [&str; 8] = ["--only", "ptr", "--only", "spf", "--only", "dkim", "--only", "dmarc"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_with_what_to_do_until_all_is_well_without_a_node_and_beside_one() {
    let ground = Ground::new().await;
    let said = ground.check(&MAIL).await;
    assert_eq!(said.code, 2, "{said:?}");
    for what in [
        "wrong    ptr           mx.node.example: has no address in DNS",
        "wrong    spf           shop.example: has no SPF record",
        "_domainkey.shop.example: is not published",
        "wrong    dmarc         shop.example: has no DMARC policy",
        "publish the TXT record _dmarc.shop.example with",
        "nothing by which its mail passes DMARC",
    ] {
        assert!(said.out.contains(what) || what.starts_with("nothing"), "{what}: {}", said.out);
    }
    ground.publish();
    ground.name_return_path().await;
    let said = ground.check(&MAIL).await;
    assert!(said.code == 0 && said.out.ends_with("\nAll is well.\n"), "{said:?}");
    for what in ["203.0.113.25: is called mx.node.example", "bounce.shop.example: lets 203.0.113.25 send", "by DKIM of"]
    {
        assert!(said.out.contains(what), "{what}: {}", said.out);
    }
    let alone = said.out;
    // Beside a node that serves, which has the store for itself.
    let mut node = Demo::start(ground.place.clone()).await;
    let beside = ground.check(&MAIL).await;
    assert_eq!((beside.code, beside.out), (0, alone));
    let (_, room) = ground.looked("disk", &[]).await;
    assert!(room[0].1.starts_with("data, ") && room[0].1.contains("MiB are free"), "{room:?}");
    assert!(node.terminate().await.success());
    // What cannot be looked at is neither good nor bad.
    let none = ground.path("none.toml");
    let said = run_postern(&["check", "--config", word(&none)]).await;
    assert!(said.code == 3 && said.out.is_empty() && said.err.contains("none.toml"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_wrong_is_named_by_its_value() {
    let ground = Ground::new().await;
    ground.publish();
    ground.name_return_path().await;
    let dns = &ground.dns;
    // C6: another name than in EHLO, and an address that the settings name.
    ground.says("ptr", &["--address", "203.0.113.26"], "wrong", "203.0.113.26: has no PTR record").await;
    dns.ptr("203.0.113.27".parse().unwrap(), "host27.provider.example");
    let told = "its PTR record says host27.provider.example, and EHLO mx.node.example";
    ground.says("ptr", &["--address", "203.0.113.27"], "wrong", told).await;
    dns.address("host27.provider.example", "203.0.113.27".parse().unwrap());
    ground.says("ptr", &["--address", "203.0.113.27=host27.provider.example"], "ok", "has this address").await;
    // RFC 7208: the address does not pass; everybody passes.
    ground.says("spf", &["--address", "203.0.113.27"], "wrong", "forbids 203.0.113.27 to send").await;
    dns.clear("bounce.shop.example").txt("bounce.shop.example", "v=spf1 +all").mx("bounce.shop.example", 10, HOST);
    ground.says("spf", &[], "warning", "lets everybody send").await;
    // RFC 6376: the key of another.
    let (name, value) = &ground.keys[1];
    dns.clear(name).txt(name, &ground.keys[0].1);
    ground.says("dkim", &[], "wrong", "publishes another").await;
    dns.clear(name).txt(name, value);
    ground.says("dkim", &[], "ok", "key that signs").await;
    // RFC 9989: tags that are gone are told, and harm nothing.
    dns.clear("_dmarc.shop.example").txt("_dmarc.shop.example", "v=DMARC1; p=none; pct=20");
    ground.says("dmarc", &[], "warning", "pct= was taken out of DMARC").await;
    // Nobody is asked unless named; a list that refuses is told apart from one that speaks.
    assert_eq!(ground.looked("blocklists", &[]).await, (0, Vec::new()));
    let (list, entry) = (["--blocklist", "bl.example"], "25.113.0.203.bl.example");
    ground.says("blocklists", &list, "ok", "is not on bl.example").await;
    dns.address(entry, "127.255.255.254".parse().unwrap());
    ground.says("blocklists", &list, "warning", "it is the list that fails").await;
    dns.clear(entry).address(entry, "127.0.0.2".parse().unwrap());
    ground.says("blocklists", &list, "wrong", "is on bl.example (127.0.0.2)").await;
    // A resolver that strips proofs.
    ground.says("resolver", &[], "note", "not validated").await;
    ground.says("resolver", &["--dnssec", "validate"], "wrong", "gives no DNSSEC proofs").await;
    // DNS that is away is no fault of the domain.
    dns.servfail("_dmarc.shop.example");
    ground.says("dmarc", &[], "warning", "DNS gave no answer about _dmarc.shop.example").await;
}

/// A time server whose clock is so many seconds ahead.
async fn time_server(ahead_s: u64) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let place = socket.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut packet = [0_u8; 48];
        while let Ok((48, peer)) = socket.recv_from(&mut packet).await {
            let theirs: [u8; 8] = packet[40..].try_into().unwrap();
            packet[24..32].copy_from_slice(&theirs);
            // What the client sent is about now.
            let now = (u64::from_be_bytes(theirs) + (ahead_s << 32)).to_be_bytes();
            (packet[0], packet[1]) = (0x24, 2);
            packet[32..40].copy_from_slice(&now);
            packet[40..].copy_from_slice(&now);
            socket.send_to(&packet, peer).await.unwrap();
        }
    });
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc4330_the_clock_is_compared_with_a_server_that_is_named() {
    let ground = Ground::new().await;
    for (ahead_s, level, what) in [(0, "ok", "0.00"), (10, "warning", "s behind it"), (3_600, "wrong", "s behind it")] {
        let server = time_server(ahead_s).await;
        ground.says("clock", &["--time-server", &server], level, what).await;
    }
    // None is named: nobody is asked.
    let (code, found) = ground.looked("clock", &[]).await;
    assert!(code == 0 && !found.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9525_a_certificate_is_judged_by_its_end_its_name_and_who_vouches() {
    let (ground, ca) = (Ground::new().await, TestCa::new());
    let (chain, key, authority) = (ground.path("chain.pem"), ground.path("key.pem"), ground.path("ca.pem"));
    fs::write(&authority, ca.pem()).unwrap();
    let show = |leaf: &Leaf| {
        fs::write(&chain, &leaf.chain_pem).unwrap();
        fs::write(&key, &leaf.key_pem).unwrap();
    };
    show(&ca.leaf(&[HOST]));
    let files = ["--certificate", word(&chain), "--key", word(&key)];
    ground.says("certificates", &files, "warning", "does not lead to an authority that clients know").await;
    let trusted = [&files[..], &["--exchanger-ca", word(&authority)]].concat();
    ground.says("certificates", &trusted, "ok", "mx.node.example: its certificate holds for").await;
    show(&ca.leaf(&["other.example"]));
    ground.says("certificates", &trusted, "warning", "is not for this name").await;
    show(&ca.ended(&[HOST]));
    ground.says("certificates", &files, "wrong", "its certificate has ended").await;
    // One of its own is made at the first start alone.
    ground.says("certificates", &[], "note", "has no certificate yet").await;
    let mut node = Demo::start(ground.place.clone()).await;
    ground.says("certificates", &[], "note", "clients have to be told to trust").await;
    // The figures say the same.
    let figures = Http::plain(node.address("http"));
    let shown = until("the figures of what runs out", async || {
        let text = figures.get("/metrics", &[]).await.unwrap().text();
        text.contains("postern_certificate_days_left{of=\"node\"}").then_some(text)
    })
    .await;
    assert!(shown.contains("postern_disk_free_octets{place=\"data\"}"), "{shown}");
    assert!(node.terminate().await.success());
}

/// What checkdmarc makes of SPF and DMARC of a domain: valid or not, policy, questions to DNS.
const FOREIGN: &str = r#"
import sys, json
import dns.resolver
from checkdmarc import dmarc, spf
port, domain, spf_domain = int(sys.argv[1]), sys.argv[2], sys.argv[3]
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], port
told = {}
found = spf.check_spf(spf_domain, resolver=resolver)
told["spf"] = [found["valid"], found.get("dns_lookups")]
found = dmarc.check_dmarc(domain, resolver=resolver)
told["dmarc"] = [found["valid"], found["tags"]["p"]["value"] if found["valid"] else None, found.get("location")]
print(json.dumps(told))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn rfc9989_rfc7208_checkdmarc_finds_the_same() {
    let ground = Ground::new().await;
    ground.publish();
    ground.name_return_path().await;
    // To checkdmarc a name without any record is no domain.
    ground.dns.loopback("shop.example");
    let port = ground.dns.addr().port().to_string();
    let foreign = async || {
        let said = run_python(&["-c", FOREIGN, &port, "shop.example", "bounce.shop.example"]).await.good();
        serde_json::from_str::<Value>(&said).unwrap()
    };
    assert_eq!(foreign().await, serde_json::json!({"spf": [true, 1], "dmarc": [true, "reject", "shop.example"]}));
    ground.says("spf", &[], "ok", "(pass, 1 questions to DNS)").await;
    ground.says("dmarc", &[], "ok", "asks for reject of what does not pass").await;
    // From the domain above, by the walk; and a record that costs too much.
    ground.dns.clear("_dmarc.shop.example").txt("_dmarc.example", "v=DMARC1; p=quarantine; rua=mailto:d@example");
    let names: Vec<String> = (0..11).map(|at| format!("i{at}.example")).collect();
    for name in &names {
        ground.dns.txt(name, "v=spf1 ip4:198.51.100.1 -all");
    }
    let chain: String = names.iter().map(|name| format!("include:{name} ")).collect();
    ground.dns.clear("bounce.shop.example").txt("bounce.shop.example", &format!("v=spf1 {chain}-all"));
    let told = foreign().await;
    assert_eq!(
        (&told["spf"][0], &told["dmarc"][1], &told["dmarc"][2]),
        (&false.into(), &"quarantine".into(), &"example".into())
    );
    ground.says("spf", &[], "wrong", "more than 10 questions").await;
    ground.says("dmarc", &[], "ok", "asks for quarantine of what does not pass, from example").await;
}
