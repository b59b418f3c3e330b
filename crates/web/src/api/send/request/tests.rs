//! Requests: well-formed ones, and hostile ones, which are refused with the field named and nothing repeated.

use super::*;

const GOOD: &str = r#"{"stream": "transactional", "from": {"email": "shop@sample.example", "name": "Shop"},
 "to": [{"email": "ada@dest.example", "name": "Ada"}, {"email": "bob@dest.example"}],
 "subject": "Your receipt", "text": "Thank you.", "html": "<p>Thank you.</p>", "headers": {"X-Order": "17"},
 "attachments": [{"name": "receipt.txt", "type": "text/plain", "content": "MTcg\nRVVSCg"}],
 "metadata": {"order": "17"}, "tags": ["receipt"]}"#;

fn one(text: &str) -> Result<Checked, Problem> {
    match read(text.as_bytes())? {
        Submitted::One(message) => message.check(),
        Submitted::Batch(_) => panic!("a batch"),
    }
}

/// The status, field and text of the problem.
fn told(result: Result<Checked, Problem>) -> (u64, String, String) {
    let problem = serde_json::to_value(result.err().expect("must be refused")).unwrap();
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (problem["status"].as_u64().unwrap(), text("field"), text("detail"))
}

/// `GOOD` without spaces and lines, with one piece replaced.
fn with(old: &str, new: &str) -> String {
    let text = GOOD.replacen(old, new, 1);
    assert_ne!(text, GOOD, "{old} is not in the request");
    text
}

fn refused(old: &str, new: &str, field: &str, says: &str) {
    let (status, named, detail) = told(one(&with(old, new)));
    assert_eq!((status, named.as_str()), (400, field), "{detail}");
    assert!(detail.contains(says), "{detail}");
    assert!(
        !detail.contains("@dest") && !detail.contains("bob") && !detail.contains("secret"),
        "repeats its input: {detail}"
    );
}

#[test]
fn the_contracts_own_example_is_read() {
    let checked = one(GOOD).unwrap();
    assert_eq!(checked.addresses.len(), 2);
    assert_eq!(checked.stream.as_deref(), Some("transactional"));
    assert_eq!(checked.files[0].content, b"17 EUR\n");
    assert_eq!(checked.headers, [("X-Order".to_owned(), "17".to_owned())]);
    assert_eq!(checked.metadata, r#"{"metadata":{"order":"17"},"tags":["receipt"]}"#);
    assert_eq!(checked.copies, Copies::Own);
}

#[test]
fn a_batch_is_told_from_a_message_by_its_outer_name() {
    let batch = format!(r#"{{"messages": [{GOOD}, {GOOD}]}}"#);
    let Ok(Submitted::Batch(batch)) = read(batch.as_bytes()) else { panic!("no batch") };
    assert_eq!(batch.messages.len(), 2);
    let bad = format!(r#"{{"messages": [{GOOD}, {}]}}"#, with("\"email\": \"bob@", "\"mail\": \"bob@"));
    let problem = serde_json::to_value(read(bad.as_bytes()).err().unwrap()).unwrap();
    assert_eq!(problem["field"], "messages[1].to[1].mail");
    let both = r#"{"messages": [], "subject": "x"}"#;
    assert_eq!(serde_json::to_value(read(both.as_bytes()).err().unwrap()).unwrap()["field"], "subject");
}

#[test]
fn unknown_fields_are_refused_by_name_at_every_depth() {
    refused(r#""tags""#, r#""bcc": [], "tags""#, "bcc", "unknown field `bcc`");
    refused(r#""name": "Ada""#, r#""nick": "secret""#, "to[0].nick", "unknown field `nick`");
    refused(r#""type": "text/plain""#, r#""type": "text/plain", "x": 1"#, "attachments[0].x", "unknown field");
    refused(r#""tags""#, r#""ada@dest.example": 1, "tags""#, "ada?dest.example", "unknown field `ada?");
}

#[test]
fn missing_fields_are_named() {
    refused(r#""subject": "Your receipt","#, "", "subject", "missing field `subject`");
    refused(r#""from": {"email": "shop@sample.example", "name": "Shop"},"#, "", "from", "missing field `from`");
    refused(r#"{"email": "bob@dest.example"}"#, r#"{"name": "Bob"}"#, "to[1].email", "missing field `email`");
    refused(r#""content": "MTcg\nRVVSCg""#, r#""content": null"#, "attachments[0].content", "expected");
    let neither = r#"{"from": {"email": "a@sample.example"}, "to": [{"email": "b@dest.example"}], "subject": ""}"#;
    assert_eq!(told(one(neither)).1, "text");
}

#[test]
fn wrong_types_are_named_without_their_content() {
    refused(r#""Your receipt""#, r#"["secret@dest.example"]"#, "subject", "expected a string");
    refused(
        r#"[{"email": "ada@dest.example", "name": "Ada"}, {"email": "bob@dest.example"}]"#,
        r#""secret@dest.example""#,
        "to",
        "expected a list",
    );
    refused(r#"{"email": "bob@dest.example"}"#, r#""secret@dest.example""#, "to[1]", "expected struct");
    refused(r#"{"order": "17"}"#, r#"{"secret": 17}"#, "metadata", "expected a string");
    refused(r#"{"X-Order": "17"}"#, r#"{"X-Secret": ["17"]}"#, "headers", "expected a string");
    refused(r#"["receipt"]"#, r#"[17]"#, "tags[0]", "expected a string");
    refused(r#""tags""#, r#""copies": "secret", "tags""#, "copies", "expected `own` or `shared`");
}

#[test]
fn rfc7493_2_3_a_name_given_twice_is_refused() {
    refused(r#""subject""#, r#""subject": "a", "subject""#, "subject", "given twice");
    refused(r#"{"X-Order": "17"}"#, r#"{"X-Order": "17", "X-Order": "18"}"#, "headers", "occurs twice");
    refused(r#"{"order": "17"}"#, r#"{"order": "17", "order": "17"}"#, "metadata", "occurs twice");
}

#[test]
fn addresses_are_named_by_index_and_fault_and_never_repeated() {
    refused("bob@dest.example", "bob.dest.example", "to[1].email", "no @");
    refused("bob@dest.example", "bob@dest..example", "to[1].email", "DNS name");
    refused("bob@dest.example", r"bob@dest.example\r\nBcc: eve@dest.example", "to[1].email", "DNS name");
    refused("bob@dest.example", r"b\u0000b@dest.example", "to[1].email", "before the @");
    refused("shop@sample.example", "", "from.email", "empty");
}

#[test]
fn base64_is_checked_and_its_fault_placed() {
    refused(r"MTcg\nRVVSCg", "M!", "attachments[0].content", "base64");
    refused(r"MTcg\nRVVSCg", "MTcgR", "attachments[0].content", "base64");
}

#[test]
fn limits_are_named() {
    let entries = |count: usize, entry: &str| vec![entry; count].join(",");
    let many = entries(RECIPIENTS_MAX + 1, r#"{"email": "bob@dest.example"}"#);
    refused(r#"{"email": "bob@dest.example"}"#, &many, "to", "at most 1000 entries");
    let exactly = with(r#"{"email": "bob@dest.example"}"#, &entries(RECIPIENTS_MAX - 1, r#"{"email": "b@d.example"}"#));
    assert_eq!(one(&exactly).unwrap().addresses.len(), RECIPIENTS_MAX);
    refused(r#"["receipt"]"#, &format!("[{}]", entries(11, r#""t""#)), "tags", "at most 10 entries");
    refused(r#"["receipt"]"#, &format!(r#"["{}"]"#, "t".repeat(65)), "tags[0]", "1 to 64");
    let fields: Vec<String> = (0..51).map(|n| format!(r#""X-{n}": "v""#)).collect();
    refused(r#"{"X-Order": "17"}"#, &format!("{{{}}}", fields.join(",")), "headers", "at most 50 entries");
    refused(r#"{"order": "17"}"#, &format!(r#"{{"a": "{}"}}"#, "x".repeat(10_241)), "metadata", "10240 characters");
    let half = "x".repeat(6_000);
    refused(r#"{"order": "17"}"#, &format!(r#"{{"a": "{half}", "b": "{half}"}}"#), "metadata", "10240 octets");
    let batch = format!(r#"{{"messages": [{}]}}"#, entries(MESSAGES_MAX + 1, GOOD));
    let problem = serde_json::to_value(read(batch.as_bytes()).err().unwrap()).unwrap();
    assert_eq!((&problem["field"], &problem["status"]), (&"messages".into(), &400.into()));
}

#[test]
fn attachments_above_25_mib_together_are_413() {
    let half = "A".repeat(ATTACHMENTS_OCTETS_MAX / 2 / 3 * 4 + 8);
    let file = format!(r#"{{"name": "a", "type": "text/plain", "content": "{half}"}}"#);
    let whole = r#"{"name": "receipt.txt", "type": "text/plain", "content": "MTcg\nRVVSCg"}"#;
    assert_eq!(told(one(&with(whole, &format!("{file},{file}")))).0, 413);
    assert!(one(&with(whole, &file)).is_ok());
}

#[test]
fn what_is_no_json_is_refused_without_a_panic() {
    for text in ["", "{", "[]", "17", "null", "\u{0}", r#"{"subject": "\ud800"}"#, "{\"subject\": \"a\nb\"}", "{} {}"] {
        assert_eq!(told(one(text)).0, 400, "{text:?}");
    }
    assert!(one(std::str::from_utf8(b"{\"subject\": \"\x7f\"}").unwrap()).is_err());
    assert!(read(b"{\"subject\": \"\xff\"}").is_err());
}

#[test]
fn deep_nesting_ends_in_an_error() {
    let deep = format!("{{\"subject\": {}", "[".repeat(1_000_000));
    assert_eq!(told(one(&deep)).0, 400);
    let known = format!("{{\"to\": {}", "[".repeat(1_000_000));
    assert_eq!(told(one(&known)).0, 400);
}

#[test]
fn a_name_of_ten_megabytes_is_refused_and_not_repeated() {
    let long = "n".repeat(10 * 1024 * 1024);
    let (status, field, detail) = told(one(&with(r#""tags""#, &format!(r#""{long}": 1, "tags""#))));
    assert_eq!(status, 400);
    assert!(field.len() < 100 && detail.len() < 300);
    let (status, field, detail) = told(one(&with("Your receipt", &long)));
    assert_eq!((status, field.as_str()), (400, "subject"), "{detail}");
    assert!(detail.len() < 300);
}
