//! REQUIRETLS: a message that travels over TLS to hosts that are known, or not at all.
//!
//! A site's connection may be good enough for all other mail and not for this. Then each of the domain's exchangers is
//! tried, once, by a connection of its own, and where none will do the message comes back.
//! Invariants: such a message goes only where [`Link::lacks`] says that nothing is missing; what EHLO, DNS or a
//! certificate says is a no for good; what did not answer is a fault of the moment. Standards: RFC 8689 §4.2.1.

use super::egress::AddressId;
use super::engine::Engine;
use super::route::{Hop, Route};
use super::scheduler::{Bound, NO_FAMILY, Pooled};
use super::send::{Link, NotOpened};
use super::worker::tell;
use mail::reply::EnhancedCode;

/// What is missing of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Lack {
    /// (1): neither DNSSEC nor an enforced MTA-STS policy says that this is an exchanger of the domain.
    Exchanger,
    /// (2), (3): it is not encrypted, or the peer's certificate is not shown to be his.
    Tls,
    /// (4): the peer does not announce REQUIRETLS.
    Promise,
}

impl Lack {
    /// RFC 8689 §4.2.1, §7: the code of the failure.
    pub(crate) const fn enhanced(self) -> EnhancedCode {
        match self {
            Self::Exchanger | Self::Tls => EnhancedCode::new(5, 7, 10),
            Self::Promise => EnhancedCode::new(5, 7, 30),
        }
    }

    /// A sentence for the record of the attempt, without personal data.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Exchanger => {
                "REQUIRETLS demanded, and neither DNSSEC nor an enforced MTA-STS policy says who the domain's \
                 exchangers are: encryption needed"
            }
            Self::Tls => {
                "REQUIRETLS demanded, and no exchanger of the domain has TLS with a certificate that is shown to be \
                 his: encryption needed"
            }
            Self::Promise => {
                "REQUIRETLS demanded, and no exchanger of the domain announces it: REQUIRETLS support required"
            }
        }
    }
}

const NO_PLACE: &str = "the receiver has no place for another connection";

/// What came of looking for another way.
pub(crate) enum Elsewhere {
    /// This one will do.
    Link(Box<Link>),
    /// None will. The connection of before, where no other was tried.
    Nowhere(Lack, Option<Box<Link>>),
    /// Not all could be asked.
    Later(&'static str),
}

/// Looks among the domain's other exchangers for one that will do. `link` will not. `via`: the address of ours that the
/// connection has; afterwards the one that it has now.
pub(crate) async fn elsewhere(
    engine: &Engine,
    site: &Pooled,
    via: &mut Option<AddressId>,
    (link, lack): (Box<Link>, Lack),
) -> Elsewhere {
    let way = match engine.router.route(site, engine.seed()).await {
        Route::Way(way) => way,
        Route::Never(never) => return Elsewhere::Later(never.sentence()),
        Route::Later(trouble) => return Elsewhere::Later(trouble),
    };
    let others: Vec<&Hop> = way.hops.iter().filter(|hop| link.may_differ(hop)).collect();
    if others.is_empty() {
        return Elsewhere::Nowhere(lack, Some(link));
    }
    // Its place at the receiver goes to the next.
    link.quit().await;
    // What comes nearest is told.
    let (mut nearest, mut trouble) = (lack, None);
    for hop in others {
        let now = engine.store.now();
        let Some(berth) = engine.with(|picture| picture.seat(site, &way.exchangers, *via, now)) else {
            return Elsewhere::Later(NO_PLACE);
        };
        let own = match engine.with(|picture| picture.bind(site, via, hop.address.ip(), now)) {
            Bound::To(own) => own,
            Bound::Full => return Elsewhere::Later(NO_PLACE),
            Bound::NoFamily => {
                trouble = Some(NO_FAMILY);
                continue;
            }
        };
        let is_own = engine.with(|picture| picture.is_own(&berth.receiver, &hop.host));
        let dialled = engine.dialer.dial(hop, false, own, now).await;
        tell(engine, (site, hop), &dialled, now);
        match dialled {
            Ok(mut link) => {
                let warm = engine.with(|picture| picture.allowance(own, &berth.receiver.name));
                link.take_place(berth, (own, warm), is_own);
                match link.lacks() {
                    None => return Elsewhere::Link(Box::new(link)),
                    Some(lack) => nearest = nearest.max(lack),
                }
                link.quit().await;
            }
            Err(NotOpened::Unreachable(why)) => trouble = Some(why),
            Err(NotOpened::NotOurs) => {
                engine.bar(own);
                engine.with(|picture| picture.unbind(site, via));
                trouble = Some("the address that it was to come from is not this machine's at the moment");
            }
            Err(NotOpened::Handshake(_)) => trouble = Some("TLS could not be established with an exchanger"),
        }
    }
    trouble.map_or(Elsewhere::Nowhere(nearest, None), Elsewhere::Later)
}
