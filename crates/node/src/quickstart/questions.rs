//! What is asked, in the words of a key table, and what an answer may be.

use crate::config::key::{Key, Kind};
use duties::document::Preset;
use mail::address::{Address, Domain};

const COUNT: Kind = Kind::Number { least: 1, most: 1_000_000_000 };

pub(super) const OPERATOR_NAME: Key = Key::of("operator.name", "", Kind::Text)
    .says("Who runs this platform? The legal name, as it stands in agreements.", "\"Operator Ltd\"");
pub(super) const OPERATOR_ADDRESS: Key =
    Key::of("operator.address", "", Kind::Text).says("Its postal address.", "\"2 Example Street, 1000 Exampletown\"");
pub(super) const OPERATOR_CONTACT: Key = Key::of("operator.contact", "", Kind::Text)
    .says("How whoever answers for data protection there is reached.", "\"privacy@operator.example\"");
pub(super) const OPERATOR_SIGNATORY: Key =
    Key::of("operator.signatory", "", Kind::Text).says("Who signs agreements for it?", "\"Olga Operator\"");
pub(super) const OPERATOR_CAPACITY: Key =
    Key::of("operator.capacity", "", Kind::Text).says("In which capacity?", "\"managing director\"");

pub(super) const NAME: Key = Key::of("controller.name", "", Kind::Text)
    .says("For whom is mail sent first (the controller)? The legal name.", "\"Example Shop Ltd\"");
pub(super) const ADDRESS: Key =
    Key::of("controller.address", "", Kind::Text).says("Its postal address.", "\"1 Example Street, 1000 Exampletown\"");
pub(super) const CONTACT: Key = Key::of("controller.contact", "", Kind::Text)
    .says("Its e-mail address for data protection; what people wish is sent there.", "\"privacy@shop.example\"");
pub(super) const SIGNATORY: Key =
    Key::of("controller.signatory", "", Kind::Text).says("Who signs for it?", "\"Sam Shop\"");
pub(super) const CAPACITY: Key = Key::of("controller.capacity", "", Kind::Text).says("In which capacity?", "\"owner\"");
pub(super) const ACCOUNT: Key = Key::of("controller.account", "", Kind::Text)
    .says("A short name for it here, which is also the SMTP login: letters, digits and hyphens.", "\"shop\"");

pub(super) const DOMAIN: Key =
    Key::of("mail.domain", "", Kind::Text).says("Which domain is its mail from?", "\"shop.example\"");
pub(super) const DOMAIN_IS_ITS_OWN: Key = Key::of("mail.domain_is_its_own", "", Kind::Switch).says(
    "Have you seen that this domain is the controller's? Mail from it is sent from now on (true or false).",
    "true",
);
pub(super) const PRESET: Key = Key::of("mail.preset", "", Kind::Text)
    .says("What is it to send: transactional, newsletter (with double opt-in), or both?", "\"both\"");
pub(super) const PER_DAY: Key =
    Key::of("mail.messages_per_day", "", COUNT).says("How many messages in a day at most?", "50000");
pub(super) const SENDER: Key = Key::of("mail.sender", "", Kind::Text).says(
    "From which address do confirmations and notices to recipients come? In the domain.",
    "\"hello@shop.example\"",
);

/// What is asked of the operator.
pub(super) const OPERATOR: [Key; 5] =
    [OPERATOR_NAME, OPERATOR_ADDRESS, OPERATOR_CONTACT, OPERATOR_SIGNATORY, OPERATOR_CAPACITY];
/// What is asked of the controller and its mail, in this order.
pub(super) const CONTROLLER: [Key; 11] =
    [NAME, ADDRESS, CONTACT, SIGNATORY, CAPACITY, DOMAIN, DOMAIN_IS_ITS_OWN, ACCOUNT, PRESET, PER_DAY, SENDER];
/// All of them; with the keys of the settings, what a file of answers may say.
pub(super) const QUESTIONS: &[Key] = &[
    OPERATOR_NAME,
    OPERATOR_ADDRESS,
    OPERATOR_CONTACT,
    OPERATOR_SIGNATORY,
    OPERATOR_CAPACITY,
    NAME,
    ADDRESS,
    CONTACT,
    SIGNATORY,
    CAPACITY,
    DOMAIN,
    DOMAIN_IS_ITS_OWN,
    ACCOUNT,
    PRESET,
    PER_DAY,
    SENDER,
];

/// What is said of the controller.
pub(crate) struct Answers {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) contact: String,
    pub(super) signatory: String,
    pub(super) capacity: String,
    pub(super) account: String,
    pub(super) domain: String,
    pub(super) preset: Preset,
    pub(super) messages_per_day: u64,
    pub(super) sender: String,
}

/// Presets that are offered.
const PRESETS: [Preset; 3] = [Preset::Transactional, Preset::Newsletter, Preset::Both];

/// The preset of a word.
pub(super) fn preset(word: &str) -> Option<Preset> {
    PRESETS.into_iter().find(|preset| preset.as_str() == word)
}

/// What is wrong with an answer, as the end of a sentence. The answer is not repeated where it may be a person's.
pub(super) fn fault(key: &Key, text: &str) -> Option<String> {
    if let Some(fault) = key.fault(&[text.to_owned()]) {
        return Some(fault);
    }
    let too_long = text.chars().count() > 200 || text.chars().any(char::is_control);
    let wrong = match key.name {
        _ if too_long => Some("one line of at most 200 characters".to_owned()),
        "controller.contact" | "mail.sender" => Address::parse(text).err().map(|_| "an e-mail address".to_owned()),
        "mail.domain" => Domain::parse(text).err().map(|_| "a domain name".to_owned()),
        "controller.account" => (!is_account(text)).then(|| "2 to 40 letters, digits and hyphens".to_owned()),
        "mail.preset" => preset(text).is_none().then(|| "transactional, newsletter or both".to_owned()),
        "mail.domain_is_its_own" => {
            (text != "true").then(|| "true: nothing is sent from a domain that is not the controller's".to_owned())
        }
        _ => None,
    };
    wrong.map(|wanted| format!("this is not {wanted}"))
}

fn is_account(text: &str) -> bool {
    (2..=40).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && !text.starts_with('-')
}

/// What is offered as an answer, given those before it.
pub(super) fn offered(key: &Key, before: impl Fn(&Key) -> Option<String>) -> Option<String> {
    let domain = || before(&DOMAIN);
    match key.name {
        "controller.account" => {
            let first: String = domain()?.split('.').next()?.to_ascii_lowercase();
            is_account(&first).then_some(first)
        }
        "mail.preset" => Some("both".to_owned()),
        "mail.messages_per_day" => Some("50000".to_owned()),
        "mail.sender" => Some(format!("hello@{}", domain()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_answers_are_told_and_what_may_be_a_person_is_not_repeated() {
        for (key, good, wrong) in [
            (CONTACT, "privacy@shop.example", "nobody"),
            (DOMAIN, "shop.example", "shop example"),
            (ACCOUNT, "shop-1", "shop+1"),
            (PRESET, "both", "everything"),
            (PER_DAY, "1", "0"),
            (DOMAIN_IS_ITS_OWN, "true", "false"),
            (SIGNATORY, "Sam", "two\nlines"),
        ] {
            assert_eq!(fault(&key, good), None, "{}", key.name);
            let told = fault(&key, wrong).unwrap();
            assert!(told.contains("is not "), "{told}");
        }
        assert!(!fault(&CONTACT, "nobody").unwrap().contains("nobody"));
    }

    #[test]
    fn what_follows_from_the_domain_is_offered() {
        let before = |key: &Key| (key.name == DOMAIN.name).then(|| "shop.example".to_owned());
        assert_eq!(offered(&ACCOUNT, before).as_deref(), Some("shop"));
        assert_eq!(offered(&SENDER, before).as_deref(), Some("hello@shop.example"));
        assert_eq!(offered(&ACCOUNT, |_| None), None);
        assert_eq!(QUESTIONS.len(), OPERATOR.len() + CONTROLLER.len());
    }
}
