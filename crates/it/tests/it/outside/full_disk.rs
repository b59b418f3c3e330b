//! A disk that is full: temporary refusals, nothing half taken, and recovery when there is room again.
//!
//! The data folder is a small file system of its own, mounted in a namespace that only this test and its node see;
//! it goes when they end, however they end.

use super::harness::demo::message;
use super::harness::load::Books;
use super::harness::tools::word;
use super::harness::{Arrivals, Demo, Load, Place, sink, until};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use testkit::FakeMx;

/// Octets of the file system.
const SIZE: &str = "size=12m";
/// Messages of one load.
const LOAD: u64 = 400;

/// A small file system, as long as this lives.
struct SmallDisk {
    /// Ends when its standard input does.
    keeper: Child,
    mounted: PathBuf,
    /// With a user namespace around it, for those who are not root.
    user: bool,
}

impl SmallDisk {
    fn mount(at: &Path) -> Self {
        fs::create_dir(at).unwrap();
        let mut complaints = String::new();
        // Root needs no user namespace, and some systems give none to anyone.
        for user in [false, true] {
            match Self::try_mount(at, user) {
                Ok(disk) => return disk,
                Err(complaint) => complaints.push_str(&complaint),
            }
        }
        panic!(
            "this test needs a small file system: run it as root, or allow user namespaces (unshare -rm). {complaints}"
        );
    }

    fn try_mount(at: &Path, user: bool) -> Result<Self, String> {
        let mut command = Command::new("unshare");
        command.args(if user { &["--map-root-user", "--mount"][..] } else { &["--mount"][..] });
        let script = "mount -t tmpfs -o \"$2\" tmpfs \"$1\" && echo mounted && exec cat";
        command.args(["sh", "-c", script, "sh"]).arg(at).arg(SIZE);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut keeper = spawned.map_err(|error| format!("unshare: {error}. "))?;
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line == "mounted\n" {
            return Ok(Self { keeper, mounted: at.to_owned(), user });
        }
        let said = keeper.wait_with_output().map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        Err(said.unwrap_or_default())
    }

    /// The command that runs another one where the file system is.
    fn within(&self) -> Vec<String> {
        let mut words = vec!["nsenter", "--mount"];
        if self.user {
            words.extend(["--user", "--preserve-credentials"]);
        }
        let id = self.keeper.id().to_string();
        words.extend(["--target", &id, "--"]);
        words.into_iter().map(str::to_owned).collect()
    }

    /// A path in it, as it is reached from here.
    fn path(&self, name: &str) -> PathBuf {
        let inside = self.mounted.join(name);
        PathBuf::from(format!("/proc/{}/root{}", self.keeper.id(), word(&inside)))
    }

    /// Takes all room there is, to the last octet.
    fn fill(&self) -> u64 {
        let mut filler = File::options().append(true).create(true).open(self.path("filler")).unwrap();
        let mut step = 1 << 20;
        while step > 0 {
            match filler.write(&vec![0x55; step]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => step /= 2,
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
        filler.metadata().unwrap().len()
    }

    fn free(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_temporary_refusal_and_nothing_is_lost_or_half_taken() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&folder.path().join("data"));
    let mx = FakeMx::start().await.unwrap();
    let place = Place { sink: Some(mx.addr()), within: disk.within(), ..Place::on_sqlite(folder.path()) };
    let mut demo = Demo::start(place).await;
    let before = Load::send(demo.address("trusted"), 0..50, 10).await;
    assert_eq!(before.answered.len(), 50, "with room everything is taken: {before:?}");

    assert!(disk.fill() > 1 << 20, "there was no room to take away");
    let during = load_until_refused(&demo).await;
    for line in during.put_off.values() {
        assert!(line.starts_with("451 4.3.0") || line.starts_with("452 4.3.1"), "{line}");
    }
    assert!(during.refused.is_empty() && during.unanswered.is_empty(), "{during:?}");
    let answer = demo.post(&message("transactional", "http@dest.example", "by HTTP")).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("\"status\":503"), "{}", answer.text());

    disk.free();
    // Without a new start: the disk has room, and so has the node.
    until("a message to be taken again", async || {
        let answer = demo.post(&message("transactional", "again@dest.example", "again")).await;
        match answer.status {
            202 => Some(()),
            503 => None,
            _ => panic!("{}", answer.text()),
        }
    })
    .await;
    let after = Load::send(demo.address("trusted"), 10_000..10_050, 10).await;
    assert_eq!(after.answered.len(), 50, "{after:?}");

    let all = [&before, &during, &after];
    until("every message that was taken", async || arrived(&mx, &all).await.then_some(())).await;
    for id in all.iter().flat_map(|books| books.answered.values()) {
        demo.message_in_state(id, "delivered").await;
    }
    assert!(demo.terminate().await.success());
    // Nothing that was put off came, and nothing twice.
    let arrivals = numbered(&mx).await;
    assert!(during.put_off.keys().all(|number| !arrivals.by_number.contains_key(number)));
    assert!(arrivals.doubles().is_empty(), "{:?}", arrivals.doubles());
    assert_eq!(mx.received().iter().filter(|one| one.to == ["http@dest.example"]).count(), 0);
    assert_eq!(mx.received().iter().filter(|one| one.to == ["again@dest.example"]).count(), 1);
    drop(disk);
}

/// The log of the database may have room left for a while: sends until it has none.
async fn load_until_refused(demo: &Demo) -> Books {
    let load = Load::start(demo.address("trusted"), 1_000..1_000 + LOAD, 10);
    until("the disk to be full for the node too", async || (load.put_off() >= 20).then_some(())).await;
    load.stop();
    load.finish().await
}

async fn numbered(mx: &FakeMx) -> Arrivals {
    // Those by HTTP carry no number.
    Arrivals::among(mx, |message| message.to.iter().all(|to| to.starts_with('r'))).await
}

async fn arrived(mx: &FakeMx, all: &[&Books]) -> bool {
    let promised: usize = all.iter().map(|books| books.answered.len()).sum();
    if sink::count(mx).await < promised as u64 {
        return false;
    }
    let arrivals = numbered(mx).await;
    all.iter().flat_map(|books| books.answered.values()).all(|id| arrivals.by_id.contains_key(id))
}
