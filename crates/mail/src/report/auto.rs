//! Answers of machines, which are no bounces: vacation notices, receipts, ticket systems.
//!
//! Standards: RFC 3834 §5 (`Auto-Submitted`), RFC 8098 (MDN); and the fields that programs used before or still use.

use super::mime::Mail;

/// Fields that only such answers have.
const SURE: [&str; 5] = ["x-autoreply", "x-autorespond", "x-auto-reply", "x-mail-autoreply", "x-vacation"];
/// How their subjects begin, in lower case.
const SUBJECTS: [&str; 14] = [
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto:",
    "automatische antwort",
    "abwesend",
    "abwesenheit",
    "out of office",
    "out of the office",
    "réponse automatique",
    "respuesta automática",
    "automatisch antwoord",
    "vacation",
];

/// Says so beyond doubt.
pub(super) fn is_surely_automatic(mail: &Mail<'_>) -> bool {
    if mail.report_type.as_deref() == Some("disposition-notification") {
        return true;
    }
    if SURE.iter().any(|name| mail.fields.get(name).is_some()) {
        return true;
    }
    let precedence = mail.fields.get("precedence").unwrap_or_default().to_ascii_lowercase();
    if precedence.starts_with("auto") {
        return true;
    }
    // RFC 3834 §5.1 lets parameters name the program; bounces of some systems say `auto-replied` alone.
    let submitted = mail.fields.get("auto-submitted").unwrap_or_default().to_ascii_lowercase();
    let subject = mail.fields.get("subject").unwrap_or_default().to_lowercase();
    submitted.contains("vacation") || SUBJECTS.iter().any(|start| subject.starts_with(start))
}

/// RFC 3834 §5: anything but `no`.
pub(super) fn is_automatic(mail: &Mail<'_>) -> bool {
    let submitted = mail.fields.get("auto-submitted").map(str::to_ascii_lowercase);
    submitted.is_some_and(|word| !word.trim_start().starts_with("no"))
}
