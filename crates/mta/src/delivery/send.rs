//! The connection to a receiver. The only place that opens outgoing sockets for mail.
//!
//! Invariants: MAIL is written only for a [`Clearance`], which is used up by it; the final dot, or the last chunk,
//! leaves only by [`Link::finish`]; at most [`BLOCK_OCTETS`] of content are copied at a time, however large the message
//! is.
//! Never: a retry, a decision whether to send, a log line with what the peer said.
//! Standards: RFC 5321 §4.5.3.2 (timeouts), RFC 3207 (STARTTLS), RFC 2920 (written as one group), RFC 3030 (chunks).

use super::egress::warming::{Allowance, Reply};
use super::egress::{AddressId, Egress};
use super::required::Lack;
use super::route::Hop;
use super::scheduler::{Against, Berth};
use super::security::Basis;
use super::settings::{Settings, Timeouts, TlsPolicy};
use super::tls::{Authenticated, Seen, Tls, TlsFailure};
use bytes::BytesMut;
use gate::Clearance;
use gate::facts::Connection;
use mail::client::{
    BeginError, BodyError, Capabilities, Client, ClientSettings, Failure, Interrupted, Outcome, Stage, Step, TlsUse,
    Transaction,
};
use model::Timestamp;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use store::QueueRow;
use tokio::time::timeout;
use wire::{READ_OCTETS, Wire, connect, connect_trouble, hello_name};

mod wire;
pub(crate) use wire::is_ours;

/// Content is stuffed and written in blocks of this size.
const BLOCK_OCTETS: usize = 64 * 1024;

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    tls: Tls,
    policy: TlsPolicy,
    /// Said where the system chooses the address.
    ehlo_name: String,
    egress: Arc<Egress>,
    timeouts: Timeouts,
}

/// Why a connection was not made. Words without personal data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotOpened {
    /// The address does not answer, or not as a mail server.
    Unreachable(&'static str),
    /// The TLS that is asked for did not come about.
    Handshake(Broken),
    /// The address that it was to come from is not this machine's.
    NotOurs,
}

/// How TLS did not come about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Broken {
    pub(crate) failure: TlsFailure,
    /// This node's address on the connection.
    pub(crate) local: Option<IpAddr>,
}

impl Dialer {
    /// # Errors
    /// See [`Tls::new`].
    pub(crate) fn new(settings: &Settings) -> Result<Self, rustls::Error> {
        Ok(Self {
            tls: Tls::new(settings)?,
            policy: settings.tls,
            ehlo_name: settings.ehlo_name.clone(),
            egress: Arc::clone(&settings.egress),
            timeouts: settings.timeouts,
        })
    }

    /// May a failed handshake with it be followed by a connection in clear?
    pub(crate) fn may_go_clear(&self, hop: &Hop) -> bool {
        self.policy == TlsPolicy::Opportunistic && hop.demand.allows_clear()
    }

    /// Connects from this address of ours, greets, and encrypts as it is demanded. `clear`: TLS failed with this site a
    /// while ago.
    pub(crate) async fn dial(&self, hop: &Hop, clear: bool, own: AddressId, now: Timestamp) -> Result<Link, NotOpened> {
        let tls = match self.policy {
            TlsPolicy::None => TlsUse::Never,
            TlsPolicy::Opportunistic if !hop.demand.allows_clear() => TlsUse::Required,
            TlsPolicy::Opportunistic if clear => TlsUse::Never,
            TlsPolicy::Opportunistic => TlsUse::IfOffered,
            TlsPolicy::Required => TlsUse::Required,
        };
        let own = self.egress.address(own).ok_or(NotOpened::NotOurs)?;
        let connecting = timeout(self.timeouts.connect, connect(own.address, hop.address));
        let stream = match connecting.await {
            Err(_) => return Err(NotOpened::Unreachable("no answer to the connection")),
            Ok(Err(error)) if error.kind() == io::ErrorKind::AddrNotAvailable && own.address.is_some() => {
                return Err(NotOpened::NotOurs);
            }
            Ok(Err(error)) => return Err(NotOpened::Unreachable(connect_trouble(&error))),
            Ok(Ok(stream)) => stream,
        };
        // A group of commands and a final dot are written whole: waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().ok();
        let name = if own.address.is_some() { &own.ehlo } else { &self.ehlo_name };
        let ehlo_name = hello_name(name, local);
        let mut link = Link {
            wire: Some(Wire::Plain(stream)),
            leaves: own.address.map(|address| format!("from {address} as {ehlo_name}\n")),
            client: Client::new(ClientSettings { ehlo_name, tls }),
            input: BytesMut::with_capacity(READ_OCTETS),
            out: BytesMut::with_capacity(READ_OCTETS),
            timeouts: self.timeouts,
            seen: None,
            local: local.map(|local| local.ip()),
            carried: 0,
            opened_at: now,
            hop: hop.clone(),
            berth: None,
            own: AddressId::default(),
            warm: None,
            is_own: false,
        };
        loop {
            match link.step().await {
                Ok(Step::Ready) => return Ok(link),
                Ok(Step::StartTls) => self.encrypt(&mut link, hop).await?,
                Ok(Step::Failed(Failure::TlsUnavailable(_))) => {
                    let (failure, local) = (TlsFailure::NotOffered, link.local);
                    return Err(NotOpened::Handshake(Broken { failure, local }));
                }
                Ok(_) => return Err(NotOpened::Unreachable("the greeting was refused")),
                Err(trouble) => return Err(NotOpened::Unreachable(trouble)),
            }
        }
    }

    async fn encrypt(&self, link: &mut Link, hop: &Hop) -> Result<(), NotOpened> {
        let Some(Wire::Plain(stream)) = link.wire.take() else {
            return Err(NotOpened::Unreachable("the peer asked for TLS within TLS"));
        };
        let shaking = timeout(self.timeouts.handshake, self.tls.shake_hands(stream, hop));
        match shaking.await {
            Ok(Ok(stream)) => {
                link.seen = Some(self.tls.seen(&stream, hop));
                link.wire = Some(Wire::Tls(Box::new(stream)));
            }
            Ok(Err(error)) => {
                let (failure, local) = (TlsFailure::of(&error, &hop.demand), link.local);
                return Err(NotOpened::Handshake(Broken { failure, local }));
            }
            Err(_) => return Err(NotOpened::Handshake(Broken { failure: TlsFailure::Other, local: link.local })),
        }
        link.client.tls_established(&mut link.input, &mut link.out);
        Ok(())
    }
}

/// A connection on which transactions follow each other.
pub(crate) struct Link {
    /// `None` after a handshake failed.
    wire: Option<Wire>,
    client: Client,
    input: BytesMut,
    out: BytesMut,
    timeouts: Timeouts,
    /// What was had of TLS.
    seen: Option<Seen>,
    /// This node's address on it.
    local: Option<IpAddr>,
    /// Transactions that came to their end.
    carried: u32,
    opened_at: Timestamp,
    /// Where it leads, and what was demanded of it.
    hop: Hop,
    /// The place at a receiver that it has.
    berth: Option<Berth>,
    /// Our own address, and how it is told of it, where it was configured.
    own: AddressId,
    leaves: Option<String>,
    /// While that address is warmed up: what it may send, and what became of it.
    warm: Option<Arc<Allowance>>,
    /// The host is one of the receiver's own.
    is_own: bool,
}

/// Where a transaction stands.
pub(crate) enum Turn {
    /// The peer waits for the content.
    Content,
    /// It is over.
    Over(Outcome),
    /// The connection is of no use any more: [`Link::interrupted`].
    Broken(&'static str),
}

/// Why MAIL was not written.
pub(crate) enum NotBegun {
    /// The clearance no longer holds.
    Stale,
    /// The peer cannot take such a message.
    Unfit(BeginError),
}

/// Why content did not leave. The final dot must not follow.
pub(crate) enum NotWritten {
    /// The connection is of no use any more.
    Lost(&'static str),
    /// RFC 5321 §2.3.8: it has a bare CR or LF, and would be smuggled past the next server.
    Malformed,
    /// The peer refused a chunk.
    Refused(Box<Outcome>),
}

impl Link {
    /// Transactions so far.
    pub(crate) fn carried(&self) -> u32 {
        self.carried
    }

    pub(crate) fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// It has this place from now on.
    pub(crate) fn take_place(&mut self, berth: Berth, (own, warm): (AddressId, Option<Arc<Allowance>>), is_own: bool) {
        (self.berth, self.own, self.warm, self.is_own) = (Some(berth), own, warm, is_own);
    }

    /// Counts a reply for the warm-up of the address of ours.
    pub(crate) fn count(&self, reply: Reply) {
        if let Some(warm) = &self.warm {
            warm.count(reply);
        }
    }

    /// Is the host one of the receiver's own?
    pub(crate) const fn is_own(&self) -> bool {
        self.is_own
    }

    /// Has it carried what its receiver bears over one connection?
    pub(crate) fn has_carried_all(&self) -> bool {
        self.berth.as_ref().is_some_and(|berth| self.carried >= berth.messages_max)
    }

    /// Whom what the peer says concerns.
    pub(crate) const fn against(&self) -> Against {
        if self.is_own { Against::Receiver(self.own) } else { Against::Domain }
    }

    /// Would a new connection by one of these be the same? Then this may carry the mail of their domain, too.
    pub(crate) fn leads_as(&self, hops: &[Hop]) -> bool {
        hops.contains(&self.hop)
    }

    /// Is what is written on it encrypted, and is the peer known?
    pub(crate) const fn security(&self) -> Connection {
        match (&self.wire, &self.seen) {
            (Some(Wire::Tls(_)), Some(Seen { authenticated: Authenticated::Named | Authenticated::Dane, .. })) => {
                Connection::Verified
            }
            (Some(Wire::Tls(_)), _) => Connection::Encrypted,
            (Some(Wire::Plain(_)), _) => Connection::Clear,
            (None, _) => Connection::NotYet,
        }
    }

    /// RFC 8689 §4.2.1: what is missing for a message that asks for TLS; nothing where it may go here.
    pub(crate) fn lacks(&self) -> Option<Lack> {
        if !self.hop.is_found_securely {
            Some(Lack::Exchanger)
        } else if self.security() != Connection::Verified {
            Some(Lack::Tls)
        } else if !self.capabilities().require_tls {
            Some(Lack::Promise)
        } else {
            None
        }
    }

    /// May a new connection be more than this one? By another hop, or by the same where TLS was given up too soon.
    pub(crate) fn may_differ(&self, hop: &Hop) -> bool {
        self.hop != *hop || (self.seen.is_none() && self.capabilities().start_tls)
    }

    /// What became of TLS, for a report: this node's address, and why it is not what is asked for. Nothing where it was
    /// announced and given up.
    pub(crate) fn session(&self) -> Option<(Option<IpAddr>, Option<TlsFailure>)> {
        let failure = match &self.seen {
            // RFC 8460 §4.3: a policy that is only tested is reported as if it held.
            Some(seen) if self.hop.basis == Basis::Sts => seen.lapse,
            Some(_) => None,
            None if self.capabilities().start_tls => return None,
            None => Some(TlsFailure::NotOffered),
        };
        Some((self.local, failure))
    }

    /// GDPR Art. 32: how the message travelled, in a line for its attempt; and in another, from where.
    pub(crate) fn evidence(&self) -> String {
        let mut evidence = self.seen.as_ref().map_or_else(|| "in clear\n".to_owned(), Seen::line);
        evidence.push_str(self.leaves.as_deref().unwrap_or_default());
        evidence
    }

    /// Begins a transaction for the row that was cleared. What is left of the clearance is the generation to compare
    /// before the final dot.
    pub(crate) fn begin(
        &mut self,
        clearance: Clearance,
        now: Timestamp,
        generation: u64,
        row: &QueueRow,
        transaction: Transaction,
    ) -> Result<u64, NotBegun> {
        // GDPR Art. 7(3), 21(3): what was withdrawn since the decision stops the message before MAIL.
        if !clearance.holds(now, generation, row.controller, row.tag) {
            return Err(NotBegun::Stale);
        }
        self.client.begin(transaction, &mut self.out).map_err(NotBegun::Unfit)?;
        Ok(clearance.use_up())
    }

    /// Writes the envelope and reads until the peer wants the content or refuses.
    pub(crate) async fn envelope(&mut self) -> Turn {
        self.turn().await
    }

    /// What the peer said in its reply to EHLO that it can do.
    pub(crate) const fn capabilities(&self) -> &Capabilities {
        self.client.capabilities()
    }

    /// RFC 3461: does the peer tell the sender what becomes of a message?
    pub(crate) fn notifies(&self) -> bool {
        self.client.capabilities().notifications
    }

    /// RFC 9422 §4.1: has the peer taken as many transactions as it said it would?
    pub(crate) fn is_full(&self) -> bool {
        self.client.capabilities().transactions_max.is_some_and(|most| self.carried >= most)
    }

    /// Writes the content. What is more than a block leaves whole: however slowly the peer takes it, only the
    /// final dot, or an empty last chunk, is left for [`Link::finish`]; what is less waits here and leaves with it in
    /// one write.
    pub(crate) async fn content(&mut self, parts: [&[u8]; 3]) -> Result<(), NotWritten> {
        let mut is_large = false;
        for part in parts {
            for block in part.chunks(BLOCK_OCTETS) {
                let waiting = self.out.len() + self.client.gathered();
                if waiting + block.len() > BLOCK_OCTETS && waiting > 0 {
                    self.leave().await?;
                    is_large = true;
                }
                match self.client.write_body(&[block], &mut self.out) {
                    Ok(()) => {}
                    Err(BodyError::BareNewline) => return Err(NotWritten::Malformed),
                    Err(error) => return Err(NotWritten::Lost(body_trouble(error))),
                }
            }
        }
        if is_large { self.leave().await } else { Ok(()) }
    }

    /// What waits leaves: as it is, or as a chunk. Replies to chunks are read when too many are missing.
    async fn leave(&mut self) -> Result<(), NotWritten> {
        self.client.end_chunk(&mut self.out).map_err(|error| NotWritten::Lost(body_trouble(error)))?;
        self.flush().await.map_err(NotWritten::Lost)?;
        if !self.client.capabilities().chunking || self.client.may_end_chunk() {
            return Ok(());
        }
        match self.turn().await {
            Turn::Content => Ok(()),
            Turn::Over(outcome) => Err(NotWritten::Refused(Box::new(outcome))),
            Turn::Broken(trouble) => Err(NotWritten::Lost(trouble)),
        }
    }

    /// Writes the final dot, or the last chunk, and waits for the reply.
    pub(crate) async fn finish(&mut self) -> Turn {
        match self.client.finish(&mut self.out) {
            Ok(()) => self.turn().await,
            Err(error) => Turn::Broken(body_trouble(error)),
        }
    }

    /// Gives the connection up, and tells what is known. Without a final dot nobody has received anything.
    pub(crate) fn interrupted(self) -> Interrupted {
        self.client.interrupted()
    }

    /// Says goodbye; whether it is answered matters to nobody.
    pub(crate) async fn quit(mut self) {
        self.client.quit(&mut self.out);
        let patience = self.timeouts.quit;
        let _ = timeout(patience, self.step()).await;
    }

    async fn turn(&mut self) -> Turn {
        match self.step().await {
            Ok(Step::SendBody) => Turn::Content,
            Ok(Step::Outcome(outcome)) => {
                self.carried += 1;
                Turn::Over(outcome)
            }
            Ok(Step::Failed(_)) => Turn::Broken("the peer broke the protocol"),
            Ok(_) => Turn::Broken("the dialogue is out of step"),
            Err(trouble) => Turn::Broken(trouble),
        }
    }

    /// Writes what there is, reads what comes, until the machine wants something else.
    async fn step(&mut self) -> Result<Step, &'static str> {
        loop {
            let step = self.client.step(&mut self.input, &mut self.out);
            self.flush().await?;
            if !matches!(step, Step::NeedInput) {
                return Ok(step);
            }
            let wait = self.patience();
            let Some(wire) = &mut self.wire else { return Err("the connection is closed") };
            match timeout(wait, wire.read(&mut self.input)).await {
                Err(_) => return Err("the peer did not answer in time"),
                Ok(Ok(0)) => return Err("the peer closed the connection"),
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Err("the connection was lost"),
            }
        }
    }

    async fn flush(&mut self) -> Result<(), &'static str> {
        if self.out.is_empty() {
            return Ok(());
        }
        let wait = self.timeouts.block;
        let Some(wire) = &mut self.wire else { return Err("the connection is closed") };
        let written = timeout(wait, wire.write(&self.out)).await;
        self.out.clear();
        match written {
            Err(_) => Err("the peer did not take what was sent in time"),
            Ok(Err(_)) => Err("the connection was lost"),
            Ok(Ok(())) => Ok(()),
        }
    }

    /// RFC 5321 §4.5.3.2: each wait has its own measure.
    fn patience(&self) -> Duration {
        match self.client.stage() {
            Stage::Greeting => self.timeouts.greeting,
            Stage::Hello | Stage::StartTls | Stage::Ready | Stage::Reset | Stage::Mail | Stage::Recipient => {
                self.timeouts.command
            }
            Stage::Data => self.timeouts.data,
            Stage::Body => self.timeouts.block,
            Stage::FinalDot => self.timeouts.final_dot,
            Stage::Quit | Stage::Closed => self.timeouts.quit,
        }
    }
}

fn body_trouble(error: BodyError) -> &'static str {
    match error {
        BodyError::NotAsked => "the dialogue is out of step",
        BodyError::BareNewline => "the stored content has a bare CR or LF",
    }
}

#[cfg(test)]
mod tests {
    use super::hello_name;

    #[test]
    fn rfc5321_4_1_1_1_who_has_no_name_says_his_address() {
        let cases = [
            ("mail.sample.example", "192.0.2.1:1", "mail.sample.example"),
            ("localhost", "192.0.2.1:1", "[192.0.2.1]"),
            ("office-pc", "[2001:db8::1]:1", "[IPv6:2001:db8::1]"),
            ("office-pc", "[::ffff:192.0.2.1]:1", "[192.0.2.1]"),
        ];
        for (name, own, said) in cases {
            assert_eq!(hello_name(name, own.parse().ok()), said);
        }
        assert_eq!(hello_name("localhost", None), "localhost");
    }
}
