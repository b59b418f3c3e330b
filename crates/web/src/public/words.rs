//! The words of the pages: one catalogue a language, embedded as text files and parsed once.
//!
//! Invariants: every language has exactly these sections and keys (a file with one more or one less does not parse,
//! and a test parses them all); a key that no page uses is a warning of the compiler.
//! Never: a word that comes from outside. What is filled in is not filled in again, and is escaped by the template.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Language;

#[cfg(test)]
mod tests;

macro_rules! words {
    ($($section:ident: $Section:ident { $($key:ident),+ $(,)? })+) => {
        $(
            /// One section of the catalogue.
            #[derive(Default, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(super) struct $Section {
                $(pub(super) $key: String,)+
            }
        )+

        /// All words of one language.
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Words {
            $(pub(super) $section: $Section,)+
        }

        #[cfg(test)]
        impl Words {
            /// Every key with its text.
            pub(super) fn each(&self) -> Vec<(&'static str, &str)> {
                vec![$($((concat!(stringify!($section), ".", stringify!($key)), self.$section.$key.as_str()),)+)+]
            }
        }
    };
}

words! {
    date: Date {
        day, moment, january, february, march, april, may, june, july, august, september, october, november,
        december, one_minute, minutes, one_hour, hours, one_day, days,
    }
    frame: Frame {
        skip, languages, neutral, run_by, privacy,
    }
    sign_up: SignUp {
        title, title_faults, faults, email, email_hint, email_missing, email_malformed, purposes, purposes_hint,
        purpose_missing, stale, language, notice, notice_full, withdrawal, withdrawal_text, trap, next, send,
    }
    embed: Embed {
        title, lead, html, again,
    }
    check_mail: CheckMail {
        title, lead, why, missing, missing_wait, missing_again, same, back,
    }
    confirm: Confirm {
        title, lead, lead_link, button, not_you,
    }
    confirmed: Confirmed {
        title_now, title_before, title_waiting, title_opposed, title_taken_back, lead_now, lead_before, lead_waiting,
        lead_opposed, lead_taken_back, later, preferences,
    }
    unsubscribe: Unsubscribe {
        title, lead, not_yet, one, all, all_hint, preferences,
    }
    unsubscribed: Unsubscribed {
        title_one, title_all, lead_one, lead_all, at_once, needed, mind, mind_text, preferences,
    }
    preferences: Preferences {
        title, title_saved, title_asked, title_unsaved, title_stale, saved, asked, asked_hint, opposed, closed, absent,
        absent_form, objected, stale, lead, purposes, topics, frequency, frequency_every, frequency_weekly,
        frequency_monthly, tracking, tracking_hint, tracking_choice, tracking_signal, language, pause, pause_hint,
        pause_none, pause_end, pause_sooner, pause_sooner_text, pause_keep, pause_week, pause_month, pause_quarter,
        notice, save, objection, objection_text, objection_button, objection_confirm, all, all_text, all_button,
    }
    why: Why {
        title, lead, controller, controller_text, postal, email, phone, officer, purpose, basis, basis_consent,
        basis_soft_opt_in, basis_contract, basis_legal_obligation, basis_legitimate_interest, given, given_at,
        confirmed_at, means_form, means_embedded, means_preferences, means_interface, means_paper, means_spoken,
        means_brought, notice,
        notice_show, notice_version, notice_none, processor, processor_text, instruction, instruction_text, rights,
        rights_lead,
    }
    rights: Rights {
        withdraw, withdraw_text, access, access_text, rectify, rectify_text, erase, erase_text, restrict,
        restrict_text, portability, portability_text, object, object_text, complain, complain_text, complain_to,
    }
    wish: Wish {
        title, asked, forwarded, answered, at_once, identity, reference, reference_hint, back,
    }
    mail: Mail {
        subject, lead, open, nothing, ignore,
    }
    help: Help {
        link, link_text, link_whole, link_newest, link_again, link_leave, busy, busy_text, busy_retry, unpublished,
        unpublished_text, unpublished_ask, unavailable, unavailable_text, unavailable_retry, unavailable_leave,
    }
}

const ENGLISH: &str = include_str!("catalogue/en.toml");
const GERMAN: &str = include_str!("catalogue/de.toml");
const FRENCH: &str = include_str!("catalogue/fr.toml");
const SPANISH: &str = include_str!("catalogue/es.toml");
const DUTCH: &str = include_str!("catalogue/nl.toml");

/// The words of a language.
pub(super) fn of(language: Language) -> &'static Words {
    static EN: LazyLock<Words> = LazyLock::new(|| parsed(ENGLISH));
    static DE: LazyLock<Words> = LazyLock::new(|| parsed(GERMAN));
    static FR: LazyLock<Words> = LazyLock::new(|| parsed(FRENCH));
    static ES: LazyLock<Words> = LazyLock::new(|| parsed(SPANISH));
    static NL: LazyLock<Words> = LazyLock::new(|| parsed(DUTCH));
    match language {
        Language::English => &EN,
        Language::German => &DE,
        Language::French => &FR,
        Language::Spanish => &ES,
        Language::Dutch => &NL,
    }
}

/// The files are part of the program and a test parses each: the empty words are for the compiler.
fn parsed(text: &str) -> Words {
    toml::from_str(text).unwrap_or_else(|error| {
        tracing::error!(%error, "a catalogue of words cannot be read");
        Words::default()
    })
}

/// Puts values in the places that a text names in braces. In one pass: braces in a value stay what they are. A
/// place without a value stays as it is.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let place = after.split_once('}');
        match place.and_then(|(name, tail)| values.iter().find(|(known, _)| *known == name).map(|(_, v)| (v, tail))) {
            Some((value, tail)) => {
                filled.push_str(value);
                rest = tail;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}
