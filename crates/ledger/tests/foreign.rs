//! Our logs in the eyes of programs that share no code with us: `signed_note` and `tlog_tiles` (Rust), `pymerkle` and
//! `cryptography` (Python). Each sound log is accepted by all; each tampered one is refused by them and by us.

#![expect(clippy::unwrap_used, reason = "the whole file is a test; the lint knows only functions marked #[test]")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledger::tree::{Hash, prove_consistency, prove_inclusion};
use ledger::{Audit, Checkpoint, Error, Folder, SigningKey, checkpoint, folder, leaf_hash};
use signed_note::{Note, StandardVerifier, VerifierList};
use tempfile::TempDir;
use tlog_tiles::tlog::{self, HashReader};

const ORIGIN: &str = "ledger.example.net/c/1";
const EARLIER: u64 = 300;
const SIZE: u64 = 1_100;

fn key() -> SigningKey {
    SigningKey::log(ORIGIN, &[1; 32]).unwrap()
}

fn entries(count: u64) -> Vec<Vec<u8>> {
    let entry = |n| format!("{{\"id\":\"{n}\",\"t\":{n},\"type\":\"message.accepted\",\"v\":1}}");
    (0..count).map(|n| entry(n).into_bytes()).collect()
}

/// A log folder, with the checkpoint that a controller kept from when it had `EARLIER` entries.
struct Sample {
    dir: TempDir,
    kept: PathBuf,
    earlier: Checkpoint,
}

impl Sample {
    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

fn publish(folder: &mut Folder, entries: &[Vec<u8>]) {
    let first = folder.size();
    folder.extend(first, &entries[usize::try_from(first).unwrap()..]).unwrap();
    folder.write_checkpoint(&checkpoint::sign(&key(), folder.size(), folder.root()).unwrap()).unwrap();
}

fn sample(size: u64) -> Sample {
    let dir = tempfile::tempdir().unwrap();
    let (log, kept) = (dir.path().join("log"), dir.path().join("kept"));
    let all = entries(size);
    let mut folder = Folder::open(&log).unwrap();
    publish(&mut folder, &all[..usize::try_from(EARLIER).unwrap()]);
    fs::copy(log.join("checkpoint"), &kept).unwrap();
    let earlier = folder.checkpoint().unwrap().unwrap().checkpoint().clone();
    publish(&mut folder, &all);
    Sample { dir, kept, earlier }
}

// The sample's log replaced by one of other entries, signed with the log's own key.
fn rewritten(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Sample {
    let sample = sample(SIZE);
    fs::remove_dir_all(sample.log()).unwrap();
    let mut list = entries(SIZE);
    change(&mut list);
    publish(&mut Folder::open(sample.log()).unwrap(), &list);
    sample
}

// The entries of the second bundle edited on disk, everything else left.
fn edited(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Sample {
    let sample = sample(SIZE);
    let file = sample.log().join("tile/entries/001");
    let bytes = fs::read(&file).unwrap();
    let read = ledger::tile::BundleEntries::new(&bytes);
    let mut list: Vec<Vec<u8>> = read.map(|entry| entry.unwrap().to_vec()).collect();
    change(&mut list);
    let mut bundle = Vec::new();
    list.iter().for_each(|entry| ledger::tile::push_entry(&mut bundle, entry).unwrap());
    fs::write(file, bundle).unwrap();
    sample
}

mod ours {
    use super::*;

    pub(super) fn verdict(sample: &Sample) -> Result<folder::Report, Error> {
        let key = key();
        let audit = Audit { log: key.verifier(), witnesses: &[], earlier: std::slice::from_ref(&sample.earlier) };
        folder::verify(&sample.log(), &audit)
    }
}

mod rust {
    use super::*;

    struct Tiles<'a>(&'a Path);

    impl tlog_tiles::TileReader for Tiles<'_> {
        fn height(&self) -> u8 {
            8
        }

        fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
            // It names tiles tile/<height>/<level>/…, C2SP names them without the height.
            let read = |tile: &tlog_tiles::Tile| {
                let path = tile.path().replacen("tile/8/", "tile/", 1);
                fs::read(self.0.join(path)).map_err(|_| tlog::Error::InvalidTile)
            };
            tiles.iter().map(read).collect()
        }

        fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
    }

    fn open(file: &Path) -> Result<tlog_tiles::Checkpoint, String> {
        let note = Note::from_bytes(&fs::read(file).unwrap()).map_err(|error| error.to_string())?;
        let verifier = StandardVerifier::new(&key().verifier().to_string()).map_err(|error| error.to_string())?;
        let (verified, _) =
            note.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|error| error.to_string())?;
        assert_eq!(verified.len(), 1);
        tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(|error| error.to_string())
    }

    // Read without our code; as many whole entries as there are, at most `width`.
    fn bundle(log: &Path, number: u64, width: usize) -> Vec<Vec<u8>> {
        let full = log.join(format!("tile/entries/{number:03}"));
        let bytes = fs::read(&full).or_else(|_| fs::read(format!("{}.p/{width}", full.display()))).unwrap();
        let mut rest = bytes.as_slice();
        let mut entries = Vec::new();
        while let [high, low, tail @ ..] = rest {
            let length = usize::from(*high) * 256 + usize::from(*low);
            let Some((entry, tail)) = tail.split_at_checked(length) else { break };
            entries.push(entry.to_vec());
            rest = tail;
        }
        entries.truncate(width);
        entries
    }

    /// Signature, root of the tiles, every entry, inclusion proofs of many, consistency with what was kept.
    pub(super) fn verdict(sample: &Sample) -> Result<u64, String> {
        let (now, earlier) = (open(&sample.log().join("checkpoint"))?, open(&sample.kept)?);
        assert_eq!(now.origin(), ORIGIN);
        let log = sample.log();
        let tiles = Tiles(&log);
        let reader = tlog_tiles::TileHashReader::new(now.size(), *now.hash(), &tiles);
        let text = |error: tlog::Error| error.to_string();
        let root = tlog::tree_hash(now.size(), &reader).map_err(text)?;
        assert_eq!(root.0, now.hash().0);
        for number in 0..now.size().div_ceil(256) {
            let range = number * 256..now.size().min(number * 256 + 256);
            let indexes: Vec<u64> = range.clone().map(|index| tlog::stored_hash_index(0, index)).collect();
            // Authenticated against the signed root by the reader.
            let leaves = reader.read_hashes(&indexes).map_err(text)?;
            let entries = bundle(&log, number, indexes.len());
            if entries.len() != leaves.len() {
                return Err("an entry is missing".to_owned());
            }
            for ((index, entry), leaf) in range.zip(&entries).zip(leaves) {
                if tlog::record_hash(entry) != leaf {
                    return Err(format!("entry {index} is not that of the tree"));
                }
                if index % 101 == 0 || index + 1 == now.size() {
                    let proof = tlog::prove_record(now.size(), index, &reader).map_err(text)?;
                    tlog::check_record(&proof, now.size(), *now.hash(), index, leaf).map_err(text)?;
                }
            }
        }
        let proof = tlog::prove_tree(now.size(), earlier.size(), &reader).map_err(text)?;
        tlog::check_tree(&proof, now.size(), *now.hash(), earlier.size(), *earlier.hash()).map_err(text)?;
        Ok(now.size())
    }
}

mod python {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "where the foreign tools are is a setting of the test run")]
    fn interpreter() -> PathBuf {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tools = std::env::var_os("POSTERN_TOOLS").map_or_else(|| workspace.join(".tools"), PathBuf::from);
        let python = tools.join("venv/bin/python");
        assert!(python.exists(), "run cargo xtask setup");
        python
    }

    /// The first line that `verify_log.py` prints.
    pub(super) fn verdict(sample: &Sample) -> Result<String, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/verify_log.py");
        let output = Command::new(interpreter())
            .arg(script)
            .arg(sample.log())
            .arg(key().verifier().to_string())
            .arg(&sample.kept)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(!complaint.contains("ModuleNotFoundError"), "run cargo xtask setup");
        assert!(complaint.is_empty() && !said.is_empty(), "{complaint}");
        if output.status.success() { Ok(said) } else { Err(said) }
    }
}

#[test]
fn r39_a_sound_log_is_accepted_by_every_verifier() {
    // The larger one has three levels of tiles.
    for size in [EARLIER, 512, SIZE, 66_000] {
        let sample = sample(size);
        assert_eq!(ours::verdict(&sample).unwrap().size, size);
        assert_eq!(rust::verdict(&sample), Ok(size));
        let root = Folder::open(sample.log()).unwrap().root();
        let hex: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(python::verdict(&sample), Ok(format!("ok size={size} root={hex}")));
    }
}

#[test]
fn r39_a_changed_entry_is_found_by_every_verifier() {
    let sample = edited(|list| {
        let text = String::from_utf8(list[248].clone()).unwrap();
        list[248] = text.replace("accepted", "rejected").into_bytes();
    });
    assert!(matches!(ours::verdict(&sample), Err(Error::EntryMismatch { index: 504, .. })));
    assert_eq!(rust::verdict(&sample), Err("entry 504 is not that of the tree".to_owned()));
    assert_eq!(python::verdict(&sample), Err("fault: the entries do not lead to the signed root".to_owned()));
}

#[test]
fn r39_a_removed_entry_is_found_by_every_verifier() {
    let sample = edited(|list| drop(list.remove(100)));
    assert!(matches!(ours::verdict(&sample), Err(Error::WrongLength { index: 511, .. })));
    assert_eq!(rust::verdict(&sample), Err("an entry is missing".to_owned()));
    assert_eq!(python::verdict(&sample), Err("fault: entry 511 is missing".to_owned()));
}

#[test]
fn r39_history_rewritten_and_signed_with_the_logs_key_is_found_by_every_verifier() {
    let changes: [fn(&mut Vec<Vec<u8>>); 3] =
        [|list| list[10] = b"changed".to_vec(), |list| drop(list.remove(10)), |list| list.swap(10, 11)];
    for change in changes {
        let sample = rewritten(change);
        assert!(matches!(ours::verdict(&sample), Err(Error::HistoryRewritten { size: EARLIER })));
        assert_eq!(rust::verdict(&sample), Err(tlog::Error::InvalidProof.to_string()));
        assert_eq!(python::verdict(&sample), Err("fault: the log does not extend the earlier checkpoint".to_owned()));
    }
    // What came after the kept checkpoint is not yet witnessed: the same change there passes, which shows that the
    // earlier checkpoint is what finds it.
    let sample = rewritten(|list| list[900] = b"changed".to_vec());
    assert!(ours::verdict(&sample).is_ok() && rust::verdict(&sample).is_ok() && python::verdict(&sample).is_ok());
}

#[test]
fn r39_a_log_signed_by_another_key_is_refused_by_every_verifier() {
    let sample = sample(SIZE);
    let thief = SigningKey::log(ORIGIN, &[2; 32]).unwrap();
    let folder = Folder::open(sample.log()).unwrap();
    let forged = checkpoint::sign(&thief, SIZE, folder.root()).unwrap();
    fs::write(sample.log().join("checkpoint"), forged.to_string()).unwrap();
    assert!(matches!(ours::verdict(&sample), Err(Error::Unsigned { .. })));
    assert_eq!(rust::verdict(&sample), Err(signed_note::NoteError::UnverifiedNote.to_string()));
    assert_eq!(python::verdict(&sample), Err("fault: checkpoint is not signed by the log".to_owned()));
}

/// Level hashes straight from the definition of stored hashes, for proofs by us that they check.
struct Leaves(Vec<Hash>);

impl ledger::HashSource for Leaves {
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Error> {
        let (first, width) = (usize::try_from(index << level).unwrap(), 1usize << level);
        let mut frontier = ledger::Frontier::new();
        frontier.push_many(self.0[first..first + width].iter().copied());
        Ok(frontier.root())
    }
}

#[test]
fn rfc9162_our_proofs_are_accepted_by_tlog_tiles() {
    let mut leaves = Leaves(entries(70).iter().map(|entry| leaf_hash(entry)).collect());
    let root = |size: u64| {
        let mut frontier = ledger::Frontier::new();
        frontier.push_many(entries(size).iter().map(|entry| leaf_hash(entry)));
        tlog::Hash(frontier.root())
    };
    let foreign = |path: Vec<Hash>| path.into_iter().map(tlog::Hash).collect::<Vec<_>>();
    for size in 1..=70u64 {
        for index in 0..size {
            let leaf = tlog::Hash(leaves.0[usize::try_from(index).unwrap()]);
            let proof = foreign(prove_inclusion(&mut leaves, index, size).unwrap());
            tlog::check_record(&proof, size, root(size), index, leaf).unwrap();
            let old = index + 1;
            let proof = foreign(prove_consistency(&mut leaves, old, size).unwrap());
            tlog::check_tree(&proof, size, root(size), old, root(old)).unwrap();
        }
    }
}
