//! A draft from the built-in template.

use super::{
    Audit, Begins, BreachItem, BreachNotice, Clauses, End, EndChoice, Ends, Granted, LawProfile, Measure,
    MeasureLetter, ProcessingAgreement, SpecialCategories, SubProcessorMode, SubProcessors, Term, english, german,
};
use crate::document::preset::Preset;
use crate::document::terms::{Language, Party, Region};

/// The words of a template in one language.
pub(super) struct Template {
    pub(super) subject_matter: &'static str,
    pub(super) nature: &'static str,
    pub(super) obligations: &'static [&'static str],
    pub(super) rights: &'static [&'static str],
    /// Clauses a to h.
    pub(super) clauses: [&'static str; 8],
    pub(super) measures: &'static [(MeasureLetter, &'static str)],
}

/// Days of notice that end the contract.
const NOTICE_DAYS: u32 = 30;
/// Hours until the controller is told of a breach; the law says without undue delay.
const BREACH_HOURS: u32 = 24;
/// Days of notice before a new sub-processor gets a byte.
const SUB_PROCESSOR_DAYS: u32 = 30;
/// Days of notice before an inspection on site.
const INSPECTION_DAYS: u32 = 14;
/// Days to fetch the data after the end, and days until the last backup is gone.
const RETRIEVAL_DAYS: u32 = 30;
const END_DAYS: u32 = 65;

/// Drafts an agreement. It lacks `review_due` alone, which the parties set; [`super::check`] says so.
#[must_use]
pub fn draft(controller: Party, operator: Party, preset: Preset, language: Language) -> ProcessingAgreement {
    let template = match language {
        Language::English => &english::TEMPLATE,
        Language::German => &german::TEMPLATE,
    };
    let channels = vec![controller.contact.clone()];
    ProcessingAgreement {
        version: 1,
        language,
        parties: vec![controller, operator],
        subject_matter: template.subject_matter.to_owned(),
        nature: template.nature.to_owned(),
        purposes: preset.purposes(language),
        duration: Term { begins: Begins::AtSignature, ends: Ends::WithContract(NOTICE_DAYS) },
        data_categories: preset.data_categories(),
        special_categories: SpecialCategories::None,
        subject_categories: preset.subject_categories(),
        obligations_controller: owned(template.obligations),
        rights_controller: owned(template.rights),
        clauses: clauses(template.clauses),
        breach: BreachNotice { channels, hours: BREACH_HOURS, content: BreachItem::ALL.to_vec() },
        sub_processors: SubProcessors {
            mode: SubProcessorMode::General,
            notice_days: SUB_PROCESSOR_DAYS,
            engaged: Vec::new(),
        },
        audit: Audit { self_service: Granted::Yes, on_site: Granted::Yes, notice_days: INSPECTION_DAYS },
        end: End { choice: EndChoice::Return, retrieval_days: RETRIEVAL_DAYS, days: END_DAYS },
        regions: vec![Region::eea()],
        transfers_allowed: Vec::new(),
        measures: measures(template.measures),
        law_profiles: vec![LawProfile::Gdpr],
        review_due: None,
        supersedes: None,
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn clauses(texts: [&str; 8]) -> Clauses {
    let [a, b, c, d, e, f, g, h] = texts.map(str::to_owned);
    Clauses { a, b, c, d, e, f, g, h }
}

fn measures(measures: &[(MeasureLetter, &str)]) -> Vec<Measure> {
    measures.iter().map(|(letter, text)| Measure { letter: *letter, text: (*text).to_owned() }).collect()
}
