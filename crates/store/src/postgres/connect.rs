//! Addresses, connections and their settings.
//!
//! Invariants: an address that does not answer costs three seconds and then the next one is asked, also when it takes
//! the connection and says nothing; the host that answered last is asked first; a dead primary is noticed within
//! seconds; each connection has the same settings, whatever the server or the role has.
//! Never: a password in an error; a notice's words in the log (they may hold values).

use super::db::Db;
use super::tls::{self, Checked};
use crate::error::{Error, Result, Unfit};
use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Timeouts};
use std::future::poll_fn;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a host has to answer, unless the address says otherwise.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long one waits for a connection of the pool, or for a new one.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// A connection on which nothing comes is looked after from here on …
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
/// … this often …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// … and given up after so many silences.
const KEEPALIVE_RETRIES: u32 = 3;
/// What was sent and is not acknowledged for so long ends the connection.
const SILENCE_MAX: Duration = Duration::from_secs(6);
/// The settings of a session. Every statement looks rows up by their keys, and is planned once for a connection: a plan
/// that was made while the tables were empty, and walked them whole, would be kept when they are full.
const SETTINGS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET TimeZone = 'UTC'; \
    SET default_transaction_isolation = 'read committed'; SET client_min_messages = 'warning'; \
    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
    SET enable_mergejoin = off; SET enable_bitmapscan = off; SET jit = off";

/// A database and the way to it.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    tls: MakeRustlsConnect,
    /// The host that answered last.
    first: Arc<AtomicUsize>,
    /// Its hosts, for people.
    pub(super) hosts: String,
    /// Its name.
    pub(super) database: String,
    /// Who connects.
    pub(super) role: String,
}

impl Target {
    /// Reads an address.
    pub(super) fn of(address: &str, ca: Option<&Path>) -> Result<Self> {
        let Some(parts) = address.strip_prefix("postgres://").or_else(|| address.strip_prefix("postgresql://")) else {
            return Err(Unfit::Address { reason: "it does not begin with postgres://" }.into());
        };
        let (place, query) = parts.split_once('?').unwrap_or((parts, ""));
        let (mut rest, mut mode, mut root) = (Vec::new(), None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                // The driver knows neither the verifying modes nor the file.
                Some(("sslmode", word)) => mode = Some(word),
                Some(("sslrootcert", path)) => root = Some(PathBuf::from(plain(path)?)),
                _ => rest.push(pair),
            }
        }
        // The driver's words may quote the address, and with it the password.
        let mut config = Config::from_str(&format!("postgres://{place}?{}", rest.join("&")))
            .map_err(|_| Unfit::Address { reason: "a part of it is wrong, or an option is unknown" })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Unfit::Address { reason: "it names no host" }.into());
        }
        let ca = ca.map(Path::to_path_buf).or(root);
        let (mode, checked) = tls::meaning(mode, is_local(&config), ca.is_some())?;
        if checked == Checked::Nothing && !is_local(&config) {
            tracing::warn!(
                hosts = hosts(&config),
                "the address of PostgreSQL asks for no verified TLS: keys and mail could be read on the way"
            );
        }
        config.ssl_mode(mode);
        settle(&mut config);
        let Some(database) = config.get_dbname().or_else(|| config.get_user()).map(str::to_owned) else {
            return Err(Unfit::Address { reason: "it names no database" }.into());
        };
        Ok(Self {
            tls: tls::connector(checked, ca.as_deref())?,
            first: Arc::default(),
            hosts: hosts(&config),
            database,
            // Without one the driver takes the name of the process's account.
            role: config.get_user().unwrap_or("ROLE").to_owned(),
            config,
        })
    }

    /// Another database on the same server.
    pub(super) fn sibling(&self, database: &str) -> Self {
        let mut sibling = self.clone();
        sibling.config.dbname(database);
        database.clone_into(&mut sibling.database);
        sibling
    }

    /// A pool of connections to it; none is made yet.
    pub(super) fn pool(&self, size: usize) -> Result<Db> {
        let dialer = Dialer { each: each(&self.config), first: Arc::clone(&self.first), tls: self.tls.clone() };
        let method = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(self.config.clone(), dialer, method);
        // Time enough to find the last of the hosts.
        let patience =
            WAIT_MAX.max((CONNECT_MAX + Duration::from_secs(1)) * u32::try_from(count(&self.config)).unwrap_or(1));
        let pool = Pool::builder(manager)
            .max_size(size)
            .timeouts(Timeouts { wait: Some(patience), create: Some(patience), recycle: Some(WAIT_MAX) })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::Engine(format!("PostgreSQL: {error}")))?;
        Ok(Db::new(pool))
    }

    /// Why no connection was had, in words for an operator.
    pub(super) fn refusal(&self, error: &PoolError) -> Error {
        let error = match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => return Error::Closed,
            _ => return self.unreachable("it did not answer in time".to_owned()),
        };
        let (hosts, role) = (self.hosts.clone(), self.role.clone());
        if let Some(code) = error.code() {
            return match *code {
                SqlState::INVALID_CATALOG_NAME => {
                    Unfit::NoDatabase { hosts, database: self.database.clone(), line: self.creation() }.into()
                }
                SqlState::INSUFFICIENT_PRIVILEGE => {
                    let line = format!("GRANT CONNECT ON DATABASE {} TO {}", quoted(&self.database), quoted(&role));
                    Unfit::Rights { role, what: "connect", database: self.database.clone(), line }.into()
                }
                _ if code.code().starts_with("28") => Unfit::Login { hosts, role, code: code.code().to_owned() }.into(),
                _ => self.unreachable(format!("SQLSTATE {}", code.code())),
            };
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    return Unfit::Tls { hosts, reason: tls.to_string() }.into();
                }
                if io.kind() == std::io::ErrorKind::PermissionDenied && error.to_string().contains("allow writes") {
                    return Unfit::Standby { hosts }.into();
                }
                return self.unreachable(io.to_string());
            }
            cause = error.source();
        }
        match error.to_string().as_str() {
            "error performing TLS handshake" => {
                Unfit::Tls { hosts, reason: "the server offers no TLS".to_owned() }.into()
            }
            "authentication error" | "invalid configuration" => {
                Unfit::Login { hosts, role, code: SqlState::INVALID_PASSWORD.code().to_owned() }.into()
            }
            words => self.unreachable(words.to_owned()),
        }
    }

    fn unreachable(&self, reason: String) -> Error {
        Unfit::Unreachable { hosts: self.hosts.clone(), reason }.into()
    }

    /// What makes this database.
    pub(super) fn creation(&self) -> String {
        format!(
            "CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0",
            quoted(&self.database),
            quoted(&self.role)
        )
    }
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn plain(text: &str) -> Result<String> {
    let wrong = Unfit::Address { reason: "a %XX in it is wrong" };
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (octet, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [char::from(*high), char::from(*low)].map(|digit| digit.to_digit(16));
                let [Some(high), Some(low)] = digits else { return Err(wrong.into()) };
                (u8::try_from(high * 16 + low).unwrap_or_default(), after)
            }
            (b'%', _) => return Err(wrong.into()),
            (other, after) => (*other, after),
        };
        octets.push(octet);
        rest = after;
    }
    String::from_utf8(octets).map_err(|_| wrong.into())
}

fn count(config: &Config) -> usize {
    config.get_hosts().len().max(config.get_hostaddrs().len())
}

/// What the address does not say.
fn settle(config: &mut Config) {
    if config.get_application_name().is_none() {
        config.application_name("postern");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_idle(KEEPALIVE_IDLE);
        config.keepalives_interval(KEEPALIVE_INTERVAL);
        config.keepalives_retries(KEEPALIVE_RETRIES);
    }
    if count(config) > 1 {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
}

fn is_local(config: &Config) -> bool {
    let by_name = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    });
    by_name && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn hosts(config: &Config) -> String {
    let names: Vec<String> = each(config)
        .iter()
        .map(|one| {
            let port = one.get_ports().first().copied().unwrap_or(5432);
            match (one.get_hosts().first(), one.get_hostaddrs().first()) {
                (Some(Host::Unix(path)), _) => path.display().to_string(),
                (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
                (None, Some(address)) => format!("{address}:{port}"),
                (None, None) => String::new(),
            }
        })
        .collect();
    names.join(",")
}

/// The same for each host alone.
fn each(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    (0..count(config))
        .map(|at| {
            let mut one = Config::new();
            one.ssl_mode(config.get_ssl_mode())
                .ssl_negotiation(config.get_ssl_negotiation())
                .keepalives(config.get_keepalives())
                .keepalives_idle(config.get_keepalives_idle())
                .target_session_attrs(config.get_target_session_attrs())
                .channel_binding(config.get_channel_binding());
            config.get_user().map(|user| one.user(user));
            config.get_password().map(|password| one.password(password));
            config.get_dbname().map(|database| one.dbname(database));
            config.get_options().map(|options| one.options(options));
            config.get_application_name().map(|name| one.application_name(name));
            config.get_connect_timeout().map(|limit| one.connect_timeout(*limit));
            config.get_tcp_user_timeout().map(|limit| one.tcp_user_timeout(*limit));
            config.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
            config.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
            match hosts.get(at) {
                Some(Host::Tcp(name)) => drop(one.host(name)),
                Some(Host::Unix(path)) => drop(one.host_path(path)),
                None => {}
            }
            addresses.get(at).map(|address| one.hostaddr(*address));
            one.port(ports.get(at).or_else(|| ports.first()).copied().unwrap_or(5432));
            one
        })
        .collect()
}

/// Connects to the first host that answers.
struct Dialer {
    each: Vec<Config>,
    /// The one that answered last.
    first: Arc<AtomicUsize>,
    tls: MakeRustlsConnect,
}

type Connected = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for Dialer {
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        Box::pin(async move {
            let (hosts, first) = (self.each.len(), self.first.load(Ordering::Relaxed));
            loop {
                let mut failed = None;
                for at in (0..hosts).map(|n| (first + n) % hosts) {
                    let Some(host) = self.each.get(at) else { continue };
                    for config in addresses(host).await {
                        // One that takes the connection and then says nothing must not keep us from the others.
                        match timeout(patience(&config), dial(&config, self.tls.clone())).await {
                            Ok(Ok(connected)) => {
                                self.first.store(at, Ordering::Relaxed);
                                return Ok(connected);
                            }
                            Ok(Err(error)) => failed = Some(error),
                            Err(_) => {}
                        }
                    }
                }
                // Where all were silent the pool's own patience ends this.
                if let Some(error) = failed {
                    return Err(error);
                }
            }
        })
    }
}

fn patience(config: &Config) -> Duration {
    config.get_connect_timeout().copied().unwrap_or(CONNECT_MAX)
}

/// The same for each address of a host. Where they cannot be had the driver says why.
async fn addresses(host: &Config) -> Vec<Config> {
    let ([Host::Tcp(name)], [], [port]) = (host.get_hosts(), host.get_hostaddrs(), host.get_ports()) else {
        return vec![host.clone()];
    };
    match timeout(patience(host), tokio::net::lookup_host((name.as_str(), *port))).await {
        Ok(Ok(found)) => found
            .map(|address| {
                let mut one = host.clone();
                one.hostaddr(address.ip());
                one
            })
            .collect(),
        _ => vec![host.clone()],
    }
}

async fn dial(config: &Config, tls: MakeRustlsConnect) -> Connected {
    let (client, connection) = config.connect(tls).await?;
    let driver = tokio::spawn(drive(connection));
    client.batch_execute(SETTINGS).await?;
    Ok((client, driver))
}

/// Carries octets until the connection ends. Why it ended its users learn themselves.
async fn drive<S>(mut connection: Connection<Socket, S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notice(notice) = message {
            // The usual one: somebody cancelled a COMMIT's wait for its standby.
            tracing::warn!(code = notice.code().code(), "PostgreSQL warns");
        }
    }
}
