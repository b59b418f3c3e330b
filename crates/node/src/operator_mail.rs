//! What comes for postmaster and abuse: kept for the operator to read, as a Maildir, which mail programs open
//! (`mutt -f DIR`). The operator is the controller of that mail, and deletes it himself.
//!
//! Bounds: [`LETTERS_MAX`] letters, [`OCTETS_MAX`] octets. A full folder refuses for now (452): whoever writes to a
//! postmaster is told later rather than never.
//! Invariant: a letter is answered after it is durable, and nobody but the owner of the node reads it.
//! Standards: RFC 5321 §4.5.1, RFC 2142 §4.

use crate::files;
use anyhow::Context as _;
use parking_lot::Mutex;
use smtpd::{Letter, Letters};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Store;

/// Letters that lie unread or read.
const LETTERS_MAX: usize = 1_000;
/// Octets of all of them.
const OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// The Maildir.
pub(crate) struct OperatorMail {
    store: Arc<Store>,
    folder: PathBuf,
    /// Letters of this start, for their names. Held while a letter is written, so that the bounds hold.
    written: Mutex<u64>,
}

impl OperatorMail {
    /// Opens the folder, or makes it.
    pub(crate) fn open(folder: &Path, store: Arc<Store>) -> anyhow::Result<Arc<Self>> {
        for part in ["", "tmp", "new", "cur"] {
            files::folder(&folder.join(part)).context("it is for the operator's mail; name it with --operator-mail")?;
        }
        Ok(Arc::new(Self { store, folder: folder.to_owned(), written: Mutex::new(0) }))
    }

    fn has_room_for(&self, octets: usize) -> io::Result<bool> {
        let (mut letters, mut held) = (0, u64::try_from(octets).unwrap_or(u64::MAX));
        for part in ["new", "cur"] {
            for file in std::fs::read_dir(self.folder.join(part))? {
                letters += 1;
                // One that was deleted meanwhile takes no room.
                held = held.saturating_add(file?.metadata().map_or(0, |file| file.len()));
            }
        }
        Ok(letters < LETTERS_MAX && held <= OCTETS_MAX)
    }
}

impl Letters for OperatorMail {
    fn keep(&self, letter: &Letter) -> io::Result<()> {
        if !letter.to_operator {
            return Ok(());
        }
        let mut written = self.written.lock();
        if !self.has_room_for(letter.content.len())? {
            tracing::warn!("the folder of the operator's mail is full; read and delete what is in it");
            return Err(io::ErrorKind::StorageFull.into());
        }
        *written += 1;
        let name = format!("{}.P{}Q{written}.postern", self.store.now().seconds(), std::process::id());
        // RFC 5321 §4.4: the last system writes the return path on top.
        let head = format!("Return-Path: <{}>\r\nDelivered-To: {}\r\n", letter.reverse_path, letter.recipient);
        let octets = [head.as_bytes(), &letter.content].concat();
        let temporary = self.folder.join("tmp").join(&name);
        files::write(&temporary, &octets).map_err(io::Error::other)?;
        std::fs::rename(&temporary, self.folder.join("new").join(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use bytes::Bytes;
    use smtpd::Tls;
    use store::Options;

    #[tokio::test]
    async fn rfc5321_4_5_1_letters_to_the_operator_are_kept_and_those_to_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open_sqlite(folder.path(), Options::new(Arc::new(SystemClock), folder.path())).await.unwrap();
        let mail = OperatorMail::open(&folder.path().join("mail"), Arc::clone(&store)).unwrap();
        let letter = |to_operator| Letter {
            reverse_path: "ada@dest.example".to_owned(),
            recipient: "postmaster@node.example".to_owned(),
            to_operator,
            content: Bytes::from_static(b"Subject: hello\r\n\r\nHello.\r\n"),
            tls: Tls::No,
        };
        for to_operator in [true, false, true] {
            mail.keep(&letter(to_operator)).unwrap();
        }
        let kept: Vec<_> = std::fs::read_dir(folder.path().join("mail/new")).unwrap().flatten().collect();
        assert_eq!(kept.len(), 2);
        let text = std::fs::read_to_string(kept[0].path()).unwrap();
        assert!(text.starts_with("Return-Path: <ada@dest.example>\r\nDelivered-To: postmaster@node.example\r\n"));
        assert!(text.ends_with("Subject: hello\r\n\r\nHello.\r\n"));
        store.close().await;
    }
}
