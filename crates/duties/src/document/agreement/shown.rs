//! The agreement as people read it: the addendum, then annexes I to IV.

use super::{Begins, Ends, ProcessingAgreement, SpecialCategories};
use crate::document::page::Page;
use crate::document::terms::Language;

/// English or German.
type Both = (&'static str, &'static str);

struct Words(Language);

impl Words {
    const fn pick(&self, both: Both) -> &'static str {
        match self.0 {
            Language::English => both.0,
            Language::German => both.1,
        }
    }
}

const HEADINGS: [Both; 8] = [
    ("(a) Documented instructions", "a) Dokumentierte Weisungen"),
    ("(b) Confidentiality", "b) Vertraulichkeit"),
    ("(c) Security", "c) Sicherheit"),
    ("(d) Other processors", "d) Weitere Auftragsverarbeiter"),
    ("(e) Rights of data subjects", "e) Rechte der Betroffenen"),
    ("(f) Help with the controller's duties", "f) Unterstützung bei Pflichten"),
    ("(g) Return and deletion", "g) Rückgabe und Löschung"),
    ("(h) Information and audits", "h) Nachweise und Prüfungen"),
];

pub(super) fn page(agreement: &ProcessingAgreement) -> Page {
    let words = Words(agreement.language);
    let title =
        ("Processing agreement under GDPR Art. 28(3)", "Vertrag zur Auftragsverarbeitung, Art. 28 Abs. 3 DSGVO");
    let mut page = Page::new(agreement.language.as_str(), words.pick(title));
    page.paragraph(words.pick((
        "A draft made from the fields below. It is no legal advice.",
        "Aus den folgenden Angaben erstellt. Keine Rechtsberatung.",
    )));
    page.heading(words.pick(("Subject matter and duration", "Gegenstand und Dauer")));
    page.paragraph(&agreement.subject_matter);
    duration(agreement, &words, &mut page);
    page.heading(words.pick(("Obligations of the controller", "Pflichten des Verantwortlichen")));
    page.items(agreement.obligations_controller.clone());
    page.heading(words.pick(("Rights of the controller", "Rechte des Verantwortlichen")));
    page.items(agreement.rights_controller.clone());
    page.heading(words.pick(("Obligations of the processor", "Pflichten des Auftragsverarbeiters")));
    for ((_, _, text), heading) in agreement.clauses.each().into_iter().zip(HEADINGS) {
        page.subheading(words.pick(heading));
        page.paragraph(text);
    }
    numbers(agreement, &words, &mut page);
    annex_one(agreement, &words, &mut page);
    annex_two(agreement, &words, &mut page);
    annex_three(agreement, &words, &mut page);
    annex_four(agreement, &words, &mut page);
    page
}

fn duration(agreement: &ProcessingAgreement, words: &Words, page: &mut Page) {
    let begins = match agreement.duration.begins {
        Begins::AtSignature => words.pick(("with the last signature", "mit der letzten Unterschrift")).to_owned(),
        Begins::On(date) => date.to_string(),
    };
    let ends = match agreement.duration.ends {
        Ends::On(date) => date.to_string(),
        Ends::WithContract(days) => {
            let text = words.pick((
                "with the contract for the platform; days of notice:",
                "mit dem Vertrag über die Plattform; Kündigungsfrist in Tagen:",
            ));
            format!("{text} {days}")
        }
    };
    page.facts([
        (words.pick(("Begins", "Beginn")), begins),
        (words.pick(("Ends", "Ende")), ends),
        (words.pick(("Next review", "Nächste Überprüfung")), date_or_dash(agreement.review_due)),
        (words.pick(("Supersedes", "Ersetzt")), agreement.supersedes.map_or_else(dash, |hash| hash.to_string())),
        (
            words.pick(("Laws", "Gesetze")),
            joined(agreement.law_profiles.iter().map(|law| law.label(words.0).to_owned())),
        ),
    ]);
}

fn numbers(agreement: &ProcessingAgreement, words: &Words, page: &mut Page) {
    let breach = &agreement.breach;
    page.heading(words.pick(("Breaches", "Verletzungen")));
    page.facts([
        (words.pick(("Told by", "Meldeweg")), joined(breach.channels.iter().map(|one| one.text().to_owned()))),
        (words.pick(("Hours at most", "Stunden höchstens")), breach.hours.to_string()),
    ]);
    page.items(breach.content.iter().map(|item| item.label(words.0)));
    page.heading(words.pick(("Audits", "Prüfungen")));
    page.facts([
        (words.pick(("Own inspection of records", "Eigene Einsicht")), {
            agreement.audit.self_service.label(words.0).to_owned()
        }),
        (words.pick(("On site", "Vor Ort")), agreement.audit.on_site.label(words.0).to_owned()),
        (words.pick(("Days of notice", "Ankündigung in Tagen")), agreement.audit.notice_days.to_string()),
    ]);
    page.heading(words.pick(("End of processing", "Ende der Verarbeitung")));
    page.facts([
        (words.pick(("Choice", "Wahl")), agreement.end.choice.label(words.0).to_owned()),
        (words.pick(("Days to fetch the data", "Abruffrist in Tagen")), agreement.end.retrieval_days.to_string()),
        (
            words.pick(("Nothing is left after days", "Nichts mehr vorhanden nach Tagen")),
            agreement.end.days.to_string(),
        ),
    ]);
}

fn annex_one(agreement: &ProcessingAgreement, words: &Words, page: &mut Page) {
    page.heading(words.pick(("Annex I: Parties", "Anhang I: Parteien")));
    for party in &agreement.parties {
        page.facts([
            (party.role.label(words.0), party.name.text()),
            (words.pick(("Address", "Anschrift")), party.address.text()),
            (words.pick(("Contact", "Kontakt")), party.contact.text()),
        ]);
    }
}

fn annex_two(agreement: &ProcessingAgreement, words: &Words, page: &mut Page) {
    page.heading(words.pick(("Annex II: Description of the processing", "Anhang II: Beschreibung der Verarbeitung")));
    page.subheading(words.pick(("Nature", "Art der Verarbeitung")));
    page.paragraph(&agreement.nature);
    page.subheading(words.pick(("Purposes", "Zwecke")));
    page.items(agreement.purposes.iter().map(|purpose| format!("{}: {}", purpose.id, purpose.text)));
    page.subheading(words.pick(("Types of personal data", "Arten personenbezogener Daten")));
    page.items(agreement.data_categories.iter().map(|category| category.label(words.0)));
    page.subheading(words.pick(("Special categories", "Besondere Kategorien")));
    match &agreement.special_categories {
        SpecialCategories::NotStated => page.paragraph(dash()),
        SpecialCategories::None => page.paragraph(words.pick(("none", "keine"))),
        SpecialCategories::Listed(listed) => page.items(listed.iter().map(|one| one.label(words.0))),
    }
    page.subheading(words.pick(("Categories of persons", "Kategorien betroffener Personen")));
    page.items(agreement.subject_categories.iter().map(|category| category.label(words.0)));
    page.subheading(words.pick(("Places and transfers", "Orte und Übermittlungen")));
    page.items(agreement.regions.iter().map(|region| region.as_str().to_owned()));
    for transfer in &agreement.transfers_allowed {
        page.paragraph(format!("{}: {}", transfer.region.as_str(), transfer.mechanism.label(words.0)));
    }
}

fn annex_three(agreement: &ProcessingAgreement, words: &Words, page: &mut Page) {
    page.heading(words.pick((
        "Annex III: Technical and organisational measures",
        "Anhang III: Technische und organisatorische Maßnahmen",
    )));
    let line = |measure: &super::Measure| format!("{}: {}", measure.letter.label(words.0), measure.text);
    page.items(agreement.measures.iter().map(line));
}

fn annex_four(agreement: &ProcessingAgreement, words: &Words, page: &mut Page) {
    let sub = &agreement.sub_processors;
    page.heading(words.pick(("Annex IV: Sub-processors", "Anhang IV: Unterauftragsverarbeiter")));
    page.facts([
        (words.pick(("Authorisation", "Genehmigung")), sub.mode.label(words.0).to_owned()),
        (words.pick(("Days of notice", "Mitteilung in Tagen")), sub.notice_days.to_string()),
    ]);
    if sub.engaged.is_empty() {
        page.paragraph(words.pick(("None at the time of signature.", "Bei Unterzeichnung keine.")));
    }
    for one in &sub.engaged {
        page.facts([
            (words.pick(("Name", "Name")), one.name.as_str()),
            (words.pick(("Address", "Anschrift")), &one.address),
            (words.pick(("Contact", "Kontakt")), one.contact.text()),
            (words.pick(("Task and data", "Leistung und Daten")), &one.service),
            (words.pick(("Place", "Ort")), one.region.as_str()),
        ]);
    }
}

fn dash() -> String {
    "–".to_owned()
}

fn date_or_dash(date: Option<crate::document::terms::Date>) -> String {
    date.map_or_else(dash, |date| date.to_string())
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
