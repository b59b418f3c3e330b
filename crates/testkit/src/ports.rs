//! Blocks of free ports, for nodes that are told a base port.
//!
//! Several test processes look at once, so a block is also locked by a file as long as this process lives. Ports
//! lie below 32,768, where Linux takes none for outgoing connections.

use std::fs::{File, create_dir_all};
use std::net::{Ipv4Addr, TcpListener};

use parking_lot::Mutex;

/// Ports in a block: HTTP, three submission listeners, inbound, mailbox, its page, HTTPS.
pub const BLOCK_PORTS: u16 = 8;
const FIRST: u16 = 20_000;
const BLOCKS: u16 = 1_500;

/// Files whose locks keep our blocks from other processes.
static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// The first of [`BLOCK_PORTS`] consecutive ports of 127.0.0.1 that are free, and that no other test gets.
///
/// # Panics
/// When there is no such block, or no temporary folder for the locks.
#[must_use]
pub fn base_port() -> u16 {
    let folder = std::env::temp_dir().join("postern-test-ports");
    if let Err(error) = create_dir_all(&folder) {
        panic!("no folder for port locks: {error}");
    }
    // Start at a place of this process, so that parallel processes rarely look at the same block.
    let offset = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap_or(0);
    for step in 0..BLOCKS {
        let block = (offset + step) % BLOCKS;
        let base = FIRST + block * BLOCK_PORTS;
        let Ok(lock) = File::create(folder.join(base.to_string())) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        if all_free(base) {
            TAKEN.lock().push(lock);
            return base;
        }
    }
    panic!("no block of {BLOCK_PORTS} free ports");
}

fn all_free(base: u16) -> bool {
    let bound: Vec<_> =
        (base..base + BLOCK_PORTS).map_while(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()).collect();
    bound.len() == usize::from(BLOCK_PORTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_free_and_never_given_twice() {
        let (one, two) = (base_port(), base_port());
        assert!(one.abs_diff(two) >= BLOCK_PORTS);
        assert!(all_free(one) && all_free(two));
        let occupied = TcpListener::bind((Ipv4Addr::LOCALHOST, one + 3)).unwrap();
        assert!(!all_free(one));
        drop(occupied);
    }
}
