//! The one table of rules: the source of `docs/rules.md`, of both doors' replies and of the tests.

use model::Timestamp;

/// A rule of the gate. Its id is stable: clients, ledgers and tests rely on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// No processing agreement is in force.
    AgreementNotInForce,
    /// No instruction is in force.
    InstructionMissing,
    /// The instruction in force does not name this operation or stream.
    OperationNotInstructed,
    /// This node does not keep what the stream's terms ask.
    TermsNotKept,
    /// The credential may not do this.
    CredentialScope,
    /// The From domain is not a verified domain of this controller.
    FromNotVerified,
    /// The person asked that his data only be stored.
    RecipientRestricted,
    /// The person was erased.
    RecipientErased,
    /// A rights case of this person is open.
    CaseOpen,
    /// The address is on the controller's suppression list.
    Suppressed,
    /// The person objected to direct marketing.
    Objected,
    /// Marketing without any recorded basis.
    NoBasis,
    /// There is a record, but no consent in it.
    ConsentMissing,
    /// Consent was never confirmed.
    ConsentUnconfirmed,
    /// Consent was withdrawn.
    ConsentWithdrawn,
    /// Consent has run out.
    ConsentExpired,
    /// The words of the consent are not known.
    ConsentTextUnknown,
    /// A soft opt-in lacks one of its conditions.
    SoftOptInIncomplete,
    /// The person was not informed of data that came from somebody else, and the month for it is over.
    InformationOverdue,
    /// The person asked for a pause.
    Paused,
    /// Marketing without a way out.
    OptOutMissing,
    /// The person has had as much marketing as was promised, or as he chose.
    FrequencyCap,
    /// The operator ended it while it waited.
    Purged,
    /// The operator holds what waits.
    HeldByOperator,
    /// The controller holds what waits.
    HeldByController,
    /// Marketing rests at this hour.
    QuietHours,
    /// The connection is less secure than the terms ask for.
    TlsFloor,
    /// The day's allowance is used up.
    Quota,
    /// The instruction looks infringing and is held.
    InstructionInfringing,
    /// The facts could not be loaded.
    FactsUnavailable,
}

/// At which SMTP command a refusal is given at the latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The sender as a whole: MAIL.
    Mail,
    /// One recipient: RCPT.
    Recipient,
    /// The content: the end of DATA.
    Content,
}

/// Who can mend it, and so who is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mender {
    /// The controller, in the console or by the API.
    Controller,
    /// Only the person himself.
    Person,
    /// The operator.
    Operator,
}

/// How a rule is told to the world. One row a rule, in [`Rule::row`].
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The stable id.
    pub id: &'static str,
    /// The article or section it enforces.
    pub article: &'static str,
    /// What is wrong, for a person.
    pub sentence: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// When SMTP says it.
    pub stage: Stage,
    /// SMTP reply code.
    pub smtp: u16,
    /// Enhanced status code (RFC 3463).
    pub enhanced: (u8, u16, u16),
    /// HTTP status when the whole request is refused for it.
    pub http: u16,
    /// Who can mend it.
    pub mender: Mender,
}

impl Rule {
    /// Every rule, in the order in which the gate asks.
    pub const ALL: [Self; 30] = [
        Self::FactsUnavailable,
        Self::AgreementNotInForce,
        Self::InstructionMissing,
        Self::InstructionInfringing,
        Self::OperationNotInstructed,
        Self::TermsNotKept,
        Self::CredentialScope,
        Self::FromNotVerified,
        Self::RecipientErased,
        Self::RecipientRestricted,
        Self::CaseOpen,
        Self::Objected,
        Self::Suppressed,
        Self::Paused,
        Self::NoBasis,
        Self::ConsentMissing,
        Self::ConsentUnconfirmed,
        Self::ConsentWithdrawn,
        Self::ConsentExpired,
        Self::ConsentTextUnknown,
        Self::SoftOptInIncomplete,
        Self::InformationOverdue,
        Self::OptOutMissing,
        Self::FrequencyCap,
        Self::Purged,
        Self::HeldByOperator,
        Self::HeldByController,
        Self::QuietHours,
        Self::TlsFloor,
        Self::Quota,
    ];

    /// The stable id.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// The rule with this id.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.id() == id)
    }

    /// Does it concern the sender as a whole (HTTP 403) rather than one recipient?
    #[must_use]
    pub fn concerns_sender(self) -> bool {
        self.row().stage != Stage::Recipient
    }

    /// The rule's row of the table.
    #[must_use]
    pub const fn row(self) -> Row {
        match self {
            Self::FactsUnavailable => row(
                "facts-unavailable",
                "GDPR Art. 5(2)",
                "the facts that would allow this cannot be loaded at the moment",
                "try again later; nothing was lost",
                (Stage::Mail, 451, (4, 3, 0), 503, Mender::Operator),
            ),
            Self::AgreementNotInForce => row(
                "agreement-not-in-force",
                "GDPR Art. 28(3)",
                "no processing agreement with this controller is in force",
                "sign or renew the agreement",
                (Stage::Mail, 550, (5, 7, 1), 403, Mender::Controller),
            ),
            Self::InstructionMissing => row(
                "instruction-missing",
                "GDPR Art. 28(3)(a)",
                "no documented instruction is in force",
                "issue an instruction, for example from a preset",
                (Stage::Mail, 550, (5, 7, 1), 403, Mender::Controller),
            ),
            Self::InstructionInfringing => row(
                "instruction-infringing",
                "GDPR Art. 28(3), last subparagraph",
                "the instruction looks infringing and is held until the controller confirms or amends it",
                "read the notice and confirm or amend the instruction",
                (Stage::Mail, 550, (5, 7, 1), 403, Mender::Controller),
            ),
            Self::OperationNotInstructed => row(
                "operation-not-instructed",
                "GDPR Art. 28(3)(a)",
                "the instruction in force does not cover sending on this stream",
                "add the operation and the stream to the instruction",
                (Stage::Mail, 550, (5, 7, 1), 403, Mender::Controller),
            ),
            Self::TermsNotKept => row(
                "terms-not-kept",
                "GDPR Art. 28(3)(a), 44",
                "this node does not keep what the stream's terms ask, such as the region it stands in",
                "send by a node that does, started with --region, or amend the terms of the stream",
                (Stage::Mail, 451, (4, 3, 5), 503, Mender::Operator),
            ),
            Self::CredentialScope => row(
                "credential-scope",
                "GDPR Art. 29",
                "this credential may not send on this stream",
                "use another credential or widen this one",
                (Stage::Mail, 550, (5, 7, 1), 403, Mender::Controller),
            ),
            Self::FromNotVerified => row(
                "from-not-verified",
                "ePrivacy Art. 13(4)",
                "the From domain is not a verified domain of this controller",
                "verify the domain by publishing its DNS records",
                (Stage::Content, 550, (5, 7, 1), 403, Mender::Controller),
            ),
            Self::RecipientErased => RECIPIENT_ERASED,
            Self::RecipientRestricted => RECIPIENT_RESTRICTED,
            Self::CaseOpen => CASE_OPEN,
            Self::Objected => OBJECTED,
            Self::Suppressed => SUPPRESSED,
            Self::NoBasis => NO_BASIS,
            Self::ConsentMissing => CONSENT_MISSING,
            Self::ConsentUnconfirmed => CONSENT_UNCONFIRMED,
            Self::ConsentWithdrawn => CONSENT_WITHDRAWN,
            Self::ConsentExpired => CONSENT_EXPIRED,
            Self::ConsentTextUnknown => CONSENT_TEXT_UNKNOWN,
            Self::SoftOptInIncomplete => SOFT_OPT_IN_INCOMPLETE,
            Self::InformationOverdue => INFORMATION_OVERDUE,
            Self::Paused => PAUSED,
            Self::OptOutMissing => row(
                "opt-out-missing",
                "ePrivacy Art. 13(4)",
                "this marketing message cannot say how to stop it",
                "send it unsigned and unencrypted with a text part, and let the stream offer the one-click opt-out",
                (Stage::Content, 550, (5, 7, 1), 422, Mender::Controller),
            ),
            Self::FrequencyCap => FREQUENCY_CAP,
            Self::Purged => PURGED,
            Self::HeldByOperator => HELD_BY_OPERATOR,
            Self::HeldByController => HELD_BY_CONTROLLER,
            Self::QuietHours => QUIET_HOURS,
            Self::TlsFloor => TLS_FLOOR,
            Self::Quota => row(
                "quota",
                "GDPR Art. 28(3)(a)",
                "the messages instructed for this day are used up",
                "wait until tomorrow (UTC) or raise the daily number in the instruction",
                (Stage::Recipient, 452, (4, 7, 1), 429, Mender::Controller),
            ),
        }
    }
}

const AT_RECIPIENT: Wire = (Stage::Recipient, 550, (5, 7, 1), 422, Mender::Controller);

const RECIPIENT_ERASED: Row = row(
    "recipient-erased",
    "GDPR Art. 17",
    "this person was erased",
    "do not mail this person again unless he comes to you anew",
    (Stage::Recipient, 550, (5, 7, 1), 422, Mender::Person),
);

const RECIPIENT_RESTRICTED: Row = row(
    "recipient-restricted",
    "GDPR Art. 18",
    "processing of this person's data is restricted to storage",
    "wait until the restriction is lifted",
    (Stage::Recipient, 550, (5, 7, 1), 422, Mender::Controller),
);

const CASE_OPEN: Row = row(
    "case-open",
    "GDPR Art. 12(3)",
    "a rights request of this person is open",
    "answer the request first",
    (Stage::Recipient, 550, (5, 7, 1), 422, Mender::Controller),
);

const OBJECTED: Row = row(
    "objected",
    "GDPR Art. 21(3)",
    "this person objected to direct marketing",
    "do not mail marketing to this person; only he can lift it",
    (Stage::Recipient, 550, (5, 7, 1), 422, Mender::Person),
);

const SUPPRESSED: Row = row(
    "suppressed",
    "GDPR Art. 21(3)",
    "this recipient is on your suppression list for this kind of mail",
    "see the entry's reason; an opt-out is lifted only by the person himself",
    (Stage::Recipient, 550, (5, 7, 1), 422, Mender::Person),
);

const CONSENT_UNCONFIRMED: Row = row(
    "consent-unconfirmed",
    "GDPR Art. 7(1)",
    "this person's consent was never confirmed",
    "send a confirmation request; the person confirms it himself",
    AT_RECIPIENT,
);

const CONSENT_WITHDRAWN: Row = row(
    "consent-withdrawn",
    "GDPR Art. 7(3)",
    "this person withdrew his consent",
    "do not mail this purpose; only the person can consent anew",
    AT_RECIPIENT,
);

const CONSENT_EXPIRED: Row =
    row("consent-expired", "GDPR Art. 7(1)", "this person's consent has run out", "ask for it anew", AT_RECIPIENT);

const CONSENT_TEXT_UNKNOWN: Row = row(
    "consent-text-unknown",
    "GDPR Art. 7(1)",
    "the words that were shown to this person when he consented are not known",
    "record the consent with its notice, ask for it anew, or let the instruction allow unverified consent",
    AT_RECIPIENT,
);

const SOFT_OPT_IN_INCOMPLETE: Row = row(
    "soft-opt-in-incomplete",
    "ePrivacy Art. 13(2)",
    "a condition of the soft opt-in is not recorded for this person",
    "record the sale, that the products are similar, and that opting out was offered then and is in each message",
    AT_RECIPIENT,
);

const INFORMATION_OVERDUE: Row = row(
    "information-overdue",
    "GDPR Art. 14(3)",
    "this person's data came from somebody else, and that he was informed within a month is not on record",
    "inform him (a notice is no marketing: use another stream), then say so: POST /v1/imports/{id}/information",
    AT_RECIPIENT,
);

const PAUSED: Row = row(
    "paused",
    "GDPR Art. 21(2)",
    "this person asked for a pause",
    "wait until the pause is over; the person ends it himself in his preferences",
    (Stage::Recipient, 550, (5, 7, 1), 422, Mender::Person),
);

const FREQUENCY_CAP: Row = row(
    "frequency-cap",
    "GDPR Art. 28(3)(a), 21(2)",
    "this person has had as much marketing as the stream's terms promise, or as he chose himself",
    "leave this person out of this mailing; a later one finds room again",
    AT_RECIPIENT,
);

const PURGED: Row = row(
    "purged",
    "GDPR Art. 28(3)(a)",
    "the operator ended this message while it waited in the queue",
    "GET /v1/queue tells the reason for 90 days; send it again if it is still wanted",
    (Stage::Recipient, 550, (5, 7, 1), 422, Mender::Operator),
);

const HELD_BY_OPERATOR: Row = row(
    "held-by-operator",
    "GDPR Art. 32(1)(b)",
    "the operator holds what waits here",
    "wait, it leaves when the operator lets it go; GET /v1/queue tells the reason",
    (Stage::Recipient, 450, (4, 7, 1), 202, Mender::Operator),
);

const HELD_BY_CONTROLLER: Row = row(
    "held-by-controller",
    "GDPR Art. 28(3)(a)",
    "you hold what waits here",
    "let it go with POST /v1/queue/release",
    (Stage::Recipient, 450, (4, 7, 1), 202, Mender::Controller),
);

const QUIET_HOURS: Row = row(
    "quiet-hours",
    "GDPR Art. 28(3)(a)",
    "marketing on this stream rests at this hour",
    "wait; the message leaves by itself when the quiet hours are over",
    (Stage::Recipient, 450, (4, 7, 1), 202, Mender::Controller),
);

const TLS_FLOOR: Row = row(
    "tls-floor",
    "GDPR Art. 32(1)(a)",
    "the connection to the receiving server is not as secure as the stream's terms ask",
    "wait, it is tried again until its time is over; where a provider never offers it, only other terms help",
    (Stage::Recipient, 450, (4, 7, 10), 202, Mender::Controller),
);

const CONSENT_MISSING: Row = row(
    "consent-missing",
    "GDPR Art. 6(1)(a)",
    "what is recorded for this person is not consent to this marketing",
    "ask for consent, with the words shown to the person",
    AT_RECIPIENT,
);

const NO_BASIS: Row = row(
    "no-basis",
    "GDPR Art. 6(1)",
    "no lawful basis is recorded for marketing to this person",
    "record consent or a soft opt-in with its evidence",
    AT_RECIPIENT,
);

type Wire = (Stage, u16, (u8, u16, u16), u16, Mender);

const fn row(
    id: &'static str,
    article: &'static str,
    sentence: &'static str,
    remedy: &'static str,
    (stage, smtp, enhanced, http, mender): Wire,
) -> Row {
    Row { id, article, sentence, remedy, stage, smtp, enhanced, http, mender }
}

/// The gate says no. Made by the gate alone, for one recipient or for the sender as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Refusal {
    rule: Rule,
    again: Option<Timestamp>,
}

impl Refusal {
    pub(crate) const fn by(rule: Rule) -> Self {
        Self { rule, again: None }
    }

    pub(crate) const fn until(rule: Rule, moment: Timestamp) -> Self {
        Self { rule, again: Some(moment) }
    }

    /// When to ask again, where that is known: a hold that ends by itself.
    #[must_use]
    pub const fn again(self) -> Option<Timestamp> {
        self.again
    }

    /// The rule that fired.
    #[must_use]
    pub const fn rule(self) -> Rule {
        self.rule
    }

    /// Its row: how to say it.
    #[must_use]
    pub const fn row(self) -> Row {
        self.rule.row()
    }

    /// One line for a peer: `rule (article): sentence; remedy`. Holds nothing about a person.
    #[must_use]
    pub fn line(self) -> String {
        let row = self.row();
        format!("{} ({}): {}; {}", row.id, row.article, row.sentence, row.remedy)
    }
}

/// `docs/rules.md`: the table for people, generated from the rows above.
#[must_use]
pub fn table_markdown() -> String {
    let mut out = String::from(
        "# Rules of the gate\n\nGenerated from `gate::rule` by `POSTERN_BLESS=1 cargo test -p gate rules_page`; \
         a test fails when it is stale.\n\n\
         | rule | enforces | what it says | what to do | SMTP | HTTP |\n|---|---|---|---|---|---|\n",
    );
    for rule in Rule::ALL {
        let row = rule.row();
        let stage = match row.stage {
            Stage::Mail => "MAIL",
            Stage::Recipient => "RCPT",
            Stage::Content => "end of DATA",
        };
        let (class, subject, detail) = row.enhanced;
        out.push_str(&format!(
            "| `{}` | {} | {} | {} | {} {class}.{subject}.{detail} at {stage} | {} |\n",
            row.id, row.article, row.sentence, row.remedy, row.smtp, row.http
        ));
    }
    out
}
