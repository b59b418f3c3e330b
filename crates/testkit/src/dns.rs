//! A DNS server on loopback, over UDP and TCP, with a zone that a test sets and changes at any time.
//!
//! A name of which nothing is known does not exist (NXDOMAIN); a name with records of another type has no data
//! (NODATA, RFC 2308 §2.2). All lives are 0 seconds, so that a resolver asks again after a change.
//! Standards: RFC 1035 (format), RFC 7505 (null MX), RFC 2308 (negative answers), RFC 7766 (TCP).

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

mod wire;

pub use wire::RecordType;
use wire::{Question, Record, Response};

/// RFC 1035 §4.2.1: a larger answer over UDP is cut, and asked for again over TCP.
const UDP_OCTETS_MAX: usize = 512;
/// Aliases that are followed: a circle of them has no end.
const ALIASES_MAX: usize = 16;
/// Ports tried until one is free for UDP and TCP alike.
const PORT_ATTEMPTS: usize = 64;

/// The server. Dropping it ends it.
#[derive(Debug)]
pub struct FakeDns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Zone {
    records: HashMap<String, Vec<Record>>,
    failing: HashSet<String>,
    silent: HashSet<String>,
    queries: HashMap<(String, u16), u64>,
}

impl FakeDns {
    /// Listens on a free port of 127.0.0.1, with an empty zone.
    ///
    /// # Errors
    /// When no port is free for UDP and TCP alike.
    pub async fn start() -> io::Result<Self> {
        let (udp, tcp) = bind().await?;
        let address = tcp.local_addr()?;
        let zone = Arc::new(Mutex::new(Zone::default()));
        let tasks =
            vec![tokio::spawn(serve_udp(udp, Arc::clone(&zone))), tokio::spawn(serve_tcp(tcp, Arc::clone(&zone)))];
        Ok(Self { address, zone, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Adds an MX host (RFC 5321 §5.1).
    pub fn mx(&self, domain: &str, preference: u16, host: &str) -> &Self {
        self.add(domain, Record::Mx { preference, host: host.to_owned() })
    }

    /// The domain takes no mail: RFC 7505.
    pub fn null_mx(&self, domain: &str) -> &Self {
        self.add(domain, Record::Mx { preference: 0, host: String::new() })
    }

    /// Adds an address: A or AAAA.
    pub fn address(&self, host: &str, address: IpAddr) -> &Self {
        self.add(host, Record::Address(address))
    }

    /// Adds 127.0.0.1 as the address: where fake servers listen.
    pub fn loopback(&self, host: &str) -> &Self {
        self.address(host, IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Adds a text of any length.
    pub fn txt(&self, name: &str, text: &str) -> &Self {
        self.add(name, Record::Txt(text.to_owned()))
    }

    /// The name of an address (RFC 1035 §3.5, RFC 3596 §2.5).
    pub fn ptr(&self, address: IpAddr, name: &str) -> &Self {
        self.add(&reverse(address), Record::Ptr(name.to_owned()))
    }

    /// The name is an alias.
    pub fn cname(&self, name: &str, target: &str) -> &Self {
        self.add(name, Record::Cname(target.to_owned()))
    }

    /// The name exists and has no records: NODATA for every type.
    pub fn nodata(&self, name: &str) -> &Self {
        self.zone.lock().records.insert(key(name), Vec::new());
        self
    }

    /// The name does not exist, which is also so for every name never set.
    pub fn nxdomain(&self, name: &str) -> &Self {
        self.clear(name)
    }

    /// Questions about the name end in SERVFAIL until it is cleared.
    pub fn servfail(&self, name: &str) -> &Self {
        self.zone.lock().failing.insert(key(name));
        self
    }

    /// Questions about the name are not answered until it is cleared.
    pub fn silence(&self, name: &str) -> &Self {
        self.zone.lock().silent.insert(key(name));
        self
    }

    /// Forgets everything about the name.
    pub fn clear(&self, name: &str) -> &Self {
        let mut zone = self.zone.lock();
        let name = key(name);
        zone.records.remove(&name);
        zone.failing.remove(&name);
        zone.silent.remove(&name);
        drop(zone);
        self
    }

    /// How often the name was asked for with this type.
    #[must_use]
    pub fn queries(&self, name: &str, kind: RecordType) -> u64 {
        self.zone.lock().queries.get(&(key(name), kind.code())).copied().unwrap_or(0)
    }

    /// How many questions came.
    #[must_use]
    pub fn queries_in_all(&self) -> u64 {
        self.zone.lock().queries.values().sum()
    }

    fn add(&self, name: &str, record: Record) -> &Self {
        self.zone.lock().records.entry(key(name)).or_default().push(record);
        self
    }
}

impl Drop for FakeDns {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Where the names of an address are asked for.
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(four) => {
            let [a, b, c, d] = four.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(six) => {
            let nibbles = six.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).chain(["ip6.arpa".to_owned()]).collect()
        }
    }
}

async fn bind() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..PORT_ATTEMPTS {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

async fn serve_udp(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = [0; 4096];
    loop {
        // An ICMP error of an earlier answer may come up here; it concerns nobody any more.
        let Ok((octets, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let Some(query) = buffer.get(..octets) else { continue };
        if let Some(answer) = answer(query, &zone, UDP_OCTETS_MAX) {
            let _ = socket.send_to(&answer, peer).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Mutex<Zone>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let zone = Arc::clone(&zone);
        tokio::spawn(async move {
            let _ = serve_connection(stream, &zone).await;
        });
    }
}

/// RFC 1035 §4.2.2: each message has its length before it.
async fn serve_connection(mut stream: TcpStream, zone: &Mutex<Zone>) -> io::Result<()> {
    loop {
        let octets = usize::from(stream.read_u16().await?);
        let mut query = vec![0; octets];
        stream.read_exact(&mut query).await?;
        let Some(answer) = answer(&query, zone, usize::from(u16::MAX)) else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(&answer).await?;
    }
}

/// `None`: say nothing.
fn answer(query: &[u8], zone: &Mutex<Zone>, octets_max: usize) -> Option<Vec<u8>> {
    let question = Question::read(query)?;
    let mut zone = zone.lock();
    let name = key(&question.name);
    *zone.queries.entry((name.clone(), question.kind)).or_default() += 1;
    if zone.silent.contains(&name) {
        return None;
    }
    let response = if zone.failing.contains(&name) { Response::failure() } else { zone.look_up(&name, question.kind) };
    Some(response.write(&question, octets_max))
}

impl Zone {
    /// Follows aliases within the zone (RFC 1034 §3.6.2), as a resolver would.
    fn look_up(&self, name: &str, kind: u16) -> Response {
        let mut response = Response::success();
        let mut owner = name.to_owned();
        for _ in 0..ALIASES_MAX {
            let Some(records) = self.records.get(&owner) else {
                response.not_found();
                break;
            };
            let mut alias = None;
            for record in records {
                if record.kind() == kind {
                    response.answer(&owner, record);
                } else if let Record::Cname(target) = record {
                    response.answer(&owner, record);
                    alias = Some(key(target));
                }
            }
            match alias {
                Some(target) => owner = target,
                None => break,
            }
        }
        response
    }
}

#[cfg(test)]
mod tests;
