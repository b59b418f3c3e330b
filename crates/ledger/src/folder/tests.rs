//! Folders: what is written verifies, at every stage, and what was tampered with is named.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::checkpoint::{self, Checkpoint};
use crate::key::SigningKey;

fn key() -> SigningKey {
    SigningKey::log("ledger.example.net/c/1", &[1; 32]).unwrap()
}

fn entries(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| format!("{{\"id\":\"{n}\",\"t\":{n},\"type\":\"message.accepted\",\"v\":1}}")).collect()
}

fn grow(folder: &mut Folder, to: u64) -> Checkpoint {
    folder.extend(folder.size(), &entries(folder.size()..to)).unwrap();
    let signed = checkpoint::sign(&key(), folder.size(), folder.root()).unwrap();
    folder.write_checkpoint(&signed).unwrap();
    signed.checkpoint().clone()
}

fn audit(root: &Path, earlier: &[Checkpoint]) -> Result<Report, Error> {
    verify(root, &Audit { log: key().verifier(), witnesses: &[], earlier })
}

// A log of 600 entries with a checkpoint at 300.
fn sample() -> (TempDir, Checkpoint) {
    let dir = tempfile::tempdir().unwrap();
    let mut folder = Folder::open(dir.path()).unwrap();
    let earlier = grow(&mut folder, 300);
    grow(&mut folder, 600);
    (dir, earlier)
}

#[test]
fn a_log_grown_in_any_steps_verifies_at_every_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut earlier = Vec::new();
    for to in [0, 1, 2, 255, 256, 257, 511, 512, 900] {
        let mut folder = Folder::open(dir.path()).unwrap();
        earlier.push(grow(&mut folder, to));
        let report = audit(dir.path(), &earlier).unwrap();
        assert_eq!((report.size, report.entries_checked, report.earlier_checked), (to, to, earlier.len()));
        assert_eq!(report.root, folder.root());
    }
}

#[test]
fn c2sp_tlog_tiles_partials_stay_until_a_checkpoint_has_the_full_tile() {
    let (dir, _) = sample();
    let has = |path: &str| dir.path().join(path).exists();
    assert!(has("tile/0/002.p/88") && has("tile/entries/002.p/88") && has("tile/1/000.p/2"));
    assert!(!has("tile/0/001.p"), "superseded");
    let mut folder = Folder::open(dir.path()).unwrap();
    folder.extend(600, &entries(600..800)).unwrap();
    assert!(has("tile/0/002") && has("tile/0/002.p/88"), "the checkpoint still needs the partial tile");
    assert_eq!(audit(dir.path(), &[]).unwrap().size, 600);
    folder.write_checkpoint(&checkpoint::sign(&key(), 800, folder.root()).unwrap()).unwrap();
    assert!(!has("tile/0/002.p") && !has("tile/entries/002.p"));
    assert_eq!(audit(dir.path(), &[]).unwrap().size, 800);
}

#[test]
fn tiles_written_after_the_last_checkpoint_are_written_again_after_a_crash() {
    let (dir, _) = sample();
    Folder::open(dir.path()).unwrap().extend(600, &entries(600..1_000)).unwrap();
    let mut again = Folder::open(dir.path()).unwrap();
    assert_eq!(again.size(), 600);
    grow(&mut again, 700);
    assert_eq!(audit(dir.path(), &[]).unwrap().size, 700);
}

#[test]
fn entries_read_back_from_any_index() {
    let (dir, _) = sample();
    let folder = Folder::open(dir.path()).unwrap();
    for first in [0, 1, 255, 256, 599, 600] {
        let read: Vec<Vec<u8>> = folder.entries(first).unwrap().map(Result::unwrap).collect();
        assert!(read.iter().map(Vec::as_slice).eq(entries(first..600).iter().map(String::as_bytes)));
    }
    assert_eq!(folder.entry(599).unwrap(), entries(599..600)[0].as_bytes());
    assert!(folder.entry(600).is_err() && folder.entries(601).is_err());
}

#[test]
fn receipts_and_consistency_proofs_come_out_of_the_folder() {
    let (dir, earlier) = sample();
    let folder = Folder::open(dir.path()).unwrap();
    for index in [0, 255, 256, 599] {
        let proof = folder.prove(index).unwrap();
        assert_eq!(proof.verify_enclosed(key().verifier(), &[]).unwrap().index, index);
    }
    assert!(folder.prove(600).is_err());
    let path = folder.prove_consistency(300, 600).unwrap();
    crate::tree::verify_consistency((300, earlier.root()), (600, &folder.root()), &path).unwrap();
}

#[test]
fn only_what_follows_and_belongs_is_accepted() {
    let (dir, earlier) = sample();
    let mut folder = Folder::open(dir.path()).unwrap();
    for first in [0, 599, 601] {
        let refused = folder.extend(first, &entries(0..1));
        assert!(matches!(refused, Err(Error::NotNext { size: 600, offered }) if offered == first));
    }
    let long = vec![0u8; 65_536];
    assert!(matches!(folder.extend(600, &[&long]), Err(Error::EntryTooLong { .. })));
    assert_eq!(folder.size(), 600);
    let older = earlier.sign(&key()).unwrap();
    assert!(matches!(folder.write_checkpoint(&older), Err(Error::WrongRoot { size: 300 })));
    let stranger = SigningKey::log("other.example.net", &[1; 32]).unwrap();
    let foreign = checkpoint::sign(&stranger, 600, folder.root()).unwrap();
    assert!(matches!(folder.write_checkpoint(&foreign), Err(Error::OtherLog { .. })));
    assert!(audit(dir.path(), &[]).is_ok());
}

#[test]
fn r39_a_writer_that_was_overtaken_cannot_step_back_or_fork() {
    let (dir, _) = sample();
    let mut late = Folder::open(dir.path()).unwrap();
    grow(&mut Folder::open(dir.path()).unwrap(), 700);
    let publish =
        |folder: &mut Folder| folder.write_checkpoint(&checkpoint::sign(&key(), folder.size(), folder.root()).unwrap());
    assert!(matches!(publish(&mut late), Err(Error::Shrunk { earlier: 700, now: 600 })));
    let mut fork = late.frontier.clone();
    late.extend(600, &entries(601..801)).unwrap();
    assert!(matches!(publish(&mut late), Err(Error::NotConsistent { old: 700, new: 800 })));
    fork.push_many(entries(600..800).iter().map(|entry| leaf_hash(entry.as_bytes())));
    assert_ne!(fork.root(), late.root());
}

// Applies `change` to the entries of a bundle in place.
fn edit_bundle(dir: &TempDir, path: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let file = dir.path().join(path);
    let bytes = fs::read(&file).unwrap();
    let mut list: Vec<Vec<u8>> = crate::tile::BundleEntries::new(&bytes).map(|entry| entry.unwrap().to_vec()).collect();
    change(&mut list);
    let mut bundle = Vec::new();
    list.iter().for_each(|entry| push_entry(&mut bundle, entry).unwrap());
    fs::write(file, bundle).unwrap();
}

#[test]
fn r39_a_changed_entry_is_named() {
    let (dir, _) = sample();
    edit_bundle(&dir, "tile/entries/001", |list| list[44][3] ^= 1);
    assert!(matches!(audit(dir.path(), &[]), Err(Error::EntryMismatch { index: 300, .. })));
}

#[test]
fn r39_removed_and_swapped_entries_are_named() {
    let (dir, _) = sample();
    edit_bundle(&dir, "tile/entries/001", |list| drop(list.remove(9)));
    assert!(matches!(audit(dir.path(), &[]), Err(Error::WrongLength { index: 511, .. })));
    let (dir, _) = sample();
    edit_bundle(&dir, "tile/entries/001", |list| list.swap(9, 200));
    assert!(matches!(audit(dir.path(), &[]), Err(Error::EntryMismatch { index: 265, .. })));
    let (dir, _) = sample();
    edit_bundle(&dir, "tile/entries/002.p/88", |list| list.push(b"smuggled in".to_vec()));
    assert!(matches!(audit(dir.path(), &[]), Err(Error::WrongLength { index: 600, .. })));
}

#[test]
fn r39_missing_and_altered_files_are_named() {
    for path in ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/000", "tile/entries/002.p/88"] {
        let (dir, _) = sample();
        fs::remove_file(dir.path().join(path)).unwrap();
        assert!(matches!(audit(dir.path(), &[]), Err(Error::Missing { path: named }) if named == path), "{path}");
        let (dir, _) = sample();
        let mut bytes = fs::read(dir.path().join(path)).unwrap();
        bytes.pop();
        fs::write(dir.path().join(path), &bytes).unwrap();
        let cut = audit(dir.path(), &[]);
        assert!(matches!(cut, Err(Error::WrongLength { path: named, .. }) if named == path), "{path}");
    }
    let (dir, _) = sample();
    let mut bytes = fs::read(dir.path().join("tile/1/000.p/2")).unwrap();
    bytes[40] ^= 1;
    fs::write(dir.path().join("tile/1/000.p/2"), bytes).unwrap();
    assert!(matches!(audit(dir.path(), &[]), Err(Error::TileMismatch { position: 1, .. })));
    assert!(matches!(Folder::open(dir.path()), Err(Error::WrongRoot { size: 600 })));
}

#[test]
fn files_beyond_any_sense_are_not_read_into_memory() {
    for (path, limit) in
        [("checkpoint", CHECKPOINT_BYTES_MAX), ("tile/0/000", TILE_BYTES_MAX), ("tile/entries/000", BUNDLE_BYTES_MAX)]
    {
        let (dir, _) = sample();
        let file = fs::OpenOptions::new().write(true).open(dir.path().join(path)).unwrap();
        file.set_len(u64::try_from(limit).unwrap() + 1).unwrap();
        assert!(matches!(audit(dir.path(), &[]), Err(Error::Disk { path: named, .. }) if named == path), "{path}");
    }
    // A checkpoint may claim any size; the first bundle that is not there ends the walk.
    let (dir, _) = sample();
    let claim = checkpoint::sign(&key(), crate::tree::TREE_SIZE_MAX, [0; 32]).unwrap();
    fs::write(dir.path().join(CHECKPOINT_FILE), claim.to_string()).unwrap();
    let found = audit(dir.path(), &[]);
    assert!(matches!(found, Err(Error::Missing { path }) if path == "tile/entries/002"));
}

#[test]
fn r39_tiles_rewritten_without_the_key_lead_to_another_root() {
    let (dir, _) = sample();
    let published = fs::read(dir.path().join(CHECKPOINT_FILE)).unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    let mut list = entries(0..600);
    list[10] = "changed".to_owned();
    Folder::open(dir.path()).unwrap().extend(0, &list).unwrap();
    fs::write(dir.path().join(CHECKPOINT_FILE), published).unwrap();
    assert!(matches!(audit(dir.path(), &[]), Err(Error::WrongRoot { size: 600 })));
    fs::remove_file(dir.path().join(CHECKPOINT_FILE)).unwrap();
    assert!(matches!(audit(dir.path(), &[]), Err(Error::NoCheckpoint)));
}

#[test]
fn r39_history_rewritten_and_signed_again_fails_against_an_earlier_checkpoint() {
    let (_, earlier) = sample();
    let dir = tempfile::tempdir().unwrap();
    let mut list = entries(0..600);
    list[10] = "changed".to_owned();
    let mut folder = Folder::open(dir.path()).unwrap();
    folder.extend(0, &list).unwrap();
    folder.write_checkpoint(&checkpoint::sign(&key(), 600, folder.root()).unwrap()).unwrap();
    assert!(audit(dir.path(), &[]).is_ok(), "alone, the rewritten log looks sound");
    let found = audit(dir.path(), std::slice::from_ref(&earlier));
    assert!(matches!(found, Err(Error::HistoryRewritten { size: 300 })));

    let shorter = tempfile::tempdir().unwrap();
    grow(&mut Folder::open(shorter.path()).unwrap(), 299);
    let found = audit(shorter.path(), std::slice::from_ref(&earlier));
    assert!(matches!(found, Err(Error::Shrunk { earlier: 300, now: 299 })));
    let other = Checkpoint::new("other.example.net", 300, *earlier.root()).unwrap();
    assert!(matches!(audit(shorter.path(), &[other]), Err(Error::OtherLog { .. })));
}

#[test]
fn a_witness_that_cosigned_is_reported_and_a_forged_one_refused() {
    let (dir, _) = sample();
    let witness = SigningKey::witness("witness.example.org", &[3; 32]).unwrap();
    let witnesses = [witness.verifier().clone()];
    let mut folder = Folder::open(dir.path()).unwrap();
    let mut signed = folder.checkpoint().unwrap().unwrap();
    signed.cosign(&witness, 1_700_000_000).unwrap();
    folder.write_checkpoint(&signed).unwrap();
    let check = || verify(dir.path(), &Audit { log: key().verifier(), witnesses: &witnesses, earlier: &[] });
    assert_eq!(check().unwrap().cosignatures[0].time_s, 1_700_000_000);
    let text = fs::read_to_string(dir.path().join(CHECKPOINT_FILE)).unwrap();
    let line = signed.signatures()[1].to_string();
    let forged = text.replace(&line, &(line[..line.len() - 8].to_owned() + "AAAAAAA="));
    fs::write(dir.path().join(CHECKPOINT_FILE), forged).unwrap();
    assert!(matches!(check(), Err(Error::BadSignature { name }) if name == "witness.example.org"));
}

#[test]
fn rebuilding_gives_the_same_log_and_mends_a_broken_folder() {
    let (dir, earlier) = sample();
    let before = fs::read(dir.path().join(CHECKPOINT_FILE)).unwrap();
    fs::remove_file(dir.path().join("tile/0/001")).unwrap();
    rebuild(dir.path(), entries(0..600).into_iter().map(Ok::<_, Error>), &key()).unwrap();
    assert_eq!(fs::read(dir.path().join(CHECKPOINT_FILE)).unwrap(), before);
    assert_eq!(audit(dir.path(), std::slice::from_ref(&earlier)).unwrap().size, 600);
    rebuild(dir.path(), entries(0..700).into_iter().map(Ok::<_, Error>), &key()).unwrap();
    assert_eq!(audit(dir.path(), &[earlier]).unwrap().size, 700);
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn rebuilding_refuses_entries_that_contradict_what_was_signed() {
    let (dir, _) = sample();
    let mut list = entries(0..700);
    list[599] = "changed".to_owned();
    let refused = rebuild(dir.path(), list.into_iter().map(Ok::<_, Error>), &key());
    assert!(matches!(refused, Err(Error::HistoryRewritten { size: 600 })));
    let refused = rebuild(dir.path(), entries(0..599).into_iter().map(Ok::<_, Error>), &key());
    assert!(matches!(refused, Err(Error::Shrunk { earlier: 600, now: 599 })));
    let failing = entries(0..600).into_iter().map(Ok).chain([Err(Error::NoCheckpoint)]);
    assert!(matches!(rebuild(dir.path(), failing, &key()), Err(Error::NoCheckpoint)));
    assert_eq!(audit(dir.path(), &[]).unwrap().size, 600, "untouched");
}
