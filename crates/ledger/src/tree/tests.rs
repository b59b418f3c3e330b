//! Trees: the vectors of RFC 6962's reference implementation, and every proof of every tree up to 200 entries.

use proptest::prelude::*;

use super::*;

/// All levels of a tree in memory.
#[derive(Default)]
pub(crate) struct MemoryTree {
    pub(crate) frontier: Frontier,
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    pub(crate) fn of(entries: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut tree = Self::default();
        for entry in entries {
            let levels = &mut tree.levels;
            tree.frontier.push_each(leaf_hash(entry.as_ref()), |level, index, hash| {
                levels.resize_with(levels.len().max(usize::from(level) + 1), Vec::new);
                let row = &mut levels[usize::from(level)];
                assert_eq!(row.len() as u64, index);
                row.push(*hash);
            });
        }
        tree
    }
}

impl HashSource for MemoryTree {
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Error> {
        let row = self.levels.get(usize::from(level));
        let hash = row.and_then(|row| row.get(usize::try_from(index).unwrap()));
        hash.copied().ok_or(Error::OutsideTree { index, size: self.frontier.size() })
    }
}

// The definition, RFC 9162 §2.1.1, word for word.
fn root_by_definition(entries: &[Vec<u8>]) -> Hash {
    match entries {
        [] => empty_root(),
        [one] => leaf_hash(one),
        more => {
            let k = 1usize << (more.len() - 1).ilog2();
            node_hash(&root_by_definition(&more[..k]), &root_by_definition(&more[k..]))
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn hash(text: &str) -> Hash {
    hex(text).try_into().unwrap()
}

fn numbered(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|n| n.to_be_bytes().to_vec()).collect()
}

// From the certificate-transparency reference implementation's tests.
const INPUTS: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn rfc6962_2_1_roots_of_the_reference_vectors() {
    assert_eq!(empty_root(), hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert_eq!(Frontier::new().root(), empty_root());
    let mut frontier = Frontier::new();
    for (input, root) in INPUTS.iter().zip(ROOTS) {
        frontier.push(leaf_hash(&hex(input)));
        assert_eq!(frontier.root(), hash(root));
    }
}

#[test]
fn rfc6962_2_1_1_and_2_1_2_proofs_of_the_reference_vectors() {
    let mut tree = MemoryTree::of(INPUTS.map(hex));
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(prove_inclusion(&mut tree, 5, 8).unwrap(), expected.map(hash));
    assert_eq!(prove_inclusion(&mut tree, 2, 3).unwrap(), [hash(ROOTS[1])]);
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(prove_consistency(&mut tree, 6, 8).unwrap(), expected.map(hash));
}

#[test]
fn rfc9162_2_1_1_root_equals_the_definition_and_prefixes_part_leaves_from_nodes() {
    for count in 0..130 {
        let entries = numbered(count);
        assert_eq!(MemoryTree::of(&entries).frontier.root(), root_by_definition(&entries));
    }
    let pair = [leaf_hash(b"a"), leaf_hash(b"b")].concat();
    assert_ne!(leaf_hash(&pair), node_hash(&leaf_hash(b"a"), &leaf_hash(b"b")));
}

#[test]
fn leaf_hash_is_the_same_on_both_sides_of_the_stack_limit() {
    for length in [0, 1, LEAF_ON_STACK - 2, LEAF_ON_STACK - 1, LEAF_ON_STACK, 65_535] {
        let entry = vec![7u8; length];
        let mut prefixed = vec![0u8];
        prefixed.extend_from_slice(&entry);
        assert_eq!(leaf_hash(&entry), sha256(&prefixed));
    }
}

#[test]
fn rfc9162_2_1_3_every_inclusion_proof_up_to_200_entries() {
    let mut tree = MemoryTree::of(numbered(200));
    let mut frontier = Frontier::new();
    for size in 1..=200u64 {
        frontier.push(leaf_hash(&(size - 1).to_be_bytes()));
        let root = frontier.root();
        for index in 0..size {
            let path = prove_inclusion(&mut tree, index, size).unwrap();
            let leaf = leaf_hash(&index.to_be_bytes());
            verify_inclusion(&leaf, index, size, &path, &root).unwrap();
            assert!(verify_inclusion(&leaf_hash(b"other"), index, size, &path, &root).is_err());
            assert!(verify_inclusion(&leaf, index + 1, size, &path, &root).is_err());
            let mut long = path.clone();
            long.push([0; 32]);
            assert!(verify_inclusion(&leaf, index, size, &long, &root).is_err());
            if let Some((_, short)) = path.split_last() {
                assert!(verify_inclusion(&leaf, index, size, short, &root).is_err());
            }
        }
        assert!(prove_inclusion(&mut tree, size, size).is_err());
    }
}

#[test]
fn rfc9162_2_1_4_every_consistency_proof_up_to_200_entries() {
    let mut tree = MemoryTree::of(numbered(200));
    let mut roots = vec![empty_root()];
    let mut frontier = Frontier::new();
    for n in 0..200u64 {
        frontier.push(leaf_hash(&n.to_be_bytes()));
        roots.push(frontier.root());
    }
    let other = leaf_hash(b"other");
    for (new, new_root) in (0u64..).zip(&roots) {
        for (old, old_root) in (0u64..).zip(&roots).take_while(|(old, _)| *old <= new) {
            let path = prove_consistency(&mut tree, old, new).unwrap();
            verify_consistency((old, old_root), (new, new_root), &path).unwrap();
            assert!(verify_consistency((old, &other), (new, new_root), &path).is_err());
            if old > 0 {
                assert!(verify_consistency((old, old_root), (new, &other), &path).is_err());
            }
            let mut long = path.clone();
            long.push([0; 32]);
            assert!(verify_consistency((old, old_root), (new, new_root), &long).is_err());
            if let Some((_, short)) = path.split_last() {
                assert!(verify_consistency((old, old_root), (new, new_root), short).is_err());
            }
        }
        assert!(prove_consistency(&mut tree, new + 1, new).is_err());
    }
}

#[test]
fn frontier_reads_back_only_with_the_right_number_of_hashes() {
    for count in [0, 1, 2, 3, 7, 8, 200] {
        let tree = MemoryTree::of(numbered(count));
        let bytes = tree.frontier.to_bytes();
        assert_eq!(Frontier::from_bytes(&bytes).unwrap(), tree.frontier);
        assert!(Frontier::from_bytes(&[bytes.as_slice(), &[0; 32]].concat()).is_err());
        assert!(Frontier::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
    assert!(Frontier::from_bytes(&[255; 8 + 64 * 32]).is_err());
}

#[test]
fn frontier_loads_from_a_source() {
    for count in 0..70 {
        let mut tree = MemoryTree::of(numbered(count));
        assert_eq!(Frontier::load(count, &mut tree).unwrap(), tree.frontier);
    }
}

proptest! {
    #[test]
    fn an_altered_proof_never_verifies(size in 2u64..200, at in any::<prop::sample::Index>(), bit in 0usize..256) {
        let mut tree = MemoryTree::of(numbered(size));
        let root = tree.frontier.root();
        let index = at.index(usize::try_from(size).unwrap()) as u64;
        let leaf = leaf_hash(&index.to_be_bytes());
        let mut path = prove_inclusion(&mut tree, index, size).unwrap();
        let position = at.index(path.len());
        path[position][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root).is_err());
    }

    #[test]
    fn an_altered_consistency_proof_never_verifies(
        new in 2u64..200,
        at in any::<prop::sample::Index>(),
        bit in 0usize..256,
    ) {
        let old = at.index(usize::try_from(new - 1).unwrap()) as u64 + 1;
        let mut tree = MemoryTree::of(numbered(new));
        let old_root = MemoryTree::of(numbered(old)).frontier.root();
        let root = tree.frontier.root();
        let mut path = prove_consistency(&mut tree, old, new).unwrap();
        prop_assert!(verify_consistency((old, &old_root), (new, &root), &path).is_ok());
        let position = at.index(path.len());
        path[position][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_consistency((old, &old_root), (new, &root), &path).is_err());
    }

    #[test]
    fn arbitrary_proofs_never_panic(
        index in any::<u64>(), size in any::<u64>(), old in any::<u64>(),
        path in proptest::collection::vec(any::<[u8; 32]>(), 0..70), root in any::<[u8; 32]>(),
    ) {
        prop_assert!(verify_inclusion(&root, index, size, &path, &root).is_err() || size == 1);
        let _ = verify_consistency((old, &root), (size, &[0; 32]), &path);
    }
}
