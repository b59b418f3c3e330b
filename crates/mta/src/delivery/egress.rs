//! Egress: the addresses that mail leaves from, the names they say at EHLO, and the pools they stand in.
//!
//! A message goes by one pool: that which the operator assigned to its controller (`assigned`), else that of its class.
//! Invariants: an address is in one pool, since receivers count by address, and what two pools share would be one
//! reputation; a pool is never empty; there is always the pool [`DEFAULT`], with what the system chooses where nothing
//! is configured; nothing goes by an address of another pool.
//! Values, read once at the start. Standards: RFC 5321 §4.1.1.1 (EHLO), protocols-and-scale C6, L6.

pub(crate) mod assigned;
#[cfg(test)]
mod tests;
pub(crate) mod warming;

use model::stream::Class;
use std::net::IpAddr;

/// The pool of those who assign nothing.
pub const DEFAULT: &str = "default";
/// Addresses, and pools, that may be configured.
const MOST: usize = 64;

/// An address, by its place in the settings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(crate) struct AddressId(pub(crate) u8);

/// A pool, by its place in the settings; 0 is [`DEFAULT`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(crate) struct PoolId(pub(crate) u8);

/// An address that mail leaves from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EgressAddress {
    /// What the operator calls it.
    pub name: String,
    /// The address; nothing: whichever the system chooses.
    pub address: Option<IpAddr>,
    /// The name it has in DNS, said at EHLO.
    pub ehlo: String,
    /// Its share of the connections of its pool.
    pub weight: u32,
}

impl EgressAddress {
    /// Can a connection to this peer come from it?
    pub(crate) fn reaches(&self, peer: IpAddr) -> bool {
        self.address.is_none_or(|own| own.is_ipv4() == peer.is_ipv4())
    }
}

/// A pool.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pool {
    name: String,
    addresses: Vec<AddressId>,
}

/// Addresses and pools.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Egress {
    addresses: Vec<EgressAddress>,
    pools: Vec<Pool>,
    prompt: PoolId,
    bulk: PoolId,
}

/// What the settings say.
#[derive(Clone, Copy, Debug)]
pub struct EgressTexts<'a> {
    /// `NAME ADDRESS ehlo=HOST weight=N` each.
    pub addresses: &'a [String],
    /// `NAME ADDRESS-NAME…` each.
    pub pools: &'a [String],
    /// The pool for mail that a person waits for: transactional, service, legal.
    pub transactional: &'a str,
    /// The pool for marketing.
    pub marketing: &'a str,
    /// The node's own name.
    pub ehlo: &'a str,
}

/// Why the settings make no pools.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoEgress {
    /// An address is not written as one is.
    #[error("{0:?} is not NAME ADDRESS ehlo=HOST weight=N, with ehlo and weight (1 to 100) where they are needed")]
    Address(String),
    /// A pool is not written as one is.
    #[error("{0:?} is not NAME followed by the names of its addresses")]
    Pool(String),
    /// A name is there twice.
    #[error("{0} is there twice")]
    Twice(String),
    /// A pool names an address that is not there.
    #[error("the pool {pool} names {address}, which egress.addresses does not have")]
    Unknown {
        /// The pool.
        pool: String,
        /// What it names.
        address: String,
    },
    /// Two pools have the same address.
    #[error("{0} is in two pools: receivers count by address, so the pools would share what they are kept apart for")]
    Shared(String),
    /// An address is in no pool.
    #[error("{0} is in no pool, so nothing would leave from it")]
    Idle(String),
    /// A class of mail is to go by a pool that is not there.
    #[error("there is no pool {0}")]
    NoPool(String),
    /// There are too many.
    #[error("there are more than 63 addresses or pools")]
    TooMany,
}

impl Egress {
    /// Whatever the system chooses, under this name.
    #[must_use]
    pub fn plain(ehlo: &str) -> Self {
        let address = EgressAddress { name: DEFAULT.to_owned(), address: None, ehlo: ehlo.to_owned(), weight: 1 };
        let pool = Pool { name: DEFAULT.to_owned(), addresses: vec![AddressId(0)] };
        Self { addresses: vec![address], pools: vec![pool], prompt: PoolId(0), bulk: PoolId(0) }
    }

    /// From the settings.
    ///
    /// # Errors
    /// [`NoEgress`], the first of what is wrong.
    pub fn read(texts: EgressTexts<'_>) -> Result<Self, NoEgress> {
        let mut egress = Self { addresses: Vec::new(), pools: Vec::new(), prompt: PoolId(0), bulk: PoolId(0) };
        for text in texts.addresses {
            let address = address_of(text, texts.ehlo).ok_or_else(|| NoEgress::Address(text.clone()))?;
            if egress.addresses.iter().any(|known| known.name == address.name || known.address == address.address) {
                return Err(NoEgress::Twice(address.name));
            }
            egress.addresses.push(address);
        }
        let mut said = texts.pools.iter().map(|text| egress.pool_of_text(text)).collect::<Result<Vec<_>, _>>()?;
        // The default pool stands first, named or not.
        match said.iter().position(|pool| pool.name == DEFAULT) {
            Some(at) => said.swap(0, at),
            None => {
                let plain = Self::plain(texts.ehlo).addresses.remove(0);
                said.insert(0, Pool { name: DEFAULT.to_owned(), addresses: vec![id_of(egress.addresses.len())] });
                egress.addresses.push(plain);
            }
        }
        if said.len() >= MOST || egress.addresses.len() >= MOST {
            return Err(NoEgress::TooMany);
        }
        egress.pools = said;
        egress.check()?;
        egress.prompt = egress.pool(texts.transactional).ok_or_else(|| NoEgress::NoPool(texts.transactional.into()))?;
        egress.bulk = egress.pool(texts.marketing).ok_or_else(|| NoEgress::NoPool(texts.marketing.into()))?;
        Ok(egress)
    }

    fn pool_of_text(&self, text: &str) -> Result<Pool, NoEgress> {
        let mut words = text.split_whitespace();
        let name = words.next().filter(|name| is_name(name)).ok_or_else(|| NoEgress::Pool(text.to_owned()))?;
        let mut addresses = Vec::new();
        for word in words {
            let unknown = || NoEgress::Unknown { pool: name.to_owned(), address: word.to_owned() };
            let at = self.addresses.iter().position(|address| address.name == word).ok_or_else(unknown)?;
            addresses.push(id_of(at));
        }
        if addresses.is_empty() {
            return Err(NoEgress::Pool(text.to_owned()));
        }
        Ok(Pool { name: name.to_owned(), addresses })
    }

    fn check(&self) -> Result<(), NoEgress> {
        for (at, pool) in self.pools.iter().enumerate() {
            if self.pools.iter().take(at).any(|other| other.name == pool.name) {
                return Err(NoEgress::Twice(pool.name.clone()));
            }
        }
        for (at, address) in self.addresses.iter().enumerate() {
            let id = id_of(at);
            let places = self.pools.iter().flat_map(|pool| &pool.addresses).filter(|named| **named == id).count();
            match places {
                1 => {}
                0 => return Err(NoEgress::Idle(address.name.clone())),
                _ => return Err(NoEgress::Shared(address.name.clone())),
            }
        }
        Ok(())
    }

    /// Is there only what the system chooses?
    pub(crate) fn is_plain(&self) -> bool {
        self.pools.len() == 1 && self.addresses.iter().all(|address| address.address.is_none())
    }

    pub(crate) fn pool_count(&self) -> u8 {
        u8::try_from(self.pools.len()).unwrap_or(u8::MAX)
    }

    /// All addresses.
    #[must_use]
    pub fn addresses(&self) -> &[EgressAddress] {
        &self.addresses
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = (AddressId, &EgressAddress)> {
        self.addresses.iter().enumerate().map(|(at, address)| (id_of(at), address))
    }

    pub(crate) fn address(&self, id: AddressId) -> Option<&EgressAddress> {
        self.addresses.get(usize::from(id.0))
    }

    /// The pool of this name.
    pub(crate) fn pool(&self, name: &str) -> Option<PoolId> {
        self.pools.iter().position(|pool| pool.name == name).map(|at| PoolId(id_of(at).0))
    }

    pub(crate) fn pool_name(&self, pool: PoolId) -> &str {
        self.pools.get(usize::from(pool.0)).map_or(DEFAULT, |pool| pool.name.as_str())
    }

    pub(crate) fn addresses_of(&self, pool: PoolId) -> &[AddressId] {
        self.pools.get(usize::from(pool.0)).map_or(&[], |pool| pool.addresses.as_slice())
    }

    /// The pool that an address is in.
    pub(crate) fn home_of(&self, id: AddressId) -> PoolId {
        PoolId(id_of(self.pools.iter().position(|pool| pool.addresses.contains(&id)).unwrap_or(0)).0)
    }

    /// The pool of mail that nobody assigned otherwise.
    pub(crate) const fn pool_for(&self, class: Class) -> PoolId {
        match class {
            Class::Prompt => self.prompt,
            Class::Bulk => self.bulk,
        }
    }
}

fn id_of(at: usize) -> AddressId {
    AddressId(u8::try_from(at).unwrap_or(u8::MAX))
}

/// As people write a pool's or an address's name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
}

fn address_of(text: &str, ehlo: &str) -> Option<EgressAddress> {
    let mut words = text.split_whitespace();
    let name = words.next().filter(|name| is_name(name))?;
    let address: IpAddr = words.next()?.parse().ok()?;
    if address.is_unspecified() || address.is_multicast() {
        return None;
    }
    let mut said = EgressAddress { name: name.to_owned(), address: Some(address), ehlo: ehlo.to_owned(), weight: 1 };
    for word in words {
        match word.split_once('=')? {
            ("ehlo", host) => said.ehlo = mail::address::Domain::parse(host).ok()?.as_str().to_owned(),
            ("weight", number) => said.weight = number.parse().ok().filter(|weight| (1..=100).contains(weight))?,
            _ => return None,
        }
    }
    Some(said)
}
