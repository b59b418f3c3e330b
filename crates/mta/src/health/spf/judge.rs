//! What a receiver makes of an address by a domain's SPF record (RFC 7208 §4, `check_host`).
//!
//! Unlike a receiver it goes on after the first mechanism that fits, so that what the whole record costs is known: who
//! sends from elsewhere pays it. Invariant: no more than the limits of §4.6.4 are asked for.

use super::macros::{Subject, expand};
use super::terms::{Bits, Qualifier, Term, parse};
use crate::names::{Found, Names};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

/// RFC 7208 §4.6.4: mechanisms and modifiers that ask DNS.
pub(super) const LOOKUPS_MAX: u32 = 10;
/// RFC 7208 §4.6.4: questions to which there was no answer.
pub(super) const VOIDS_MAX: u32 = 2;
/// RFC 7208 §4.6.4: exchangers of one `mx`, names of one `ptr`.
const HOSTS_MAX: usize = 10;

/// What it comes to (RFC 7208 §2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    None,
    By(Qualifier),
    /// DNS did not answer: about what.
    Temporary(String),
    /// The record is wrong: how.
    Permanent(String),
}

/// Judges one address.
pub(super) struct Judge<'a> {
    names: &'a Names,
    subject: Subject<'a>,
    /// How often it asked.
    pub(super) lookups: u32,
    /// How often in vain.
    pub(super) voids: u32,
    /// It lets everybody pass.
    pub(super) lets_all: bool,
    /// It asks by `ptr`, which §5.5 has nobody do any more.
    pub(super) reverses: bool,
}

/// Something ended the walk.
type Ended = Verdict;

impl<'a> Judge<'a> {
    pub(super) const fn new(names: &'a Names, subject: Subject<'a>) -> Self {
        Self { names, subject, lookups: 0, voids: 0, lets_all: false, reverses: false }
    }

    /// Is more asked for than receivers ask?
    pub(super) const fn exceeds(&self) -> bool {
        self.lookups > LOOKUPS_MAX || self.voids > VOIDS_MAX
    }

    /// By the record of a domain.
    pub(super) fn check<'s>(&'s mut self, domain: &'s str) -> Pin<Box<dyn Future<Output = Verdict> + Send + 's>> {
        Box::pin(async move {
            let texts = match self.names.texts(domain).await {
                Found::Some(texts) => texts,
                Found::None => return Verdict::None,
                Found::NoAnswer => return Verdict::Temporary(domain.to_owned()),
            };
            let mut records = texts.iter().filter(|text| is_record(text));
            let Some(record) = records.next() else { return Verdict::None };
            // §4.5: with more than one there is none that counts.
            if records.next().is_some() {
                return Verdict::Permanent(format!("{domain} has several records that begin with v=spf1"));
            }
            match parse(record) {
                Ok(terms) => self.walk(&terms, domain).await,
                Err(word) => Verdict::Permanent(format!("{domain}: `{word}` is nothing that SPF knows")),
            }
        })
    }

    async fn walk(&mut self, terms: &[Term], domain: &str) -> Verdict {
        let mut first = None;
        for term in terms {
            match self.fits(term, domain).await {
                Ok(Some(qualifier)) => {
                    first.get_or_insert(Verdict::By(qualifier));
                }
                Ok(None) => {}
                // What stands behind a mechanism that fitted stops nobody for whom that fitted.
                Err(ended) => return first.unwrap_or(ended),
            }
        }
        let redirect = terms.iter().find_map(|term| match term {
            Term::Redirect(target) => Some(target),
            _ => None,
        });
        // §6.1: not looked at when there is an `all`.
        let all = terms.iter().any(|term| matches!(term, Term::All(_)));
        match (first, redirect) {
            (Some(first), _) => first,
            (None, Some(target)) if !all => self.redirected(target, domain).await,
            (None, _) => Verdict::By(Qualifier::Neutral),
        }
    }

    async fn redirected(&mut self, target: &str, domain: &str) -> Verdict {
        let target = match self.spend().and_then(|()| self.name(target, domain)) {
            Ok(target) => target,
            Err(ended) => return ended,
        };
        match self.check(&target).await {
            Verdict::None => Verdict::Permanent(format!("redirect leads to {target}, which has no record")),
            verdict => verdict,
        }
    }

    /// What it makes of the address, if it fits.
    async fn fits(&mut self, term: &Term, domain: &str) -> Result<Option<Qualifier>, Ended> {
        let (qualifier, fits) = match term {
            Term::All(qualifier) => {
                self.lets_all |= *qualifier == Qualifier::Pass;
                (*qualifier, true)
            }
            Term::Network(qualifier, network, bits) => {
                self.lets_all |= *qualifier == Qualifier::Pass && *bits == 0;
                (*qualifier, within(self.subject.address, *network, *bits))
            }
            Term::Include(qualifier, target) => (*qualifier, self.includes(target, domain).await?),
            Term::Addresses(qualifier, target, bits) => {
                self.spend()?;
                let host = self.place(target.as_deref(), domain)?;
                (*qualifier, self.has_address(&host, *bits).await?)
            }
            Term::Exchangers(qualifier, target, bits) => {
                self.spend()?;
                let host = self.place(target.as_deref(), domain)?;
                (*qualifier, self.is_exchanger(&host, *bits).await?)
            }
            Term::Reverse(qualifier, target) => {
                self.spend()?;
                self.reverses = true;
                let above = self.place(target.as_deref(), domain)?;
                (*qualifier, self.is_called_below(&above).await?)
            }
            Term::Exists(qualifier, target) => {
                self.spend()?;
                let host = self.name(target, domain)?;
                (*qualifier, !self.addresses(&host, false).await?.is_empty())
            }
            Term::Redirect(_) | Term::Other => return Ok(None),
        };
        Ok(fits.then_some(qualifier))
    }

    /// §5.2
    async fn includes(&mut self, target: &str, domain: &str) -> Result<bool, Ended> {
        self.spend()?;
        let target = self.name(target, domain)?;
        match self.check(&target).await {
            Verdict::By(qualifier) => Ok(qualifier == Qualifier::Pass),
            Verdict::None => Err(Verdict::Permanent(format!("include leads to {target}, which has no record"))),
            ended => Err(ended),
        }
    }

    async fn has_address(&mut self, host: &str, bits: Bits) -> Result<bool, Ended> {
        let address = self.subject.address;
        let bits = if address.is_ipv4() { bits.four } else { bits.six };
        Ok(self.addresses(host, true).await?.into_iter().any(|one| within(address, one, bits)))
    }

    /// §5.4
    async fn is_exchanger(&mut self, domain: &str, bits: Bits) -> Result<bool, Ended> {
        let hosts = match self.names.exchangers(domain).await {
            Found::Some(hosts) => hosts,
            Found::None => return self.in_vain().map(|()| false),
            Found::NoAnswer => return Err(Verdict::Temporary(domain.to_owned())),
        };
        if hosts.len() > HOSTS_MAX {
            return Err(Verdict::Permanent(format!("mx: {domain} has more than {HOSTS_MAX} exchangers")));
        }
        let mut fits = false;
        for host in hosts {
            fits |= self.has_address(&host, bits).await?;
        }
        Ok(fits)
    }

    /// §5.5
    async fn is_called_below(&mut self, above: &str) -> Result<bool, Ended> {
        let called = match self.names.names_of(self.subject.address).await {
            Found::Some(called) => called,
            // §5.5: whatever goes wrong, it does not fit.
            Found::None | Found::NoAnswer => return Ok(false),
        };
        let above = above.to_ascii_lowercase();
        for name in called.into_iter().take(HOSTS_MAX) {
            let name = name.to_ascii_lowercase();
            let below = name == above || name.strip_suffix(&above).is_some_and(|rest| rest.ends_with('.'));
            let addresses = self.names.addresses(&name).await;
            if below && matches!(addresses, Found::Some(all) if all.contains(&self.subject.address)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Of the family of the address that is judged; `exists` always asks for IPv4 (§5.7).
    async fn addresses(&mut self, host: &str, of_its_family: bool) -> Result<Vec<IpAddr>, Ended> {
        let four = !of_its_family || self.subject.address.is_ipv4();
        match self.names.addresses(host).await {
            Found::Some(all) => {
                let all: Vec<IpAddr> = all.into_iter().filter(|one| one.is_ipv4() == four).collect();
                if all.is_empty() {
                    self.in_vain()?;
                }
                Ok(all)
            }
            Found::None => self.in_vain().map(|()| Vec::new()),
            Found::NoAnswer => Err(Verdict::Temporary(host.to_owned())),
        }
    }

    fn place(&self, target: Option<&str>, domain: &str) -> Result<String, Ended> {
        target.map_or(Ok(domain.to_owned()), |target| self.name(target, domain))
    }

    fn name(&self, target: &str, domain: &str) -> Result<String, Ended> {
        let named = expand(target, domain, &self.subject);
        named.ok_or_else(|| Verdict::Permanent(format!("{domain}: `{target}` is no name")))
    }

    fn spend(&mut self) -> Result<(), Ended> {
        self.lookups += 1;
        if self.lookups <= LOOKUPS_MAX {
            return Ok(());
        }
        Err(Verdict::Permanent(format!("it takes more than {LOOKUPS_MAX} questions to DNS")))
    }

    fn in_vain(&mut self) -> Result<(), Ended> {
        self.voids += 1;
        if self.voids <= VOIDS_MAX {
            return Ok(());
        }
        Err(Verdict::Permanent(format!("more than {VOIDS_MAX} names that it asks for are not there")))
    }
}

/// §4.5
pub(super) fn is_record(text: &str) -> bool {
    let begins = text.get(..6).is_some_and(|begin| begin.eq_ignore_ascii_case("v=spf1"));
    begins && matches!(text.as_bytes().get(6), None | Some(b' '))
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            one.to_bits() & mask == other.to_bits() & mask
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            one.to_bits() & mask == other.to_bits() & mask
        }
        _ => false,
    }
}
