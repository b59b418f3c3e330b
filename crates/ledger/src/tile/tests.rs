//! Tiles: names, the tiles of a growing tree, bundles, and hashes read out of tiles.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::growth::Growth;
use crate::tree::tests::MemoryTree;
use crate::tree::{HashSource, leaf_hash};

fn hashes(level: u8) -> Kind {
    Kind::Hashes { level }
}

#[test]
fn c2sp_tlog_tiles_paths() {
    let size = 1_234_067 * 256 + 8;
    assert_eq!(Tile::at(hashes(0), 1_234_067, size).unwrap().path(), "tile/0/x001/x234/067.p/8");
    assert_eq!(Tile::at(hashes(0), 1_234_066, size).unwrap().path(), "tile/0/x001/x234/066");
    assert_eq!(Tile::at(Kind::Entries, 0, 5).unwrap().path(), "tile/entries/000.p/5");
    assert_eq!(Tile::at(Kind::Entries, 1_000, 256_256).unwrap().path(), "tile/entries/x001/000");
    assert_eq!(Tile::at(hashes(0), 1, 256), None);
    assert_eq!(Tile::at(hashes(8), 0, u64::MAX), None);
}

#[test]
fn c2sp_tlog_tiles_the_example_of_70000_entries() {
    let tiles: Vec<Tile> = tiles_for_growth(0, 70_000).collect();
    let of = |kind| tiles.iter().filter(|tile| tile.kind() == kind).copied().collect::<Vec<_>>();
    let level0 = of(hashes(0));
    assert_eq!((level0.len(), level0[273].width()), (274, 112));
    assert!(level0[..273].iter().all(|tile| tile.is_full()));
    assert_eq!(of(hashes(1)).iter().map(|tile| tile.width()).collect::<Vec<_>>(), [256, 17]);
    assert_eq!(of(hashes(2)).iter().map(|tile| tile.width()).collect::<Vec<_>>(), [1]);
    assert_eq!(of(Kind::Entries).len(), 274);
    assert!(of(hashes(3)).is_empty());
}

#[test]
fn one_tile_has_one_path() {
    for bad in [
        "",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/8/000",
        "tile/64/000",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/08",
        "tile/0/000.p/",
        "tile/0/+01",
        "tile/data/000",
        "tile/0/../000",
        "/tile/0/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(bad.parse::<Tile>().is_err(), "{bad}");
    }
}

#[test]
fn growth_lists_exactly_the_tiles_whose_content_changes() {
    let contents = |size: u64| {
        let all = tiles_for_growth(0, size);
        all.map(|tile| (tile.kind(), tile.index(), tile.width())).collect::<BTreeSet<_>>()
    };
    for (old, new) in [(0, 0), (0, 1), (5, 5), (5, 6), (255, 256), (256, 257), (300, 70_000), (65_535, 65_536)] {
        let fresh: BTreeSet<_> = contents(new).difference(&contents(old)).copied().collect();
        let listed: Vec<_> = tiles_for_growth(old, new).map(|t| (t.kind(), t.index(), t.width())).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), fresh, "{old} to {new}");
        assert_eq!(listed.len(), fresh.len());
        assert!(listed.is_sorted(), "bundles first, then levels upwards");
    }
}

#[test]
fn c2sp_tlog_tiles_bundles_carry_big_endian_lengths() {
    let mut bundle = Vec::new();
    push_entry(&mut bundle, b"ab").unwrap();
    push_entry(&mut bundle, b"").unwrap();
    assert_eq!(bundle, [0, 2, b'a', b'b', 0, 0]);
    push_entry(&mut bundle, &[1; 65_535]).unwrap();
    assert!(matches!(push_entry(&mut bundle, &[1; 65_536]), Err(Error::EntryTooLong { length: 65_536 })));
    let lengths: Vec<usize> = BundleEntries::new(&bundle).map(|entry| entry.unwrap().len()).collect();
    assert_eq!(lengths, [2, 0, 65_535]);
    for cut in [&bundle[..1], &bundle[..3], &bundle[..bundle.len() - 1]] {
        assert!(BundleEntries::new(cut).any(|entry| entry.is_err()));
    }
}

#[test]
fn hashes_read_out_of_tiles_are_those_of_the_tree() {
    let entries: Vec<[u8; 8]> = (0..66_000u64).map(u64::to_be_bytes).collect();
    let mut memory = MemoryTree::of(&entries);
    let mut growth = Growth::new();
    let mut stored = BTreeMap::new();
    let mut keep = |tile: Tile, bytes: &[u8]| {
        stored.insert(tile, bytes.to_vec());
        Ok::<_, Error>(())
    };
    for entry in &entries {
        growth.push(leaf_hash(entry), &mut keep).unwrap();
    }
    growth.finish(&mut keep).unwrap();
    assert!(stored.keys().copied().eq(tiles_for_growth(0, 66_000).filter(|tile| tile.kind() != Kind::Entries)));
    let mut reads = 0;
    let mut source = TileHashes::new(66_000, |tile| {
        reads += 1;
        stored.get(&tile).cloned().ok_or(Error::Missing { path: tile.path() })
    });
    for level in 0..17u8 {
        let last = (66_000u64 >> level) - 1;
        for index in [0, last / 3, last] {
            assert_eq!(source.hash(level, index).unwrap(), memory.hash(level, index).unwrap(), "{level}/{index}");
        }
        assert!(source.hash(level, last + 1).is_err());
    }
    assert!(source.hash(17, 0).is_err());
    assert!(source.hash(200, 0).is_err());
    assert!(source.hash(7, u64::MAX).is_err());
    assert!(reads < 60, "{reads}");
}

proptest! {
    #[test]
    fn paths_read_back(level in 0u8..=7, entries in any::<bool>(), index in 0u64..1 << 40, width in 1u64..=256) {
        let kind = if entries { Kind::Entries } else { hashes(level) };
        let scale = kind.shift();
        prop_assume!(scale + 8 + index.max(1).ilog2() < 60);
        let tile = Tile::at(kind, index, (index * 256 + width) << scale).unwrap();
        prop_assert_eq!(u64::from(tile.width()), width);
        prop_assert_eq!(tile.path().parse::<Tile>().unwrap(), tile);
    }

    #[test]
    fn arbitrary_text_never_panics(
        text in "(tile/)?[0-9x./p]{0,40}",
        bytes in proptest::collection::vec(any::<u8>(), 0..99),
    ) {
        if let Ok(tile) = text.parse::<Tile>() {
            prop_assert_eq!(tile.path(), text);
        }
        prop_assert!(BundleEntries::new(&bytes).count() <= 50);
    }
}
