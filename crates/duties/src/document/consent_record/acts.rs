//! What acts say, read from their statements as the log committed to them, and what a record of them says therefore.
//! Who exports a record and who checks one ask here: both read the same octets.
//!
//! Invariants: what the person did himself goes before what his controller told, however late that was told; what was
//! told says nothing but what a typed field of the API can say.

use super::{Action, By, ChoiceShown, Confirmed, Decision, Freedom, Method, Standing, Status, StatusEvent};
use model::Timestamp;
use model::basis::BasisKind;
use serde_json::Value;

/// What stands for all marketing where a purpose is named.
pub(crate) const ALL: &str = "all";

/// One act, as its statement says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ActRead {
    /// Its leaf in the log.
    pub(crate) event: String,
    /// When.
    pub(crate) at: Timestamp,
    /// How.
    pub(crate) method: String,
    /// SHA-256 of the words that were shown.
    pub(crate) notice: Option<String>,
    /// With which form.
    pub(crate) form: Option<String>,
    /// About whom; nothing in version 1.
    pub(crate) subject: Option<String>,
    /// Of version 1: it does not say about whom, of which kind, nor who says it.
    pub(crate) is_first_version: bool,
    decisions: Vec<Said>,
    details: Value,
    basis: Option<BasisKind>,
    by: Option<By>,
    confirmed: Option<bool>,
}

/// What was said to one purpose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    /// Id of the purpose.
    pub(crate) purpose: String,
    /// `requested`, `refused`, `given` or `withdrawn`.
    pub(crate) word: String,
    /// SHA-256 of the purpose's words; nothing in version 1.
    pub(crate) words: Option<String>,
}

impl ActRead {
    /// Reads a statement; nothing when it is none.
    pub(crate) fn parse(statement: &[u8]) -> Option<Self> {
        let act: Value = serde_json::from_slice(statement).ok()?;
        let text = |name: &str| act.get(name).and_then(Value::as_str).map(str::to_owned);
        let decision = |one: &Value| {
            let text = |name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
            Some(Said { purpose: text("purpose")?, word: text("decision")?, words: text("words") })
        };
        let by = match text("by").as_deref() {
            // A stranger's: what he sent counts by the answer to the mail.
            Some("page" | "stranger") => Some(By::Subject),
            Some(_) => Some(By::Controller),
            None => None,
        };
        Some(Self {
            event: text("event")?,
            at: Timestamp::from_micros(act.get("at")?.as_i64()?),
            method: text("method")?,
            notice: text("notice"),
            form: text("form"),
            subject: text("subject"),
            is_first_version: act.get("v").and_then(Value::as_u64).is_none_or(|version| version < 2),
            decisions: act.get("decisions")?.as_array()?.iter().map(decision).collect::<Option<_>>()?,
            details: serde_json::from_str(&text("details")?).unwrap_or_default(),
            basis: match text("basis") {
                Some(word) => Some(BasisKind::from_word(&word)?),
                None => None,
            },
            by,
            confirmed: act.get("confirmed").and_then(Value::as_bool),
        })
    }

    /// What was said to a purpose.
    pub(crate) fn said(&self, purpose: &str) -> Option<&str> {
        self.decisions.iter().find(|one| one.purpose == purpose).map(|one| one.word.as_str())
    }

    /// Is it about this purpose, by itself or with all others?
    pub(crate) fn is_about(&self, purpose: &str) -> bool {
        self.said(purpose).or_else(|| self.said(ALL)).is_some()
    }

    /// The purposes that it names.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.decisions.iter().map(|one| one.purpose.as_str()).filter(|purpose| *purpose != ALL)
    }

    /// Is it the controller's word? Of an act of version 1 the way it came says so: a form of ours is named.
    pub(crate) fn is_told(&self) -> bool {
        match (self.by, self.method.as_str()) {
            (Some(by), _) => by == By::Controller,
            (None, "page" | "one-click" | "mail" | "double-opt-in" | "embedded") => false,
            (None, "form") => self.form.is_none(),
            (None, _) => true,
        }
    }

    /// Did the person do it here, and was it then his confirmed will?
    fn is_own(&self) -> bool {
        !self.is_told() && self.confirmed.unwrap_or(matches!(self.method.as_str(), "page" | "double-opt-in"))
    }

    /// Was it sent by who did not say who he is, from a page that is not ours?
    fn is_embedded(&self) -> bool {
        self.method == "embedded"
    }

    fn who(&self) -> By {
        if self.is_told() { By::Controller } else { By::Subject }
    }

    /// A word that a page of ours kept of itself; what was told has none.
    pub(crate) fn seen(&self, name: &str) -> Option<String> {
        let word = self.details.get(name).and_then(Value::as_str).map(str::to_owned);
        word.filter(|_| !self.is_told())
    }

    /// What the person did. What a controller tells is his word; what a page of ours saw is ours.
    fn action(&self) -> Action {
        match self.details.get("action").and_then(Value::as_str) {
            Some("checkbox, not ticked before" | "checkbox-ticked") => Action::TickedBox,
            Some("button") => Action::Button,
            Some("signature") => Action::Signature,
            Some("spoken-yes") => Action::Spoken,
            _ if self.method == "page" => Action::TickedBox,
            _ => Action::Unknown,
        }
    }
}

/// What the acts of a person on one purpose come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account<'a> {
    acts: &'a [ActRead],
    purpose: &'a str,
    /// Place of the act by which it was agreed to, or else asked about.
    pub(crate) given: Option<usize>,
    /// Place of what was sent with the form, where a mail asked to confirm it.
    pub(crate) asked: Option<usize>,
}

impl<'a> Account<'a> {
    /// Of these acts, oldest first, on a purpose: by what the person confirmed himself, if he did, else by what was
    /// told last.
    pub(crate) fn of(acts: &'a [ActRead], purpose: &'a str) -> Self {
        let with = |word: &str| acts.iter().rposition(|act| act.said(purpose) == Some(word));
        let own = acts.iter().rposition(|act| act.said(purpose) == Some("given") && act.is_own());
        let given = own.or_else(|| with("given")).or_else(|| with("requested")).or_else(|| with("refused"));
        let asked = given.and_then(|place| acts.get(place)).filter(|given| given.method == "double-opt-in");
        let asked = asked.and_then(|given| {
            let same = |act: &ActRead| act.at <= given.at && act.form == given.form && act.notice == given.notice;
            acts.iter().rposition(|act| same(act) && act.said(purpose) == Some("requested"))
        });
        Self { acts, purpose, given, asked }
    }

    fn act(&self, place: Option<usize>) -> Option<&'a ActRead> {
        place.and_then(|place| self.acts.get(place))
    }

    /// The act by which it was agreed to, or asked about.
    pub(crate) fn given_act(&self) -> Option<&'a ActRead> {
        self.act(self.given)
    }

    /// Place of the act whose words, decisions and moment the record has.
    pub(crate) fn first(&self) -> Option<usize> {
        self.asked.or(self.given)
    }

    /// That act.
    pub(crate) fn first_act(&self) -> Option<&'a ActRead> {
        self.act(self.first())
    }

    /// What is recorded. Nothing where no act says so: version 1, and imports.
    pub(crate) fn kind(&self) -> Option<BasisKind> {
        let given = self.given_act().filter(|given| given.said(self.purpose) == Some("given"));
        given.and_then(|given| given.basis)
    }

    /// Was something else asked for than what was given, or by somebody else?
    pub(crate) fn is_mixed(&self) -> bool {
        let (Some(asked), Some(given)) = (self.act(self.asked), self.given_act()) else { return false };
        let is_other = asked.basis.is_some() && given.basis.is_some() && asked.basis != given.basis;
        is_other || asked.is_told() != given.is_told()
    }

    /// Is it the controller's word?
    pub(crate) fn is_told(&self) -> bool {
        self.first_act().is_none_or(ActRead::is_told)
    }

    /// By whom it is known.
    pub(crate) fn told_by(&self) -> By {
        if self.is_told() { By::Controller } else { By::Subject }
    }

    /// What nobody here saw is not known to be free.
    pub(crate) fn freedom(&self) -> Freedom {
        if self.is_told() { Freedom::Unknown } else { Freedom::Free }
    }

    /// Was it confirmed? Nothing where the act does not say.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let confirmed = self.given_act()?.confirmed?;
        Some(if confirmed { Standing::Confirmed } else { Standing::Unconfirmed })
    }

    /// How it came.
    pub(crate) fn method(&self) -> Method {
        let Some(act) = self.first_act() else { return Method::Import };
        if self.asked.is_some() {
            return Method::DoubleOptIn;
        }
        match act.method.as_str() {
            // A form of the controller's own, which nobody here saw.
            "form" if act.is_told() => Method::Api,
            "form" | "embedded" | "page" | "one-click" | "mail" => Method::Form,
            "double-opt-in" => Method::DoubleOptIn,
            "paper" => Method::Paper,
            "verbal" => Method::Verbal,
            "import" => Method::Import,
            _ => Method::Api,
        }
    }

    /// What the person did. What was done on a page of the controller's nobody saw: the act is the answer to the mail.
    pub(crate) fn action(&self) -> Action {
        let first = self.first_act();
        let is_unseen = self.asked.is_some() && first.is_some_and(ActRead::is_embedded);
        let act = if is_unseen { self.given_act() } else { first };
        act.map_or(Action::Unknown, ActRead::action)
    }

    /// How it was asked. Of a page that did not say which form it showed, nobody knows.
    pub(crate) fn choice(&self) -> ChoiceShown {
        let is_unknown = |act: &ActRead| act.is_told() || (act.is_embedded() && act.form.is_none());
        if self.first_act().is_none_or(is_unknown) { ChoiceShown::Unknown } else { ChoiceShown::Separate }
    }

    /// When it was given.
    pub(crate) fn given_at(&self) -> Option<Timestamp> {
        self.first_act().map(|act| act.at)
    }

    /// The confirmation of what was asked.
    pub(crate) fn confirmation(&self) -> Option<Confirmed> {
        let (asked, given) = (self.act(self.asked)?, self.given_act()?);
        Some(Confirmed { asked_at: asked.at, confirmed_at: given.at })
    }

    /// What was decided at once, each purpose by itself.
    pub(crate) fn decisions(&self) -> Vec<(&'a Said, Decision)> {
        let said = self.first_act().map(|act| act.decisions.as_slice()).unwrap_or_default();
        let about = said.iter().filter(|one| one.purpose != ALL && one.word != "withdrawn");
        about.map(|one| (one, if one.word == "refused" { Decision::Refused } else { Decision::Given })).collect()
    }

    /// What happened before and since, beside the act itself, to purposes of these ids.
    pub(crate) fn events(&self, ids: &[String]) -> Vec<StatusEvent> {
        let kind = self.kind();
        let (mut events, mut was_given) = (Vec::new(), false);
        for (place, act) in self.acts.iter().enumerate() {
            let is_itself = self.given == Some(place);
            // A contract is no renewal of a consent.
            let is_other = act.basis.is_some() && kind.is_some() && act.basis != kind;
            for Said { purpose, word, .. } in &act.decisions {
                let status = match word.as_str() {
                    "requested" => Status::Requested,
                    "refused" => Status::Refused,
                    "withdrawn" => Status::Withdrawn,
                    _ if act.confirmed == Some(false) => Status::Requested,
                    _ if was_given => Status::Renewed,
                    _ => Status::Given,
                };
                was_given |= status == Status::Given && !is_other;
                let is_about = purpose == ALL || ids.contains(purpose);
                // The act itself is told by the record's own status.
                if !is_about || (is_itself && word != "requested") || (is_other && word == "given") {
                    continue;
                }
                let purposes = if purpose == ALL { Vec::new() } else { vec![purpose.clone()] };
                events.push(StatusEvent { status, at: act.at, by: act.who(), method: act.method.clone(), purposes });
            }
        }
        events
    }

    /// Is the newest word on this purpose that it ends?
    pub(crate) fn is_withdrawn(&self) -> bool {
        let newest = self.acts.iter().rev().find(|act| act.is_about(self.purpose));
        let word = newest.and_then(|act| act.said(self.purpose).or_else(|| act.said(ALL)));
        word == Some("withdrawn")
    }
}
