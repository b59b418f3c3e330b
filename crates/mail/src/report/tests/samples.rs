//! `tests/reports/*.eml`, and what each is read as.

use super::*;

/// File, and the summary of [`told`].
pub(super) const EXPECTED: &[(&str, &str)] = &[
    ("postfix", "rfc3464 failed - 5.1.1 unknown-mailbox suppress"),
    ("postfix-relayed-refusal", "rfc3464 failed 554 5.7.1 reputation tell the sender"),
    ("postfix-delay", "rfc3464 delayed - 4.4.1 network tell the sender"),
    ("exim-report", "rfc3464 failed 550 - text-unknown-mailbox suppress"),
    ("exchange-online", "rfc3464 failed 550 5.1.10 null-mx suppress"),
    ("exchange-quota", "rfc3464 failed 554 5.2.2 mailbox-full suppress when repeated"),
    ("gmail-report", "rfc3464 failed 550 5.1.1 unknown-mailbox suppress"),
    ("utf8", "rfc3464 failed 550 5.1.1 unknown-mailbox suppress"),
    ("gateway-base64", "rfc3464 failed 554 5.4.4 network tell the sender"),
    (
        "two-recipients-one-failed",
        "rfc3464 delivered - 2.0.0 undefined tell the sender; failed - 5.2.1 mailbox-disabled suppress",
    ),
    ("relayed", "rfc3464 relayed - 2.1.9 sender-address tell the sender"),
    ("nested", "rfc3464 failed - 5.1.1 unknown-mailbox suppress"),
    ("qmail", "qmail failed - 5.1.1 unknown-mailbox suppress"),
    ("qmail-smtp", "qmail failed 550 - text-unknown-mailbox suppress"),
    ("exim-text", "exim failed - - text-unknown-mailbox suppress"),
    ("exim-text-delay", "exim-delay delayed - - unknown tell the sender"),
    ("gmail-text", "gmail failed 552 5.2.2 mailbox-full suppress when repeated"),
    ("sendmail-text", "sendmail failed 550 5.1.1 unknown-mailbox suppress"),
    ("exchange-text", "exchange failed - 5.1.1 unknown-mailbox suppress"),
    ("postfix-text", "postfix failed 550 5.7.1 content-by-policy tell the sender"),
    ("courier-text", "courier failed 550 - text-unknown-mailbox suppress"),
    ("vacation", "automatic"),
    ("vacation-exchange", "automatic"),
    ("receipt-mdn", "automatic"),
    ("ticket", "automatic"),
    ("person-quoting", "other"),
    ("arf-abuse", "abuse 2"),
    ("arf-redacted", "abuse 2"),
    ("arf-cfbl-headers-only", "abuse 4"),
    ("arf-opt-out", "opt-out 1"),
    ("arf-not-spam", "not-spam 1"),
    ("arf-auth-failure", "auth-failure 1"),
];

fn told(report: &Report) -> String {
    match report {
        Report::Automatic => "automatic".into(),
        Report::Other => "other".into(),
        Report::Complaint(complaint) => format!("{} {}", complaint.kind.as_str(), complaint.clues.len()),
        Report::Delivery(report) => {
            let fates = report.fates.iter().map(|fate| {
                let class = classify(&fate.answer());
                let action = format!("{:?}", fate.action).to_lowercase();
                let code = fate.code.map_or("-".into(), |code| code.to_string());
                let status = fate.status.map_or("-".into(), |status| status.to_string());
                format!("{action} {code} {status} {} {}", class.rule, class.action.as_str())
            });
            format!("{} {}", report.form, fates.collect::<Vec<_>>().join("; "))
        }
    }
}

#[test]
fn rfc3464_rfc6533_rfc5965_rfc3834_every_sample_is_read_as_what_it_is() {
    let mut files: Vec<String> = std::fs::read_dir(kept("reports"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap().trim_end_matches(".eml").to_owned())
        .collect();
    let mut named: Vec<String> = EXPECTED.iter().map(|(name, _)| (*name).to_owned()).collect();
    files.sort();
    named.sort();
    assert_eq!(files, named);
    let mut wrong = Vec::new();
    for (name, expected) in EXPECTED {
        let octets = std::fs::read(kept(&format!("reports/{name}.eml"))).unwrap();
        let text = String::from_utf8(octets).unwrap();
        // With and without CRLF: what a listener hands on has it.
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let told = told(&read(text.as_bytes(), Envelope::Null));
            if told != *expected {
                wrong.push(format!("{name}: {told}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
