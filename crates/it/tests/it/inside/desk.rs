//! Where what comes back arrives: the inbound door over a socket, and the operator's desk.

use super::house::HOST;
use mail::address::Domain;
use model::ControllerId;
use mta::Names;
use mta::feedback::Feedback;
use smtpd::connections::Bounds;
use smtpd::{Connections, InboundDoor, Kind, Letter, Letters, Listener, Settings};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use store::Store;

/// The door, open.
pub(crate) struct Desk {
    pub(crate) inbound: SocketAddr,
    letters: Arc<Tray>,
    _listener: Listener,
}

/// Letters to the operator.
#[derive(Default)]
struct Tray(parking_lot::Mutex<Vec<Letter>>);

impl Letters for Tray {
    fn keep(&self, letter: &Letter) -> std::io::Result<()> {
        if letter.to_operator {
            self.0.lock().push(letter.clone());
        }
        Ok(())
    }
}

impl Desk {
    /// Keys of those who sign are asked for at `dns`.
    pub(crate) async fn open(store: &Arc<Store>, dns: SocketAddr) -> Self {
        let (host, letters) = (Domain::parse(HOST).unwrap(), Arc::new(Tray::default()));
        let settings = Settings::new(Kind::Inbound, host.clone(), None, Connections::new(Bounds::default()));
        let feedback = Feedback::new(Arc::clone(store), host).with_names(Names::new(Some(dns)).unwrap());
        let door = InboundDoor::new(feedback, Arc::clone(&letters) as Arc<dyn Letters>);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(address, settings, Arc::new(door)).await.unwrap();
        Self { inbound: listener.local_addr(), letters, _listener: listener }
    }

    /// What came for postmaster and abuse.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.letters.0.lock().clone()
    }
}

/// Failures of a domain's mail return below it.
pub(crate) async fn lead_here(store: &Store, controller: ControllerId, domain: &Domain) {
    let returns = Domain::parse(&format!("bounce.{domain}")).unwrap();
    store.name_return_path(controller, domain, Some(&returns)).await.unwrap();
}
