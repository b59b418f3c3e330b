//! Checkpoints: forms, signatures, cosignatures, and what must not pass.

use proptest::prelude::*;

use super::*;

const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn log_key() -> SigningKey {
    SigningKey::log("ledger.example.net/c/1", &[1; 32]).unwrap()
}

fn witness(number: u8) -> SigningKey {
    SigningKey::witness(&format!("witness{number}.example.org"), &[100 + number; 32]).unwrap()
}

#[test]
fn c2sp_tlog_checkpoint_example_reads_and_prints_the_same() {
    let checkpoint = Checkpoint::parse_body(EXAMPLE).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.body(), EXAMPLE);
    let signed = sign(&log_key(), 3, [7; 32]).unwrap();
    assert_eq!(SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap(), signed);
}

#[test]
fn c2sp_tlog_cosignature_example_lines_read() {
    let log = "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc\
               yv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=";
    let witness = "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dl\
                   rDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
    let text =
        format!("{EXAMPLE}\n\u{2014} example.com/behind-the-sofa {log}\n\u{2014} witness.example.com/w1 {witness}\n");
    let signed = SignedCheckpoint::parse(text.as_bytes()).unwrap();
    assert_eq!(signed.signatures().len(), 2);
    assert_eq!(signed.to_string(), text);
}

#[test]
fn a_changed_statement_fails_under_the_logs_key() {
    let key = log_key();
    let signed = sign(&key, 3, [7; 32]).unwrap();
    assert_eq!(signed.verify(key.verifier()).unwrap().size(), 3);
    let changed = signed.to_string().replacen("\n3\n", "\n4\n", 1);
    let changed = SignedCheckpoint::parse(changed.as_bytes()).unwrap();
    assert!(matches!(changed.verify(key.verifier()), Err(Error::BadSignature { .. })));
}

#[test]
fn c2sp_signed_note_unknown_keys_are_ignored_and_absent_ones_named() {
    let key = log_key();
    let mut signed = sign(&key, 3, [7; 32]).unwrap();
    signed.cosign(&witness(1), 1_700_000_000).unwrap();
    assert!(signed.verify(key.verifier()).is_ok());
    assert_eq!(signed.cosignatures(&[witness(2).verifier().clone()]).unwrap(), []);
    let same_name = SigningKey::log(key.name(), &[9; 32]).unwrap();
    assert!(matches!(signed.verify(same_name.verifier()), Err(Error::Unsigned { .. })));
    let other = SigningKey::log("other.example.net", &[1; 32]).unwrap();
    assert!(matches!(signed.verify(other.verifier()), Err(Error::OtherLog { .. })));
}

#[test]
fn c2sp_tlog_cosignature_is_bound_to_time_and_statement() {
    let (key, witness) = (log_key(), witness(1));
    let known = [witness.verifier().clone()];
    let mut signed = sign(&key, 3, [7; 32]).unwrap();
    signed.cosign(&witness, 1_700_000_000).unwrap();
    let expected = Cosignature { witness: witness.name().to_owned(), time_s: 1_700_000_000 };
    assert_eq!(signed.cosignatures(&known).unwrap(), [expected]);
    assert_eq!(signed.signatures()[0].name(), key.name(), "the log's own line stays first");

    let mut elsewhere = sign(&key, 4, [7; 32]).unwrap();
    elsewhere.attach(signed.signatures()[1].clone()).unwrap();
    assert!(matches!(elsewhere.cosignatures(&known), Err(Error::BadSignature { .. })));
    let mut later = signed.clone();
    later.signatures[1].signature[7] ^= 1;
    assert!(matches!(later.cosignatures(&known), Err(Error::BadSignature { .. })));
    // A signature over the bare text is no cosignature, even by the same secret.
    let mut bare = sign(&key, 3, [7; 32]).unwrap();
    let signature = [&[0; 8][..], &witness.sign(bare.checkpoint().body().as_bytes()).unwrap()].concat();
    let line = NoteSignature { name: witness.name().to_owned(), id: witness.verifier().id(), signature };
    bare.attach(line).unwrap();
    assert!(bare.cosignatures(&known).is_err());
}

#[test]
fn a_witness_line_comes_as_text_and_replaces_its_older_one() {
    let mut signed = sign(&log_key(), 3, [7; 32]).unwrap();
    let mut at_witness = signed.clone();
    for time_s in [5, 6] {
        at_witness.cosign(&witness(1), time_s).unwrap();
        signed.attach(at_witness.signatures()[1].to_string().parse().unwrap()).unwrap();
    }
    let found = signed.cosignatures(&[witness(1).verifier().clone()]).unwrap();
    assert_eq!((found.len(), found[0].time_s), (1, 6));
    let own = signed.signatures()[0].clone();
    assert!(signed.attach(own).is_err());
}

#[test]
fn keys_serve_their_one_purpose() {
    let mut signed = sign(&log_key(), 3, [7; 32]).unwrap();
    assert!(signed.cosign(&log_key(), 1).is_err());
    assert!(sign(&witness(1), 3, [7; 32]).is_err());
    assert!(signed.cosign(&witness(1), u64::MAX).is_err());
    let foreign = Checkpoint::new("other.example.net", 3, [7; 32]).unwrap();
    assert!(matches!(foreign.sign(&log_key()), Err(Error::OtherLog { .. })));
}

#[test]
fn limits_on_signatures_hold() {
    let mut signed = sign(&log_key(), 3, [7; 32]).unwrap();
    for number in 1..SIGNATURES_MAX {
        signed.cosign(&witness(u8::try_from(number).unwrap()), 1).unwrap();
    }
    assert!(signed.cosign(&witness(99), 1).is_err());
    let mut text = signed.to_string();
    assert!(SignedCheckpoint::parse(text.as_bytes()).is_ok());
    text.push_str(text.clone().lines().last().unwrap());
    text.push('\n');
    assert!(SignedCheckpoint::parse(text.as_bytes()).is_err());
    assert!(SignedCheckpoint::parse(&vec![b'a'; CHECKPOINT_BYTES_MAX + 1]).is_err());
}

#[test]
fn second_spellings_of_the_text_are_refused() {
    assert!(Checkpoint::parse_body(EXAMPLE).is_ok());
    assert!(Checkpoint::parse_body(&format!("{EXAMPLE}extension\n")).is_ok());
    for bad in [
        EXAMPLE.replacen("20852163", "020852163", 1),
        EXAMPLE.replacen("20852163", "+20852163", 1),
        EXAMPLE.replacen("20852163", "99999999999999999999", 1),
        EXAMPLE.replacen("20852163", "18446744073709551615", 1),
        EXAMPLE.replacen("q2I=", "q2J=", 1),
        EXAMPLE.replacen("q2I=", "q2I", 1),
        EXAMPLE.replacen("example.com", "example com", 1),
        format!("{EXAMPLE}\n"),
        EXAMPLE.trim_end().to_owned(),
        String::new(),
    ] {
        assert!(Checkpoint::parse_body(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn malformed_notes_are_refused() {
    let good = sign(&log_key(), 3, [7; 32]).unwrap().to_string();
    for bad in [
        good.trim_end().to_owned(),
        good.replacen("\n\n", "\n", 1),
        good.replacen("\u{2014} ", "- ", 1),
        good.replacen('\n', "\r\n", 1),
        good.replacen("ledger", "led\tger", 1),
        format!("{good}\n"),
        good.lines().take(3).map(|line| format!("{line}\n")).collect::<String>() + "\n",
    ] {
        assert!(SignedCheckpoint::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(SignedCheckpoint::parse(&[0xff]).is_err());
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(position in any::<prop::sample::Index>(), bit in 0u8..8) {
        let key = log_key();
        let mut bytes = sign(&key, 3, [7; 32]).unwrap().to_string().into_bytes();
        let at = position.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let outcome = SignedCheckpoint::parse(&bytes).and_then(|signed| signed.verify(key.verifier()).cloned());
        prop_assert!(outcome.is_err());
    }
}
