//! Names that are served, in memory: each connection, request and marketing message asks for one.

use super::*;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// Names read at once.
const PAGE: i64 = 1_000;

/// A name that is served: in force, or retired.
#[derive(Clone, Debug)]
pub struct HostInForce {
    /// Its id.
    pub id: HostId,
    /// Whose.
    pub controller: ControllerId,
    /// A-labels in small letters.
    pub name: Arc<str>,
    /// `https://` and the name.
    pub address: Arc<str>,
    /// Its certificate, once there is one.
    pub certificate: Option<KeptCertificate>,
    /// Since when it is in force no more.
    pub retired: Option<Timestamp>,
    revision: i64,
}

/// A certificate and its sealed key.
#[derive(Clone)]
pub struct KeptCertificate {
    /// Rises with each certificate of the name.
    pub revision: i64,
    /// From when it holds.
    pub starts: Timestamp,
    /// Until when.
    pub ends: Timestamp,
    /// It and those that lead to its authority, as PEM.
    pub chain: Vec<u8>,
    sealed: Vec<u8>,
}

impl std::fmt::Debug for KeptCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptCertificate").field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl KeptCertificate {
    /// Does it hold at this moment?
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.starts <= now && now < self.ends
    }
}

/// All names that are served, as of one look.
#[derive(Default, Debug)]
pub struct HostBook {
    by_name: HashMap<Arc<str>, Arc<HostInForce>>,
    by_controller: HashMap<ControllerId, Vec<Arc<HostInForce>>>,
}

impl HostBook {
    /// By its name, in small letters.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<HostInForce>> {
        self.by_name.get(name)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<HostInForce>> {
        self.by_name.values()
    }

    fn of(&self, controller: ControllerId) -> &[Arc<HostInForce>] {
        self.by_controller.get(&controller).map_or(&[], Vec::as_slice)
    }

    /// The one under which a controller's pages are reached now: of those in force whose certificate holds, the oldest.
    #[must_use]
    pub fn reached(&self, controller: ControllerId, now: Timestamp) -> Option<&Arc<HostInForce>> {
        let holds = |host: &HostInForce| host.certificate.as_ref().is_some_and(|kept| kept.holds(now));
        self.of(controller).iter().find(|host| host.retired.is_none() && holds(host))
    }

    /// Of several controllers the one who proved the name has it: nobody else's pages are there from that moment on.
    fn put(&mut self, host: &Arc<HostInForce>) {
        self.by_controller.entry(host.controller).or_default().push(Arc::clone(host));
        // In force before retired, and retired later before earlier.
        let rank = |host: &HostInForce| (host.retired.is_none(), host.retired);
        if self.named(&host.name).is_none_or(|known| rank(known) < rank(host)) {
            self.by_name.insert(Arc::clone(&host.name), Arc::clone(host));
        }
    }
}

/// The book in use.
#[derive(Default)]
pub(crate) struct Shelf {
    book: RwLock<Arc<HostBook>>,
    /// Whoever reads anew holds it: an older reading never replaces a newer one.
    turn: tokio::sync::Mutex<()>,
}

impl Store {
    /// Names that are served.
    #[must_use]
    pub fn host_book(&self) -> Arc<HostBook> {
        Arc::clone(&self.shelf.book.read())
    }

    /// The address of a controller's pages under a name of his own, when one is in force and its certificate holds.
    #[must_use]
    pub fn own_pages(&self, controller: ControllerId) -> Option<Arc<str>> {
        self.host_book().reached(controller, self.now()).map(|host| Arc::clone(&host.address))
    }

    /// Opens the key of a certificate, as PEM.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn open_certificate_key(&self, host: &HostInForce, kept: &KeptCertificate) -> Result<Vec<u8>> {
        self.vault.open_for_controller(host.controller.0, KEY, &kept.sealed)
    }

    /// Reads what is served anew: other nodes change it, too.
    ///
    /// # Errors
    /// Those of the engine; what was in memory stays.
    pub async fn refresh_hosts(&self) -> Result<()> {
        let _turn = self.shelf.turn.lock().await;
        let (before, mut book, mut above) = (self.host_book(), HostBook::default(), 0);
        loop {
            let rows = self.found(&sql::HOSTS_SERVED, vec![above.into(), PAGE.into()]).await?;
            let count = rows.len();
            for mut row in rows {
                let (id, controller) = (HostId(row.number()?), ControllerId(row.number()?));
                let (name, revision, retired) = (row.text()?, row.number()?, row.moment_if_any()?);
                above = id.0;
                let same = |known: &HostInForce| (known.id, known.revision, known.retired) == (id, revision, retired);
                book.put(&match before.named(&name) {
                    Some(known) if same(known) => Arc::clone(known),
                    _ => {
                        let certificate = self.kept_certificate(controller, id).await?;
                        let (name, address) = (Arc::from(name.as_str()), Arc::from(format!("https://{name}")));
                        Arc::new(HostInForce { id, controller, name, address, certificate, retired, revision })
                    }
                });
            }
            if count < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                break;
            }
        }
        *self.shelf.book.write() = Arc::new(book);
        Ok(())
    }

    async fn kept_certificate(&self, controller: ControllerId, id: HostId) -> Result<Option<KeptCertificate>> {
        let rows = self.found(&sql::HOST_CERTIFICATE, vec![controller.0.into(), id.0.into()]).await?;
        let read = |mut row: Columns| {
            let (revision, starts, ends) = (row.number()?, row.moment()?, row.moment()?);
            Ok::<_, Error>(KeptCertificate { revision, starts, ends, chain: row.octets()?, sealed: row.octets()? })
        };
        rows.into_iter().next().map(read).transpose()
    }
}
