//! The index against a list of pairs, with hashes that are alike on purpose.

use super::*;

/// Hashes of which many share their upper half, and more share their home.
fn hash_of(key: u32) -> u64 {
    u64::from(key % 700) << 40 | u64::from(key)
}

#[test]
fn every_key_is_found_and_no_other() {
    let mut index = KeyIndex::default();
    let keys: Vec<u32> = (0..3_000).map(|n| n * 7).collect();
    for (slot, &key) in keys.iter().enumerate() {
        let is_key = |slot: u32| keys[slot as usize] == key;
        assert_eq!(index.find(hash_of(key), is_key), None);
        index.add(hash_of(key), slot as u32);
        assert_eq!(index.find(hash_of(key), is_key), Some(slot as u32));
    }
    for (slot, &key) in keys.iter().enumerate() {
        assert_eq!(index.find(hash_of(key), |slot| keys[slot as usize] == key), Some(slot as u32));
    }
    assert_eq!(index.find(hash_of(5), |slot| keys[slot as usize] == 5), None);
}

#[test]
fn a_guess_is_a_slot_with_the_same_half_of_the_hash_or_none() {
    let mut index = KeyIndex::default();
    assert_eq!((index.guess(0), index.guess(u64::MAX)), (NONE, NONE));
    let hashes: Vec<u64> = (1..200u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    hashes.iter().enumerate().for_each(|(slot, &hash)| index.add(hash, slot as u32));
    let right = (0..hashes.len()).filter(|&slot| index.guess(hashes[slot]) == slot as u32).count();
    assert!(right * 2 > hashes.len(), "{right} guesses of {} are right", hashes.len());
    let wrong = (0..hashes.len()).filter(|&slot| ![slot as u32, NONE].contains(&index.guess(hashes[slot])));
    assert_eq!(wrong.count(), 0);
}

#[test]
fn what_is_removed_is_gone_and_the_rest_stays() {
    let mut index = KeyIndex::default();
    let keys: Vec<u32> = (0..3_000).map(|n| n * 7).collect();
    let mut live = std::collections::BTreeSet::new();
    for round in 0..20_000_u32 {
        let slot = round.wrapping_mul(0x9e37_79b9) % 3_000;
        let key = keys[slot as usize];
        if live.remove(&slot) {
            assert!(index.remove(hash_of(key), slot));
            assert!(!index.remove(hash_of(key), slot));
        } else {
            live.insert(slot);
            index.add(hash_of(key), slot);
        }
        if round % 1_000 == 0 {
            for (slot, &key) in (0..).zip(&keys) {
                let found = index.find(hash_of(key), |slot| keys[slot as usize] == key);
                assert_eq!(found, live.contains(&slot).then_some(slot));
            }
        }
        assert_eq!(index.len(), live.len());
    }
}
