//! Few bytes are written again, and few files are left.

use super::*;

fn file(bytes: u64, base: bool) -> StateRef {
    StateRef { source: StateSource::File { name: "x".into(), bytes }, base }
}

fn inline(bytes: usize) -> StateRef {
    StateRef::change(StateSource::Inline(vec![0; bytes]))
}

#[test]
fn what_is_to_merge_depends_on_sizes() {
    let small = || file(1_000, false);
    type Case = (&'static str, Vec<StateRef>, Option<Range<usize>>);
    let cases: [Case; 6] = [
        ("nothing", vec![], None),
        ("few", vec![small(), small()], None),
        ("eight of a size", (0..9).map(|_| small()).collect(), Some(0..9)),
        (
            "a large one before is left",
            std::iter::once(file(100_000, false)).chain((0..8).map(|_| small())).collect(),
            Some(1..9),
        ),
        ("little in the log", vec![file(9_000_000, true), inline(4_000)], None),
        ("much in the log", vec![file(9_000_000, true), small(), inline(4_000), small(), inline(200)], Some(2..5)),
    ];
    for (case, state, expected) in cases {
        assert_eq!(to_merge(&state), expected, "{case}");
    }
}

#[test]
fn a_base_is_due_at_a_quarter_of_it_but_not_for_little() {
    assert!(!base_is_due(&[file(200_000, false)]));
    assert!(base_is_due(&[file(200_000, false), file(100_000, false)]));
    assert!(!base_is_due(&[file(8_000_000, true), file(8_000_000, true), file(4_000_000, false)]));
    assert!(base_is_due(&[file(8_000_000, true), file(8_000_000, true), file(4_000_001, false)]));
}

/// How many bytes are written for each byte of changes that never overwrite each other, and how many sources there are.
#[test]
fn each_byte_is_written_a_few_times() {
    for (change_bytes, base_bytes) in [(500_u64, 2_000_000_u64), (20_000, 20_000_000), (2_000_000, 20_000_000)] {
        let mut state = vec![file(base_bytes, true)];
        let (mut changed, mut written, mut most) = (0, 0, 0);
        for batch in 0..20_000 {
            state.push(file(change_bytes, false));
            changed += change_bytes;
            written += change_bytes;
            if base_is_due(&state) {
                // The changes fall on keys that are there.
                state = vec![file(base_bytes, true)];
                written += base_bytes;
            } else if batch % 32 == 0
                && let Some(range) = to_merge(&state)
            {
                let merged = bytes_of(&state[range.clone()]);
                state.splice(range, [file(merged, false)]);
                written += merged;
            }
            most = most.max(state.len());
        }
        let amplification = written as f64 / changed as f64;
        assert!(amplification < 10.0 && most < 70, "{change_bytes}: {amplification}, {most}");
    }
}
