//! SCRAM within the dialogue: the driver hands in keys, the machine asks for the proof and answers with its own.
//!
//! Invariants: the session is authenticated only after the server's own proof was taken by the client, who may cancel
//! instead; a refusal says the same whatever was wrong. Standards: RFC 4954 §4, RFC 5802 §5.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;

use super::authentication::{Dialogue, Offered};
use super::{Pending, Phase, Server, Step};
use crate::reply::Reply;
use crate::scram::{First, Keys, Proven};

/// What the driver was asked about, and what is left to say.
pub(super) enum Asked {
    /// For keys.
    Keys(First),
    /// Whether the proof makes an authority; this is our own.
    Proof(String),
    /// It does: the reply that ends the dialogue.
    End(Reply),
}

impl Server {
    /// After [`Step::Scram`]: what the proof is asked for against, and our half of the nonce (random, printable,
    /// without a comma). Without an open question it does nothing.
    pub fn challenge(&mut self, keys: Keys, nonce: &str, out: &mut BytesMut) {
        if self.pending != Some(Pending::Scram) {
            return;
        }
        self.pending = None;
        let Some(Asked::Keys(first)) = self.scram.take() else { return };
        let challenged = first.challenge(keys, nonce);
        self.write(&Reply::plain(334, STANDARD.encode(challenged.text())), out);
        self.phase = Phase::Authentication(Dialogue::ScramProof(Box::new(challenged)));
    }

    pub(super) fn offered(&self) -> Offered<'_> {
        // RFC 9266 §3: what is not within TLS binds nothing.
        let exporter = self.exporter.as_ref().filter(|_| self.tls).map(<[u8; 32]>::as_slice);
        Offered { scram: self.settings.scram, exporter }
    }

    pub(super) fn ask_for_keys(&mut self, first: First) -> Option<Step> {
        let username = first.username().to_owned();
        self.scram = Some(Asked::Keys(first));
        self.pending = Some(Pending::Scram);
        Some(Step::Scram { username })
    }

    pub(super) fn ask_about_proof(&mut self, proven: Proven) -> Option<Step> {
        self.scram = Some(Asked::Proof(proven.answer().to_owned()));
        self.pending = Some(Pending::Proven);
        Some(Step::Proven(proven))
    }

    /// The driver believes the proof: ours follows, and the reply when the client has taken it.
    pub(super) fn answer_proof(&mut self, reply: Reply, out: &mut BytesMut) {
        let Some(Asked::Proof(answer)) = self.scram.take() else { return };
        self.write(&Reply::plain(334, STANDARD.encode(answer)), out);
        self.scram = Some(Asked::End(reply));
        self.phase = Phase::Authentication(Dialogue::ScramEnd);
    }

    /// The client has taken our proof.
    pub(super) fn end_scram(&mut self, out: &mut BytesMut) {
        let Some(Asked::End(reply)) = self.scram.take() else { return };
        self.authenticated = true;
        self.write(&reply, out);
    }
}
