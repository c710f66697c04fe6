//! The loops by hand against slow obvious ones.

use super::*;
use crate::words::{Shape, every_key, lines, pairs};
use std::collections::BTreeMap;

fn slow_counts(text: &[u8]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in String::from_utf8_lossy(text).lines().flat_map(|line| line.split(' ')) {
        *counts.entry(word.to_owned()).or_insert(0) += 1;
    }
    counts
}

fn assert_counts(counts: &WordCounts, text: &[u8]) {
    let slow = slow_counts(text);
    assert_eq!((counts.distinct(), counts.total()), (slow.len(), slow.values().sum()));
    for (word, &count) in slow.iter().take(500) {
        assert_eq!(counts.get(word), count, "{word:?}");
    }
}

#[test]
fn counts_words() {
    let texts: [&[u8]; 5] = [b"", b"a", b"a b\n", b"a  b \n\n", b"a-word-of-more-than-16-bytes a exactly-16-bytes\n"];
    for text in texts.into_iter().chain([lines(1, 40_000, Shape::default()).as_slice()]) {
        assert_counts(&word_count(text), text);
        assert_counts(&word_count_2(text), text);
        assert_counts(&socket_word_count(text).unwrap(), text);
    }
}

#[test]
fn finds_lines() {
    let text = lines(2, 20_000, Shape::default());
    let slow = String::from_utf8_lossy(&text).lines().filter(|line| line.contains("abc")).count();
    assert_eq!(grep(&text, b"abc"), slow);
    assert_eq!(grep(b"abc", b"abc"), 1);
    assert_eq!(grep(b"", b"abc"), 0);
}

#[test]
fn windows_agree_with_a_sum_over_the_batches() {
    let batches: Vec<_> = (0..12).map(|seed| pairs(seed, 300, 100)).collect();
    let (mut inverse, mut naive) = (InverseWindow::new(5), NaiveWindow::new(5));
    for (i, batch) in batches.iter().enumerate() {
        let mut slow = BTreeMap::new();
        for (key, value) in batches[(i + 1).saturating_sub(5)..=i].iter().flatten() {
            *slow.entry(*key).or_insert(0) += value;
        }
        for result in [inverse.slide(batch), naive.slide(batch)] {
            let result: BTreeMap<u64, i64> = result.into_iter().filter(|(_, sum)| *sum != 0).collect();
            assert_eq!(result, slow);
        }
    }
}

#[test]
fn state_sums_for_ever() {
    let (mut touched, mut all) = (State::default(), State::default());
    let mut slow = BTreeMap::new();
    for seed in 0..5 {
        let batch = pairs(seed, 200, 1_000);
        for (key, value) in &batch {
            *slow.entry(*key).or_insert(0) += value;
        }
        let last: BTreeMap<u64, i64> = touched.touched(&batch).into_iter().collect();
        assert!(last.iter().all(|(key, sum)| slow[key] == *sum));
        assert_eq!(all.all(&batch).into_iter().collect::<BTreeMap<_, _>>(), slow);
    }
    assert_eq!(every_key(1, 50).len(), 50);
}
