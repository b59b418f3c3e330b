//! Our DKIM signatures before foreign judges: dkimpy (Python), mailauth (Node.js) and Mail::DKIM (Perl).
//!
//! Every message of the corpus is signed with RSA and Ed25519. Both signatures must pass with every judge that knows
//! the algorithm, and with our own verifier; its twins with one octet changed must fail with all of them.
#![expect(clippy::expect_used, reason = "a test program: what cannot be set up fails the test with a sentence")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mail::address::Address;
use mail::compose::{Attachment, Draft, Mailbox, compose};
use mail::dkim::{Signer, SigningKey, TxtAnswer, VerdictResult, sign, verify};

const SIGNED_AT_UNIX_S: u64 = 1_700_000_000;
const EXPIRES_UNIX_S: u64 = 4_000_000_000;
const RSA: usize = 0;
const ED25519: usize = 1;

/// Bodies: every kind of white space at the end, and what else has tripped verifiers.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let long = format!("{}\r\nshort\r\n", "0123456789 ".repeat(90));
    vec![
        ("plain", b"Hello Ada,\r\n\r\nyour parcel is on its way.\r\n".to_vec()),
        ("white_lines_at_end", b"Hello\r\n \r\n\t\r\n".to_vec()),
        ("one_white_line", b" \r\n".to_vec()),
        ("spaces_then_empty_line", b"text  \r\n\r\n".to_vec()),
        ("spaces_line_then_empty_line", b"text\r\n  \r\n\r\n".to_vec()),
        ("no_final_line_end", b"Hello".to_vec()),
        ("no_final_line_end_after_spaces", b"Hello \t ".to_vec()),
        ("white_space_without_line_end", b"Hello\r\n \t".to_vec()),
        ("empty", Vec::new()),
        ("only_line_ends", b"\r\n\r\n\r\n".to_vec()),
        ("leading_line_ends", b"\r\n\r\nHello\r\n".to_vec()),
        ("runs", b"a  b\t\tc \t d\r\n\tindented\r\n  twice\r\nend \t\r\n".to_vec()),
        ("long_lines", long.into_bytes()),
        ("eight_bit", "Grüße aus Köln – schön\r\n\u{a0}\r\n".as_bytes().to_vec()),
        ("dots", b".\r\n..\r\n.hidden\r\n. \r\n".to_vec()),
        ("white_line_inside", b"one\r\n \t \r\ntwo\r\n\r\n".to_vec()),
    ]
}

/// Header blocks without the blank line. Each has the display name `Shop` in From.
fn heads() -> Vec<(&'static str, &'static str)> {
    const FULL: &str = "From: Shop <shop@sample.example>\r\nTo: ada@dest.example\r\nSubject: Your receipt\r\n\
        Date: Sun, 22 Nov 2026 10:11:04 +0000\r\nMessage-ID: <1@sample.example>\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    const FOLDED: &str = "Received: by a.example with ESMTPSA id 1; Sun, 22 Nov 2026 10:11:04 +0000\r\n\
        From: \"Shop\"\r\n\t<shop@sample.example>\r\nSubject: Two  spaces\r\n  and a   fold \t here  \r\n\
        To: Ada <ada@dest.example>,\r\n Bob\r\n\t<bob@dest.example>\r\nX-Other: x\r\n";
    const EMPTY_SUBJECT: &str = "From: Shop <shop@sample.example>\r\nSubject:\r\nTo: \r\n";
    const BLANK_SUBJECT: &str = "from:Shop <shop@sample.example>\r\nSUBJECT: \t \r\nto:ada@dest.example\r\n";
    const REPEATED: &str = "Comments: one\r\nFrom: Shop <shop@sample.example>\r\nReferences: <a@x.example>\r\n\
        References: <b@x.example>\r\nList-Id: <first.sample.example>\r\nList-Id: <second.sample.example>\r\n\
        Subject: s\r\nComments: two\r\n";
    const MARKETING: &str = "From: Shop <shop@sample.example>\r\nSubject: News\r\n\
        List-Unsubscribe: <https://sample.example/u/abc>,\r\n <mailto:u-abc@sample.example>\r\n\
        List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFeedback-ID: c1:ctl:bulk:postern\r\n";
    // RFC 8616: fields in UTF-8 are signed as they are.
    const INTERNATIONAL: &str = "From: Shop <läden@sample.example>\r\nTo: Jörg <jörg@dest.example>,\r\n\
        \t用户@例子.example\r\nSubject: Ihre Bestellung  für\r\n Jörg\r\nMIME-Version: 1.0\r\n";
    vec![
        ("international", INTERNATIONAL),
        ("full", FULL),
        ("folded", FOLDED),
        ("empty_subject", EMPTY_SUBJECT),
        ("blank_subject", BLANK_SUBJECT),
        ("repeated", REPEATED),
        ("marketing", MARKETING),
    ]
}

/// What every judge must say of both signatures of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    Pass,
    Fail,
}

/// RFC 5321 §4.1.1.4: SMTP ends every message with CRLF, whatever was signed. Bodies without it are given to the judges
/// as they are, but for white space at their very end, which dkimpy leaves standing (SMTP cannot carry such a body).
fn line_end(body: &[u8]) -> &'static [u8] {
    if matches!(body.last(), Some(b' ' | b'\t')) { b"\r\n" } else { b"" }
}

/// A message as the HTTP interface composes it, without the blank line.
fn composed() -> (String, Vec<u8>) {
    let mailbox = |address: &str, name: &str| Mailbox {
        address: Address::parse(address).expect("an address"),
        name: Some(name.to_owned()),
    };
    let file = Attachment {
        name: "Übersicht.bin",
        content_type: "application/octet-stream",
        content: &[0, 13, 10, 255],
        content_id: None,
    };
    let draft = Draft {
        from: mailbox("shop@sample.example", "Shop"),
        cc: Vec::new(),
        reply_to: vec![mailbox("help@sample.example", "Jörg, Hilfe")],
        subject: "Ihre Bestellung ist unterwegs – schön, und jetzt noch etwas Text, damit gefaltet wird",
        text: Some("Grüße \n\n \n"),
        html: Some("<p>Grüße</p>"),
        headers: &[],
        attachments: vec![file],
    };
    let composed = compose(&draft).expect("the draft can be composed");
    let to = [mailbox("ada@dest.example", "Ada Lovelace"), mailbox("bob@dest.example", "Bob")];
    let head = composed.head_for(&to, "1@sample.example", SIGNED_AT_UNIX_S).expect("recipients");
    let head = String::from_utf8(head).expect("ASCII");
    (head.strip_suffix("\r\n").expect("a blank line").to_owned(), composed.body.to_vec())
}

struct Corpus {
    messages: BTreeMap<String, (Vec<u8>, Expected)>,
    keys: BTreeMap<String, String>,
}

impl Corpus {
    fn sign_all() -> Self {
        let rsa = Arc::new(SigningKey::generate_rsa().expect("RSA key"));
        let ed25519 = Arc::new(SigningKey::generate_ed25519().expect("Ed25519 key"));
        let keys = BTreeMap::from([
            ("r1._domainkey.sample.example".to_owned(), rsa.public_dns_value().expect("record")),
            ("e1._domainkey.sample.example".to_owned(), ed25519.public_dns_value().expect("record")),
        ]);
        let signers = [
            Signer::new("sample.example", "r1", rsa).expect("names"),
            Signer::new("sample.example", "e1", ed25519).expect("names"),
        ];
        let mut corpus = Self { messages: BTreeMap::new(), keys };
        for (head_name, head) in heads() {
            for (body_name, body) in bodies() {
                corpus.add(&format!("{head_name}-{body_name}"), head, &body, &signers);
            }
        }
        let (head, body) = composed();
        corpus.add("composed", &head, &body, &signers);
        corpus
    }

    /// Signs a message and adds it with its twins.
    fn add(&mut self, stem: &str, head: &str, body: &[u8], signers: &[Signer]) {
        let fields = sign(head.as_bytes(), body, signers, SIGNED_AT_UNIX_S, Some(EXPIRES_UNIX_S))
            .expect("the corpus can be signed");
        let mut changed = body.to_vec();
        match changed.iter_mut().find(|octet| octet.is_ascii_alphanumeric()) {
            Some(octet) => *octet ^= 1,
            None => changed.extend_from_slice(b"x"),
        }
        let header_twin = head.replacen("Shop", "Shoq", 1);
        let second_from = format!("From: Evil <evil@elsewhere.example>\r\n{head}");
        // RFC 6376 §3.4.4: what the relaxed form ignores may change on the way.
        let spaced = [body, b" \t\r\n\r\n"].concat();
        for (twin, head, body, expected) in [
            ("", head, body, Expected::Pass),
            ("-spaced", head, &spaced, Expected::Pass),
            ("-body-twin", head, &changed, Expected::Fail),
            ("-header-twin", &header_twin, body, Expected::Fail),
            ("-second-from", &second_from, body, Expected::Fail),
        ] {
            let message = [&fields, head.as_bytes(), b"\r\n", body, line_end(body)].concat();
            self.messages.insert(format!("{stem}{twin}.eml"), (message, expected));
        }
    }

    fn write(&self, directory: &Path) {
        let _ = std::fs::remove_dir_all(directory);
        std::fs::create_dir_all(directory).expect("test directory");
        for (name, (message, _)) in &self.messages {
            std::fs::write(directory.join(name), message).expect("message file");
        }
        let table: String = self.keys.iter().map(|(name, record)| format!("{name}\t{record}\n")).collect();
        std::fs::write(directory.join("keys.txt"), table).expect("key table");
    }

    /// Runs a judge and compares its lines with what is expected of the given signatures.
    fn judge(&self, judge: &str, command: &mut Command, directory: &Path, judged: &[usize]) {
        let output = command.arg(directory).output().unwrap_or_else(|error| {
            panic!("{judge} cannot be run ({error}); run `cargo xtask setup`");
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{judge} failed; if it is not installed run `cargo xtask setup`\n{errors}");
        let said: BTreeMap<(String, usize), String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| {
                let mut parts = line.split('\t').map(str::to_owned);
                let (file, index) = (parts.next().expect("file"), parts.next().expect("index"));
                ((file, index.parse().expect("number")), parts.next().expect("verdict"))
            })
            .collect();
        let mut wrong = Vec::new();
        for (name, (_, expected)) in &self.messages {
            for index in [RSA, ED25519] {
                let verdict = said.get(&(name.clone(), index)).map_or("nothing", String::as_str);
                let wanted = match (judged.contains(&index), expected) {
                    (false, _) => "unsupported",
                    (true, Expected::Pass) => "pass",
                    (true, Expected::Fail) => "fail",
                };
                if verdict != wanted {
                    wrong.push(format!("{name} signature {index}: {verdict} instead of {wanted}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{judge} disagrees with us:\n{}", wrong.join("\n"));
        // Kept when the judge disagrees.
        let _ = std::fs::remove_dir_all(directory);
    }
}

#[expect(clippy::disallowed_methods, reason = "the test is told by its caller where the foreign verifiers are")]
fn tools() -> PathBuf {
    std::env::var_os("POSTERN_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools"), PathBuf::from)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(name)
}

fn directory(name: &str) -> PathBuf {
    // Each run has keys of its own, and two runs may share a target directory.
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

#[test]
fn rfc6376_dkimpy_verifies_rsa_and_ed25519() {
    let (corpus, directory) = (Corpus::sign_all(), directory("dkim-dkimpy"));
    corpus.write(&directory);
    let mut command = Command::new(tools().join("venv/bin/python"));
    command.arg(script("dkim_dkimpy.py"));
    corpus.judge("dkimpy", &mut command, &directory, &[RSA, ED25519]);
}

#[test]
fn rfc6376_mailauth_verifies_rsa_and_ed25519() {
    let (corpus, directory) = (Corpus::sign_all(), directory("dkim-mailauth"));
    corpus.write(&directory);
    let mut command = Command::new("node");
    command.env("NODE_PATH", tools().join("node/node_modules")).arg(script("dkim_mailauth.js"));
    corpus.judge("mailauth", &mut command, &directory, &[RSA, ED25519]);
}

/// RFC 8463 §5: a verifier that does not know Ed25519 still accepts the RSA signature beside it.
#[test]
fn rfc8463_5_mail_dkim_verifies_rsa_beside_an_unknown_algorithm() {
    let (corpus, directory) = (Corpus::sign_all(), directory("dkim-mail-dkim"));
    corpus.write(&directory);
    let mut command = Command::new("perl");
    command.arg(script("dkim_mail_dkim.pl"));
    corpus.judge("Mail::DKIM", &mut command, &directory, &[RSA]);
}

#[test]
fn rfc6376_our_verifier_agrees_with_the_foreign_ones() {
    let corpus = Corpus::sign_all();
    let lookup = |name: &str| TxtAnswer::from(corpus.keys.get(name).cloned());
    for (name, (message, expected)) in &corpus.messages {
        let verdicts = verify(message, &lookup, SIGNED_AT_UNIX_S);
        assert_eq!(verdicts.len(), 2, "{name}");
        for verdict in verdicts {
            match expected {
                Expected::Pass => assert_eq!(verdict.result, VerdictResult::Pass, "{name} {}", verdict.algorithm),
                Expected::Fail => {
                    assert!(matches!(verdict.result, VerdictResult::Fail(_)), "{name} {verdict:?}");
                }
            }
        }
    }
}
