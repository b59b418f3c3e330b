//! The notice as people see it: the short layer first, then the full one (GDPR Art. 12(1)).

use super::{Automated, Contact, Headings, Notice, NoticePurpose, Officer, Right, Source, Transfers};
use crate::document::page::{Block, Page};
use crate::document::terms::{Language, blank};

pub(super) fn page(notice: &Notice) -> Page {
    let own = notice.language.own().unwrap_or(Language::English);
    let headings = notice.headings.clone().unwrap_or_else(|| own_headings(own));
    let mut page = Page::new(notice.language.as_str(), &notice.title);
    page.paragraph(&notice.short);
    page.heading(&headings.controller);
    for one in &notice.controllers {
        page.items(lines(one));
    }
    if let Some(one) = &notice.representative {
        page.heading(&headings.representative);
        page.items(lines(one));
    }
    page.heading(&headings.officer);
    page.paragraph(match &notice.officer {
        Officer::Contact(text) => text,
        Officer::None | Officer::NotStated => &headings.none,
    });
    page.heading(&headings.purposes);
    page.items(notice.purposes.iter().map(|one| purpose(one, &headings, notice)));
    page.heading(&headings.recipients);
    page.items(notice.recipients.clone());
    page.heading(&headings.transfers);
    match &notice.transfers {
        Transfers::To(texts) => page.items(texts.clone()),
        Transfers::None | Transfers::NotStated => page.paragraph(&headings.none),
    }
    page.heading(&headings.retention);
    page.items(notice.retention.clone());
    rights(notice, &headings, &mut page);
    rest(notice, &headings, &mut page);
    let version = format!("{}, {}", notice.version, notice.dated);
    page.push(Block::Facts(vec![(headings.version, version)]));
    page
}

fn lines(one: &Contact) -> [&str; 3] {
    [&one.name, &one.address, &one.contact]
}

fn purpose(one: &NoticePurpose, headings: &Headings, notice: &Notice) -> String {
    let bases = match notice.language.own() {
        Some(language) if blank(&one.basis_text) => {
            one.bases.iter().map(|basis| basis.label(language)).collect::<Vec<_>>().join(", ")
        }
        _ => one.basis_text.clone(),
    };
    let mut text = format!("{}. {}: {bases}", one.text.trim_end_matches('.'), headings.basis);
    if !blank(&one.interest) {
        text.push_str(" – ");
        text.push_str(&one.interest);
    }
    text
}

fn rights(notice: &Notice, headings: &Headings, page: &mut Page) {
    page.heading(&headings.rights);
    let named = Right::ALL.iter().zip(&headings.right_texts).filter(|(right, _)| notice.rights.contains(right));
    page.items(named.map(|(_, text)| text.clone()));
    page.paragraph(&notice.rights_contact);
    if !blank(&notice.withdrawal) {
        page.heading(&headings.withdrawal);
        page.paragraph(&notice.withdrawal);
    }
    page.heading(&headings.complaint);
    page.paragraph(&notice.complaint);
}

fn rest(notice: &Notice, headings: &Headings, page: &mut Page) {
    if !blank(&notice.must_be_given) {
        page.heading(&headings.must_be_given);
        page.paragraph(&notice.must_be_given);
    }
    page.heading(&headings.automated);
    page.paragraph(match &notice.automated {
        Automated::Used(text) => text,
        Automated::None | Automated::NotStated => &headings.none,
    });
    page.heading(&headings.source);
    match &notice.source {
        Source::Indirect(indirect) => {
            page.paragraph(&indirect.source);
            page.items(indirect.data_categories.clone());
        }
        Source::FromPerson => page.paragraph(&headings.from_person),
        Source::NotStated => page.paragraph(&headings.none),
    }
}

fn own_headings(language: Language) -> Headings {
    let pick = |english: &str, german: &str| match language {
        Language::English => english.to_owned(),
        Language::German => german.to_owned(),
    };
    Headings {
        controller: pick("Who is responsible", "Wer verantwortlich ist"),
        representative: pick("Representative in the Union", "Vertreter in der Union"),
        officer: pick("Data protection officer", "Datenschutzbeauftragter"),
        purposes: pick("What your data are used for", "Wofür Ihre Daten verwendet werden"),
        recipients: pick("Who receives them", "Wer sie erhält"),
        transfers: pick("Transfers outside the European Economic Area", "Übermittlung in Drittländer"),
        retention: pick("How long they are kept", "Wie lange sie aufbewahrt werden"),
        rights: pick("Your rights", "Ihre Rechte"),
        right_texts: Right::ALL.iter().map(|right| right.label(language).to_owned()).collect(),
        withdrawal: pick("Withdrawing your consent", "Widerruf Ihrer Einwilligung"),
        complaint: pick("Complaints", "Beschwerden"),
        must_be_given: pick("Must you give your data?", "Müssen Sie Ihre Daten angeben?"),
        automated: pick("Automated decisions", "Automatisierte Entscheidungen"),
        source: pick("Where your data come from", "Woher Ihre Daten stammen"),
        from_person: pick("From you.", "Von Ihnen."),
        basis: pick("Legal basis", "Rechtsgrundlage"),
        none: pick("None.", "Keine."),
        version: pick("Version", "Fassung"),
    }
}
