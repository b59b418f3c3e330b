//! Host names of the controllers' own, under which their pages are served, and their certificates.
//!
//! Anybody may claim a name; it is in force for the one who put its record into DNS, and for one alone at a time. A
//! name whose record has gone stays in force for a while and then lapses. What lapsed or was given up is retired: no
//! new link leads there, and it is served until it is forgotten, or until somebody else proves that it is his.
//! Invariants: keys of certificates and of the account with an authority lie sealed; a change of what is in force is in
//! memory of this node when its verb returns, and of the others after their next [`Store::refresh_hosts`].
//! Standards: RFC 8555 (what is kept between the steps of an order).

mod book;
mod rounds;

pub use book::{HostBook, HostInForce, KeptCertificate};
pub use rounds::{HostToLook, HostToOrder, Looked, NewCertificate};

pub(crate) use book::Shelf;

use super::*;
use crate::vault::base64url;
use mail::address::Domain;
use model::{HostId, Timestamp};

/// Names of one controller.
const NAMES_MAX: i64 = 20;
/// Random octets of a token.
const TOKEN_OCTETS: usize = 24;
const KEY: &str = "host certificate key";
const ACCOUNT: &str = "certificate account";

/// Where a name stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostState {
    /// Nobody has shown yet that it is his, or no longer.
    Claimed,
    /// In force.
    Verified,
    /// In force, but its record is missing.
    Failing,
    /// No longer in force; served for a while longer, as links in mail that was sent lead there.
    Retired,
}

impl HostState {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Verified => "verified",
            Self::Failing => "failing",
            Self::Retired => "retired",
        }
    }
}

/// A name of a controller.
#[derive(Clone, Debug)]
pub struct HostView {
    /// Its id.
    pub id: HostId,
    /// A-labels in small letters.
    pub name: String,
    /// What its record in DNS must say.
    pub token: String,
    /// When it was claimed.
    pub made: Timestamp,
    /// Since when it is in force.
    pub verified: Option<Timestamp>,
    /// When DNS answered last.
    pub checked: Option<Timestamp>,
    /// Since when its record is missing.
    pub missing: Option<Timestamp>,
    /// What is wrong with its record, or nothing.
    pub fault: String,
    /// When a certificate is ordered next.
    pub order_due: Timestamp,
    /// Orders that failed since the last certificate.
    pub failures: u32,
    /// Why the last one failed, or nothing.
    pub order_fault: String,
    /// From when to when its certificate holds.
    pub certificate: Option<(Timestamp, Timestamp)>,
    /// Since when it is retired.
    pub retired: Option<Timestamp>,
}

impl HostView {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> HostState {
        match (self.retired, self.verified, self.missing) {
            (Some(_), _, _) => HostState::Retired,
            (None, None, _) => HostState::Claimed,
            (None, Some(_), None) => HostState::Verified,
            (None, Some(_), Some(_)) => HostState::Failing,
        }
    }

    fn read(mut row: Columns) -> Result<Self> {
        let id = HostId(row.number()?);
        let (name, token, made) = (row.text()?, row.text()?, row.moment()?);
        let (verified, checked, missing) = (row.moment_if_any()?, row.moment_if_any()?, row.moment_if_any()?);
        let (fault, order_due) = (row.text()?, row.moment()?);
        let failures = u32::try_from(row.number()?).unwrap_or(u32::MAX);
        let order_fault = row.text()?;
        let certificate = row.moment_if_any()?.zip(row.moment_if_any()?);
        let retired = row.moment_if_any()?;
        Ok(Self {
            id,
            name,
            token,
            made,
            verified,
            checked,
            missing,
            fault,
            order_due,
            failures,
            order_fault,
            certificate,
            retired,
        })
    }
}

/// Writes about a name.
fn writes(controller: ControllerId, id: HostId, word: &str, step: Step) -> Writes {
    Writes {
        controller: controller.0,
        person: None,
        reach: Reach::Nothing,
        what: "host",
        event: None,
        detail: crypto::sha256_of_fields(&[word.as_bytes(), &id.0.to_be_bytes()]),
        steps: vec![step],
    }
}

impl Store {
    /// A controller claims a name. Nothing when he has claimed as many as he may.
    ///
    /// # Errors
    /// [`Error::Exists`] when he has claimed it before; those of the engine.
    pub async fn claim_host(&self, controller: ControllerId, name: &Domain) -> Result<Option<HostView>> {
        let (id, token) = (HostId(self.next_id()), base64url::encode(&crypto::random::<TOKEN_OCTETS>()?));
        let values = vec![
            id.0.into(),
            controller.0.into(),
            name.as_str().into(),
            token.into(),
            self.now().into(),
            NAMES_MAX.into(),
        ];
        let step = Step::new(&sql::HOST_INSERT, values);
        self.act(EventType::HostChanged, writes(controller, id, "claimed", step)).await?;
        self.host(controller, id).await
    }

    /// A controller's names, oldest first.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn hosts_of(&self, controller: ControllerId) -> Result<Vec<HostView>> {
        let rows = self.found(&sql::HOSTS, vec![controller.0.into(), NAMES_MAX.into()]).await?;
        rows.into_iter().map(HostView::read).collect()
    }

    /// One of a controller's names.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn host(&self, controller: ControllerId, id: HostId) -> Result<Option<HostView>> {
        let rows = self.found(&sql::HOST, vec![controller.0.into(), id.0.into()]).await?;
        rows.into_iter().next().map(HostView::read).transpose()
    }

    /// Is a name in force for somebody else?
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn is_of_another(&self, controller: ControllerId, name: &str) -> Result<bool> {
        let rows = self.found(&sql::HOST_HOLDER, vec![name.into()]).await?;
        let holder = rows.into_iter().next().map(|mut row| row.number()).transpose()?;
        Ok(holder.is_some_and(|holder| holder != controller.0))
    }

    /// Gives a name up: it is retired, or gone where no link ever led. False when he has none by this id.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn give_host_up(&self, controller: ControllerId, id: HostId) -> Result<bool> {
        let values = || vec![controller.0.into(), id.0.into()];
        let gone = writes(controller, id, "given up", Step::new(&sql::HOST_DELETE, values()));
        let retired = [values(), vec![self.now().into()]].concat();
        let retired = writes(controller, id, "given up", Step::new(&sql::HOST_RETIRE, retired));
        let changed =
            self.act(EventType::HostChanged, gone).await? || self.act(EventType::HostChanged, retired).await?;
        self.refresh_hosts().await?;
        // One that is retired already is given up already.
        Ok(changed || self.host(controller, id).await?.is_some_and(|host| host.state() == HostState::Retired))
    }

    /// What an authority that asks for a token on a name is answered (RFC 8555 §8.3). Looked up where all nodes write
    /// it: the authority may come to another node than the one that ordered.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn challenge_answer(&self, name: &str, token: &str) -> Result<Option<String>> {
        let rows = self.found(&sql::HOST_ANSWER, vec![name.into(), token.into()]).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// The account with the authority whose directory this is.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn certificate_account(&self, directory: &str) -> Result<Option<Vec<u8>>> {
        let Some(mut row) = self.found(&sql::ACME_ACCOUNT, vec![directory.into()]).await?.into_iter().next() else {
            return Ok(None);
        };
        self.vault.open_for_controller(ControllerId::OPERATOR.0, ACCOUNT, &row.octets()?).map(Some)
    }

    /// Keeps an account that was made. False when another node made one before: that one counts.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn keep_certificate_account(&self, directory: &str, account: &[u8]) -> Result<bool> {
        let sealed = self.vault.seal_for_controller(ControllerId::OPERATOR.0, ACCOUNT, account)?;
        let values = vec![directory.into(), self.now().into(), sealed.into()];
        self.note(ControllerId::OPERATOR, HostId(0), Step::new(&sql::ACME_ACCOUNT_INSERT, values)).await
    }

    /// The authority does not know the account any more.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn forget_certificate_account(&self, directory: &str) -> Result<()> {
        let step = Step::new(&sql::ACME_ACCOUNT_DELETE, vec![directory.into()]);
        self.note(ControllerId::OPERATOR, HostId(0), step).await.map(drop)
    }

    /// Writes what is no event of the controller's: no leaf. True when it changed something.
    async fn note(&self, controller: ControllerId, id: HostId, step: Step) -> Result<bool> {
        let touched = self.engine.change(vec![(Change::Rows(writes(controller, id, "", step)), None)]).await?;
        Ok(touched.first().is_some_and(|rows| *rows > 0))
    }
}
