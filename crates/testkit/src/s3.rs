//! A bucket that is not ours: moto's S3 (Python, `.tools/venv`), behind a door that checks every signature with
//! botocore's own code and can be told to fail. One process a bucket, on a free port; it ends with its [`Bucket`], and
//! with the test process whatever ends that.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::http::Http;
use crate::tls::Leaf;

/// The access key that is let in.
pub const ACCESS_KEY: &str = "AKIATESTTESTTEST";
/// Its secret: every kind of octet that signing has to treat with care.
pub const SECRET_KEY: &str = "se+cret/of=the tests";
/// The region that has to be signed for.
pub const REGION: &str = "eu-central-1";
/// The name of the bucket.
pub const BUCKET: &str = "bodies";

/// A bucket, empty at first.
#[derive(Debug)]
pub struct Bucket {
    process: Child,
    port: u16,
    scheme: &'static str,
    /// Files of the certificate, for as long as the server runs.
    certificate: Option<PathBuf>,
}

/// How a request goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// This status, and nothing is done.
    Status(u16),
    /// It is done, and then answered with this status.
    DoneThen(u16),
    /// No answer, ever.
    Silence,
    /// Requests with this header are not understood (501).
    Header(&'static str),
}

impl Bucket {
    /// Starts a server without TLS.
    ///
    /// # Panics
    /// When the tools of the tests are not there: run `cargo xtask setup`.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts a server with this certificate.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_tls(leaf: &Leaf) -> Self {
        Self::start_with(Some(leaf))
    }

    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    fn start_with(leaf: Option<&Leaf>) -> Self {
        let python = tools().join("venv/bin/python");
        assert!(python.exists(), "run cargo xtask setup");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/s3/server.py");
        let mut command = Command::new(python);
        command.arg(script).args([ACCESS_KEY, SECRET_KEY, REGION, BUCKET]);
        let certificate = leaf.map(|leaf| {
            let file =
                std::env::temp_dir().join(format!("postern-s3-{}-{}.pem", std::process::id(), leaf.key_pem.len()));
            std::fs::write(&file, format!("{}{}", leaf.chain_pem, leaf.key_pem)).expect("a certificate's file");
            command.arg(&file).arg(&file);
            file
        });
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
        let mut port = String::new();
        let said = process.stdout.take().expect("it is piped");
        BufReader::new(said).read_line(&mut port).expect("it says its port");
        let port = port.trim().parse().expect("a port; if modules are missing, run cargo xtask setup");
        Self { process, port, scheme: if leaf.is_some() { "https" } else { "http" }, certificate }
    }

    /// `http://127.0.0.1:…`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// The next `times` requests of a method go wrong. Not with TLS.
    ///
    /// # Panics
    /// When the server is gone.
    pub async fn fail(&self, method: &str, times: u32, fault: Fault) {
        let how = match fault {
            Fault::Status(status) => format!("status={status}"),
            Fault::DoneThen(status) => format!("status={status}&after=1"),
            Fault::Silence => "status=0".to_owned(),
            Fault::Header(name) => format!("status=501&header={name}"),
        };
        let server = Http::plain(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
        let path = format!("/_fault?method={method}&times={times}&{how}");
        let answer = server.request("POST", &path, &[], b"").await;
        assert!(answer.is_ok_and(|answer| answer.status == 200), "the server takes faults");
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.process.stdin.take());
        drop(self.process.wait());
        if let Some(file) = &self.certificate {
            drop(std::fs::remove_file(file));
        }
    }
}

/// The folder of tools that `cargo xtask setup` fills.
#[expect(clippy::disallowed_methods, reason = "where the foreign tools are is a setting of the test run")]
fn tools() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("POSTERN_TOOLS").map_or_else(|| workspace.join(".tools"), PathBuf::from)
}
