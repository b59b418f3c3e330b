//! What the demo tells: a file for programs, a page for people.

use super::Plan;
use super::sample::{CONSENTED, DOMAIN, SUPPRESSED, Sample, UNCONSENTED};
use serde_json::{Value, json};
use std::path::Path;
use store::Store;

/// The demo file of `architecture.md` §10.
pub(super) fn describe(data: &Path, plan: &Plan, store: &Store, sample: &Sample) -> Value {
    let ports = plan.ports;
    // What the sample's domain would publish: whoever checks signatures himself needs it.
    let mut dns: Vec<(String, String)> = sample.dns_records(store).into_iter().collect();
    dns.sort();
    let address = |offset| Value::String(ports.at(offset).to_string());
    let url = |scheme: &str, offset| Value::String(format!("{scheme}://{}", ports.at(offset)));
    let mailbox = |value: Value| if plan.sink.is_some() { Value::Null } else { value };
    let mut described = json!({
        "http": url("http", 0),
        "https": url("https", 7),
        "submission": address(1),
        "submission_tls": address(2),
        "trusted": address(3),
        "inbound": address(4),
        "mailbox": mailbox(address(5)),
        "mailbox_http": mailbox(url("http", 6)),
        "ca": data.join("ca.pem"),
        "data": data,
        "controller": sample.controller.map(|controller| store.public_id(controller)),
        "domain": DOMAIN,
        "streams": {"transactional": "transactional", "newsletter": "newsletter"},
        "smtp": {"username": sample.username, "password": sample.password},
        "api_key": sample.api_key,
        "suppressed": SUPPRESSED,
        "consented": CONSENTED,
        "unconsented": UNCONSENTED,
        "dns": dns,
    });
    if plan.names_store {
        described["store"] = Value::String(plan.store.place.to_string());
    }
    described
}

/// The page for people.
pub(super) fn text(described: &Value) -> String {
    let word = |pointer: &str| described.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (host, port) = split(&word("/submission"));
    let (username, password, key) = (word("/smtp/username"), word("/smtp/password"), word("/api_key"));
    let (http, ca, controller, data) = (word("/http"), word("/ca"), word("/controller"), word("/data"));
    let mailbox = match described.pointer("/mailbox_http").and_then(Value::as_str) {
        Some(url) => format!("Mailbox       {url}  (what arrived, with its DKIM verdict)"),
        None => "Mailbox       not started: mail goes to --sink".to_owned(),
    };
    format!(
        r#"
Postern demo is running. Everything is on loopback; data in {data}

  {mailbox}
  API           {http}/v1/messages   description {http}/v1/openapi.json
  HTTPS         {https}   (authority: {ca})
  Submission    {host}:{port} (STARTTLS)   {tls} (TLS)
  Trusted       {trusted} (no login, loopback only)
  Login         {username} / {password}     ({username}+newsletter for the newsletter stream)

Send with swaks:
  swaks --server {host}:{port} --tls --tls-ca-path {ca} --auth-user {username} --auth-password {password} \
    --from shop@{DOMAIN} --to ada@dest.example --header 'Subject: Your receipt' --body 'Thank you.'

Send with curl:
  curl -sS {http}/v1/messages -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
    -d '{{"stream":"transactional","from":{{"email":"shop@{DOMAIN}"}},"to":[{{"email":"ada@dest.example"}}],
         "subject":"Your receipt","text":"Thank you."}}'

Send with Python:
  python3 - <<'PY'
  import smtplib, ssl
  from email.message import EmailMessage
  m = EmailMessage(); m["From"] = "shop@{DOMAIN}"; m["To"] = "bob@dest.example"; m["Subject"] = "Hello"
  m.set_content("Sent by Python.")
  s = smtplib.SMTP("{host}", {port}); s.starttls(context=ssl.create_default_context(cafile="{ca}"))
  s.login("{username}", "{password}"); s.send_message(m); s.quit()
  PY

Try what is refused: a mail to {SUPPRESSED}; a newsletter to {unconsented}.
Check the ledger: postern ledger verify --data {data} --controller {controller}
Stop with Ctrl-C.
"#,
        https = word("/https"),
        tls = word("/submission_tls"),
        trusted = word("/trusted"),
        unconsented = word("/unconsented/0"),
    )
}

fn split(address: &str) -> (String, String) {
    address.rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap_or_default()
}
