//! Nodes of one store on PostgreSQL, started as an operator starts them: a controller is admitted first, by a demo.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::peers::{answers, free_ports};
use super::process::Server;
use super::sites::Sites;
use crate::postgres::Cluster;
use crate::repo::Repo;
use crate::run;

/// A store with one controller in it, and no node.
pub(super) struct Ground {
    program: PathBuf,
    folder: PathBuf,
    /// Address of the main database.
    pub(super) url: String,
    /// The sender's domain.
    pub(super) domain: String,
    /// The controller's public id.
    pub(super) controller: String,
    username: String,
}

/// A running node.
pub(super) struct Node {
    pub(super) server: Server,
    /// Where it takes mail.
    pub(super) port: u16,
    /// How it introduces itself.
    pub(super) name: String,
}

impl Ground {
    /// Makes both databases and the folder.
    pub(super) fn prepare(repo: &Repo, folder: &Path, cluster: &Cluster, database: &str) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let program = repo.path("target/release/postern");
        let url = cluster.make(database)?;
        cluster.make(&format!("{database}_keys"))?;
        let file = folder.join("demo.json");
        let mut command = run::command(&program);
        command.arg("demo").arg("--data").arg(folder.join("admission")).args(["--store", &url]);
        command.arg("--master-key").arg(folder.join("master.key")).args(["--base-port", &free_ports(8)?.to_string()]);
        command.arg("--json").arg(&file).arg("--quiet");
        let mut server = Server::start(&mut command, &folder.join("admission.log"))?;
        server.until("its demo file", || file.exists())?;
        drop(server);
        let said: Value = serde_json::from_str(&fs::read_to_string(&file)?).context("the demo file is not JSON")?;
        let text = |pointer: &str| {
            let text = said.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            text.with_context(|| format!("the demo file has no {pointer}"))
        };
        let (domain, controller, username) = (text("/domain")?, text("/controller")?, text("/smtp/username")?);
        Ok(Self { program, folder: folder.to_path_buf(), url, domain, controller, username })
    }

    /// Starts a node that sends to these sites.
    pub(super) fn node(&self, at: usize, sites: &Sites, further: &[&str]) -> Result<Node> {
        let (base, name) = (free_ports(8)?, format!("n{at}.nodes.example"));
        let file = self.folder.join(format!("node-{at}.json"));
        let port = base + 3;
        let mut command = run::command(&self.program);
        command.arg("serve").arg("--data").arg(self.data(at)).args(["--name", &name, "--ehlo", &name]);
        command.args(["--store", &self.url]).arg("--master-key").arg(self.folder.join("master.key"));
        command.args([
            "--base-port",
            &base.to_string(),
            "--dns",
            &sites.dns,
            "--region",
            "EEA",
            "--mx-port",
            &sites.mx_port,
            "--dnssec",
            "off",
            "--private-exchangers",
        ]);
        command.args(["--trusted", &format!("127.0.0.1:{port}={}+127.0.0.0/8", self.username)]);
        command.arg("--json").arg(&file).arg("--quiet").args(further);
        let mut server = Server::start(&mut command, &self.folder.join(format!("node-{at}.log")))?;
        server.until("its addresses", || file.exists() && answers(port))?;
        Ok(Node { server, port, name })
    }

    /// The data folder of a node.
    pub(super) fn data(&self, at: usize) -> PathBuf {
        self.folder.join(format!("node-{at}"))
    }
}
