//! Merkle trees over SHA-256 as in RFC 6962 §2.1 and RFC 9162 §2.1: roots, inclusion and consistency proofs.
//!
//! Invariants: a [`Frontier`] of n entries holds one hash per set bit of n (at most 62), so a log of any length grows
//! in constant memory; proofs are made from complete subtrees only, which a [`HashSource`] supplies and which never
//! change once they exist. Verification trusts nothing in a proof: lengths follow from the two numbers.
//! Pure code: no I/O of its own.

use aws_lc_rs::digest;

use crate::error::Error;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Largest tree handled: keeps every shift and sum below within 64 bits.
pub const TREE_SIZE_MAX: u64 = 1 << 62;
/// Most hashes in an inclusion proof.
pub const INCLUSION_HASHES_MAX: usize = 63;
/// Most hashes in a consistency proof.
pub const CONSISTENCY_HASHES_MAX: usize = 64;

/// SHA-256 of nothing. RFC 9162 §2.1.1: the root of the empty tree.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// RFC 9162 §2.1.1: `H(0x00 || entry)`; the prefix keeps leaves and nodes apart.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    // One call on the stack for entries of the usual size: a digest context costs an allocation, which is as long
    // as the hashing itself.
    let mut block = [0u8; LEAF_ON_STACK];
    if let Some(room) = block.get_mut(1..=entry.len()) {
        room.copy_from_slice(entry);
        return sha256(&block[..=entry.len()]);
    }
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0]);
    context.update(entry);
    to_hash(&context.finish())
}

/// RFC 9162 §2.1.1: `H(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut block = [1u8; 65];
    block[1..33].copy_from_slice(left);
    block[33..].copy_from_slice(right);
    sha256(&block)
}

/// The right edge of a tree: enough to append and to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    // One complete subtree per set bit of `size`, largest first.
    hashes: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the edge of a tree of `size` entries from a source.
    pub fn load(size: u64, source: &mut impl HashSource) -> Result<Self, Error> {
        check_size(size)?;
        let mut hashes = Vec::new();
        for level in (0..62u8).rev().filter(|level| size >> level & 1 == 1) {
            hashes.push(source.hash(level, (size >> level) - 1)?);
        }
        Ok(Self { size, hashes })
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_each(leaf, |_, _, _| {});
    }

    /// Appends leaves in order.
    pub fn push_many(&mut self, leaves: impl IntoIterator<Item = Hash>) {
        for leaf in leaves {
            self.push(leaf);
        }
    }

    /// Appends one leaf and tells every complete subtree that comes into being: level (0 is the leaf itself),
    /// index within the level, hash. Whoever keeps these can serve as a [`HashSource`].
    pub fn push_each(&mut self, leaf: Hash, mut completed: impl FnMut(u8, u64, &Hash)) {
        let (mut hash, mut level, mut index) = (leaf, 0u8, self.size);
        completed(level, index, &hash);
        while index & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            completed(level, index, &hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root. RFC 9162 §2.1.1: unbalanced trees are split at the largest power of two, which is the same as
    /// folding the edge from the right.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut from_right = self.hashes.iter().rev();
        let Some(last) = from_right.next() else { return empty_root() };
        from_right.fold(*last, |right, left| node_hash(left, &right))
    }

    /// Size as 8 bytes big-endian, then the hashes, largest subtree first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.hashes.iter().flatten());
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote; the number of hashes must be exactly that of the size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::Malformed { what: "frontier", expected: "8 bytes of size, then one hash per set bit" };
        let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return Err(malformed) };
        let size = u64::from_be_bytes(*head);
        check_size(size)?;
        let (hashes, surplus) = rest.as_chunks::<32>();
        if !surplus.is_empty() || usize::try_from(size.count_ones()) != Ok(hashes.len()) {
            return Err(malformed);
        }
        Ok(Self { size, hashes: hashes.to_vec() })
    }
}

/// Supplies hashes of complete subtrees.
pub trait HashSource {
    /// The hash of the subtree over entries `index << level .. (index + 1) << level`.
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Error>;
}

/// RFC 9162 §2.1.3.1: the hashes that lead from entry `index` to the root of the first `size` entries.
pub fn prove_inclusion(source: &mut impl HashSource, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
    check_size(size)?;
    if index >= size {
        return Err(Error::OutsideTree { index, size });
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// RFC 9162 §2.1.4.1: the hashes that show the first `old` of `new` entries unchanged. Empty when `old` is 0 or `new`.
pub fn prove_consistency(source: &mut impl HashSource, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
    check_size(new)?;
    if old > new {
        return Err(Error::OutsideTree { index: old, size: new });
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(path);
    }
    let (mut start, mut end) = (0, new);
    // While the old tree is a prefix of what is left its root is known to the verifier and need not be sent.
    let mut known = true;
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(source, start, middle)?);
            start = middle;
            known = false;
        }
    }
    if !known {
        path.push(range_root(source, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// RFC 9162 §2.1.3.2: does `path` lead from the leaf at `index` to `root`?
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), Error> {
    let refused = Error::NotIncluded { index, size };
    if index >= size || path.len() > INCLUSION_HASHES_MAX {
        return Err(refused);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(refused);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(refused) }
}

/// RFC 9162 §2.1.4.2: is the tree `(new, new_root)` an extension of `(old, old_root)`? An empty old tree is extended
/// by any tree, with an empty proof.
pub fn verify_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    path: &[Hash],
) -> Result<(), Error> {
    let refused = Error::NotConsistent { old, new };
    if old > new || path.len() > CONSISTENCY_HASHES_MAX {
        return Err(refused);
    }
    if old == 0 || old == new {
        let same = if old == 0 { *old_root == empty_root() } else { old_root == new_root };
        return if same && path.is_empty() { Ok(()) } else { Err(refused) };
    }
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    // A power of two: the proof begins with the old root itself, which the sender leaves out.
    let (first, rest) = if old.is_power_of_two() {
        (*old_root, path)
    } else {
        let Some((first, rest)) = path.split_first() else { return Err(refused) };
        (*first, rest)
    };
    let (mut from_old, mut from_new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(refused);
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && from_old == *old_root && from_new == *new_root { Ok(()) } else { Err(refused) }
}

// Root of entries start..end, where start is a multiple of the largest power of two within the range.
fn range_root(source: &mut impl HashSource, mut start: u64, end: u64) -> Result<Hash, Error> {
    let mut parts = Vec::new();
    while start < end {
        let width = 1u64 << (end - start).ilog2();
        let level = u8::try_from(width.trailing_zeros()).unwrap_or_default();
        parts.push(source.hash(level, start >> level)?);
        start += width;
    }
    let mut from_right = parts.iter().rev();
    let Some(last) = from_right.next() else { return Ok(empty_root()) };
    Ok(from_right.fold(*last, |right, left| node_hash(left, &right)))
}

// RFC 9162 §2.1.1: the largest power of two smaller than n, for n > 1.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

fn check_size(size: u64) -> Result<(), Error> {
    if size > TREE_SIZE_MAX { Err(Error::OutsideTree { index: size, size: TREE_SIZE_MAX }) } else { Ok(()) }
}

fn sha256(bytes: &[u8]) -> Hash {
    to_hash(&digest::digest(&digest::SHA256, bytes))
}

fn to_hash(digest: &digest::Digest) -> Hash {
    let mut hash = [0u8; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

const LEAF_ON_STACK: usize = 1_024;

#[cfg(test)]
pub(crate) mod tests;
