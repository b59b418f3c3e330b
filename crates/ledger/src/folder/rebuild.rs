//! Making a folder anew from the entries that the store keeps.
//!
//! Built beside the old tiles and swapped in only when whole, and only when it continues what was published: a store
//! whose entries were tampered with cannot be turned into a freshly signed log without anybody noticing.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Folder, disk, read_checkpoint};
use crate::checkpoint::{self, SignedCheckpoint};
use crate::error::Error;
use crate::key::SigningKey;
use crate::tree::Frontier;

/// Writes all tiles and a new checkpoint from all entries, in order. If the folder has a checkpoint, the entries must
/// extend it ([`Error::HistoryRewritten`], [`Error::Shrunk`] otherwise, and nothing is changed). Errors of the
/// iterator pass through.
pub fn rebuild<B: AsRef<[u8]>, E: From<Error>>(
    dir: &Path,
    entries: impl IntoIterator<Item = Result<B, E>>,
    key: &SigningKey,
) -> Result<SignedCheckpoint, E> {
    let published = read_checkpoint(dir)?;
    disk::remove_folder(dir, WORKSHOP)?;
    let mut fresh = Folder { dir: dir.join(WORKSHOP), frontier: Frontier::new(), published: 0 };
    let mut entries = entries.into_iter();
    if let Some(signed) = &published {
        let earlier = signed.verify(key.verifier())?;
        let size = earlier.size();
        let now = fresh.extend_from(0, take(&mut entries, size))?;
        if now < size {
            return Err(Error::Shrunk { earlier: size, now }.into());
        }
        // C2SP tlog-checkpoint, "Signatures": a log must not sign what contradicts a checkpoint it signed before.
        if fresh.root() != *earlier.root() {
            return Err(Error::HistoryRewritten { size }.into());
        }
    }
    fresh.extend_from(fresh.size(), entries)?;
    let signed = checkpoint::sign(key, fresh.size(), fresh.root())?;
    let (old, new) = (format!("{WORKSHOP}/old"), format!("{WORKSHOP}/tile"));
    // Crash between the renames: the folder has no tiles and fails to open; the cure is to rebuild again.
    disk::rename(dir, "tile", &old)?;
    disk::rename(dir, &new, "tile")?;
    disk::sync_folders(dir, &BTreeSet::from([dir.to_path_buf()]))?;
    let mut folder = Folder { dir: dir.to_path_buf(), frontier: fresh.frontier, published: 0 };
    folder.write_checkpoint(&signed)?;
    disk::remove_folder(dir, WORKSHOP)?;
    Ok(signed)
}

fn take<I: Iterator>(entries: &mut I, most: u64) -> impl Iterator<Item = I::Item> {
    (0..most).map_while(|_| entries.next())
}

const WORKSHOP: &str = ".rebuild";
