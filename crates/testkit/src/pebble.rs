//! A certificate authority that is not ours: Debian's `pebble`, which speaks ACME (RFC 8555) and forgets everything
//! when it ends. One process an authority, on free ports; it ends with its [`Pebble`], and with the test process
//! whatever ends that.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::net::TcpStream;

use crate::http::Http;
use crate::ports::base_port;
use crate::tls::{TestCa, client_trusting};
use crate::wait::{breathe, within};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/bin/pebble";
/// Days for which its certificates hold.
pub const CERTIFICATE_DAYS: u64 = 90;

/// An authority.
#[derive(Debug)]
pub struct Pebble {
    process: Child,
    acme: SocketAddr,
    manager: SocketAddr,
    /// Whom to trust for the connection to it, as PEM.
    pub ca: String,
}

impl Pebble {
    /// Starts it. It looks for `http-01` at this port of the names' addresses, asks `dns`, and issues nothing for
    /// names in `refused`. Its files go to `folder`.
    ///
    /// # Panics
    /// When it is not installed: run `cargo xtask setup`.
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub async fn start(folder: &Path, http_port: u16, dns: SocketAddr, refused: &[&str]) -> Self {
        assert!(Path::new(PROGRAM).exists(), "{PROGRAM} is not there; run cargo xtask setup");
        let base = base_port();
        let [acme, manager] = [0, 1].map(|offset| SocketAddr::from((Ipv4Addr::LOCALHOST, base + offset)));
        let authority = TestCa::new();
        let leaf = authority.leaf(&["localhost", "127.0.0.1"]);
        let kept = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file of the authority");
            path
        };
        let (chain, key) = (kept("pebble-chain.pem", &leaf.chain_pem), kept("pebble-key.pem", &leaf.key_pem));
        let blocked: Vec<String> = refused.iter().map(|name| format!("\"{name}\"")).collect();
        let settings = format!(
            r#"{{"pebble": {{"listenAddress": "{acme}", "managementListenAddress": "{manager}",
            "certificate": "{}", "privateKey": "{}", "httpPort": {http_port}, "tlsPort": {},
            "ocspResponderURL": "", "externalAccountBindingRequired": false, "domainBlocklist": [{}],
            "certificateValidityPeriod": {}}}}}"#,
            chain.display(),
            key.display(),
            base + 2,
            blocked.join(","),
            CERTIFICATE_DAYS * 86_400
        );
        let settings = kept("pebble.json", &settings);
        // The shell waits for the end of its input, which comes when this process ends, however it does.
        let script =
            r#""$0" -strict=false -config "$1" -dnsserver "$2" >"$3" 2>&1 </dev/null & cat >/dev/null; kill $!"#;
        let process = Command::new("sh")
            .args(["-c", script, PROGRAM])
            .arg(&settings)
            .arg(dns.to_string())
            .arg(folder.join("pebble.log"))
            // No waiting before it looks, and no nonces that it refuses by chance.
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell");
        let pebble = Self { process, acme, manager, ca: authority.pem() };
        within("pebble to listen", async {
            for address in [acme, manager] {
                while TcpStream::connect(address).await.is_err() {
                    breathe().await;
                }
            }
        })
        .await;
        pebble
    }

    /// The address of its directory.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.acme.port())
    }

    /// A client that trusts what it issues, and nothing else.
    ///
    /// # Panics
    /// When it does not say what its root is.
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub async fn client(&self) -> Arc<ClientConfig> {
        let http = Http::tls(self.manager, "localhost", client_trusting(&self.ca));
        let root = http.get("/roots/0", &[]).await.expect("pebble's root");
        client_trusting(&root.text())
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        // The shell ends it.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
