//! What looks infringing in an instruction (GDPR Art. 28(3), last subparagraph). Any finding holds the instruction and
//! is told to the controller, who confirms or amends. No finding is no advice that all is lawful.

use super::phrases::{is_generic, names_special_category, serves_others};
use super::{Choice, Condition, Footer, Instruction, Keep, OptOut, RetentionClass, Stream, Suppressions, Tracking};
use crate::document::agreement::{ProcessingAgreement, SpecialCategories};
use crate::document::terms::{DataCategory, LawfulBasis, Owner, Purpose, Region, SubjectCategory};
use crate::document::words::words;

words! {
    /// A kind of finding. The label is the sentence that the controller reads.
    pub enum FindingId {
        /// GDPR Art. 9, 10.
        SpecialCategory = "special-category", "special category data are used that the agreement does not list",
            "es werden besondere Kategorien verwendet, die der Vertrag nicht aufführt";
        /// GDPR Art. 8.
        Children = "children", "children are addressed whom the agreement does not list",
            "es werden Kinder angesprochen, die der Vertrag nicht aufführt";
        /// GDPR Art. 7(2).
        ConsentBundled = "consent-bundled", "one consent is asked for several purposes",
            "eine Einwilligung wird für mehrere Zwecke verlangt";
        /// GDPR Art. 7(4).
        ConsentConditional = "consent-conditional", "a contract or service is made to depend on the consent",
            "ein Vertrag oder Dienst wird von der Einwilligung abhängig gemacht";
        /// ePrivacy Art. 13(4).
        NoOptOut = "no-opt-out", "marketing is sent without a way to opt out in each message",
            "Werbung wird ohne Abmeldemöglichkeit in jeder Nachricht gesendet";
        /// ePrivacy Art. 13(1).
        MarketingBasis = "marketing-basis", "marketing rests on a basis that is neither consent nor soft opt-in",
            "Werbung beruht weder auf Einwilligung noch auf der Bestandskundenausnahme";
        /// GDPR Art. 6(1).
        NoBasis = "no-basis", "the stream has no lawful basis", "der Strom hat keine Rechtsgrundlage";
        /// GDPR Art. 5(1)(e).
        RetentionWithoutEnd = "retention-without-end", "data are kept without end",
            "Daten werden ohne Ende aufbewahrt";
        /// GDPR Art. 5(1)(e).
        RetentionTooLong = "retention-too-long", "data are kept longer than this class of data is needed",
            "Daten werden länger aufbewahrt, als diese Art von Daten gebraucht wird";
        /// GDPR Art. 5(1)(e).
        RetentionUnsaid = "retention-unsaid", "it is not said how long a class of data is kept",
            "es ist nicht gesagt, wie lange eine Art von Daten aufbewahrt wird";
        /// ePrivacy Art. 5(3).
        Tracking = "tracking-without-purpose", "tracking has no purpose of its own to consent to",
            "für die Verfolgung von Öffnungen und Klicks gibt es keinen eigenen Zweck, in den eingewilligt wird";
        /// GDPR Art. 28(3).
        PurposeUncovered = "purpose-not-covered", "the agreement does not cover this purpose",
            "der Vertrag deckt diesen Zweck nicht";
        /// GDPR Art. 28(3).
        DataUncovered = "data-not-covered", "the agreement does not cover this type of data",
            "der Vertrag deckt diese Art von Daten nicht";
        /// GDPR Art. 28(3).
        SubjectsUncovered = "subjects-not-covered", "the agreement does not cover this category of persons",
            "der Vertrag deckt diese Kategorie von Personen nicht";
        /// GDPR Art. 5(1)(b).
        PurposeGeneric = "purpose-generic", "the purpose is not specific", "der Zweck ist nicht bestimmt";
        /// GDPR Art. 28(10).
        ForeignPurpose = "foreign-purpose", "the data would serve the processor or others, not the controller",
            "die Daten würden dem Auftragsverarbeiter oder anderen dienen, nicht dem Verantwortlichen";
        /// GDPR Art. 21(3).
        SuppressionIgnored = "suppression-ignored", "opt-outs and objections are not obeyed, or are forgotten",
            "Abmeldungen und Widersprüche werden nicht befolgt oder werden vergessen";
        /// GDPR Art. 44.
        Region = "region-not-allowed", "data would lie or pass where the agreement allows no transfer",
            "Daten lägen oder liefen dort, wohin der Vertrag keine Übermittlung erlaubt";
    }
}

impl FindingId {
    /// The article that it looks at.
    #[must_use]
    pub const fn article(self) -> &'static str {
        match self {
            Self::SpecialCategory => "GDPR Art. 9(1), 10",
            Self::Children => "GDPR Art. 8(1)",
            Self::ConsentBundled => "GDPR Art. 7(2), 7(4)",
            Self::ConsentConditional => "GDPR Art. 7(4)",
            Self::NoOptOut => "ePrivacy Art. 13(4); GDPR Art. 21(3)",
            Self::MarketingBasis => "ePrivacy Art. 13(1)",
            Self::NoBasis => "GDPR Art. 6(1)",
            Self::RetentionWithoutEnd | Self::RetentionTooLong | Self::RetentionUnsaid => "GDPR Art. 5(1)(e)",
            Self::Tracking => "ePrivacy Art. 5(3)",
            Self::PurposeUncovered | Self::DataUncovered | Self::SubjectsUncovered => "GDPR Art. 28(3)",
            Self::PurposeGeneric => "GDPR Art. 5(1)(b)",
            Self::ForeignPurpose => "GDPR Art. 28(10)",
            Self::SuppressionIgnored => "GDPR Art. 21(3)",
            Self::Region => "GDPR Art. 44",
        }
    }
}

impl FindingId {
    /// Can the controller, having been told, still want it? Only what turns on facts that he alone knows. What the law
    /// leaves no room for, or the agreement does not cover, is amended.
    #[must_use]
    pub const fn can_be_confirmed(self) -> bool {
        matches!(self, Self::ConsentConditional | Self::RetentionTooLong | Self::PurposeGeneric)
    }
}

/// Something that looks infringing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What kind.
    pub id: FindingId,
    /// The article.
    pub article: &'static str,
    /// The sentence for the controller, in the language of the instruction.
    pub sentence: &'static str,
    /// Where, as in `streams[0].footer`.
    pub path: String,
}

/// Everything that looks infringing, given the agreement. Empty: the instruction may come into force.
#[must_use]
pub fn findings(instruction: &Instruction, agreement: &ProcessingAgreement) -> Vec<Finding> {
    let mut list = List { instruction, found: Vec::new() };
    for (index, purpose) in instruction.purposes.iter().enumerate() {
        of_purpose(purpose, agreement, &format!("purposes[{index}]"), &mut list);
    }
    for (index, stream) in instruction.streams.iter().enumerate() {
        let at = format!("streams[{index}]");
        for check in STREAM_CHECKS {
            check(stream, agreement, &at, &mut list);
        }
    }
    list.found
}

struct List<'a> {
    instruction: &'a Instruction,
    found: Vec<Finding>,
}

impl List<'_> {
    fn when(&mut self, looks_infringing: bool, id: FindingId, path: impl Into<String>) {
        if looks_infringing {
            let sentence = id.label(self.instruction.language);
            self.found.push(Finding { id, article: id.article(), sentence, path: path.into() });
        }
    }
}

type StreamCheck = fn(&Stream, &ProcessingAgreement, &str, &mut List<'_>);

const STREAM_CHECKS: &[StreamCheck] = &[data, subjects, basis, consent, opt_out, retention, tracking, regions];

fn of_purpose(purpose: &Purpose, agreement: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    // GDPR Art. 28(3): the agreement names the purposes; an instruction cannot widen it.
    let covered = agreement.purposes.iter().any(|one| one.same(purpose));
    list.when(!covered, FindingId::PurposeUncovered, at);
    list.when(is_generic(&purpose.text), FindingId::PurposeGeneric, format!("{at}.text"));
    // GDPR Art. 28(10): who uses data for himself determines purposes and is a controller.
    let foreign = purpose.owner != Owner::Controller || serves_others(&purpose.text);
    list.when(foreign, FindingId::ForeignPurpose, format!("{at}.owner"));
}

fn data(stream: &Stream, agreement: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    for (index, category) in stream.data_categories.iter().enumerate() {
        let path = format!("{at}.data_categories[{index}]");
        match category {
            DataCategory::Special(special) => {
                // GDPR Art. 9(1): nothing of this kind unless both sides listed it.
                let listed =
                    matches!(&agreement.special_categories, SpecialCategories::Listed(all) if all.contains(special));
                list.when(!listed, FindingId::SpecialCategory, path);
            }
            DataCategory::Other(text) if names_special_category(text) => {
                list.when(true, FindingId::SpecialCategory, path);
            }
            _ => list.when(!agreement.data_categories.contains(category), FindingId::DataUncovered, path),
        }
    }
}

fn subjects(stream: &Stream, agreement: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    for (index, category) in stream.subject_categories.iter().enumerate() {
        let id = match category {
            SubjectCategory::Children => FindingId::Children,
            _ => FindingId::SubjectsUncovered,
        };
        let covered = agreement.subject_categories.contains(category);
        list.when(!covered, id, format!("{at}.subject_categories[{index}]"));
    }
}

fn basis(stream: &Stream, _: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    list.when(stream.bases.is_empty(), FindingId::NoBasis, format!("{at}.bases"));
    for (index, basis) in stream.bases.iter().enumerate() {
        // ePrivacy Art. 13(1), (2): electronic direct marketing has two doors and no third.
        let wrong = stream.kind.kind().is_marketing() && !basis.carries_marketing();
        list.when(wrong, FindingId::MarketingBasis, format!("{at}.bases[{index}]"));
    }
}

fn consent(stream: &Stream, _: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    let Some(terms) = stream.consent else { return };
    let for_mail = if stream.bases.contains(&LawfulBasis::Consent) { stream.purposes.len() } else { 0 };
    let for_tracking = usize::from(stream.tracking == Tracking::Consented);
    // GDPR Art. 7(2), recital 43: each purpose can be refused by itself.
    let bundled = terms.choice == Choice::Together && for_mail + for_tracking > 1;
    list.when(bundled, FindingId::ConsentBundled, format!("{at}.consent.choice"));
    let conditional = terms.condition == Condition::Required;
    list.when(conditional, FindingId::ConsentConditional, format!("{at}.consent.condition"));
}

fn opt_out(stream: &Stream, _: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    if stream.kind.kind().is_marketing() {
        // ePrivacy Art. 13(4), GDPR Art. 21(4): a valid way out in each message, and the words that say so.
        list.when(stream.opt_out == OptOut::None, FindingId::NoOptOut, format!("{at}.opt_out"));
        list.when(stream.footer == Footer::None, FindingId::NoOptOut, format!("{at}.footer"));
    }
    let ignored = stream.suppressions == Suppressions::Ignored;
    list.when(ignored, FindingId::SuppressionIgnored, format!("{at}.suppressions"));
}

/// Days that a class is kept at most. Longer needs a reason that a preset list cannot know.
const fn limit(class: RetentionClass) -> Option<u32> {
    match class {
        RetentionClass::Body => Some(90),
        RetentionClass::Timeline | RetentionClass::Engagement => Some(365),
        // Ten years: the longest general limitation of claims in the Member States.
        RetentionClass::Evidence => Some(3_650),
        RetentionClass::Suppression => None,
    }
}

fn retention(stream: &Stream, _: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    for class in RetentionClass::ALL {
        let path = format!("{at}.retention.{}", class.as_str());
        let Some(keep) = stream.retention.get(class) else {
            list.when(is_kept(stream, *class), FindingId::RetentionUnsaid, path);
            continue;
        };
        match (keep, limit(*class)) {
            (Keep::WithoutEnd, _) => list.when(true, FindingId::RetentionWithoutEnd, path),
            (Keep::Days(days), Some(most)) => list.when(*days > most, FindingId::RetentionTooLong, path),
            // GDPR Art. 21(3): a wish not to be mailed does not age out while the mailing may go on.
            (Keep::Days(_), None) => list.when(is_marketing(stream), FindingId::SuppressionIgnored, path),
            (Keep::UntilAgreementEnds, Some(_)) => {
                list.when(*class != RetentionClass::Evidence, FindingId::RetentionTooLong, path);
            }
            (Keep::UntilAgreementEnds, None) => {}
        }
    }
}

fn is_marketing(stream: &Stream) -> bool {
    stream.kind.kind().is_marketing()
}

/// Does the stream keep data of this class at all?
fn is_kept(stream: &Stream, class: RetentionClass) -> bool {
    match class {
        RetentionClass::Engagement => stream.tracking != Tracking::None,
        RetentionClass::Evidence => stream.bases.iter().any(|basis| basis.carries_marketing()),
        RetentionClass::Body | RetentionClass::Timeline | RetentionClass::Suppression => true,
    }
}

fn tracking(stream: &Stream, _: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    if stream.tracking != Tracking::Consented {
        return;
    }
    // ePrivacy Art. 5(3): consent to mail is no consent to being watched; the purpose is one that no mail serves.
    let own = stream.tracking_purpose.as_ref().is_some_and(|id| {
        let known = list.instruction.purposes.iter().any(|purpose| purpose.id == *id);
        known && !list.instruction.streams.iter().any(|other| other.purposes.contains(id))
    });
    list.when(!own, FindingId::Tracking, format!("{at}.tracking_purpose"));
}

fn regions(stream: &Stream, agreement: &ProcessingAgreement, at: &str, list: &mut List<'_>) {
    for (index, region) in stream.regions.iter().enumerate() {
        list.when(!is_allowed(region, agreement), FindingId::Region, format!("{at}.regions[{index}]"));
    }
}

fn is_allowed(region: &Region, agreement: &ProcessingAgreement) -> bool {
    let valid = agreement.transfers_allowed.iter().filter(|transfer| transfer.mechanism.invalid_since().is_none());
    agreement.regions.iter().chain(valid.map(|transfer| &transfer.region)).any(|allowed| region.within(allowed))
}
