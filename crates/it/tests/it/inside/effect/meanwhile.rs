//! The same while a file of contacts comes in: whoever decides is heeded within a second, before his row is read, after
//! it is written and anywhere between, and no row raises him again, however it spells his address (GDPR Art. 21(3)).

use super::super::house::{House, PAGES, Tenant, address, bearer, json_of};
use super::judge::spread;
use super::play::Stand;
use super::{Findings, case, say};
use model::{Clock as _, PurposeId};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use store::permission::{Link, LinkTarget};
use testkit::SystemClock;
use testkit::http::{HttpAnswer, Upload};

/// Rows that go out together.
const PIECE: usize = 1_000;
/// People in the file who decide before its first row comes, while it comes, and while it is written.
const DECIDING: usize = 30;
/// Rows of people who are mailed afterwards, so that it is seen that the others came in.
const MAILED: usize = 5;

/// A file of so many rows, and what happens beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meanwhile {
    pub(crate) rows: usize,
    /// Of the stories that are acted out beside it.
    pub(crate) seed: u64,
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) stories: Findings,
    /// How long decisions of people in the file took to be answered.
    pub(crate) waits: Vec<Duration>,
    /// From the end of the file to the answer of the import.
    pub(crate) written_in: Duration,
}

/// How a person who decides is written in the file.
fn spelt(number: usize) -> String {
    let local = format!("going.{number}");
    match number % 5 {
        0 => format!("{local}@dest.example"),
        1 => format!("{}@DEST.Example", local.to_ascii_uppercase()),
        2 => format!("\"\"\"{local}\"\"@dest.example\""),
        3 => format!("{local}@BÜCHER.example"),
        // RFC 3490 §3.1: an ideographic full stop parts labels, too; full-width letters are folded (UTS #46).
        _ => format!("{local}@bücher\u{3002}ｅｘａｍｐｌｅ"),
    }
}

/// The same person as he was known before.
fn known_as(number: usize) -> String {
    let domain = if number % 5 < 3 { "dest.example" } else { "xn--bcher-kva.example" };
    format!("going.{number}@{domain}")
}

impl Meanwhile {
    pub(crate) async fn run(self) -> Figures {
        let stand = Stand::new().await;
        stand.house.dns.mx("xn--bcher-kva.example", 10, "mx.dest.example");
        let scene = Scene { stand: &stand, shop: stand.tenant(0) };
        let (mut waits, mut stories) = (Vec::new(), Findings::default());
        let third = DECIDING / 3;
        for number in 0..third {
            waits.push(scene.decide(number).await);
        }
        let mut upload = scene.begin().await;
        let mut seed = self.seed;
        for first in (0..self.rows).step_by(PIECE) {
            upload.piece(self.piece(first).as_bytes()).await.unwrap();
            // In the middle of the file, a third of them; their rows come later, or have come.
            if first <= self.rows / 2 && first + PIECE > self.rows / 2 {
                for number in third..2 * third {
                    waits.push(scene.decide(number).await);
                }
                stories.add(&case(&stand, seed).await);
                seed += 1;
            }
        }
        let ended = SystemClock.monotonic();
        let writing = tokio::spawn(async move {
            let answer = upload.finish().await.unwrap();
            (answer, SystemClock.monotonic())
        });
        let mut deciding = 2 * third..DECIDING;
        // What was begun is ended: a story that is dropped leaves a receiver that holds or refuses.
        while !writing.is_finished() {
            match deciding.next() {
                Some(number) => waits.push(scene.decide(number).await),
                None => {
                    stories.add(&case(&stand, seed).await);
                    seed += 1;
                }
            }
        }
        let (answer, answered) = writing.await.unwrap();
        let written_in = answered.saturating_sub(ended);
        // Whoever did not come to it decides after his row was written.
        for number in deciding {
            waits.push(scene.decide(number).await);
        }
        scene.judge(&answer, self.rows).await;
        let figures = Figures { stories, waits, written_in };
        say(&figures.to_string());
        figures
    }

    /// Rows; between them, those of people who decide, all over the file.
    fn piece(self, first: usize) -> String {
        let mut text = String::new();
        let every = (self.rows / DECIDING).max(1);
        for number in first..(first + PIECE).min(self.rows) {
            if number % every == 0 && number / every < DECIDING {
                // The last to decide stand first, and the first last.
                let deciding = DECIDING - 1 - number / every;
                writeln!(text, "{},2025-03-01,the shop,double_opt_in\r", spelt(deciding)).unwrap();
            } else {
                writeln!(text, "contact.{number}@dest.example,2025-03-01,the shop,double_opt_in\r").unwrap();
            }
        }
        text
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { stories, waits, written_in } = self;
        write!(out, "written in {written_in:?}; decisions answered after {}; beside it: {stories}", spread(waits))
    }
}

struct Scene<'a> {
    stand: &'a Stand,
    shop: &'a Tenant,
}

impl Scene<'_> {
    fn house(&self) -> &House {
        &self.stand.house
    }

    /// Begins the import; its first line is sent.
    async fn begin(&self) -> Upload {
        let words = json!({"name": "signup", "version": 3, "language": "en", "text": "Yes, send me the newsletter."});
        assert_eq!(self.house().post(self.shop, "/v1/notices", &words).await.status, 201);
        let headers = [("Authorization", bearer(self.shop)), ("Content-Type", "text/csv".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = "/v1/imports?purpose=newsletter&basis=consent&notice=signup:3";
        let mut upload = self.house().http.upload(path, &headers).await.unwrap();
        upload.piece(b"email,consent_at,source,method\r\n").await.unwrap();
        upload
    }

    /// A person goes, each in another way; how long it took until that was answered. From then on he is refused.
    async fn decide(&self, number: usize) -> Duration {
        let email = known_as(number);
        let controller = self.shop.controller;
        let tag = self.house().store.tag_of(controller, &address(&email)).unwrap();
        let purpose = PurposeId::of_stream(self.shop.newsletter);
        let path = |page: &str, target| {
            let link = Link { controller, tag, target, message: None };
            format!("/{page}/{}", self.house().store.link_token(&link).unwrap())
        };
        let asked = SystemClock.monotonic();
        let answer = match number % 4 {
            0 => self.suppress(&email, "objection").await,
            1 => {
                let path = path("u", LinkTarget::Unsubscribe { purpose, list: None });
                self.form(&path, "List-Unsubscribe=One-Click").await
            }
            2 => self.form(&format!("{}/leave", path("p", LinkTarget::Preferences)), "").await,
            _ => self.suppress(&email, "opt-out").await,
        };
        let wait = SystemClock.monotonic().saturating_sub(asked);
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
        self.refused(&email).await;
        wait
    }

    async fn suppress(&self, email: &str, reason: &str) -> HttpAnswer {
        let body = json!({"email": email, "scope": "marketing", "reason": reason});
        self.house().post(self.shop, "/v1/suppressions", &body).await
    }

    async fn form(&self, path: &str, form: &str) -> HttpAnswer {
        assert!(!path.starts_with(PAGES));
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        self.house().http.request("POST", path, &kind, form.as_bytes()).await.unwrap()
    }

    /// Marketing to him is refused, and for his own decision: not for want of a basis, which an import might bring.
    async fn refused(&self, email: &str) {
        let told = self.house().by_http(self.shop, Some("newsletter"), &self.shop.from, email).await;
        let rule = told.rule();
        assert!(["suppressed", "objected"].contains(&rule.as_str()), "{email}: {rule}");
    }

    async fn judge(&self, answer: &HttpAnswer, rows: usize) {
        assert_eq!(answer.status, 201, "{}", answer.text());
        let receipt = json_of(answer);
        let count = |name: &str| usize::try_from(receipt["counts"][name].as_u64().unwrap()).unwrap();
        assert_eq!(count("contacts") + count("blocked"), rows, "{receipt}");
        // Two thirds had decided before anything was written; of the rest, whoever came before his slice.
        assert!((2 * (DECIDING / 3)..=DECIDING).contains(&count("blocked")), "{receipt}");
        for number in 0..DECIDING {
            self.refused(&known_as(number)).await;
        }
        // Twin: the others are on record, and are mailed.
        let mut ids = Vec::new();
        for number in (0..rows).filter(|number| number % (rows / DECIDING).max(1) != 0).take(MAILED) {
            let email = format!("contact.{number}@dest.example");
            let told = self.house().by_http(self.shop, Some("newsletter"), &self.shop.from, &email).await;
            ids.push((email, told.id()));
        }
        for (email, id) in ids {
            let message: Value = self.house().until("delivery", &id, |one| one["state"] == "delivered").await;
            assert_eq!(message["state"], "delivered");
            assert_eq!(self.house().mx.wait_for_recipient(&email, 1).await.len(), 1);
        }
    }
}
