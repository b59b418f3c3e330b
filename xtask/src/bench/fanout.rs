//! `bench fanout`: one node among 200 sites that are slow to answer, and beside a site that is dead.
//!
//! Three scenes, each with a node of its own on SQLite. *Connections*: how many it keeps open, and with how much
//! memory, when each site bears a few. *Rates*: which part of what the sites bear it delivers when each bears so many
//! messages a minute. *Dead site*: what a backlog for one dead site costs the others, against the same without.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::load::Load;
use super::peers::{answers, free_ports};
use super::process::Server;
use super::sites::Sites;
use super::{Options, machine, table};
use crate::repo::Repo;
use crate::run;

const SITES: u32 = 200;
/// Milliseconds before each reply of a site.
const DELAY: u32 = 200;
/// Connections that a site bears, in the first scene and the third.
const SITE_CONNECTIONS: u32 = 12;
/// Messages that a site bears in a minute, in the second scene.
const PER_MINUTE: u32 = 60;
/// Messages to each site in the first scene and the third.
const EACH: u32 = 60;
/// Seconds over which the second scene counts.
const COUNTED_S: u32 = 180;
/// Messages for the dead site.
const BACKLOG: u32 = 1_000_000;
/// Sites whose mail is loaded at the same time.
const LOADERS: usize = 20;
const EVERY: Duration = Duration::from_millis(100);
/// Sites that take nothing for so long will take nothing more.
const STALLED: Duration = Duration::from_secs(120);
/// What is aimed at.
const AIM_OPEN: u32 = 2_000;
const AIM_MIB: f64 = 300.0;
const AIM_PART: f64 = 0.8;
const AIM_BESIDE: f64 = 0.9;

/// Runs the three scenes, and prints a table.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<()> {
    run::check(run::cargo(repo).args(["build", "--release", "-p", "postern"]))?;
    fs::create_dir_all(&options.folder)?;
    let backlog = options.messages.unwrap_or(BACKLOG);
    let (open, peak) = connections(repo, options)?;
    println!("connections: {open} open at most, {peak:.0} MiB at most");
    let part = rates(repo, options)?;
    println!("rates: {part:.2} of what the sites bear");
    let alone = beside(repo, options, 0)?;
    println!("no dead site: {alone:.0} delivered/s");
    let with = beside(repo, options, backlog)?;
    println!("{backlog} for a dead site: {with:.0} delivered/s");
    let goal = |met: bool| if met { "met" } else { "MISSED" };
    let text = format!(
        "| open at once | peak MiB | part of the rates | delivered/s | beside {backlog} for a dead site | ÷ |\n\
         |---|---|---|---|---|---|\n| {open} | {peak:.0} | {part:.2} | {alone:.0} | {with:.0} | {:.2} |\n\n\
         One node on SQLite, {SITES} sites that wait {DELAY} ms before each reply, {SITE_CONNECTIONS} connections a \
         site, or {PER_MINUTE} messages a minute and site over {COUNTED_S} s.\n{}; {}.\n\n\
         Goals: {AIM_OPEN} open at once: {}; below {AIM_MIB:.0} MiB: {}; {AIM_PART} of the rates: {}; beside a dead \
         site {AIM_BESIDE} of what it is without: {}.",
        with / alone,
        machine::line(&options.folder)?,
        machine::commit(repo),
        goal(open >= AIM_OPEN),
        goal(peak < AIM_MIB),
        goal(part >= AIM_PART),
        goal(with / alone >= AIM_BESIDE),
    );
    println!("\n{text}");
    fs::remove_dir_all(&options.folder)?;
    if options.write {
        table::write(repo, "fanout", &text)?;
    }
    Ok(())
}

/// The most connections that were open at once, and the most MiB.
fn connections(repo: &Repo, options: &Options) -> Result<(u32, f64)> {
    let further = ["--site-connections".to_owned(), SITE_CONNECTIONS.to_string()];
    let mut scene = Scene::start(repo, &options.folder.join("connections"), &further)?;
    scene.send(EACH)?;
    let mut most = 0;
    scene.arrived(EACH * SITES, |open| most = most.max(open))?;
    Ok((most, scene.node.peak_mib().unwrap_or_default()))
}

/// Which part of what the sites bear was delivered.
fn rates(repo: &Repo, options: &Options) -> Result<f64> {
    let rules: Vec<String> = (0..SITES).map(|site| format!("mx.d{site}.example per_minute={PER_MINUTE}")).collect();
    let further = ["--sites".to_owned(), rules.join(",")];
    let mut scene = Scene::start(repo, &options.folder.join("rates"), &further)?;
    let borne = PER_MINUTE * SITES * COUNTED_S / 60;
    let began = Instant::now();
    scene.send(borne / SITES + PER_MINUTE)?;
    while began.elapsed() < Duration::from_secs(u64::from(COUNTED_S)) {
        sleep(EVERY);
    }
    Ok(f64::from(scene.sites.look()?.taken) / f64::from(borne))
}

/// Messages a second to the sites, with so many waiting for one that is dead.
fn beside(repo: &Repo, options: &Options, backlog: u32) -> Result<f64> {
    let further = ["--site-connections".to_owned(), SITE_CONNECTIONS.to_string()];
    let mut scene = Scene::start(repo, &options.folder.join(format!("beside-{backlog}")), &further)?;
    if backlog > 0 {
        scene.load.start_to("dead.example", "50", scene.port, backlog)?.wait()?;
    }
    let began = Instant::now();
    scene.send(EACH)?;
    scene.arrived(EACH * SITES, |_| ())?;
    Ok(f64::from(EACH * SITES) / began.elapsed().as_secs_f64())
}

/// Sites, a node, and a loader.
struct Scene {
    sites: Sites,
    node: Server,
    load: Load,
    port: u16,
}

impl Scene {
    /// A controller is admitted by a demo; then the node is started on the same folder as an operator starts it.
    fn start(repo: &Repo, folder: &Path, further: &[String]) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let program = repo.path("target/release/postern");
        let (domain, username) = admitted(&program, folder)?;
        let sites = Sites::start(repo, SITES, DELAY)?;
        let (base, file) = (free_ports(8)?, folder.join("node.json"));
        let port = base + 3;
        let mut command = run::command(&program);
        command.arg("serve").arg("--data").arg(folder.join("data")).args(["--base-port", &base.to_string()]);
        command.args(["--dns", &sites.dns, "--mx-port", &sites.mx_port, "--dnssec", "off", "--private-exchangers"]);
        command.args(["--ehlo", "node.example", "--connections", "5000", "--region", "EEA"]);
        command.args(["--trusted", &format!("127.0.0.1:{port}={username}+127.0.0.0/8")]);
        command.arg("--json").arg(&file).arg("--quiet").args(further);
        let mut node = Server::start(&mut command, &folder.join("node.log"))?;
        node.until("its addresses", || file.exists() && answers(port))?;
        let load = Load::new(folder, &domain)?;
        Ok(Self { sites, node, load, port })
    }

    /// Sends so many to each of the sites.
    fn send(&self, each: u32) -> Result<()> {
        let sites: Vec<u32> = (0..SITES).collect();
        for some in sites.chunks(LOADERS) {
            let start = |site: &u32| self.load.start_to(&format!("d{site}.example"), "2", self.port, each);
            let running: Vec<_> = some.iter().map(start).collect::<Result<_>>()?;
            running.into_iter().try_for_each(super::load::Running::wait)?;
        }
        Ok(())
    }

    /// Waits until so many have arrived, and tells meanwhile how many connections are open.
    fn arrived(&mut self, goal: u32, mut told: impl FnMut(u32)) -> Result<()> {
        let mut progress = (0, Instant::now());
        loop {
            let seen = self.sites.look()?;
            told(seen.open);
            if seen.taken >= goal {
                return Ok(());
            }
            if seen.taken != progress.0 {
                progress = (seen.taken, Instant::now());
            }
            if progress.1.elapsed() > STALLED {
                bail!("only {} of {goal} messages arrived", seen.taken);
            }
            sleep(EVERY);
        }
    }
}

/// The sender's domain, and the name of a credential.
fn admitted(program: &PathBuf, folder: &Path) -> Result<(String, String)> {
    let file = folder.join("demo.json");
    let mut command = run::command(program);
    command.arg("demo").arg("--data").arg(folder.join("data")).args(["--base-port", &free_ports(8)?.to_string()]);
    command.arg("--json").arg(&file).arg("--quiet");
    let mut server = Server::start(&mut command, &folder.join("demo.log"))?;
    server.until("its demo file", || file.exists())?;
    drop(server);
    let said: Value = serde_json::from_str(&fs::read_to_string(&file)?).context("the demo file is not JSON")?;
    let text = |pointer: &str| {
        let text = said.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        text.with_context(|| format!("the demo file has no {pointer}"))
    };
    Ok((text("/domain")?, text("/smtp/username")?))
}
