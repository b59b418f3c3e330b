//! Signing away from the threads that serve connections.
//!
//! An RSA signature costs more than everything else a message needs together. Done on the runtime's threads it
//! would delay every reply to every client; here it is done by threads of lower priority, so that acceptance has
//! the processors first and delivery what is left. As a system lets even such a thread go on for some milliseconds when
//! it has a processor, the last of them pauses as long as clients wait for an acceptance.
//! Bounds: one thread a processor, [`WAITING_MAX`] messages.

use mail::dkim::{DkimError, Signer};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use store::Content;
use tokio::sync::oneshot;

/// Messages that wait for a signature. One a connection; more are signed where they stand.
const WAITING_MAX: usize = 1_024;
/// How much the threads stand back (nice(2): 0 is usual, 19 the most).
const STAND_BACK: i32 = 10;
/// How long the last thread pauses before it looks again whether clients wait.
const PAUSE: Duration = Duration::from_millis(1);

/// Whether clients wait for something else than signatures.
pub(crate) type Busy = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a signature is made of.
struct Work {
    content: Content,
    signers: Arc<Vec<Signer>>,
    at_unix_s: u64,
    expires_unix_s: u64,
    answer: oneshot::Sender<Result<Vec<u8>, DkimError>>,
}

/// The threads. Dropping it ends them.
pub(crate) struct Signing {
    work: SyncSender<Work>,
}

impl Signing {
    /// Starts a thread a processor. One of several works only while nobody is `busy`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(busy: &Busy) -> std::io::Result<Self> {
        let (work, waiting) = sync_channel(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for at in 0..processors {
            let waiting = Arc::clone(&waiting);
            let gives_way = (at > 0 && at + 1 == processors).then(|| Arc::clone(busy));
            let work = move || serve(&waiting, gives_way.as_ref());
            std::thread::Builder::new().name("signing".into()).spawn(work)?;
        }
        Ok(Self { work })
    }

    /// The DKIM-Signature fields of a message.
    ///
    /// # Errors
    /// Those of the signer.
    pub(crate) async fn sign(
        &self,
        content: &Content,
        signers: &Arc<Vec<Signer>>,
        at_unix_s: u64,
        expires_unix_s: u64,
    ) -> Result<Vec<u8>, DkimError> {
        let (answer, signed) = oneshot::channel();
        // Handles to the same octets, not copies.
        let work = Work { content: content.clone(), signers: Arc::clone(signers), at_unix_s, expires_unix_s, answer };
        if let Err(TrySendError::Full(work) | TrySendError::Disconnected(work)) = self.work.try_send(work) {
            return work.done();
        }
        match signed.await {
            Ok(outcome) => outcome,
            // A thread that ended by a fault of ours signs nothing more; the message is signed here.
            Err(_) => mail::dkim::sign(&content.head, &content.body, signers, at_unix_s, Some(expires_unix_s)),
        }
    }
}

impl Work {
    fn done(&self) -> Result<Vec<u8>, DkimError> {
        let Content { head, body, .. } = &self.content;
        mail::dkim::sign(head, body, &self.signers, self.at_unix_s, Some(self.expires_unix_s))
    }
}

fn serve(waiting: &Mutex<Receiver<Work>>, gives_way: Option<&Busy>) {
    // On Linux this holds for the calling thread alone. Without the right to it, signing is only less polite.
    if let Err(error) = rustix::process::nice(STAND_BACK) {
        tracing::debug!(%error, "signing runs at the usual priority");
    }
    loop {
        while gives_way.is_some_and(|busy| busy()) {
            std::thread::park_timeout(PAUSE);
        }
        // Whoever has the lock waits for work; the others wait for the lock.
        let next = waiting.lock().recv();
        let Ok(work) = next else { return };
        let signed = work.done();
        // Nobody waits any more when the connection was cut meanwhile.
        drop(work.answer.send(signed));
    }
}
