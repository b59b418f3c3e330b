//! Instructions for the common cases. Each is within the agreement drafted from the same preset and has no finding.

use super::{
    Choice, Condition, Confirmation, ConsentTerms, Footer, Instruction, Keep, MailKind, Operation, OptOut,
    RetentionClass, Stream, Suppressions, TlsFloor, Tracking, Unverified,
};
use crate::document::preset::{Preset, Use};
use crate::document::terms::{
    DataCategory, Date, Language, LawfulBasis, PlainCategory, Private, Region, SubjectCategory,
};
use std::collections::BTreeMap;

/// Messages in a UTC day that a preset allows until the controller says otherwise.
const MESSAGES_PER_DAY: u64 = 50_000;
/// Days that records of delivery are kept.
const TIMELINE_DAYS: u32 = 90;

/// An instruction from a preset, to be read and issued by the controller.
#[must_use]
pub fn preset(preset: Preset, language: Language, issued_by: &str, review_due: Date) -> Instruction {
    Instruction {
        version: 1,
        language,
        issued_by: Private::from(issued_by),
        operations: Operation::ALL.iter().copied().filter(|one| *one != Operation::Align).collect(),
        purposes: preset.purposes(language),
        streams: preset.uses().iter().map(|one| stream(*one, preset)).collect(),
        messages_per_day_max: MESSAGES_PER_DAY,
        review_due,
    }
}

fn stream(purpose: Use, preset: Preset) -> Stream {
    use SubjectCategory::{AccountHolders, Customers, Subscribers};
    let (name, kind, bases, subjects) = match purpose {
        Use::Transactions => {
            ("transactional", MailKind::Transactional, LawfulBasis::Contract, vec![Customers, AccountHolders])
        }
        Use::Newsletter => ("newsletter", MailKind::Marketing, LawfulBasis::Consent, vec![Subscribers]),
        // GDPR Art. 7(1), 12(2): the interest is to know that a request came from the holder of the mailbox.
        Use::Confirmation => {
            ("service", MailKind::Service, LawfulBasis::LegitimateInterest, preset.subject_categories())
        }
        Use::SimilarProducts => ("offers", MailKind::Marketing, LawfulBasis::SoftOptIn, vec![Customers]),
        Use::LegalNotices => {
            ("legal-notices", MailKind::Legal, LawfulBasis::LegalObligation, vec![Customers, AccountHolders])
        }
    };
    let marketing = kind == MailKind::Marketing;
    Stream {
        name: name.to_owned(),
        kind,
        purposes: vec![purpose.id().to_owned()],
        bases: vec![bases],
        consent: (bases == LawfulBasis::Consent).then_some(ConsentTerms {
            choice: Choice::EachPurpose,
            condition: Condition::Free,
            confirmation: Confirmation::DoubleOptIn,
            unverified: Unverified::Refused,
        }),
        data_categories: data(purpose),
        subject_categories: subjects,
        retention: BTreeMap::from([
            (RetentionClass::Body, Keep::Days(0)),
            (RetentionClass::Timeline, Keep::Days(TIMELINE_DAYS)),
            // GDPR Art. 7(1), 17(3)(e): as long as the consent may have to be shown.
            (RetentionClass::Evidence, Keep::UntilAgreementEnds),
            (RetentionClass::Suppression, Keep::UntilAgreementEnds),
        ]),
        tracking: Tracking::None,
        tracking_purpose: None,
        tls_floor: TlsFloor::Opportunistic,
        regions: vec![Region::eea()],
        frequency: None,
        quiet: None,
        footer: if marketing { Footer::Add } else { Footer::None },
        opt_out: if marketing { OptOut::OneClick } else { OptOut::None },
        suppressions: Suppressions::Honoured,
        messages_per_day_max: MESSAGES_PER_DAY,
    }
}

fn data(purpose: Use) -> Vec<DataCategory> {
    use PlainCategory::{Content, CustomerNumber, Delivery, Email, Name, Permission, Preferences, Purchases};
    let plain: &[PlainCategory] = match purpose {
        Use::Transactions => &[Email, Name, CustomerNumber, Purchases, Content, Delivery],
        Use::Newsletter => &[Email, Name, Preferences, Content, Permission, Delivery],
        Use::Confirmation => &[Email, Content, Permission, Delivery],
        Use::SimilarProducts => &[Email, Name, Purchases, Content, Permission, Delivery],
        Use::LegalNotices => &[Email, Name, Content, Delivery],
    };
    plain.iter().copied().map(DataCategory::Plain).collect()
}
