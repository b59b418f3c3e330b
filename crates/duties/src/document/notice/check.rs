//! What a notice does not say yet, with the article that asks for it (GDPR Art. 12-14). Anything keeps it unpublished.

use super::{Automated, Contact, Headings, Notice, NoticePurpose, Officer, Right, Source, Transfers};
use crate::document::terms::{LawfulBasis, blank};

/// A field that is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingField {
    /// The field, as in `purposes[0].bases`.
    pub field: String,
    /// The article that asks for it.
    pub article: &'static str,
    /// What is missing.
    pub sentence: &'static str,
}

/// Names everything that the notice does not say. Empty: it may be published.
#[must_use]
pub fn check(notice: &Notice) -> Vec<MissingField> {
    let mut list = List(Vec::new());
    words(notice, &mut list);
    who(notice, &mut list);
    what_for(notice, &mut list);
    to_whom_and_how_long(notice, &mut list);
    rights(notice, &mut list);
    source(notice, &mut list);
    list.0
}

struct List(Vec<MissingField>);

impl List {
    fn when(&mut self, missing: bool, field: impl Into<String>, article: &'static str, sentence: &'static str) {
        if missing {
            self.0.push(MissingField { field: field.into(), article, sentence });
        }
    }
}

fn words(notice: &Notice, list: &mut List) {
    list.when(blank(&notice.title), "title", "GDPR Art. 12(1)", "the notice has no title");
    list.when(blank(&notice.short), "short", "GDPR Art. 12(1)", "the short layer is empty");
    let headings = match (&notice.headings, notice.language.own()) {
        (Some(headings), _) => !complete(headings),
        (None, own) => own.is_none(),
    };
    list.when(headings, "headings", "GDPR Art. 12(1)", "there are no headings in the language of the notice");
}

fn complete(headings: &Headings) -> bool {
    let Headings {
        controller,
        representative,
        officer,
        purposes,
        recipients,
        transfers,
        retention,
        rights,
        right_texts,
        withdrawal,
        complaint,
        must_be_given,
        automated,
        source,
        from_person,
        basis,
        none,
        version,
    } = headings;
    let each = [
        controller,
        representative,
        officer,
        purposes,
        recipients,
        transfers,
        retention,
        rights,
        withdrawal,
        complaint,
        must_be_given,
        automated,
        source,
        from_person,
        basis,
        none,
        version,
    ];
    right_texts.len() == Right::ALL.len() && each.into_iter().chain(right_texts).all(|text| !blank(text))
}

fn who(notice: &Notice, list: &mut List) {
    const ARTICLE: &str = "GDPR Art. 13(1)(a), 14(1)(a)";
    list.when(notice.controllers.is_empty(), "controllers", ARTICLE, "no controller is named");
    for (index, one) in notice.controllers.iter().enumerate() {
        contact(one, &format!("controllers[{index}]"), list);
    }
    if let Some(one) = &notice.representative {
        contact(one, "representative", list);
    }
    let unsaid = match &notice.officer {
        Officer::NotStated => true,
        Officer::None => false,
        Officer::Contact(text) => blank(text),
    };
    let sentence = "it is not said how to reach the data protection officer, or that there is none";
    list.when(unsaid, "officer", "GDPR Art. 13(1)(b), 14(1)(b)", sentence);
}

fn contact(one: &Contact, at: &str, list: &mut List) {
    const ARTICLE: &str = "GDPR Art. 13(1)(a), 14(1)(a)";
    list.when(blank(&one.name), format!("{at}.name"), ARTICLE, "there is no name");
    list.when(blank(&one.address), format!("{at}.address"), ARTICLE, "there is no address");
    list.when(blank(&one.contact), format!("{at}.contact"), ARTICLE, "there is no contact");
}

fn what_for(notice: &Notice, list: &mut List) {
    const ARTICLE: &str = "GDPR Art. 13(1)(c), 14(1)(c)";
    list.when(notice.purposes.is_empty(), "purposes", ARTICLE, "no purpose is named");
    for (index, one) in notice.purposes.iter().enumerate() {
        let at = format!("purposes[{index}]");
        list.when(blank(&one.text), format!("{at}.text"), ARTICLE, "a purpose has no words");
        list.when(one.bases.is_empty(), format!("{at}.bases"), ARTICLE, "a purpose has no legal basis");
        let unsaid = notice.language.own().is_none() && blank(&one.basis_text);
        let sentence = "the basis has no words in the language of the notice";
        list.when(unsaid, format!("{at}.basis_text"), ARTICLE, sentence);
        let interest = one.bases.contains(&LawfulBasis::LegitimateInterest) && blank(&one.interest);
        let sentence = "the legitimate interest is not named";
        list.when(interest, format!("{at}.interest"), "GDPR Art. 13(1)(d), 14(2)(b)", sentence);
    }
}

fn none_of(texts: &[String]) -> bool {
    texts.is_empty() || texts.iter().any(|text| blank(text))
}

fn to_whom_and_how_long(notice: &Notice, list: &mut List) {
    let sentence = "recipients or their categories are not named";
    list.when(none_of(&notice.recipients), "recipients", "GDPR Art. 13(1)(e), 14(1)(e)", sentence);
    let unsaid = match &notice.transfers {
        Transfers::NotStated => true,
        Transfers::None => false,
        Transfers::To(texts) => none_of(texts),
    };
    let sentence = "it is not said which transfers to third countries there are, or that there are none";
    list.when(unsaid, "transfers", "GDPR Art. 13(1)(f), 14(1)(f)", sentence);
    let sentence = "it is not said how long data are kept";
    list.when(none_of(&notice.retention), "retention", "GDPR Art. 13(2)(a), 14(2)(a)", sentence);
}

fn rights(notice: &Notice, list: &mut List) {
    const ARTICLE: &str = "GDPR Art. 13(2)(b), 14(2)(c)";
    for right in Right::ALL {
        let article = if *right == Right::Objection { "GDPR Art. 13(2)(b), 14(2)(c), 21(4)" } else { ARTICLE };
        let missing = !notice.rights.contains(right) && applies(*right, &notice.purposes);
        list.when(missing, format!("rights.{}", right.as_str()), article, "a right is not named");
    }
    let sentence = "it is not said where to turn with a request";
    list.when(blank(&notice.rights_contact), "rights_contact", "GDPR Art. 12(2), 13(2)(b)", sentence);
    let sentence = "it is not said how consent is withdrawn";
    let consent = notice.purposes.iter().any(|purpose| purpose.bases.contains(&LawfulBasis::Consent));
    let unsaid = consent && blank(&notice.withdrawal);
    list.when(unsaid, "withdrawal", "GDPR Art. 7(3), 13(2)(c), 14(2)(d)", sentence);
    let sentence = "no supervisory authority is named for complaints";
    list.when(blank(&notice.complaint), "complaint", "GDPR Art. 13(2)(d), 14(2)(e)", sentence);
    let unsaid = match &notice.automated {
        Automated::NotStated => true,
        Automated::None => false,
        Automated::Used(text) => blank(text),
    };
    let sentence = "it is not said which automated decisions there are, or that there are none";
    list.when(unsaid, "automated", "GDPR Art. 13(2)(f), 14(2)(g)", sentence);
}

/// Portability needs consent or contract (GDPR Art. 20(1)(a)); the other rights are always named.
fn applies(right: Right, purposes: &[NoticePurpose]) -> bool {
    let portable = |basis: &LawfulBasis| matches!(basis, LawfulBasis::Consent | LawfulBasis::Contract);
    right != Right::Portability || purposes.iter().any(|purpose| purpose.bases.iter().any(portable))
}

fn source(notice: &Notice, list: &mut List) {
    match &notice.source {
        Source::NotStated => {
            let sentence = "it is not said whether data come from the person";
            list.when(true, "source", "GDPR Art. 13(1), 14(2)(f)", sentence);
        }
        Source::FromPerson => {
            // Art. 13(2)(e) is asked for only where the person gives the data; Art. 14 has no such item.
            let sentence = "it is not said whether data must be given and what follows if not";
            list.when(blank(&notice.must_be_given), "must_be_given", "GDPR Art. 13(2)(e)", sentence);
        }
        Source::Indirect(indirect) => {
            let sentence = "the source of the data is not named";
            list.when(blank(&indirect.source), "source.indirect.source", "GDPR Art. 14(2)(f)", sentence);
            let sentence = "the categories of data from this source are not named";
            let unsaid = none_of(&indirect.data_categories);
            list.when(unsaid, "source.indirect.data_categories", "GDPR Art. 14(1)(d)", sentence);
        }
    }
}
