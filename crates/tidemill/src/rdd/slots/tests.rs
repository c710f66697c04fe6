//! Slots stay right through growth, removal and reuse.

use super::SlotMap;

#[test]
fn slots_are_dense_and_those_removed_are_reused() {
    let mut slots = SlotMap::default();
    for (expected, key) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(slots.slot(key), (expected, true));
    }
    slots.remove(1);
    slots.remove(1);
    assert_eq!((slots.len(), slots.slots()), (2, 3));
    assert_eq!(slots.slot("c"), (2, false));
    assert_eq!(slots.slot("d"), (1, true));
    assert_eq!(slots.slot("b"), (3, true));
    assert_eq!((*slots.key(1), slots.len(), slots.slots()), ("d", 4, 4));
}

#[test]
fn slots_survive_growth_with_removals() {
    let mut slots = SlotMap::default();
    let mut live = std::collections::HashMap::new();
    for round in 0_u64..2_000 {
        live.insert(round, slots.slot(round).0);
        if round % 3 == 0
            && let Some(slot) = live.remove(&(round / 2))
        {
            slots.remove(slot);
        }
    }
    for (&key, &slot) in &live {
        assert_eq!((slots.slot(key), *slots.key(slot)), ((slot, false), key));
    }
    assert_eq!(slots.len(), live.len());
}
