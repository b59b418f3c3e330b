//! A DNS server that is not ours, with a root of its own that is signed: NSD, over zones signed by ldns.
//!
//! Everything below the root is in one signed zone, but for zones that are handed over without a DS, and so are
//! provably not signed. What was signed can be changed afterwards, and is then bogus. Standards: RFC 4033 to 4035.

use crate::ports::base_port;
use crate::wait::{breathe, within};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

const SERVER: &str = "/usr/sbin/nsd";
const ROOT: &str = "$ORIGIN .\n$TTL 60\n. SOA ns.test. postmaster.test. 1 3600 600 86400 0\n. NS ns.test.\n\
                    ns.test. A 127.0.0.1\n";

/// What there is to serve.
#[derive(Debug, Default)]
pub struct Zones<'a> {
    /// Records below the root, one a line, names with their final dot.
    pub signed: &'a str,
    /// Zones that are not signed: name without final dot, and records.
    pub unsigned: &'a [(&'a str, &'a str)],
    /// In the lines of the signed zone that begin with the first text, the second becomes the third after signing.
    pub forged: &'a [(&'a str, &'a str, &'a str)],
}

/// The server. Dropping it ends it.
#[derive(Debug)]
pub struct SignedDns {
    process: Child,
    address: SocketAddr,
    /// The root's key, as a DNSKEY record.
    pub anchors: String,
}

impl SignedDns {
    /// Makes a key, signs, and serves. Files go to `folder`.
    ///
    /// # Panics
    /// When the programs are not installed: run `cargo xtask setup`.
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub async fn start(folder: &Path, zones: &Zones<'_>) -> Self {
        assert!(Path::new(SERVER).exists(), "{SERVER} is not there; run cargo xtask setup");
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file of a zone");
            path
        };
        let mut root = format!("{ROOT}{}\n", zones.signed);
        let mut settings = String::new();
        for (name, records) in zones.unsigned {
            root.push_str(&format!("{name}. NS ns.test.\n"));
            let head = format!("$ORIGIN {name}.\n$TTL 60\n@ SOA ns.test. postmaster.test. 1 3600 600 86400 0\n");
            let path = write(&format!("zone-{name}"), &format!("{head}@ NS ns.test.\n{records}\n"));
            settings.push_str(&format!("zone:\n name: \"{name}\"\n zonefile: \"{}\"\n", path.display()));
        }
        write("zone-root", &root);
        let key = run(folder, "ldns-keygen", &["-a", "ECDSAP256SHA256", "-k", "."]);
        let key = key.trim();
        run(folder, "ldns-signzone", &["-o", ".", "-f", "zone-root.signed", "zone-root", key]);
        let signed = std::fs::read_to_string(folder.join("zone-root.signed")).expect("a signed zone");
        let forge = |line: &str| {
            let of_line = zones.forged.iter().filter(|(begins, ..)| line.starts_with(begins));
            of_line.fold(line.to_owned(), |line, (_, old, new)| line.replace(old, new)) + "\n"
        };
        let signed: String = signed.lines().map(forge).collect();
        let path = write("zone-root.served", &signed);
        settings.push_str(&format!("zone:\n name: \".\"\n zonefile: \"{}\"\n", path.display()));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, base_port()));
        let (here, port) = (folder.display(), address.port());
        let server = format!(
            "server:\n ip-address: 127.0.0.1@{port}\n server-count: 1\n username: \"\"\n zonesdir: \"{here}\"\n \
             pidfile: \"\"\n xfrdfile: \"{here}/xfrd\"\n xfrdir: \"{here}\"\n zonelistfile: \"{here}/zones\"\n \
             database: \"\"\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n"
        );
        let settings = write("nsd.conf", &format!("{server}{settings}"));
        // The shell waits for the end of its input, which comes when this process ends, however it does.
        let script = r#""$0" -d -c "$1" >"$2" 2>&1 </dev/null & cat >/dev/null; kill $!"#;
        let process = Command::new("sh")
            .args(["-c", script, SERVER])
            .arg(&settings)
            .arg(folder.join("nsd.log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell");
        let anchors = std::fs::read_to_string(folder.join(format!("{key}.key"))).expect("a key");
        let anchors = anchors.split(';').next().unwrap_or_default().trim().to_owned() + "\n";
        let server = Self { process, address, anchors };
        within("nsd to listen", async {
            while TcpStream::connect(address).await.is_err() {
                breathe().await;
            }
        })
        .await;
        server
    }

    /// Where it listens, over UDP and TCP.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SignedDns {
    fn drop(&mut self) {
        // The shell ends it.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[expect(clippy::expect_used, reason = "a test without its zone has failed")]
fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("a program of ldns");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
