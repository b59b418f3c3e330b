//! The example of RFC 7677, a client of our own, and everything that must not be believed.

use proptest::prelude::*;

use super::*;

const NO_TLS13: Channel<'_> = Channel { exporter: None, plus: false };

/// The client's side, for tests.
fn client_final(password: &str, first_bare: &str, challenge: &str, bound: &[u8]) -> String {
    let (nonce, rest) = challenge.strip_prefix("r=").unwrap().split_once(",s=").unwrap();
    let (salt, iterations) = rest.split_once(",i=").unwrap();
    let (salt, iterations) = (STANDARD.decode(salt).unwrap(), iterations.parse().unwrap());
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut salted);
    let client = mac(&salted, b"Client Key");
    let unproven = format!("c={},r={nonce}", STANDARD.encode(bound));
    let signature = mac(&hash(&client), format!("{first_bare},{challenge},{unproven}").as_bytes());
    let proof: Vec<u8> = client.iter().zip(signature).map(|(one, other)| one ^ other).collect();
    format!("{unproven},p={}", STANDARD.encode(proof))
}

#[test]
fn rfc7677_3_the_example_is_proven() {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
    let keys = Keys::derive("pencil", salt).unwrap();
    let first = First::read("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", NO_TLS13).unwrap();
    assert_eq!(first.username(), "user");
    let challenged = first.challenge(keys, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    assert_eq!(
        challenged.text(),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert_eq!(challenged.proven(last).unwrap().answer(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    for wrong in [
        last.replace("dHzb", "dHzc"),
        last.replace("k0,", "k1,"),
        last.replace("biws", "eSws"),
        last.replace(",p=", ",m=x,p="),
        last.replace(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", ""),
        String::new(),
    ] {
        assert!(challenged.proven(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn rfc5802_6_a_client_that_was_talked_out_of_binding_is_refused() {
    let exporter = Some([7; 32].as_slice());
    let offered = |plus| Channel { exporter, plus };
    let read = |flag: &str, channel| First::read(&format!("{flag},,n=ada,r=x"), channel).map(|_| ());
    assert_eq!(read("y", offered(false)), Err(Fault::Binding));
    assert_eq!(read("y", NO_TLS13), Ok(()), "twin: nothing was offered");
    assert_eq!(read("n", offered(false)), Ok(()));
    assert_eq!(read("p=tls-exporter", offered(true)), Ok(()));
    for (flag, channel) in [
        ("p=tls-exporter", offered(false)),
        ("p=tls-unique", offered(true)),
        ("n", offered(true)),
        ("y", offered(true)),
        ("p=tls-exporter", Channel { exporter: None, plus: true }),
    ] {
        assert_eq!(read(flag, channel), Err(Fault::Binding), "{flag}");
    }
}

#[test]
fn rfc9266_a_proof_for_another_connection_is_none() {
    let keys = Keys::derive("secret", [1; 16]).unwrap();
    let channel = Channel { exporter: Some(&[7; 32]), plus: true };
    let bare = "n=ada,r=abc";
    let challenged =
        || First::read(&format!("p=tls-exporter,,{bare}"), channel).unwrap().challenge(keys.clone(), "def");
    let bound = |exporter: [u8; 32]| [b"p=tls-exporter,,".as_slice(), &exporter].concat();
    let challenged = challenged();
    let good = client_final("secret", bare, challenged.text(), &bound([7; 32]));
    assert!(challenged.proven(&good).is_ok());
    let elsewhere = client_final("secret", bare, challenged.text(), &bound([8; 32]));
    assert_eq!(challenged.proven(&elsewhere).err(), Some(Fault::Binding));
    let wrong = client_final("Secret", bare, challenged.text(), &bound([7; 32]));
    assert_eq!(challenged.proven(&wrong).err(), Some(Fault::Proof));
}

#[test]
fn names_and_extensions_are_read_strictly() {
    let name = |text: &str| First::read(text, NO_TLS13).map(|first| first.username().to_owned());
    assert_eq!(name("n,,n=a=2Cb=3Dc,r=x"), Ok("a,b=c".to_owned()));
    assert_eq!(name("n,a=ada,n=ada,r=x,e=1"), Ok("ada".to_owned()));
    for text in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=,r=x",
        "n,,n=a,r=",
        "n,,n=a=,r=x",
        "n,,n=a=2c,r=x",
        "n,,m=1,n=a,r=x",
        "n,,r=x,n=a",
        "n,a=eve,n=ada,r=x",
        "n,b=ada,n=ada,r=x",
        "n,,n=a,r=x,m=1",
        "n,,n=a,r=x y",
        "n,,n=a\u{7}b,r=x",
    ] {
        assert_eq!(name(text), Err(Fault::Form), "{text:?}");
    }
    assert!(First::read("z,,n=a,r=x", NO_TLS13).is_err());
    assert!(First::read(&format!("n,,n=a,r={}", "x".repeat(257)), NO_TLS13).is_err());
}

#[test]
fn kept_keys_come_back_and_nothing_else_does() {
    let keys = Keys::derive("secret", [1; 16]).unwrap();
    let octets = keys.to_octets();
    assert_eq!(octets.len(), KEYS_OCTETS);
    assert!(Keys::from_octets(&octets) == Some(keys.clone()));
    assert!(Keys::from_octets(&octets[1..]).is_none() && Keys::from_octets(&[0; KEYS_OCTETS]).is_none());
    assert!(Keys::derive("pässword", [1; 16]).is_none() && Keys::derive("", [1; 16]).is_none());
    let nobody = Keys::of_nobody(&[3; 32]);
    assert!(nobody == Keys::of_nobody(&[3; 32]) && nobody != Keys::of_nobody(&[4; 32]));
    assert_eq!(format!("{keys:?}"), "Keys(redacted)");
}

proptest! {
    #[test]
    fn no_text_breaks_the_dialogue_or_proves_anything(first in any::<String>(), last in any::<String>()) {
        for channel in [NO_TLS13, Channel { exporter: Some(&[1; 32]), plus: true }] {
            drop(First::read(&first, channel));
        }
        let challenged = First::read("n,,n=ada,r=x", NO_TLS13).unwrap().challenge(Keys::of_nobody(&[0; 32]), "y");
        prop_assert!(challenged.proven(&last).is_err());
        let guessed = format!("c=biws,r=xy{last},p={last}");
        prop_assert!(challenged.proven(&guessed).is_err());
    }

    #[test]
    fn a_changed_proof_is_no_proof(at in 0_usize..32, bit in 0_u32..8) {
        let keys = Keys::derive("secret", [1; 16]).unwrap();
        let challenged = First::read("n,,n=ada,r=x", NO_TLS13).unwrap().challenge(keys, "y");
        let good = client_final("secret", "n=ada,r=x", challenged.text(), b"n,,");
        let (unproven, proof) = good.rsplit_once(",p=").unwrap();
        let mut proof = STANDARD.decode(proof).unwrap();
        proof[at] ^= 1 << bit;
        let changed = format!("{unproven},p={}", STANDARD.encode(proof));
        prop_assert_eq!(challenged.proven(&changed).err(), Some(Fault::Proof));
    }
}
