//! Keys: the vector of the signed-note specification, names, and forms that must be refused.

use super::*;

// C2SP signed-note, "Verifier keys", example.
const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE_TEXT: &[u8] = b"This is an example message.\n";
const NOTE_SIGNATURE: &str =
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";

#[test]
fn c2sp_signed_note_example_verifies() {
    let key: VerifierKey = VKEY.parse().unwrap();
    assert_eq!((key.name(), key.purpose(), key.id()), ("example.com/foo", KeyUse::Log, [0x53, 0x0d, 0x90, 0x3a]));
    assert_eq!(key.to_string(), VKEY);
    let bytes = STANDARD.decode(NOTE_SIGNATURE).unwrap();
    assert_eq!(bytes[..4], key.id());
    key.verify(NOTE_TEXT, &bytes[4..]).unwrap();
    assert!(matches!(key.verify(b"This is another message.\n", &bytes[4..]), Err(Error::BadSignature { .. })));
}

#[test]
fn malformed_verifier_keys_are_refused() {
    for bad in [
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "",
    ] {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
}

#[test]
fn names_fit_a_signature_line() {
    for bad in ["", "a b", "a+b", "a\u{2003}b", "a\nb", "a\u{7f}b", &"x".repeat(256)] {
        assert!(SigningKey::log(bad, &[1; 32]).is_err(), "{bad:?}");
    }
    assert!(SigningKey::log("ledger.example.net/c/1", &[1; 32]).is_ok());
}

#[test]
fn rfc8032_7_1_test_1_public_key() {
    let seed = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    let key = SigningKey::log("a", &seed).unwrap();
    assert_eq!(key.verifier().public()[..4], [0xd7, 0x5a, 0x98, 0x01]);
    key.verifier().verify(b"", &key.sign(b"").unwrap()).unwrap();
}

#[test]
fn a_signing_key_never_prints_its_seed() {
    let key = SigningKey::log("a", &[0xc3; 32]).unwrap();
    let text = format!("{key:?}");
    assert!(text.contains("VerifierKey") && !text.contains("195, 195") && !text.contains("c3c3"), "{text}");
}

#[test]
fn c2sp_signed_note_type_changes_the_key_id() {
    let (log, witness) = (SigningKey::log("a", &[1; 32]).unwrap(), SigningKey::witness("a", &[1; 32]).unwrap());
    assert_eq!(log.verifier().public(), witness.verifier().public());
    assert_ne!(log.verifier().id(), witness.verifier().id());
    let text = witness.verifier().to_string();
    assert_eq!(text.parse::<VerifierKey>().unwrap().purpose(), KeyUse::Witness);
}
