//! Every page in every language with sample content: what the tests read, and what people and checkers look at.
//!
//! Invariants: each state of each page is here once. Built for tests alone.

use std::time::Duration;

use model::Timestamp;
use model::basis::BasisKind;

use super::*;

/// A page of the gallery: a name for its file, and the HTML.
pub(super) struct Picture {
    pub(super) name: &'static str,
    pub(super) html: String,
}

/// What the pages are about: names and texts, harmless or hostile.
#[derive(Clone, Copy)]
pub(super) struct Sample<'a> {
    pub(super) controller: &'a str,
    pub(super) text: &'a str,
    pub(super) purposes: &'a [Purpose<'a>],
    pub(super) notice: Notice<'a>,
    pub(super) accent: Option<Accent>,
    pub(super) id: &'a str,
}

const NEWS: Purpose<'static> = Purpose {
    id: "news",
    title: "Garden letter",
    description: "Once a month: what to sow, what to prune, and what grows in our own beds.",
};
const OFFERS: Purpose<'static> =
    Purpose { id: "offers", title: "Offers", description: "Seeds and tools at a lower price, a few times a year." };
const EVENTS: Purpose<'static> =
    Purpose { id: "events", title: "Open days", description: "Invitations to open days and courses near Lindow." };

/// A notice with every kind of break.
pub(super) const NOTICE: Notice<'static> = Notice {
    short: "Linden Nursery GmbH uses your e-mail address to send you what you choose here, and for nothing else.\n\n\
            You can end this at any time with the link in every message.",
    full: "Controller: Linden Nursery GmbH, Am Gudelacksee 4, 16835 Lindow, Germany.\nContact: hello@linden.example\n\
           \nPurposes and basis: the messages that you choose, with your consent (GDPR Art. 6(1)(a)).\n\n\
           Recipients: Postern Mail B.V., Utrecht, which sends the messages on our behalf. No data leaves the \
           European Union.\n\nWe keep your address until you withdraw your consent, and the proof of it for three \
           years after that.\n\nYou have the right of access, rectification, erasure, restriction, portability and \
           objection, and you may complain to a supervisory authority.\n",
    language: Language::English,
    version: "2026-03",
};

const TOPICS: [TopicChoice<'static>; 2] = [
    TopicChoice { id: "vegetables", title: "Vegetables", choice: Choice::On },
    TopicChoice { id: "roses", title: "Roses and shrubs", choice: Choice::Off },
];

const LOGO: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAGElEQVR4nGNg\
    aGDAjmgu4VAQiRXRXAIAeIBVAc4QqfkAAAAASUVORK5CYII=";

/// 1 March 2026, 12:05 UTC.
const AT: Timestamp = Timestamp::from_seconds(1_772_366_700);

/// The sample that people look at.
pub(super) fn friendly() -> Sample<'static> {
    Sample {
        controller: "Linden Nursery",
        text: "Letters from a nursery that has grown hardy plants since 1954.",
        purposes: &[NEWS, OFFERS, EVENTS],
        notice: NOTICE,
        accent: Accent::parse("#2f7d3b"),
        id: "3",
    }
}

impl<'a> Sample<'a> {
    fn frame(&self, language: Language, here: Option<&'a str>) -> Frame<'a> {
        let contact = Contact {
            postal_address: "Am Gudelacksee 4\n16835 Lindow (Mark)\nGermany",
            email: Some("hello@linden.example"),
            telephone: Some("+49 33933 000"),
            officer: Some(self.text),
            privacy_policy: Link::https("https://linden.example/privacy"),
        };
        let branding = Branding { controller: self.controller, accent: self.accent, logo: Logo::data(LOGO), contact };
        Frame { language, branding: Some(branding), processor: "Postern Mail B.V.", here }
    }

    fn post(&self, action: &'a str) -> Post<'a> {
        Post { action, token: Some(self.id) }
    }

    fn purpose(&self) -> Purpose<'a> {
        self.purposes[0]
    }
}

/// Every page of one language.
pub(super) fn pictures(sample: &Sample<'_>, language: Language) -> Vec<Picture> {
    let mut found = Vec::new();
    let mut add = |name: &'static str, html: askama::Result<String>| found.push(Picture { name, html: html.unwrap() });
    sign_ups(sample, language, &mut add);
    leaving(sample, language, &mut add);
    preferences(sample, language, &mut add);
    whys(sample, language, &mut add);
    helps(sample, language, &mut add);
    found
}

type Add<'f> = &'f mut dyn FnMut(&'static str, askama::Result<String>);

/// The embeddable form.
pub(super) fn snippet(sample: &Sample<'_>, language: Language) -> String {
    let snippet = EmbedSnippet {
        language,
        hosted: Link::https("https://mail.linden.example/f/garden").unwrap(),
        purposes: sample.purposes,
        notice: sample.notice,
        form_version: sample.id,
    };
    askama::Template::render(&snippet).unwrap()
}

fn sign_ups(sample: &Sample<'_>, language: Language, add: Add<'_>) {
    use askama::Template as _;
    let fresh = || SignUp {
        frame: sample.frame(language, Some("/f/garden")),
        send: sample.post("/f/garden"),
        intro: sample.text,
        purposes: sample.purposes,
        notice: sample.notice,
        form_version: sample.id,
        typed: None,
        faults: &[],
    };
    add("sign-up", fresh().render());
    let typed = Typed { email: sample.text, purposes: &[], language: Language::Dutch };
    let faults = [SignUpFault::Stale, SignUpFault::EmailMalformed, SignUpFault::PurposeMissing];
    add("sign-up-faults", SignUp { typed: Some(typed), faults: &faults, ..fresh() }.render());
    let html = snippet(sample, language);
    add("embed", EmbedPage { frame: sample.frame(language, Some("/embed")), snippet: &html }.render());
    let (frame, valid) = (sample.frame(language, None), Duration::from_secs(7 * 86_400));
    add("check-mail", CheckMail { frame, valid, form: Some("/f/garden") }.render());
    let (frame, confirm) = (sample.frame(language, Some("/c/x")), sample.post("/c/x"));
    let notice = sample.notice;
    let purposes = sample.purposes;
    let asked_by = AskedBy::Form;
    add("confirm", Confirm { frame, confirm, asked_at: AT, asked_by, purposes, notice: Some(notice) }.render());
    let asked_by = AskedBy::Link;
    add("confirm-link", Confirm { frame, confirm, asked_at: AT, asked_by, purposes, notice: None }.render());
    for (name, when) in [
        ("confirmed", Confirmation::Now),
        ("confirmed-before", Confirmation::Before),
        ("confirmed-waiting", Confirmation::Waiting),
        ("confirmed-opposed", Confirmation::Opposed),
        ("confirmed-taken-back", Confirmation::TakenBack),
    ] {
        let frame = sample.frame(language, None);
        add(name, Confirmed { frame, when, purposes: sample.purposes, preferences: Some("/p/x") }.render());
    }
}

fn leaving(sample: &Sample<'_>, language: Language, add: Add<'_>) {
    use askama::Template as _;
    let (frame, leave) = (sample.frame(language, Some("/u/x")), sample.post("/u/x"));
    add("unsubscribe", Unsubscribe { frame, leave, purpose: sample.purpose(), preferences: Some("/p/x") }.render());
    let one = Left::Purpose(sample.purpose().title);
    for (name, left) in [("unsubscribed", one), ("unsubscribed-all", Left::All)] {
        let frame = sample.frame(language, None);
        add(name, Unsubscribed { frame, left, preferences: Some("/p/x") }.render());
    }
}

fn preferences(sample: &Sample<'_>, language: Language, add: Add<'_>) {
    use askama::Template as _;
    let odd = TopicChoice { id: sample.id, title: sample.text, choice: Choice::Off };
    let topics = [TOPICS[0], TOPICS[1], odd];
    let choices: Vec<PurposeChoice<'_>> = sample
        .purposes
        .iter()
        .enumerate()
        .map(|(index, purpose)| {
            let (choice, topics) = if index == 0 { (Choice::On, &topics[..]) } else { (Choice::Off, &[][..]) };
            PurposeChoice { purpose: *purpose, choice, topics }
        })
        .collect();
    let tracking = Notice { short: "We count opens to drop what nobody reads.", full: "", ..sample.notice };
    let plain = || Preferences {
        frame: sample.frame(language, Some("/p/x?from=foot")),
        save: sample.post("/p/x"),
        leave_all: sample.post("/u/x"),
        take_back: None,
        purposes: &choices,
        frequency: Some(Frequency::Weekly),
        tracking: Tracking::Offered { choice: Choice::Off, notice: tracking },
        messages_in: Language::German,
        paused_until: None,
        notice: sample.notice,
        messages: &[],
    };
    add("preferences", plain().render());
    let (messages, tracking) = (&[PreferencesMessage::Saved], Tracking::Signalled);
    add("preferences-saved", Preferences { messages, tracking, paused_until: Some(AT), ..plain() }.render());
    let (messages, tracking) = (&[PreferencesMessage::Stale], Tracking::NotOffered);
    add("preferences-stale", Preferences { messages, tracking, ..plain() }.render());
    let messages = &[PreferencesMessage::Objected];
    let take_back = Some(sample.post("/p/x/objection"));
    add("preferences-objected", Preferences { messages, take_back, tracking, ..plain() }.render());
    let valid = Duration::from_secs(7 * 86_400);
    let messages = &[PreferencesMessage::Asked { valid }, PreferencesMessage::Opposed];
    add("preferences-asked", Preferences { messages, tracking, ..plain() }.render());
    let messages = &[PreferencesMessage::Closed, PreferencesMessage::Absent { form: Some("/f/garden") }];
    add("preferences-unsaved", Preferences { messages, tracking, ..plain() }.render());
}

fn whys(sample: &Sample<'_>, language: Language, add: Add<'_>) {
    use askama::Template as _;
    let basis = BasisShown {
        kind: BasisKind::Consent,
        given_at: AT,
        means: Means::Form,
        confirmed_at: Some(AT),
        notice: Some(sample.notice),
    };
    let why = |basis| Why {
        frame: sample.frame(language, Some("/w/x")),
        purpose: sample.purpose(),
        basis,
        instruction: sample.id,
        wish: sample.post("/w/x"),
        authority: Some(Authority { name: sample.text, site: Link::https("https://authority.example/") }),
        preferences: Some("/p/x"),
    };
    add("why", why(basis).render());
    let others = [
        ("why-soft-opt-in", BasisKind::SoftOptIn, Means::Interface),
        ("why-contract", BasisKind::Contract, Means::Paper),
        ("why-obligation", BasisKind::LegalObligation, Means::Brought),
        ("why-embedded", BasisKind::Consent, Means::Embedded),
        ("why-preferences", BasisKind::Consent, Means::Preferences),
        ("why-spoken", BasisKind::Consent, Means::Spoken),
    ];
    for (name, kind, means) in others {
        add(name, why(BasisShown { kind, means, confirmed_at: None, notice: None, ..basis }).render());
    }
    for (name, right) in [("wish", Right::Access), ("wish-at-once", Right::Withdraw)] {
        let (frame, reference) = (sample.frame(language, None), sample.id);
        let answered_by = AT.plus(Duration::from_secs(30 * 86_400));
        add(name, WishRecorded { frame, right, reference, forwarded_by: AT, answered_by, back: Some("/w/x") }.render());
    }
}

fn helps(sample: &Sample<'_>, language: Language, add: Add<'_>) {
    use askama::Template as _;
    let nobody = Frame { language, branding: None, processor: "Postern Mail B.V.", here: Some("/c/x") };
    add("help-link", Help { frame: nobody, kind: HelpKind::LinkUnusable }.render());
    let retry_after = Duration::from_secs(300);
    let kinds = [
        ("help-busy", HelpKind::TooManyRequests { retry_after }),
        ("help-unpublished", HelpKind::FormNotPublished),
        ("help-unavailable", HelpKind::Unavailable { retry_after }),
    ];
    for (name, kind) in kinds {
        add(name, Help { frame: sample.frame(language, None), kind }.render());
    }
}

/// Writes the gallery into the folder that the environment variable `POSTERN_GALLERY` named when the tests were
/// built: `en-sign-up.html` and so on, with the style sheets beside them. Without one it writes nothing.
#[test]
fn gallery() {
    let Some(folder) = option_env!("POSTERN_GALLERY") else { return };
    let folder = std::path::Path::new(folder);
    let sample = friendly();
    let accent = sample.accent.unwrap();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("public.css"), STYLE).unwrap();
    std::fs::write(folder.join("accent.css"), accent.style()).unwrap();
    for language in Language::ALL {
        for picture in pictures(&sample, language) {
            // The pages ask for paths of a site; in a folder these are files.
            let html = picture.html.replace("href=\"/public.css\"", "href=\"public.css\"");
            let html = html.replace(&format!("href=\"{}\"", accent.style_path()), "href=\"accent.css\"");
            std::fs::write(folder.join(format!("{}-{}.html", language.tag(), picture.name)), html).unwrap();
        }
    }
}
