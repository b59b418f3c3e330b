//! `bench nodes`: two nodes on one PostgreSQL against one, with sites that are slow to answer; and how long the sites
//! of a node that was killed wait for another.
//!
//! What a node can do is set by its connections here, as it is in the open by those that receivers grant an address:
//! the figure says what sharing one store costs, and nothing about processors.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::ground::{Ground, Node};
use super::load::Load;
use super::sites::Sites;
use super::{Options, machine, table};
use crate::postgres::Cluster;
use crate::repo::Repo;
use crate::run;

const SITES: u32 = 32;
/// Milliseconds before each reply of a site.
const DELAY: u32 = 100;
/// Connections of a node, to all sites together.
const NODE_CONNECTIONS: &str = "40";
/// Connections to a site: so many that half of the sites keep a node busy.
const SITE_CONNECTIONS: &str = "4";
/// Messages, to all sites alike.
const MESSAGES: u32 = 6_400;
/// Messages to each site before the clock starts: connections are opened, sites are shared out.
const WARM_UP: u32 = 4;
/// The clock runs from this to that part of the messages, in percent: at both ends not all connections are at work.
const WINDOW: (u32, u32) = (10, 60);
const EVERY: Duration = Duration::from_millis(20);
/// Sites that take nothing for so long will take nothing more.
const STALLED: Duration = Duration::from_secs(60);
/// What is aimed at.
const TIMES: f64 = 1.8;
const TAKEN_OVER_WITHIN: f64 = 10.0;

/// Seconds from a death until another node served the first, and the last, of the dead one's sites.
type TakenOver = (f64, f64);

/// Runs one and two nodes in turns, and prints a table.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<()> {
    run::check(run::cargo(repo).args(["build", "--release", "-p", "postern"]))?;
    std::fs::create_dir_all(&options.folder)?;
    let cluster = Cluster::flushing(repo)?;
    let messages = options.messages.unwrap_or(MESSAGES).next_multiple_of(SITES);
    let (mut rates, mut taken_over) = ([Vec::new(), Vec::new()], Vec::new());
    for round in 1..=options.runs {
        for (nodes, rates) in (1..).zip(&mut rates) {
            let folder = options.folder.join("nodes");
            let ground = Ground::prepare(repo, &folder, &cluster, &format!("round_{round}_{nodes}"))?;
            let (rate, over) = Scene::start(repo, &ground, nodes, options)?.measure(messages)?;
            println!("run {round}, {nodes} node(s): {rate:.1} delivered/s{}", over.map(said).unwrap_or_default());
            rates.push(rate);
            taken_over.extend(over);
        }
    }
    let [one, two] = rates.map(|rates| table::median(rates).unwrap_or_default());
    let (first, last): (Vec<f64>, Vec<f64>) = taken_over.into_iter().unzip();
    let longest = last.iter().copied().fold(0.0, f64::max);
    let (first, last) = (table::median(first).unwrap_or_default(), table::median(last).unwrap_or_default());
    let goal = |met: bool| if met { "met" } else { "MISSED" };
    let text = format!(
        "| nodes | delivered/s | ÷ one node |\n|---|---|---|\n| 1 | {one:.1} | 1.00 |\n| 2 | {two:.1} | {:.2} |\n\n\
         | after kill -9 of one of two | seconds (median) |\n|---|---|\n\
         | its first site served by the other | {first:.1} |\n| its last site served by the other | {last:.1} |\n\n\
         Median of {} run(s) in turns, {messages} messages of 4 KiB to {SITES} sites that wait {DELAY} ms before each \
         reply, {NODE_CONNECTIONS} connections a node and {SITE_CONNECTIONS} a site; from {} to {} % of the messages. \
         One PostgreSQL with fsync on the same machine.\n{}; {}.\n\n\
         Goals: two nodes at least {TIMES} times one: {}; sites of a dead node served within {TAKEN_OVER_WITHIN} s \
         (longest {longest:.1}): {}.",
        two / one,
        options.runs,
        WINDOW.0,
        WINDOW.1,
        machine::line(&options.folder)?,
        machine::commit(repo),
        goal(two / one >= TIMES),
        goal(longest <= TAKEN_OVER_WITHIN),
    );
    println!("\n{text}");
    std::fs::remove_dir_all(&options.folder)?;
    if options.write {
        table::write(repo, "nodes", &text)?;
    }
    Ok(())
}

fn said((first, last): TakenOver) -> String {
    format!(", one killed: sites served by the other after {first:.1} to {last:.1} s")
}

/// Sites, nodes, and a loader.
struct Scene {
    sites: Sites,
    nodes: Vec<Node>,
    load: Load,
    /// Messages sent so far.
    sent: u32,
}

impl Scene {
    fn start(repo: &Repo, ground: &Ground, nodes: usize, options: &Options) -> Result<Self> {
        let sites = Sites::start(repo, SITES, DELAY)?;
        let further = ["--connections", NODE_CONNECTIONS, "--site-connections", SITE_CONNECTIONS];
        let nodes = (0..nodes).map(|at| ground.node(at, &sites, &further)).collect::<Result<Vec<_>>>()?;
        let load = Load::new(&options.folder, &ground.domain)?;
        let mut scene = Self { sites, nodes, load, sent: 0 };
        scene.share_out()?;
        Ok(scene)
    }

    /// Sends a little to every site until every node serves some.
    fn share_out(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            self.send(WARM_UP * SITES)?;
            self.arrived(self.sent)?;
            let seen = self.sites.look()?;
            // As even as two dice: a node with few sites would have too few connections.
            let few = usize::try_from(SITES)? / self.nodes.len() / 2;
            if self.nodes.iter().all(|node| seen.of(&node.name).len() >= few) {
                return Ok(());
            }
            if started.elapsed() > STALLED {
                bail!("not every node serves sites: {:?}", seen.last);
            }
        }
    }

    /// Messages a second inside the window; of two nodes one is killed then, and everything arrives nevertheless.
    fn measure(mut self, messages: u32) -> Result<(f64, Option<TakenOver>)> {
        let before = self.sent;
        let part = |percent: u32| messages / 100 * percent;
        self.send(messages)?;
        let began = self.arrived(before + part(WINDOW.0))?;
        let ended = self.arrived(before + part(WINDOW.1))?;
        let rate = f64::from(ended.1 - began.1) / (ended.0 - began.0).as_secs_f64();
        let over = if self.nodes.len() > 1 { Some(self.kill_the_first()?) } else { None };
        self.arrived(self.sent)?;
        Ok((rate, over))
    }

    fn kill_the_first(&mut self) -> Result<TakenOver> {
        let dead = self.nodes.remove(0);
        let his = self.sites.look()?.of(&dead.name);
        dead.server.kill9()?;
        let (at, mut first) = (Instant::now(), None);
        loop {
            let still = self.sites.look()?.of(&dead.name).len();
            let waited = at.elapsed();
            if still < his.len() {
                first.get_or_insert(waited.as_secs_f64());
            }
            if still == 0 {
                return Ok((first.unwrap_or_default(), waited.as_secs_f64()));
            }
            if waited > STALLED {
                bail!("{still} of {} sites of the dead node were not served by the other", his.len());
            }
            sleep(EVERY);
        }
    }

    /// Sends to all sites alike, over all nodes alike, and waits until all of it is taken.
    fn send(&mut self, messages: u32) -> Result<()> {
        let ports: Vec<u16> = self.nodes.iter().map(|node| node.port).collect();
        let loaders = (0..SITES).zip(ports.iter().cycle());
        let running: Vec<_> = loaders
            .map(|(site, port)| self.load.start_to(&format!("d{site}.example"), "1", *port, messages / SITES))
            .collect::<Result<_>>()?;
        self.sent += messages;
        running.into_iter().try_for_each(super::load::Running::wait)
    }

    /// Waits until so many have arrived; when that was, and how many there were.
    fn arrived(&mut self, goal: u32) -> Result<(Instant, u32)> {
        let mut progress = (0, Instant::now());
        loop {
            let taken = self.sites.look()?.taken;
            if taken >= goal {
                return Ok((Instant::now(), taken));
            }
            if taken != progress.0 {
                progress = (taken, Instant::now());
            }
            if progress.1.elapsed() > STALLED {
                bail!("only {taken} of {goal} messages arrived");
            }
            sleep(EVERY);
        }
    }
}
