//! C2SP tiled Merkle logs: entries, trees, tiles, checkpoints, proofs.
//!
//! The crate knows hashes, signatures and file formats, and neither mail nor people: no sockets, no clock, no
//! randomness, no SQL; only [`folder`] touches files. Times and keys are passed in. What it writes can be checked
//! by programs that share no code with it.
//!
//! Standards: RFC 6962 / RFC 9162 §2.1 (trees and proofs, SHA-256), RFC 8032 (Ed25519), RFC 8785 (canonical JSON),
//! and of C2SP: `tlog-tiles`, `signed-note`, `tlog-checkpoint`, `tlog-cosignature`, `tlog-proof`.

#![warn(missing_docs)]

pub mod checkpoint;
pub mod entry;
pub mod error;
pub mod folder;
pub mod growth;
pub mod key;
pub mod proof;
pub mod tile;
pub mod tree;

pub use checkpoint::{Checkpoint, Cosignature, SignedCheckpoint};
pub use entry::{Entry, EntryRef};
pub use error::Error;
pub use folder::{Audit, Folder, Report};
pub use growth::Growth;
pub use key::{SigningKey, VerifierKey};
pub use proof::LogProof;
pub use tile::Tile;
pub use tree::{Frontier, Hash, HashSource, leaf_hash};
