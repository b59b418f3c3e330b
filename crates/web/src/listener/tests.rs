//! The socket itself: limits, HTTP/1.1 and HTTP/2, and how it stops.

use super::*;
use std::time::Duration;

use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

const CERTIFICATE: &[u8] = include_bytes!("tests/localhost.pem");
const KEY: &[u8] = include_bytes!("tests/localhost.key.pem");

fn echo() -> Router {
    Router::new()
        .route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()))
        .route("/version", get(async |request: axum::extract::Request| format!("{:?}", request.version())))
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Drained>,
}

async fn run(router: Router, tls: Option<Arc<ServerConfig>>) -> Running {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), router, tls).await.unwrap();
    let address = listener.local_addr();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(listener.serve(async {
        let _ = stopped.await;
    }));
    Running { address, stop, ended }
}

async fn talk(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the connection is closed").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server_config() -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

async fn tls_to(address: SocketAddr, alpn: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn http1_is_answered_and_the_peer_is_known() {
    let running = run(echo(), None).await;
    let answer = talk(running.address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn a_head_above_its_limit_is_431_and_one_below_it_is_not() {
    let running = run(echo(), None).await;
    let request = |octets: usize| {
        format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-A: {}\r\n\r\n", "a".repeat(octets)).into_bytes()
    };
    let answer = talk(running.address, &request(HEAD_OCTETS_MAX * 4)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = talk(running.address, &request(HEAD_OCTETS_MAX / 2)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn rfc9113_3_2_http2_over_tls() {
    let running = run(echo(), Some(server_config())).await;
    let stream = tls_to(running.address, b"h2").await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let uri = "https://localhost/version";
    let request = http::Request::get(uri).body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(&response.into_body().collect().await.unwrap().to_bytes()[..], b"HTTP/2.0");
    drop(sender);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn http1_over_tls() {
    let running = run(echo(), Some(server_config())).await;
    let mut stream = tls_to(running.address, b"http/1.1").await;
    stream.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("HTTP/1.1"), "{answer}");
}

#[tokio::test]
async fn a_plain_request_to_a_tls_socket_gets_nothing() {
    let running = run(echo(), Some(server_config())).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test]
async fn an_answer_under_way_is_given_before_the_end_and_nobody_new_comes_in() {
    let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, go) = (Arc::clone(&entered), Arc::clone(&go));
        move || {
            let (entered, go) = (Arc::clone(&entered), Arc::clone(&go));
            async move {
                entered.notify_one();
                go.notified().await;
                "done"
            }
        }
    };
    let running = run(Router::new().route("/", get(slow)), None).await;
    let address = running.address;
    let asking = tokio::spawn(async move { talk(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await });
    entered.notified().await;
    running.stop.send(()).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    assert!(asking.await.unwrap().ends_with("done"));
    assert_eq!(running.ended.await.unwrap(), Drained::Whole);
}

/// A route that lifts the limit, or not, and answers when it is told to.
fn long(lifts: bool, go: &Arc<Notify>) -> Router {
    let go = Arc::clone(go);
    let work = move |request: axum::extract::Request| {
        let go = Arc::clone(&go);
        async move {
            if lifts {
                Patience::lift_for(request.extensions());
            }
            go.notified().await;
            "done"
        }
    };
    Router::new().route("/", get(work))
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_not_waited_for_unless_its_route_keeps_time_itself() {
    let (never, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let asked = || http::Request::new(Body::empty());
    let waiting = tokio::spawn(within(long(true, &go), asked(), Duration::from_millis(1)));
    // By when this one is given up, the other's time was over.
    let Ok(slow) = within(long(false, &never), asked(), Duration::from_millis(50)).await;
    assert_eq!(slow.status(), http::StatusCode::SERVICE_UNAVAILABLE);
    assert!(!waiting.is_finished());
    go.notify_one();
    let Ok(done) = waiting.await.unwrap();
    assert_eq!(done.status(), http::StatusCode::OK);
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let running = run(echo(), None).await;
    let error = Listener::bind(running.address, echo(), None).await.err().unwrap().to_string();
    assert!(error.contains(&running.address.to_string()) && error.contains("another"), "{error}");
}

/// Is the connection closed on us without a word?
async fn is_turned_away(stream: &mut TcpStream) -> bool {
    let mut octet = [0; 1];
    let reading = stream.read(&mut octet);
    matches!(tokio::time::timeout(Duration::from_secs(20), reading).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn one_network_does_not_take_all_places_and_goes_on_when_it_gives_some_back() {
    let running = run(echo(), None).await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_MAX / 2 {
        held.push(TcpStream::connect(running.address).await.unwrap());
    }
    // The sockets are accepted in order: when the last has an answer, all have their places.
    let mut last = held.pop().unwrap();
    last.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    last.read_exact(&mut [0; 12]).await.unwrap();
    let mut further = TcpStream::connect(running.address).await.unwrap();
    assert!(is_turned_away(&mut further).await, "the second half is for others");
    drop((held, last));
    let mut answer = String::new();
    for _ in 0..100 {
        let mut again = TcpStream::connect(running.address).await.unwrap();
        let asked = again.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        if asked.is_ok() && again.read_to_string(&mut answer).await.is_ok() && !answer.is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    running.stop.send(()).unwrap();
    running.ended.await.unwrap();
}
