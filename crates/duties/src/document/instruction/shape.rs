//! Values of an instruction that make no sense whatever the law says: plain mistakes, named with their place.

use super::{Instruction, Quiet, Stream, Tracking};
use crate::document::Mistake;
use crate::document::terms::{LawfulBasis, blank, is_name};

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Days over which a frequency is counted at most.
const FREQUENCY_DAYS_MAX: u32 = 366;

pub(super) fn mistakes(instruction: &Instruction) -> Vec<Mistake> {
    let mut list = List(Vec::new());
    list.when(instruction.version == 0, || "version".into(), "versions begin with 1");
    list.when(blank(instruction.issued_by.text()), || "issued_by".into(), "nobody is named who gave the instruction");
    list.when(instruction.operations.is_empty(), || "operations".into(), "no operation is named");
    for (index, operation) in instruction.operations.iter().enumerate() {
        let twice = instruction.operations.iter().take(index).any(|earlier| earlier == operation);
        list.when(twice, || format!("operations[{index}]"), "this operation is named twice");
    }
    list.when(instruction.streams.is_empty(), || "streams".into(), "no stream is named");
    let path = || "messages_per_day_max".into();
    list.when(instruction.messages_per_day_max == 0, path, "no message may be sent");
    for (index, purpose) in instruction.purposes.iter().enumerate() {
        let path = || format!("purposes[{index}].id");
        list.when(!is_name(&purpose.id), path, "an id is at most 64 small letters, digits and hyphens");
        let twice = instruction.purposes.iter().take(index).any(|earlier| earlier.id == purpose.id);
        list.when(twice, path, "this purpose is named twice");
    }
    for (index, one) in instruction.streams.iter().enumerate() {
        let twice = instruction.streams.iter().take(index).any(|earlier| earlier.name == one.name);
        list.when(twice, || format!("streams[{index}].name"), "this stream is named twice");
        stream(instruction, one, &|field| format!("streams[{index}].{field}"), &mut list);
    }
    list.0
}

struct List(Vec<Mistake>);

impl List {
    fn when(&mut self, wrong: bool, path: impl FnOnce() -> String, sentence: &'static str) {
        if wrong {
            self.0.push(Mistake::at(path(), sentence));
        }
    }
}

fn stream(instruction: &Instruction, stream: &Stream, at: &dyn Fn(&str) -> String, list: &mut List) {
    list.when(!is_name(&stream.name), || at("name"), "a name is at most 64 small letters, digits and hyphens");
    list.when(stream.purposes.is_empty(), || at("purposes"), "the stream serves no purpose");
    for (index, id) in stream.purposes.iter().enumerate() {
        let path = || at(&format!("purposes[{index}]"));
        list.when(!known(instruction, id), path, "there is no purpose with this id");
        list.when(stream.purposes.iter().take(index).any(|earlier| earlier == id), path, "named twice");
    }
    let unknown = stream.tracking_purpose.as_ref().is_some_and(|id| !known(instruction, id));
    list.when(unknown, || at("tracking_purpose"), "there is no purpose with this id");
    let consent = stream.bases.contains(&LawfulBasis::Consent) || stream.tracking == Tracking::Consented;
    let sentence = "how consent is asked for is said if, and only if, mail or tracking rests on consent";
    list.when(consent != stream.consent.is_some(), || at("consent"), sentence);
    list.when(stream.regions.is_empty(), || at("regions"), "no region is named");
    list.when(stream.messages_per_day_max == 0, || at("messages_per_day_max"), "no message may be sent");
    let more = stream.messages_per_day_max > instruction.messages_per_day_max;
    list.when(more, || at("messages_per_day_max"), "more than all streams together may send");
    if let Some(frequency) = stream.frequency {
        let senseless = frequency.messages == 0 || !(1..=FREQUENCY_DAYS_MAX).contains(&frequency.days);
        list.when(senseless, || at("frequency"), "at least one message, in 1 to 366 days");
    }
    if let Some(quiet) = &stream.quiet {
        hours(quiet, at, list);
    }
}

fn hours(quiet: &Quiet, at: &dyn Fn(&str) -> String, list: &mut List) {
    let outside = quiet.from >= DAY || quiet.until >= DAY;
    list.when(outside, || at("quiet"), "a minute of the day is 0 to 1439");
    list.when(quiet.from == quiet.until, || at("quiet"), "the quiet time begins when it ends");
    list.when(!is_zone(&quiet.zone), || at("quiet.zone"), "not the name of a time zone, such as Europe/Vienna");
}

fn known(instruction: &Instruction, id: &str) -> bool {
    instruction.purposes.iter().any(|purpose| purpose.id == id)
}

/// Has the form of an IANA name: `UTC`, or parts of letters, digits, `_`, `+` and `-` with strokes between. Whether
/// there is such a zone is known to who keeps the time zone data.
fn is_zone(zone: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    };
    zone == "UTC" || (zone.len() <= 64 && (2..=3).contains(&zone.split('/').count()) && zone.split('/').all(part))
}
