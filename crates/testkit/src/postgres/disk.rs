//! A disk that can be full: a file system of its own, in memory, for the data of one cluster.
//!
//! Only root may mount it; elsewhere [`can_limit_disks`] says so, and a test that needs one leaves itself out.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::process::Command;

use super::cluster::{Cluster, Place, fail};
use super::server::{Outcome, finish};

/// The room a cluster has. A new one needs some 45 MiB, of which 16 MiB are its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// As much as the temporary folder.
    Ample,
    /// Everything lies within so many MiB. When its log finds no room the server stops itself, and recovers.
    Whole(u32),
    /// The tables lie within so many MiB, the log of changes elsewhere: a statement that needs room fails.
    Tables(u32),
}

/// What fills a disk.
const BALLAST: &str = "ballast";

/// Whether [`Disk::Whole`] and [`Disk::Tables`] are possible here.
#[must_use]
pub fn can_limit_disks() -> bool {
    rustix::process::geteuid().is_root()
}

impl Disk {
    /// Before the cluster is made.
    pub(super) fn prepare(self, place: &Place) -> Outcome<()> {
        let (Self::Whole(size) | Self::Tables(size)) = self else { return Ok(()) };
        fs::create_dir(&place.data).map_err(|error| format!("no folder to mount on: {error}"))?;
        let (user, group) = place.programs.account().ok_or("only root may mount a limited disk")?;
        let options = format!("size={size}m,mode=0700,uid={user},gid={group}");
        let mut mount = Command::new("mount");
        finish(mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&place.data), "mount").map(drop)
    }
}

impl Cluster {
    /// Takes all the room that is left on a limited disk. Only for one that was asked for as limited: anything else
    /// would fill the machine's.
    ///
    /// # Panics
    /// When the disk is not limited.
    pub fn fill_disk(&self) {
        let data = self.place.data.to_string_lossy();
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        assert!(mounts.lines().any(|line| line.split(' ').nth(1) == Some(&*data)), "the disk is not limited");
        let file = OpenOptions::new().create(true).append(true).open(self.place.data.join(BALLAST));
        let mut file = file.unwrap_or_else(|error| fail(&format!("no ballast: {error}")));
        // First by large pieces, then by pages, until not even one of them has room.
        for size in [1 << 20, 1 << 12] {
            let piece = vec![0; size];
            loop {
                match file.write(&piece) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => fail(&format!("no ballast: {error}")),
                }
            }
        }
    }

    /// Gives back what [`Self::fill_disk`] took.
    pub fn free_disk(&self) {
        // Not there: nothing was taken.
        let _ = fs::remove_file(self.place.data.join(BALLAST));
    }
}
