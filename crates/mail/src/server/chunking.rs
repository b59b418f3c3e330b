//! BDAT within the dialogue: when a chunk is taken, when it is skipped, and what is said to it.
//!
//! Invariants: the octets that a BDAT names are consumed before the next command is looked for, whatever its reply; a
//! chunk is answered once, after its last octet; a refused chunk ends its transaction, so that those which were
//! pipelined behind it are refused too. Standards: RFC 3030 §2, §4.2 (pipelining), RFC 1870 §6.3.

use bytes::{Buf as _, BytesMut};

use super::chunks::Chunks;
use super::command::{Bdat, Role};
use super::content::DISCARDED_LIMITS_MAX;
use super::{ContentFault, Pending, Phase, Server, Step, replies};

impl Server {
    pub(super) fn bdat(&mut self, bdat: Bdat, out: &mut BytesMut) -> Option<Step> {
        let refusal = match (bdat.role, &mut self.transaction) {
            (Role::Lost, _) => {
                // What follows may be content or commands, and nobody knows which.
                self.close(replies::bad_bdat(), out);
                return None;
            }
            (Role::Unknown, _) => replies::bad_bdat(),
            (_, None) => replies::bad_sequence(),
            (Role::More | Role::Last, Some(transaction)) if transaction.recipients > 0 => {
                let reserve = transaction.reserve();
                let (limits, newlines) = (&self.settings.limits, self.settings.bare_newlines);
                let new = || Box::new(Chunks::new(limits, newlines, reserve));
                transaction.chunks.get_or_insert_with(new).announce(bdat.octets);
                self.last_fault = None;
                self.phase = Phase::Chunk { left: bdat.octets, last: bdat.role == Role::Last };
                return self.refuse_endless(bdat.octets, out);
            }
            (Role::More | Role::Last, Some(_)) => {
                // A client that pipelines could not know that every recipient was refused.
                self.phase = Phase::DiscardOctets(bdat.octets);
                self.write(&replies::bad_sequence(), out);
                return None;
            }
        };
        self.fail(&refusal, out);
        if !matches!(self.phase, Phase::Closed) {
            self.phase = Phase::DiscardOctets(bdat.octets);
        }
        None
    }

    /// A chunk that is many times too large is not heard out.
    fn refuse_endless(&mut self, octets: u64, out: &mut BytesMut) -> Option<Step> {
        let limits = octets / u64::try_from(self.settings.limits.message_octets()).unwrap_or(u64::MAX).max(1);
        if limits > u64::try_from(DISCARDED_LIMITS_MAX).unwrap_or(u64::MAX) {
            self.last_fault = Some(ContentFault::TooLarge);
            self.close(replies::too_large(&self.settings.limits), out);
        }
        None
    }

    /// Takes what has come of the present chunk.
    pub(super) fn chunk(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Option<Step> {
        let Phase::Chunk { left, last } = &mut self.phase else { return None };
        let octets = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
        if let Some(chunks) = self.transaction.as_mut().and_then(|transaction| transaction.chunks.as_mut()) {
            chunks.take(input.get(..octets).unwrap_or_default());
        }
        input.advance(octets);
        *left -= u64::try_from(octets).unwrap_or(*left);
        if *left > 0 {
            return Some(Step::NeedInput);
        }
        let last = *last;
        self.phase = Phase::Commands;
        self.chunk_ended(last, out)
    }

    fn chunk_ended(&mut self, last: bool, out: &mut BytesMut) -> Option<Step> {
        let chunks = self.transaction.as_mut().and_then(|transaction| {
            let fault = transaction.chunks.as_ref().and_then(|chunks| chunks.fault());
            // Kept in the transaction until the last one, or until a fault.
            if last || fault.is_some() { transaction.chunks.take() } else { None }
        });
        match chunks.map(|chunks| chunks.finish()) {
            None => {
                self.write(&replies::chunk_received(), out);
                None
            }
            Some(Ok(content)) => {
                self.pending = Some(Pending::Message);
                Some(Step::Message { content })
            }
            Some(Err(fault)) => {
                self.transaction = None;
                self.last_fault = Some(fault);
                self.write(&replies::content_refused(fault, &self.settings.limits), out);
                Some(Step::Reset)
            }
        }
    }
}
