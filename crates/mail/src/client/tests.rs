//! Dialogues with peers of every kind, and both machines against each other.

use bytes::BytesMut;

use super::{
    BodyKind, Client, ClientSettings, Failure, Lost, Notices, Outcome, RecipientResult, Stage, Step, TlsUse,
    Transaction,
};
use crate::address::Repertoire;
use crate::require_tls::RequireTls;

mod body;
mod chunks;
mod opening;
mod pair;
mod transactions;

const PLAIN_PEER: &str = "220 mx\r\n250 mx\r\n";
const PIPELINING_PEER: &str = "220 mx\r\n250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000\r\n";

/// A client and the two streams it works on.
struct Wire {
    client: Client,
    input: BytesMut,
    out: BytesMut,
}

impl Wire {
    fn new(tls: TlsUse) -> Self {
        let settings = ClientSettings { ehlo_name: "out.sample.example".to_owned(), tls };
        Self { client: Client::new(settings), input: BytesMut::new(), out: BytesMut::new() }
    }

    /// A client that has greeted this peer, with nothing left in its buffers.
    fn ready(peer: &str) -> Self {
        let mut wire = Self::new(TlsUse::Never);
        assert!(matches!(wire.hear(peer), Step::Ready));
        wire.out.clear();
        wire
    }

    fn hear(&mut self, octets: &str) -> Step {
        self.input.extend_from_slice(octets.as_bytes());
        self.client.step(&mut self.input, &mut self.out)
    }

    /// What was written since the last look.
    fn said(&mut self) -> String {
        String::from_utf8(self.out.split().to_vec()).unwrap()
    }

    fn begin(&mut self, recipients: &[&str]) {
        self.client.begin(transaction(recipients), &mut self.out).unwrap();
    }

    fn outcome(&mut self, octets: &str) -> Outcome {
        match self.hear(octets) {
            Step::Outcome(outcome) => outcome,
            step => panic!("no outcome but {step:?}"),
        }
    }

    fn failure(&mut self, octets: &str) -> Failure {
        match self.hear(octets) {
            Step::Failed(failure) => failure,
            step => panic!("no failure but {step:?}"),
        }
    }

    fn send_body(&mut self, content: &[u8]) {
        self.client.write_body(&[content], &mut self.out).unwrap();
        self.client.finish(&mut self.out).unwrap();
    }
}

fn transaction(recipients: &[&str]) -> Transaction {
    Transaction {
        reverse_path: "shop@sample.example".to_owned(),
        recipients: recipients.iter().map(|path| (*path).to_owned()).collect(),
        size: None,
        body: BodyKind::SevenBit,
        repertoire: Repertoire::Ascii,
        notices: Notices::default(),
        require_tls: RequireTls::No,
    }
}

/// `a` accepted, otherwise the code of the refusal.
fn results(outcome: &Outcome) -> Vec<String> {
    let word = |result: &RecipientResult| match result {
        RecipientResult::Accepted => "a".to_owned(),
        RecipientResult::Refused(reply) => reply.code.to_string(),
    };
    outcome.recipients.iter().map(word).collect()
}
