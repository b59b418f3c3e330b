//! What an instruction says, in the words of the store and the gate.

use crate::document::instruction::{
    Footer, Instruction, Keep, MailKind, OptOut, Stream, TlsFloor, Tracking, Unverified,
};
use crate::document::terms::DataCategory;
use model::stream::{self, Terms};
use model::{AgreementId, DocumentId, StreamKind};
use store::permission::{Given, GivenPurpose, GivenStream};

/// The instruction as it is given.
pub(super) fn given(content: &Instruction, paper: DocumentId, document: [u8; 32], under: AgreementId) -> Given {
    Given {
        paper,
        document,
        under,
        version: content.version,
        operations: content.operations.iter().filter_map(|operation| operation.gate()).collect(),
        messages_per_day_max: content.messages_per_day_max,
        review: content.review_due.begin(),
        streams: content.streams.iter().map(|stream| of_stream(content, stream)).collect(),
    }
}

fn of_stream(content: &Instruction, stream: &Stream) -> GivenStream {
    let purposes = stream.purposes.iter().filter_map(|id| content.purposes.iter().find(|one| one.id == *id));
    let purposes = purposes.map(|purpose| GivenPurpose {
        name: purpose.id.clone(),
        bases: stream.bases.iter().filter_map(|basis| basis.kind()).collect(),
        text: purpose.text.clone(),
        language: content.language.as_str().to_owned(),
    });
    let kind: StreamKind = MailKind::kind(stream.kind);
    GivenStream { name: stream.name.clone(), kind, purposes: purposes.collect(), terms: terms(stream) }
}

/// How mail on a stream is treated, as far as a node is asked to do it. What has its built-in time is not said.
pub(super) fn terms(said: &Stream) -> Terms {
    let days = said.retention.iter().filter_map(|(class, keep)| match keep {
        Keep::Days(days) => Some((class.as_str().to_owned(), *days)),
        Keep::UntilAgreementEnds | Keep::WithoutEnd => None,
    });
    let category = |one: &DataCategory| match one {
        DataCategory::Plain(plain) => plain.as_str().to_owned(),
        DataCategory::Special(special) => special.as_str().to_owned(),
        DataCategory::Other(text) => text.clone(),
    };
    Terms {
        data_categories: said.data_categories.iter().map(category).collect(),
        retention_days: days.collect(),
        tracking: match said.tracking {
            Tracking::None => stream::Tracking::None,
            Tracking::Hygiene => stream::Tracking::Hygiene,
            Tracking::Consented => stream::Tracking::Consented,
        },
        tls_floor: match said.tls_floor {
            TlsFloor::Opportunistic => stream::TlsFloor::Opportunistic,
            TlsFloor::Encrypted => stream::TlsFloor::Encrypted,
            TlsFloor::Verified => stream::TlsFloor::Verified,
        },
        regions: said.regions.iter().map(|region| region.as_str().to_owned()).collect(),
        frequency: said.frequency.map(|one| stream::Frequency { messages: one.messages, days: one.days }),
        quiet: said.quiet.as_ref().map(|quiet| stream::Quiet {
            from: quiet.from,
            until: quiet.until,
            zone: quiet.zone.clone(),
        }),
        footer: match said.footer {
            Footer::Add => stream::Footer::Add,
            Footer::HeadersAlone | Footer::None => stream::Footer::HeadersAlone,
        },
        opt_out: match said.opt_out {
            OptOut::OneClick => stream::OptOut::OneClick,
            OptOut::None => stream::OptOut::None,
        },
        unverified: match said.consent.map(|consent| consent.unverified) {
            Some(Unverified::Allowed) => stream::Unverified::Allowed,
            Some(Unverified::Refused) | None => stream::Unverified::Refused,
        },
    }
}
