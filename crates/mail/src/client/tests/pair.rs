//! Our client against our server: what goes in at one end comes out at the other.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{PIPELINING_PEER, Step, TlsUse, Wire};
use crate::address::Domain;
use crate::reply::Reply;
use crate::server::{self, AuthOffer, BareNewlines, Limits, Server, Settings, TlsOffer};

fn server() -> Server {
    Server::new(Arc::new(Settings {
        hostname: Domain::parse("mx.dest.example").unwrap(),
        tls: TlsOffer::None,
        auth: AuthOffer::None,
        bare_newlines: BareNewlines::Reject,
        scram: false,
        notifications: true,
        require_tls: true,
        limits: Limits::default(),
    }))
}

/// Lets the server read all that the client wrote; returns the messages.
fn serve(server: &mut Server, from_client: &mut BytesMut, to_client: &mut BytesMut) -> Vec<Bytes> {
    let mut messages = Vec::new();
    loop {
        match server.step(from_client, to_client) {
            server::Step::NeedInput | server::Step::Closed => return messages,
            server::Step::Mail { .. } => server.accept(Reply::sender_accepted(), to_client),
            server::Step::Recipient { .. } => server.accept(Reply::recipient_accepted(), to_client),
            server::Step::BeginData => server.accept(Reply::start_content(), to_client),
            server::Step::Message { content } => {
                messages.push(content);
                server.accept(Reply::new(250, (2, 0, 0), "queued"), to_client);
            }
            step => panic!("unforeseen {step:?}"),
        }
    }
}

/// How content goes to the peer.
#[derive(Clone, Copy, Debug)]
enum By {
    Data,
    /// In chunks of so many octets.
    Chunks(usize),
}

/// Sends each content in a transaction of its own over one connection.
fn carry(contents: &[Vec<u8>], by: By) -> Vec<Bytes> {
    let (mut server, mut wire) = (server(), Wire::new(TlsUse::IfOffered));
    let (mut begun, mut received) = (0, Vec::new());
    server.greeting(&mut wire.input);
    loop {
        match wire.hear("") {
            Step::NeedInput => {
                received.extend(serve(&mut server, &mut wire.out, &mut wire.input));
                if matches!(by, By::Data) {
                    let text = String::from_utf8(wire.input.split().to_vec()).unwrap();
                    wire.input.extend_from_slice(text.replace("250-CHUNKING\r\n", "").as_bytes());
                }
            }
            Step::Ready if begun == contents.len() => break,
            Step::Ready => {
                wire.begin(&["ada@dest.example", "bob@dest.example"]);
                begun += 1;
            }
            Step::SendBody => match by {
                By::Data => wire.send_body(&contents[received.len()]),
                By::Chunks(octets) => {
                    for chunk in contents[received.len()].chunks(octets) {
                        wire.client.write_body(&[chunk], &mut wire.out).unwrap();
                        wire.client.end_chunk(&mut wire.out).unwrap();
                        assert!(serve(&mut server, &mut wire.out, &mut wire.input).is_empty(), "no message yet");
                        assert!(matches!(wire.hear(""), Step::SendBody));
                    }
                    wire.client.finish(&mut wire.out).unwrap();
                }
            },
            Step::Outcome(outcome) => assert!(outcome.is_delivered(0) && outcome.is_delivered(1) && outcome.reusable),
            step => panic!("unforeseen {step:?}"),
        }
    }
    wire.client.quit(&mut wire.out);
    serve(&mut server, &mut wire.out, &mut wire.input);
    assert!(matches!(wire.hear(""), Step::Closed));
    received
}

#[test]
fn messages_follow_each_other_on_one_connection() {
    let contents = [b"one\r\n".to_vec(), b".\r\n..\r\n".to_vec(), Vec::new(), b"four\r\n".repeat(2000)];
    for by in [By::Data, By::Chunks(1), By::Chunks(7), By::Chunks(100_000)] {
        assert_eq!(carry(&contents, by), contents, "{by:?}");
    }
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let other = (1u8..=255).prop_filter("no newline", |octet| !matches!(octet, b'\r' | b'\n'));
    let octet = prop_oneof![3 => Just(b'.'), 3 => Just(b'a'), 1 => other];
    proptest::collection::vec(octet, 0..20)
}

proptest! {
    #[test]
    fn rfc5321_4_5_2_what_the_client_stuffs_the_server_unstuffs(lines in proptest::collection::vec(line(), 0..30)) {
        let content: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect();
        prop_assert_eq!(carry(std::slice::from_ref(&content), By::Data), [content]);
    }

    #[test]
    fn rfc3030_2_chunks_bring_what_data_brings(
        lines in proptest::collection::vec(line(), 0..30),
        octets in 1_usize..40,
    ) {
        let content: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect();
        prop_assert_eq!(carry(std::slice::from_ref(&content), By::Chunks(octets)), [content]);
    }

    #[test]
    fn no_peer_breaks_the_client(
        octets in proptest::collection::vec(any::<u8>(), 0..200),
        codes in "([2-5][0-5][0-4][ -]x\r\n){0,12}",
    ) {
        let mut wire = Wire::ready(PIPELINING_PEER);
        wire.begin(&["ada@dest.example"]);
        wire.hear(&codes);
        wire.input.extend_from_slice(&octets);
        wire.hear("");
        let interrupted = wire.client.interrupted();
        prop_assert!(interrupted.recipients.len() <= 1);
    }
}
