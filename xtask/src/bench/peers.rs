//! The servers that are measured, each started alone on loopback with the sink as its next hop.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::process::Server;
use crate::postgres::Cluster;
use crate::repo::Repo;
use crate::run;

/// A server that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Floor,
    Postfix,
    Postern,
    /// On a PostgreSQL of its own that flushes, on the same processors.
    PosternOnPostgres,
}

/// A started server: where it takes mail, and whose mail it takes.
pub(super) struct Started {
    pub(super) server: Server,
    pub(super) port: u16,
    pub(super) domain: String,
    /// The database under it, if it has one.
    pub(super) _database: Option<Cluster>,
}

/// The two small programs of xtask/yardstick, compiled.
pub(super) struct Yardsticks {
    pub(super) floor: PathBuf,
    pub(super) sink: PathBuf,
    /// Where runs leave their files.
    pub(super) folder: PathBuf,
}

impl Peer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor (yardstick)",
            Self::Postfix => "Postfix, stock",
            Self::Postern => "Postern (gate, sealing, ledger, two signatures)",
            Self::PosternOnPostgres => "Postern on PostgreSQL (CPU and memory of the node alone)",
        }
    }

    /// Starts it with an empty queue in a folder of its own.
    pub(super) fn start(self, repo: &Repo, yardsticks: &Yardsticks, folder: &Path, sink: u16) -> Result<Started> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        match self {
            Self::Floor => floor(yardsticks, folder, sink),
            Self::Postfix => postfix(folder, sink),
            Self::Postern => postern(repo, folder, sink, None),
            Self::PosternOnPostgres => postern(repo, folder, sink, Some(Cluster::flushing(repo)?)),
        }
        .with_context(|| format!("{} did not start; its log is in {}", self.name(), folder.display()))
    }
}

impl Yardsticks {
    /// Compiles both programs into target/bench.
    pub(super) fn build(repo: &Repo, folder: &Path) -> Result<Self> {
        let target = repo.path("target/bench");
        fs::create_dir_all(&target)?;
        let compile = |name: &str| -> Result<PathBuf> {
            let program = target.join(name);
            let mut rustc = run::command("rustc");
            rustc.args(["--edition", "2024", "-O", "-o"]).arg(&program);
            run::check(rustc.arg(repo.path(&format!("xtask/yardstick/{name}.rs"))))?;
            Ok(program)
        };
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        Ok(Self { floor: compile("floor")?, sink: compile("sink")?, folder: folder.to_path_buf() })
    }
}

/// The first of `count` ports in a row on which nobody listens; below the range of outgoing connections.
pub(crate) fn free_ports(count: u16) -> Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = (20_000..32_000).step_by(16).find(|first| (*first..first + count).all(free));
    first.context("no free ports on loopback")
}

/// Whether somebody listens on the port.
pub(super) fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn floor(yardsticks: &Yardsticks, folder: &Path, sink: u16) -> Result<Started> {
    let port = free_ports(1)?;
    let mut command = run::command(&yardsticks.floor);
    command.args([port.to_string(), sink.to_string()]).arg(folder.join("log"));
    let mut server = Server::start(&mut command, &folder.join("output"))?;
    server.until("listening", || answers(port))?;
    Ok(Started { server, port, domain: "sample.example".to_owned(), _database: None })
}

fn postfix(folder: &Path, sink: u16) -> Result<Started> {
    let Some(program) = run::which("postfix") else {
        bail!("postfix is missing: run `cargo xtask setup`, or leave it out with --no-postfix");
    };
    if !run::is_root() {
        bail!("Postfix starts only as root; leave it out with --no-postfix");
    }
    let port = free_ports(1)?;
    for (name, owner) in [("etc", None), ("queue", None), ("state", Some("postfix"))] {
        let path = folder.join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        if let Some(owner) = owner {
            run::check(run::command("chown").arg(owner).arg(&path))?;
        }
    }
    let services = fs::read_to_string("/usr/share/postfix/master.cf.dist")
        .context("Debian's service table of Postfix is not where it is expected")?;
    fs::write(folder.join("etc/master.cf"), service_table(&services, port))?;
    fs::write(folder.join("etc/main.cf"), main_cf(folder, sink))?;
    let configured = || {
        let mut command = run::command(&program);
        command.arg("-c").arg(folder.join("etc"));
        command
    };
    let mut start = configured();
    start.arg("start-fg");
    let mut stop = configured();
    stop.arg("stop");
    let mut server = Server::start(&mut start, &folder.join("output"))?.stopped_by(stop);
    server.until("listening", || answers(port))?;
    Ok(Started { server, port, domain: "sample.example".to_owned(), _database: None })
}

/// The distribution's own table, with one listener, moved to our port, and without the chroot that Debian adds.
fn service_table(distributed: &str, port: u16) -> String {
    let mut table = String::new();
    for line in distributed.lines() {
        let mut fields: Vec<&str> = line.split_whitespace().collect();
        // Comments, and options of services that are not there.
        if line.starts_with(['#', ' ', '\t']) || fields.len() < 8 {
            continue;
        }
        let address = format!("127.0.0.1:{port}");
        match (fields[0], fields[1]) {
            ("smtp", "inet") => fields[0] = &address,
            (_, "inet") | ("pickup", _) => continue,
            _ => {}
        }
        fields[4] = "n";
        table.push_str(&fields.join(" "));
        table.push('\n');
    }
    table
}

/// Only what a relay on loopback cannot do without: everything else is as the distribution ships it.
fn main_cf(folder: &Path, sink: u16) -> String {
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {folder}/queue\n\
         data_directory = {folder}/state\n\
         myhostname = relay.example\n\
         mydestination =\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\n\
         relayhost = [127.0.0.1]:{sink}\n\
         local_recipient_maps =\n\
         alias_maps =\n\
         alias_database =\n"
    )
}

/// Postern as a newcomer starts it, with the sink in place of the built-in mailbox.
fn postern(repo: &Repo, folder: &Path, sink: u16, database: Option<Cluster>) -> Result<Started> {
    let base = free_ports(8)?;
    let file = folder.join("demo.json");
    let mut command = run::command(repo.path("target/release/postern"));
    command.arg("demo").arg("--data").arg(folder.join("data"));
    command.args(["--base-port", &base.to_string(), "--sink", &format!("127.0.0.1:{sink}")]);
    command.arg("--json").arg(&file).arg("--quiet");
    if let Some(database) = &database {
        command.args(["--store", &database.make("bench")?]);
    }
    let mut server = Server::start(&mut command, &folder.join("output"))?;
    server.until("its demo file", || file.exists())?;
    let said: Value = serde_json::from_str(&fs::read_to_string(&file)?).context("the demo file is not JSON")?;
    let trusted = said["trusted"].as_str().context("the demo file names no trusted listener")?;
    let port = trusted.rsplit(':').next().and_then(|port| port.parse().ok()).context("the trusted listener's port")?;
    let domain = said["domain"].as_str().context("the demo file names no domain")?.to_owned();
    Ok(Started { server, port, domain, _database: database })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_table_keeps_one_listener_and_no_chroot() {
        let distributed = "# comment\n\
            smtp inet n - y - - smtpd\n\
            #submission inet n - y - - smtpd\n\
            pickup unix n - y 60 1 pickup\n\
            qmgr unix n - n 300 1 qmgr\n\
            smtp unix - - y - - smtp\n  -o syslog_name=x\n\
            628 inet n - y - - qmqpd\n";
        let table = service_table(distributed, 2540);
        let expected = "127.0.0.1:2540 inet n - n - - smtpd\nqmgr unix n - n 300 1 qmgr\nsmtp unix - - n - - smtp\n";
        assert_eq!(table, expected);
    }
}
