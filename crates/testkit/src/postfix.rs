//! A Postfix of the test's own: a real mail server as a destination, which hands on what it took to a next hop and
//! reports failures later, by mail.
//!
//! Everything of it is below one folder, and it listens on loopback alone. Its master runs as our child in the
//! foreground; when it ends, its daemons do. It needs root, since its daemons change to users of their own.

use crate::tls::Leaf;
use crate::wait::{breathe, within};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

const MASTER: &str = "/usr/lib/postfix/sbin/master";
/// Folders of its queue: of its own user, and with the modes that its documentation gives.
const QUEUES: [&str; 12] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace",
    "maildrop",
];
/// Its daemons, each in the form of master.cf: name, type, privacy, privileges, chroot, wake-up, limit, program.
const DAEMONS: &str = "cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// What it is to do.
#[derive(Debug, Clone, Copy)]
pub struct Orders<'a> {
    /// The port of 127.0.0.1 that it listens on.
    pub port: u16,
    /// The domain that it takes mail for, and its host `mx` in it.
    pub domain: &'a str,
    /// Where it hands on what it took.
    pub next: SocketAddr,
    /// The domain to which failures return, and who takes them.
    pub returns: (&'a str, SocketAddr),
    /// Recipients and what it answers to them, such as `550 5.7.1 no`.
    pub answers: &'a [(&'a str, &'a str)],
}

/// The server. Dropping it ends it.
#[derive(Debug)]
pub struct Postfix {
    master: Child,
    folder: PathBuf,
}

impl Postfix {
    /// Starts it below `folder`, with this certificate, and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed, or this process is not root's.
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub async fn start(folder: &Path, orders: &Orders<'_>, leaf: &Leaf) -> Self {
        assert!(Path::new(MASTER).exists(), "{MASTER} is not there; run cargo xtask setup");
        assert!(rustix::process::geteuid().is_root(), "Postfix starts for root alone");
        lay_out(folder);
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file of Postfix");
        write("certificate.pem", &format!("{}{}", leaf.key_pem, leaf.chain_pem));
        write("etc/main.cf", &settings(folder, orders));
        write("etc/master.cf", &format!("127.0.0.1:{} inet n - n - - smtpd\n{DAEMONS}", orders.port));
        let said = std::fs::File::create(folder.join("said")).expect("a file of Postfix");
        let master = Command::new(MASTER)
            .arg("-c")
            .arg(folder.join("etc"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .expect("the master of Postfix can be started");
        let server = Self { master, folder: folder.to_owned() };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, orders.port));
        within("Postfix to listen", async {
            while TcpStream::connect(address).await.is_err() {
                breathe().await;
            }
        })
        .await;
        server
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("queue/log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // SIGTERM: it ends its daemons. It is our child and not waited for yet, so that its id is nobody else's.
        if let Some(id) = rustix::process::Pid::from_raw(i32::try_from(self.master.id()).unwrap_or_default()) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.master.wait();
    }
}

/// The folders, with the owners and modes that it insists on.
#[expect(clippy::expect_used, reason = "a test without its server has failed")]
fn lay_out(folder: &Path) {
    let queue = folder.join("queue");
    let make = |path: &Path, mode: u32| {
        std::fs::create_dir_all(path).expect("a folder of Postfix");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a folder of our own");
    };
    // Its daemons run as others, and pass through.
    make(folder, 0o755);
    make(&folder.join("etc"), 0o755);
    make(&queue, 0o755);
    make(&queue.join("pid"), 0o755);
    make(&queue.join("public"), 0o710);
    make(&folder.join("data"), 0o700);
    let mut own = vec![folder.join("data")];
    for name in QUEUES {
        let path = queue.join(name);
        make(&path, if name == "maildrop" { 0o730 } else { 0o700 });
        own.push(path);
    }
    let chown = |owner: &str, paths: &[PathBuf]| {
        let status = Command::new("chown").arg(owner).args(paths).status().expect("coreutils have chown");
        assert!(status.success(), "the folders of Postfix cannot be given to {owner}");
    };
    chown("postfix", &own);
    chown("postfix:postdrop", &[queue.join("public"), queue.join("maildrop")]);
}

fn settings(folder: &Path, orders: &Orders<'_>) -> String {
    let Orders { domain, next, returns: (returns, taker), answers, .. } = orders;
    let here = folder.display();
    // An empty table is none to it.
    let nobody = [("nobody@invalid.example", "550 5.1.1 nobody")];
    let answers = if answers.is_empty() { &nobody } else { *answers };
    let answers: String = answers.iter().map(|(recipient, answer)| format!(" {{{recipient} = {answer}}}")).collect();
    let hop = |to: &SocketAddr| format!("smtp:[{}]:{}", to.ip(), to.port());
    let (next, taker) = (hop(next), hop(taker));
    format!(
        "compatibility_level = 3.6\nmail_owner = postfix\nsetgid_group = postdrop\nqueue_directory = {here}/queue\n\
         data_directory = {here}/data\ncommand_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
         maillog_file = {here}/queue/log\nmaillog_file_prefixes = {here}\ninet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\nmyhostname = mx.{domain}\nmydestination =\nalias_maps =\nalias_database =\n\
         local_recipient_maps =\nmynetworks = 127.0.0.0/8\nrelay_domains = {domain}\nnotify_classes =\n\
         smtp_dns_support_level = disabled\nsmtp_host_lookup = native\nsmtputf8_enable = yes\n\
         smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {here}/certificate.pem\n\
         smtpd_peername_lookup = no\nminimal_backoff_time = 1s\nqueue_run_delay = 1s\n\
         transport_maps = inline:{{ {{{domain} = {next}}} {{{returns} = {taker}}} }}\n\
         smtpd_recipient_restrictions = check_recipient_access inline:{{{answers} }}, reject_unauth_destination\n"
    )
}
