//! Rights that people exercise on their pages, and what a controller is told.
//!
//! GDPR Art. 12-22, 28(3)(e): the processor answers no request himself; it records it and forwards it to the
//! controller.

use super::*;
use model::ids::EventId;
use model::{NoticeId, Timestamp, WishId};
use std::time::Duration;

/// A right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Right {
    /// GDPR Art. 15.
    Access,
    /// GDPR Art. 16.
    Rectification,
    /// GDPR Art. 17.
    Erasure,
    /// GDPR Art. 18.
    Restriction,
    /// GDPR Art. 20.
    Portability,
    /// GDPR Art. 21.
    Objection,
}

impl Right {
    /// Every right that is exercised on a page.
    pub const ALL: [Self; 6] =
        [Self::Access, Self::Rectification, Self::Erasure, Self::Restriction, Self::Portability, Self::Objection];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Rectification => "rectification",
            Self::Erasure => "erasure",
            Self::Restriction => "restriction",
            Self::Portability => "portability",
            Self::Objection => "objection",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == word)
    }
}

/// A right that a person exercised.
#[derive(Clone, Debug)]
pub struct WishView {
    /// Its id.
    pub id: WishId,
    /// The person.
    pub tag: RecipientTag,
    /// Which.
    pub right: Right,
    /// When.
    pub at: Timestamp,
    /// When the controller had it.
    pub forwarded: Option<Timestamp>,
    /// The person's address, as long as it is kept.
    pub address: Option<String>,
}

/// What became of a right that a person exercised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exercised {
    /// It is recorded, and the controller is to be told.
    Now(WishId),
    /// The same person exercised the same right within a day: it is that wish still.
    Before(WishId),
}

/// How long a wish is one and the same, in microseconds: a day.
const SAME_WISH_US: i64 = 86_400 * 1_000_000;

/// What a controller was told.
#[derive(Clone, Debug)]
pub struct NoticeView {
    /// Its id.
    pub id: NoticeId,
    /// `instruction-held`, `right-exercised`.
    pub kind: String,
    /// Id of what it is about, of the kind that `kind` says.
    pub about: i64,
    /// When.
    pub at: Timestamp,
    /// When it was seen.
    pub seen: Option<Timestamp>,
    /// What it says.
    pub text: String,
}

/// What a controller must know of a right that was exercised: GDPR Art. 12(6).
const BY_LINK: &str =
    "by the link of a message, which may have been forwarded; not authenticated, so make sure who asks";
/// Mail is taken in within moments; whoever has not recorded it by then is gone.
const IN_HAND: Duration = Duration::from_secs(300);
const SEALED: &str = "controller notice";

/// Bytes moved to another row do not open.
fn context(id: WishId) -> Vec<u8> {
    [b"wish".as_slice(), &id.0.to_be_bytes()].concat()
}

pub(super) fn right_of(word: &str) -> Result<Right> {
    Right::from_word(word).ok_or(Error::Row { column: "wish.kind" })
}

/// The address that a wish was exercised with.
pub(super) fn opened_wish(secret: &Secret, id: WishId, sealed: &[u8]) -> Option<String> {
    let plain = crypto::open(&secret.wrap, &context(id), sealed, "wish").ok()?;
    String::from_utf8(plain).ok()
}

impl Store {
    /// Records that a person exercises a right, and tells the controller, in one commit. The address is kept under
    /// the person's secret: without it the controller could not answer (GDPR Art. 12(2)). Within a day the same right
    /// of the same person is the same wish: nothing is written, and nobody is told again.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn exercise_right(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        right: Right,
        address: Option<&str>,
    ) -> Result<Exercised> {
        let (id, at, event) = (WishId(self.next_id()), self.now(), EventId(crypto::random()?));
        let since = Timestamp::from_micros(at.micros().saturating_sub(SAME_WISH_US));
        let sealed = match (address, self.secret_to_use(controller, tag).await?) {
            (Some(address), Some(secret)) => crypto::seal(&secret.wrap, &context(id), address.as_bytes())?,
            _ => Vec::new(),
        };
        let steps = vec![
            Step::new(
                &sql::WISH_INSERT,
                vec![
                    id.0.into(),
                    controller.0.into(),
                    tag.0.into(),
                    right.as_str().into(),
                    at.into(),
                    event.0.into(),
                    sealed.into(),
                    since.into(),
                ],
            ),
            self.told(controller, "right-exercised", id.0, &format!("{}: {BY_LINK}", right.as_str()))?,
        ];
        let detail = crypto::sha256_of_fields(&[right.as_str().as_bytes(), &at.micros().to_be_bytes()]);
        let writes = super::consents::rows(controller, tag, event, detail, steps);
        if self.act(EventType::RightExercised, writes).await? {
            return Ok(Exercised::Now(id));
        }
        let whose = vec![controller.0.into(), tag.0.into(), right.as_str().into(), since.into()];
        let rows = self.found(&sql::WISH_BEFORE, whose).await?;
        let mut row = rows.into_iter().next().ok_or(Error::NotFound { what: "wish" })?;
        Ok(Exercised::Before(WishId(row.number()?)))
    }

    /// Takes it in hand to tell the controller of a wish by mail. False when he was told, or another node is at it:
    /// then he is not to be told here. Who ends with it in hand leaves it to others after a while.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn claim_wish(&self, controller: ControllerId, id: WishId) -> Result<bool> {
        let now = self.now();
        let values = vec![controller.0.into(), id.0.into(), now.into(), now.plus(IN_HAND).into()];
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Nothing,
            what: "wish",
            event: None,
            detail: [0; 32],
            steps: vec![Step::new(&sql::WISH_CLAIM, values)],
        };
        // No leaf: that he was told has one.
        let touched = self.engine.change(vec![(Change::Rows(writes), None)]).await?;
        Ok(touched.first().is_some_and(|rows| *rows > 0))
    }

    /// The controller has been sent a person's wish (GDPR Art. 28(3)(e)).
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn wish_forwarded(&self, controller: ControllerId, id: WishId) -> Result<()> {
        let at = self.now();
        let values = vec![controller.0.into(), id.0.into(), at.into()];
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Nothing,
            what: "wish",
            event: None,
            detail: crypto::sha256_of_fields(&[b"forwarded", &id.0.to_be_bytes(), &at.micros().to_be_bytes()]),
            steps: vec![Step::new(&sql::WISH_FORWARDED, values)],
        };
        self.act(EventType::ControllerTold, writes).await.map(drop)
    }

    pub(super) fn told(&self, controller: ControllerId, kind: &str, about: i64, text: &str) -> Result<Step> {
        let sealed = self.vault.seal_for_controller(controller.0, SEALED, text.as_bytes())?;
        let values = vec![
            self.next_id().into(),
            controller.0.into(),
            kind.into(),
            about.into(),
            self.now().into(),
            sealed.into(),
        ];
        Ok(Step::new(&sql::CONTROLLER_NOTICE_INSERT, values))
    }

    /// Tells the controller something.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn tell_controller(&self, controller: ControllerId, kind: &str, about: i64, text: &str) -> Result<()> {
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Nothing,
            what: "notice",
            event: None,
            detail: crypto::sha256_of_fields(&[kind.as_bytes(), &about.to_be_bytes(), text.as_bytes()]),
            steps: vec![self.told(controller, kind, about, text)?],
        };
        self.act(EventType::ControllerTold, writes).await.map(drop)
    }

    /// What the controller was told, newest first, below an id.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn notices(&self, controller: ControllerId, below: i64, limit: usize) -> Result<Vec<NoticeView>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.found(&sql::CONTROLLER_NOTICES, vec![controller.0.into(), below.into(), limit.into()]).await?;
        let read = |mut row: Columns| {
            let (id, kind, about) = (NoticeId(row.number()?), row.text()?, row.number()?);
            let (at, seen) = (row.moment()?, row.moment_if_any()?);
            let plain = self.vault.open_for_controller(controller.0, SEALED, &row.octets()?)?;
            let text = String::from_utf8(plain).map_err(|_| Error::Sealed { what: SEALED })?;
            Ok(NoticeView { id, kind, about, at, seen, text })
        };
        rows.into_iter().map(read).collect()
    }

    /// Rights that the controller's people exercised, newest first, below an id.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn wishes(&self, controller: ControllerId, below: i64, limit: usize) -> Result<Vec<WishView>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.found(&sql::WISHES, vec![controller.0.into(), below.into(), limit.into()]).await?;
        let mut wishes = Vec::with_capacity(rows.len());
        for mut row in rows {
            let (id, tag) = (WishId(row.number()?), RecipientTag(row.array()?));
            let right = right_of(&row.text()?)?;
            let (at, forwarded) = (row.moment()?, row.moment_if_any()?);
            let sealed = row.octets()?;
            // Nothing of a person who was erased meanwhile.
            let secret = self.secret_of(controller, tag).await?;
            let address = secret.and_then(|secret| opened_wish(&secret, id, &sealed));
            wishes.push(WishView { id, tag, right, at, forwarded, address });
        }
        Ok(wishes)
    }
}
