//! Growing in steps gives the same tiles as growing at once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::tile::tiles_for_growth;
use crate::tree::leaf_hash;

fn tiles_after(steps: &[u64]) -> (BTreeMap<Tile, Vec<u8>>, Frontier) {
    let mut stored = BTreeMap::new();
    let mut frontier = Frontier::new();
    for step in steps {
        let start = frontier.size();
        let mut growth = Growth::resume(frontier, |tile| Ok(stored.get(&tile).cloned().unwrap_or_default())).unwrap();
        let mut emitted = Vec::new();
        let mut emit = |tile: Tile, bytes: &[u8]| {
            emitted.push((tile, bytes.to_vec()));
            Ok::<_, Error>(())
        };
        for n in start..start + step {
            growth.push(leaf_hash(&n.to_be_bytes()), &mut emit).unwrap();
        }
        frontier = growth.finish(&mut emit).unwrap().clone();
        // What is emitted is what the plan says, no more and no less.
        let mut names: Vec<Tile> = emitted.iter().map(|(tile, _)| *tile).collect();
        names.sort_unstable();
        let planned = tiles_for_growth(start, start + step).filter(|tile| tile.kind() != Kind::Entries);
        assert!(names.into_iter().eq(planned));
        stored.extend(emitted);
    }
    (stored, frontier)
}

#[test]
fn c2sp_tlog_tiles_levels_fill_at_256_and_65536() {
    let (tiles, frontier) = tiles_after(&[255, 1, 65_279, 1, 1]);
    assert_eq!(frontier.size(), 65_537);
    for path in ["tile/0/000", "tile/1/000", "tile/2/000.p/1", "tile/0/256.p/1"] {
        assert!(tiles.contains_key(&path.parse().unwrap()), "{path}");
    }
    assert!(!tiles.contains_key(&"tile/1/001.p/1".parse().unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn steps_do_not_matter(steps in proptest::collection::vec(0u64..700, 1..6)) {
        let (stepwise, frontier) = tiles_after(&steps);
        let (at_once, expected) = tiles_after(&[steps.iter().sum()]);
        prop_assert_eq!(frontier, expected);
        for (tile, bytes) in at_once {
            prop_assert_eq!(&stepwise[&tile], &bytes);
        }
    }
}
