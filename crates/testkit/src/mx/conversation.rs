//! One connection to the fake server.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{Begun, Conduct, Manners, Outcome, Place, Received, Shared, Stage, StartTls};
use crate::SystemClock;
use model::Clock as _;

/// Longest line that is read.
const LINE_OCTETS_MAX: usize = 1024 * 1024;
/// Longest message that is read.
const CONTENT_OCTETS_MAX: usize = 256 * 1024 * 1024;

pub(super) async fn serve(tcp: TcpStream, connection: (u64, IpAddr), shared: Arc<Shared>) {
    let manners = shared.state.lock().manners.clone();
    // How the peer leaves is nobody's concern.
    let _ = speak(tcp, connection, manners, &shared).await;
    shared.change(|state| {
        state.counts.open -= 1;
        if let Some((open, _)) = state.counts.peers.get_mut(&connection.1) {
            *open -= 1;
        }
    });
}

async fn speak(tcp: TcpStream, connection: (u64, IpAddr), manners: Manners, shared: &Shared) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut clear = Conversation::new(tcp, connection, manners.clone(), false, shared);
    if !clear.greet().await? {
        return Ok(());
    }
    if clear.run().await? == End::Closed {
        return Ok(());
    }
    // RFC 3207 §4.2: what was read ahead in clear goes with the reader.
    let mut tcp = clear.stream.into_inner();
    if manners.starttls == StartTls::Broken {
        return tcp.write_all(b"this is no TLS\r\n").await;
    }
    let tls = Arc::clone(&shared.tls.lock());
    let tls = TlsAcceptor::from(tls).accept(tcp).await?;
    shared.change(|state| state.counts.handshakes += 1);
    Conversation::new(tls, connection, manners, true, shared).run().await?;
    Ok(())
}

#[derive(PartialEq, Eq)]
enum End {
    Closed,
    StartTls,
}

/// What a command leads to.
enum Next {
    Go,
    End(End),
}

#[derive(Default)]
struct Transaction {
    from: String,
    parameters: String,
    to: Vec<String>,
    /// For accepted recipients: what stood behind the path.
    to_parameters: Vec<String>,
    /// RFC 3030: what chunks have brought.
    chunks: Option<Vec<u8>>,
    /// For accepted recipients: what comes at later stages.
    conducts: Vec<Conduct>,
}

struct Conversation<'a, S> {
    stream: BufReader<S>,
    connection: (u64, IpAddr),
    manners: Manners,
    tls: bool,
    shared: &'a Shared,
    hello: String,
    transaction: Option<Transaction>,
    messages: u64,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Conversation<'a, S> {
    fn new(stream: S, connection: (u64, IpAddr), manners: Manners, tls: bool, shared: &'a Shared) -> Self {
        let stream = BufReader::new(stream);
        Self { stream, connection, manners, tls, shared, hello: String::new(), transaction: None, messages: 0 }
    }

    /// False: the connection ends here.
    async fn greet(&mut self) -> io::Result<bool> {
        self.held(Stage::Greeting, &[]).await;
        if let Some((code, text)) = self.manners.greeting.clone() {
            self.reply(code, &text).await?;
            return Ok(false);
        }
        self.reply(220, "mx.dest.example ESMTP").await?;
        Ok(true)
    }

    async fn run(&mut self) -> io::Result<End> {
        let mut line = Vec::new();
        loop {
            if !self.line(&mut line).await? {
                return Ok(End::Closed);
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
            let next = match verb.to_ascii_uppercase().as_str() {
                "EHLO" if self.manners.extended => self.ehlo(rest).await?,
                "HELO" => self.helo(rest).await?,
                "STARTTLS" => self.starttls().await?,
                "MAIL" => self.mail(rest).await?,
                "RCPT" => self.rcpt(rest).await?,
                "DATA" => self.data().await?,
                "BDAT" if self.manners.keywords.contains(&"CHUNKING") => self.bdat(rest).await?,
                "RSET" => {
                    self.transaction = None;
                    self.say(250, "2.0.0 ok").await?
                }
                "NOOP" => self.say(250, "2.0.0 ok").await?,
                "QUIT" => {
                    self.reply(221, "2.0.0 goodbye").await?;
                    Next::End(End::Closed)
                }
                _ => self.say(500, "5.5.2 unknown command").await?,
            };
            if let Next::End(end) = next {
                return Ok(end);
            }
        }
    }

    async fn ehlo(&mut self, name: &str) -> io::Result<Next> {
        self.hello = name.to_owned();
        self.transaction = None;
        let mut lines = vec!["mx.dest.example", "ENHANCEDSTATUSCODES"];
        if self.manners.pipelining {
            lines.push("PIPELINING");
        }
        if self.manners.eight_bit {
            lines.push("8BITMIME");
        }
        if !self.tls && self.manners.starttls != StartTls::Off {
            lines.push("STARTTLS");
        }
        lines.push("SIZE 104857600");
        lines.extend(&self.manners.keywords);
        self.say(250, &lines.join("\n")).await
    }

    async fn helo(&mut self, name: &str) -> io::Result<Next> {
        self.hello = name.to_owned();
        self.transaction = None;
        self.say(250, "mx.dest.example").await
    }

    async fn starttls(&mut self) -> io::Result<Next> {
        match self.manners.starttls {
            StartTls::Off => self.say(502, "5.5.1 not offered").await,
            StartTls::Refused => self.say(454, "4.7.0 TLS is not available now").await,
            StartTls::On | StartTls::Broken => {
                self.reply(220, "2.0.0 go ahead").await?;
                Ok(Next::End(End::StartTls))
            }
        }
    }

    async fn mail(&mut self, rest: &str) -> io::Result<Next> {
        let at = SystemClock.monotonic();
        let begun = path(rest);
        self.shared.change(|state| {
            state.counts.mails += 1;
            let from = begun.as_ref().map(|(from, _)| from.clone());
            state.begun.extend(from.map(|from| Begun { from, connection: self.connection.0, at }));
        });
        if self.messages >= self.manners.messages_max {
            self.reply(421, "4.3.2 enough for one connection").await?;
            return Ok(Next::End(End::Closed));
        }
        self.held(Stage::Mail, &[]).await;
        let Some((from, parameters)) = begun else {
            return self.say(501, "5.1.7 no path").await;
        };
        self.transaction = Some(Transaction { from, parameters, ..Transaction::default() });
        self.say(250, "2.1.0 ok").await
    }

    async fn rcpt(&mut self, rest: &str) -> io::Result<Next> {
        let Some((to, parameters)) = path(rest) else {
            return self.say(501, "5.1.3 no path").await;
        };
        if self.transaction.is_none() {
            return self.say(503, "5.5.1 MAIL first").await;
        }
        let conduct = self.conduct(&to.to_ascii_lowercase());
        self.held(Stage::Recipient, std::slice::from_ref(&to)).await;
        if let Conduct::Answer { stage: Stage::Recipient, code, text } = &conduct {
            return self.verdict(*code, text).await;
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.to.push(to);
            transaction.to_parameters.push(parameters);
            transaction.conducts.push(conduct);
        }
        self.say(250, "2.1.5 ok").await
    }

    /// Counts the attempt, and takes what was set for it.
    fn conduct(&self, recipient: &str) -> Conduct {
        let now = SystemClock.monotonic();
        self.shared.change(|state| {
            *state.counts.recipients.entry(recipient.to_owned()).or_default() += 1;
            state.counts.latest.insert(recipient.to_owned(), now);
            let next = state.next.get_mut(recipient).and_then(std::collections::VecDeque::pop_front);
            next.or_else(|| state.standing.get(recipient).cloned()).unwrap_or_else(|| state.otherwise.clone())
        })
    }

    async fn data(&mut self) -> io::Result<Next> {
        let Some(transaction) = self.transaction.take() else {
            return self.say(503, "5.5.1 MAIL first").await;
        };
        if transaction.to.is_empty() {
            return self.say(554, "5.5.1 no valid recipients").await;
        }
        self.held(Stage::Data, &transaction.to).await;
        if let Some((code, text)) = answer_at(&transaction, Stage::Data) {
            return self.verdict(code, &text).await;
        }
        self.reply(354, "go ahead").await?;
        self.shared.change(|state| state.counts.contents += 1);
        if transaction.conducts.contains(&Conduct::CutBeforeDot) {
            self.stream.fill_buf().await?;
            return Ok(Next::End(End::Closed));
        }
        let content = self.content().await?;
        self.ended(transaction, content).await
    }

    /// RFC 3030 §2. Held at `Data` before the first chunk is taken, and refused there.
    async fn bdat(&mut self, rest: &str) -> io::Result<Next> {
        let (octets, role) = rest.split_once(' ').unwrap_or((rest, ""));
        let Ok(octets) = octets.parse::<usize>() else { return Ok(Next::End(End::Closed)) };
        let mut transaction = self.transaction.take();
        let first =
            transaction.as_ref().filter(|transaction| transaction.chunks.is_none() && !transaction.to.is_empty());
        if let Some(transaction) = first {
            self.held(Stage::Data, &transaction.to).await;
            self.shared.change(|state| state.counts.contents += 1);
            if transaction.conducts.contains(&Conduct::CutBeforeDot) {
                self.stream.fill_buf().await?;
                return Ok(Next::End(End::Closed));
            }
        }
        let mut chunk = vec![0; octets.min(CONTENT_OCTETS_MAX)];
        self.stream.read_exact(&mut chunk).await?;
        let Some(mut transaction) = transaction.take().filter(|transaction| !transaction.to.is_empty()) else {
            return self.say(503, "5.5.1 no valid recipients").await;
        };
        if let Some((code, text)) = answer_at(&transaction, Stage::Data) {
            return self.verdict(code, &text).await;
        }
        let mut content = transaction.chunks.take().unwrap_or_default();
        content.extend_from_slice(&chunk);
        if role == "LAST" {
            return self.ended(transaction, content).await;
        }
        transaction.chunks = Some(content);
        self.transaction = Some(transaction);
        self.say(250, "2.0.0 chunk taken").await
    }

    async fn ended(&mut self, transaction: Transaction, content: Vec<u8>) -> io::Result<Next> {
        let at = SystemClock.monotonic();
        // As a receiver does that has stored the message already: what counts is known before the reply.
        let refusal = answer_at(&transaction, Stage::EndOfData);
        let cut = transaction.conducts.contains(&Conduct::CutAfterDot);
        self.held(Stage::EndOfData, &transaction.to).await;
        let outcome = match (cut, &refusal) {
            (true, _) => Outcome::Cut,
            (false, Some(_)) => Outcome::Refused,
            (false, None) => Outcome::Accepted,
        };
        self.messages += 1;
        self.keep(transaction, content, outcome, at);
        match (cut, refusal) {
            (true, _) => Ok(Next::End(End::Closed)),
            (false, Some((code, text))) => self.verdict(code, &text).await,
            (false, None) => self.say(250, "2.0.0 taken").await,
        }
    }

    fn keep(&self, transaction: Transaction, content: Vec<u8>, outcome: Outcome, at: Duration) {
        let received = Received {
            from: transaction.from,
            to: transaction.to,
            content,
            tls: self.tls,
            hello: self.hello.clone(),
            parameters: transaction.parameters,
            to_parameters: transaction.to_parameters,
            connection: self.connection.0,
            peer: self.connection.1,
            outcome,
            at,
        };
        self.shared.change(|state| state.received.push(received));
    }

    /// Up to CRLF.CRLF, dots undone. RFC 5321 §4.1.1.4: nothing else is the end.
    async fn content(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut line = Vec::new();
        let mut line_is_new = true;
        loop {
            if !self.line(&mut line).await? || content.len() > CONTENT_OCTETS_MAX {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line_is_new && line == b".\r\n" {
                return Ok(content);
            }
            let body = if line_is_new { line.strip_prefix(b".").unwrap_or(&line) } else { &line };
            content.extend_from_slice(body);
            line_is_new = line.ends_with(b"\r\n");
        }
    }

    /// A line with its LF; false at the end of the stream.
    async fn line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        loop {
            let read = self.stream.fill_buf().await?;
            if read.is_empty() || line.len() > LINE_OCTETS_MAX {
                return Ok(false);
            }
            match read.iter().position(|octet| *octet == b'\n') {
                Some(end) => {
                    line.extend(read.iter().take(end + 1));
                    self.stream.consume(end + 1);
                    return Ok(true);
                }
                None => {
                    let octets = read.len();
                    line.extend_from_slice(read);
                    self.stream.consume(octets);
                }
            }
        }
    }

    /// Waits while a test holds this stage, for all or for one of these recipients.
    async fn held(&self, stage: Stage, to: &[String]) {
        let named = to.iter().map(|to| Some(to.to_ascii_lowercase()));
        for place in std::iter::once(None).chain(named).map(|to| (stage, to)) {
            self.held_at(place).await;
        }
    }

    async fn held_at(&self, place: Place) {
        let Some(mut held) = self.shared.state.lock().holds.get(&place).cloned() else { return };
        if !*held.borrow() {
            return;
        }
        let count = |waiting: &mut HashMap<Place, u64>, more: bool| {
            let waiting = waiting.entry(place.clone()).or_default();
            *waiting = if more { *waiting + 1 } else { waiting.saturating_sub(1) };
        };
        self.shared.change(|state| count(&mut state.waiting, true));
        // An error means that the hold was dropped.
        let _ = held.wait_for(|held| !held).await;
        self.shared.change(|state| count(&mut state.waiting, false));
    }

    /// A refusal that a test has set; RFC 5321 §3.8: with 421 the connection ends.
    async fn verdict(&mut self, code: u16, text: &str) -> io::Result<Next> {
        self.reply(code, text).await?;
        Ok(if code == 421 { Next::End(End::Closed) } else { Next::Go })
    }

    async fn say(&mut self, code: u16, text: &str) -> io::Result<Next> {
        self.reply(code, text).await?;
        Ok(Next::Go)
    }

    async fn reply(&mut self, code: u16, text: &str) -> io::Result<()> {
        if !self.manners.delay.is_zero() {
            tokio::time::sleep(self.manners.delay).await;
        }
        let mut wire = String::new();
        let mut lines = text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            wire.push_str(&format!("{code}{separator}{line}\r\n"));
        }
        self.stream.write_all(wire.as_bytes()).await?;
        self.stream.flush().await
    }
}

/// The first answer that a recipient of the transaction has for this stage.
fn answer_at(transaction: &Transaction, at: Stage) -> Option<(u16, String)> {
    transaction.conducts.iter().find_map(|conduct| match conduct {
        Conduct::Answer { stage, code, text } if *stage == at => Some((*code, text.clone())),
        _ => None,
    })
}

/// What stands in angle brackets, and what follows.
fn path(rest: &str) -> Option<(String, String)> {
    let (_, rest) = rest.split_once('<')?;
    let (path, parameters) = rest.rsplit_once('>')?;
    Some((path.to_owned(), parameters.trim().to_owned()))
}
