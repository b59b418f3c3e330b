//! The sample controller's sign-up form, with a notice that says everything (GDPR Art. 13).

use anyhow::Context as _;
use duties::document::notice::{
    Automated, Contact, LanguageTag, Notice, NoticePurpose, Officer, Right, Source, Transfers,
};
use duties::document::terms::{Date, LawfulBasis};
use duties::form::{FormDraft, publish as publish_form};
use duties::profile::{Profile, keep};
use model::{ControllerId, DocumentId, FormId, PurposeId};
use std::collections::BTreeMap;
use store::Store;

/// Its name, and that of the notice.
pub(super) const NAME: &str = "newsletter";

/// Keeps the sample's profile and publishes its form. Answers the notice and the form, for the sample's evidence.
pub(super) async fn publish(
    store: &Store,
    controller: ControllerId,
    newsletter: PurposeId,
) -> anyhow::Result<(DocumentId, FormId)> {
    let profile = Profile {
        name: "Sample Shop".to_owned(),
        postal_address: "Sample Shop\n1 Example Street\n1000 Sampletown".to_owned(),
        email: "privacy@sample.example".to_owned(),
        telephone: None,
        officer: Some("privacy@sample.example".to_owned()),
        privacy_policy: Some("https://sample.example/privacy".to_owned()),
        accent: Some("0b5cad".to_owned()),
        authority: Some("the data protection authority of Sampletown".to_owned()),
        sender: "hello@sample.example".to_owned(),
    };
    keep(store, controller, &profile).await?;
    let intro = BTreeMap::from([("en".to_owned(), "News from the sample shop, about once a month.".to_owned())]);
    let notices = [notice()?];
    let draft = FormDraft { name: NAME, purposes: &[newsletter], notices: &notices, intro: &intro };
    let form = publish_form(store, controller, &draft).await?;
    let published = store.published_form(controller, NAME).await?.context("the form was just published")?;
    let words = published.notices.values().next().copied().context("the form has a notice")?;
    Ok((words, form))
}

fn notice() -> anyhow::Result<Notice> {
    let shop = Contact {
        name: "Sample Shop".to_owned(),
        address: "1 Example Street, 1000 Sampletown".to_owned(),
        contact: "privacy@sample.example".to_owned(),
    };
    let purpose = NoticePurpose {
        id: NAME.to_owned(),
        text: "To send you our newsletter by e-mail.".to_owned(),
        bases: vec![LawfulBasis::Consent],
        basis_text: String::new(),
        interest: String::new(),
    };
    Ok(Notice {
        version: 1,
        language: LanguageTag::parse("en")?,
        headings: None,
        title: "How we use your address".to_owned(),
        dated: Date::new(2026, 1, 1)?,
        short: "Sample Shop uses your e-mail address to send you its newsletter, until you say stop: every message \
                has a link for that."
            .to_owned(),
        controllers: vec![shop],
        representative: None,
        officer: Officer::Contact("privacy@sample.example".to_owned()),
        purposes: vec![purpose],
        recipients: vec!["The operator of our mail service, as our processor.".to_owned()],
        transfers: Transfers::None,
        retention: vec!["Until you withdraw your consent; the proof of it for three years more.".to_owned()],
        rights: Right::ALL.to_vec(),
        rights_contact: "Write to privacy@sample.example, or use the links in every message.".to_owned(),
        withdrawal: "At any time, with one click in every message; what was done before stays lawful.".to_owned(),
        complaint: "The data protection authority of Sampletown.".to_owned(),
        must_be_given: "You need not give your address; without it there is no newsletter.".to_owned(),
        automated: Automated::None,
        source: Source::FromPerson,
    })
}
