//! The instruction as people read it.

use super::{Instruction, Keep, Stream};
use crate::document::page::Page;
use crate::document::terms::{Language, Purpose};

pub(super) fn page(instruction: &Instruction) -> Page {
    let language = instruction.language;
    let pick = |english, german| if language == Language::English { english } else { german };
    let title = pick("Documented instruction under GDPR Art. 28(3)(a)", "Dokumentierte Weisung, Art. 28 Abs. 3 DSGVO");
    let mut page = Page::new(language.as_str(), title);
    page.facts([
        (pick("Issued by", "Erteilt von"), instruction.issued_by.text().to_owned()),
        (pick("Next review", "Nächste Überprüfung"), instruction.review_due.to_string()),
        (
            pick("Messages in a day at most", "Nachrichten am Tag höchstens"),
            instruction.messages_per_day_max.to_string(),
        ),
    ]);
    page.heading(pick("Operations", "Vorgänge"));
    page.items(instruction.operations.iter().map(|one| one.label(language)));
    page.heading(pick("Purposes", "Zwecke"));
    let whose = pick("for", "für wen");
    let line = |one: &Purpose| format!("{}: {} ({whose}: {})", one.id, one.text, one.owner.label(language));
    page.items(instruction.purposes.iter().map(line));
    for stream in &instruction.streams {
        page.heading(format!("{}: {}", pick("Stream", "Strom"), stream.name));
        page.facts(what(stream, language));
        page.facts(how(stream, language));
        page.facts(keeping(stream, language));
    }
    page
}

type Facts = Vec<(&'static str, String)>;

fn what(stream: &Stream, language: Language) -> Facts {
    let pick = |english, german| if language == Language::English { english } else { german };
    let mut facts = vec![
        (pick("Kind", "Art"), stream.kind.label(language).to_owned()),
        (pick("Purposes", "Zwecke"), joined(stream.purposes.iter().cloned())),
        (
            pick("Lawful bases", "Rechtsgrundlagen"),
            joined(stream.bases.iter().map(|one| one.label(language).to_owned())),
        ),
    ];
    if let Some(terms) = stream.consent {
        facts
            .push((pick("Consent is asked for", "Einwilligung wird erfragt"), terms.choice.label(language).to_owned()));
        facts.push((pick("Consent and other things", "Einwilligung und anderes"), {
            terms.condition.label(language).to_owned()
        }));
        facts.push((pick("Confirmation", "Bestätigung"), terms.confirmation.label(language).to_owned()));
        facts.push((pick("Consent without the words shown", "Einwilligung ohne die gezeigten Worte"), {
            terms.unverified.label(language).to_owned()
        }));
    }
    facts.push((pick("Data", "Daten"), joined(stream.data_categories.iter().map(|one| one.label(language)))));
    facts.push((pick("Persons", "Personen"), joined(stream.subject_categories.iter().map(|one| one.label(language)))));
    facts
}

fn how(stream: &Stream, language: Language) -> Facts {
    let pick = |english, german| if language == Language::English { english } else { german };
    let mut facts = vec![
        (pick("Tracking", "Verfolgung"), stream.tracking.label(language).to_owned()),
        (pick("Transport", "Transport"), stream.tls_floor.label(language).to_owned()),
        (pick("Regions", "Regionen"), joined(stream.regions.iter().map(|one| one.as_str().to_owned()))),
        (pick("Footer", "Fußzeile"), stream.footer.label(language).to_owned()),
        (pick("Opt-out", "Abmeldung"), stream.opt_out.label(language).to_owned()),
        (
            pick("Opt-outs and objections", "Abmeldungen und Widersprüche"),
            stream.suppressions.label(language).to_owned(),
        ),
        (pick("Messages in a day at most", "Nachrichten am Tag höchstens"), stream.messages_per_day_max.to_string()),
    ];
    if let Some(id) = &stream.tracking_purpose {
        facts.push((pick("Purpose of tracking", "Zweck der Verfolgung"), id.clone()));
    }
    if let Some(frequency) = stream.frequency {
        let text = format!("{} / {} {}", frequency.messages, frequency.days, pick("days", "Tage"));
        facts.push((pick("To one person at most", "An eine Person höchstens"), text));
    }
    if let Some(quiet) = &stream.quiet {
        let text = format!("{}–{} {}", clock(quiet.from), clock(quiet.until), quiet.zone);
        facts.push((pick("Quiet hours", "Ruhezeit"), text));
    }
    facts
}

fn keeping(stream: &Stream, language: Language) -> Facts {
    let pick = |english, german| if language == Language::English { english } else { german };
    let keep = |keep: &Keep| match keep {
        Keep::Days(0) => pick("until the message is disposed of", "bis zur Erledigung der Nachricht").to_owned(),
        Keep::Days(days) => format!("{days} {}", pick("days", "Tage")),
        Keep::UntilAgreementEnds => pick("as long as the agreement", "solange der Vertrag besteht").to_owned(),
        Keep::WithoutEnd => pick("without end", "ohne Ende").to_owned(),
    };
    stream.retention.iter().map(|(class, one)| (class.label(language), keep(one))).collect()
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
}
