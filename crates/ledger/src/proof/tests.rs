//! Receipts: a file that reads back, verifies, and fails for anything else.

use proptest::prelude::*;

use super::*;
use crate::checkpoint;
use crate::key::SigningKey;
use crate::tree::prove_inclusion;
use crate::tree::tests::MemoryTree;

fn key() -> SigningKey {
    SigningKey::log("ledger.example.net/c/1", &[1; 32]).unwrap()
}

fn proof(index: u64, enclose: bool) -> LogProof {
    let entries: Vec<String> = (0..37).map(|n| format!("entry {n}")).collect();
    let mut tree = MemoryTree::of(&entries);
    let signed = checkpoint::sign(&key(), 37, tree.frontier.root()).unwrap();
    let path = prove_inclusion(&mut tree, index, 37).unwrap();
    let entry = enclose.then(|| format!("entry {index}").into_bytes());
    LogProof::new(index, path, signed, entry)
}

#[test]
fn c2sp_tlog_proof_reads_back_and_verifies() {
    for index in 0..37 {
        let text = proof(index, true).to_string();
        let read = LogProof::parse(text.as_bytes()).unwrap();
        assert_eq!(read, proof(index, true));
        let proven = read.verify_enclosed(key().verifier(), &[]).unwrap();
        assert_eq!((proven.origin.as_str(), proven.index, proven.size), (key().name(), index, 37));
    }
}

#[test]
fn c2sp_tlog_proof_form() {
    let text = proof(0, true).to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
    assert_eq!(lines.next(), Some("extra ZW50cnkgMA=="));
    assert_eq!(lines.next(), Some("index 0"));
    assert_eq!(lines.clone().take_while(|line| line.len() == 44).count(), 6);
    let rest: Vec<&str> = lines.skip(6).collect();
    assert_eq!(rest[..3], ["", "ledger.example.net/c/1", "37"]);
}

#[test]
fn another_entry_index_key_or_witness_is_refused() {
    let sound = proof(5, false);
    let key = key();
    assert!(sound.verify(b"entry 5", key.verifier(), &[]).is_ok());
    assert!(matches!(sound.verify(b"entry 6", key.verifier(), &[]), Err(Error::NotIncluded { index: 5, .. })));
    assert!(sound.verify_enclosed(key.verifier(), &[]).is_err());
    let moved = LogProof { index: 6, ..sound.clone() };
    assert!(moved.verify(b"entry 5", key.verifier(), &[]).is_err());
    let thief = SigningKey::log(key.name(), &[2; 32]).unwrap();
    assert!(matches!(sound.verify(b"entry 5", thief.verifier(), &[]), Err(Error::Unsigned { .. })));
    let witness = SigningKey::witness("witness.example.org", &[3; 32]).unwrap();
    let mut cosigned = sound;
    cosigned.checkpoint.cosign(&witness, 1_700_000_000).unwrap();
    let proven = cosigned.verify(b"entry 5", key.verifier(), &[witness.verifier().clone()]).unwrap();
    assert_eq!(proven.cosignatures[0].time_s, 1_700_000_000);
}

#[test]
fn malformed_files_are_refused() {
    let good = proof(5, true).to_string();
    for bad in [
        good.replacen("@v1", "@v2", 1),
        good.replacen("index 5", "index 05", 1),
        good.replacen("index 5", "index -5", 1),
        good.replacen("index 5\n", "", 1),
        good.replacen("extra ", "extra =", 1),
        good.replacen("\n\n", "\nAAAA\n\n", 1),
        good.replacen("\n\n", &format!("\n{}\n", "A".repeat(43) + "=\n").repeat(70), 1),
        good.replacen("\n\n", "\n", 1),
        String::new(),
    ] {
        assert!(LogProof::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(LogProof::parse(&vec![b'a'; PROOF_BYTES_MAX + 1]).is_err());
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(position in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = proof(5, false).to_string().into_bytes();
        let at = position.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let outcome = LogProof::parse(&bytes).and_then(|p| p.verify(b"entry 5", key().verifier(), &[]));
        prop_assert!(outcome.is_err());
    }
}
