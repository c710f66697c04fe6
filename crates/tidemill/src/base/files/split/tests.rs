//! Tests of split planning.

use super::{BLOCK_BYTES, plan_lines, plan_records, plan_whole};
use crate::{base::ErrorKind, base::files::InputFile};

fn file(name: &str, size_bytes: u64) -> InputFile {
    InputFile { path: name.into(), size_bytes }
}

#[test]
fn text_is_cut_by_spark_s_rule() {
    let sizes = |files: &[InputFile], min_partitions| -> Vec<u64> {
        plan_lines(files, min_partitions).unwrap().iter().map(|split| split.end - split.start).collect()
    };
    assert_eq!(sizes(&[file("a", 9)], 2), [4, 4, 1]);
    assert_eq!(sizes(&[file("a", 9)], 5), [1; 9]);
    assert_eq!(sizes(&[file("a", 9)], 1), [9]);
    assert_eq!(sizes(&[file("a", 9)], 0), [9]);
    assert_eq!(sizes(&[file("a", 3)], 100), [1, 1, 1]);
    // A remainder of up to a tenth goes with the last split.
    assert_eq!(sizes(&[file("a", 110), file("b", 90)], 2), [110, 90]);
    assert_eq!(sizes(&[file("a", 0), file("b", 10), file("c", 0)], 2), [5, 5]);
    assert_eq!(sizes(&[file("a.gz", 1000), file("b", 10)], 100), [1000, 10]);
    assert_eq!(sizes(&[], 2), [0; 0]);
    let large = sizes(&[file("a", 3 * BLOCK_BYTES + 7)], 1);
    assert_eq!(large, [BLOCK_BYTES, BLOCK_BYTES, BLOCK_BYTES + 7]);
}

#[test]
fn splits_cover_the_file_without_gaps() {
    for size in [1, 10, 99, 1000] {
        for min_partitions in 1..20 {
            let mut next = 0;
            for split in plan_lines(&[file("a", size)], min_partitions).unwrap() {
                assert_eq!((split.start, split.whole), (next, false));
                next = split.end;
            }
            assert_eq!(next, size);
        }
    }
    assert!(plan_lines(&[file("a.bz2", 9)], 3).unwrap()[0].whole);
    assert!(plan_lines(&[file("a.snappy", 9)], 3).unwrap_err().to_string().contains("a.snappy"));
}

#[test]
fn records_are_cut_at_their_borders() {
    let splits = plan_records(&[file("a", 2 * BLOCK_BYTES)], 7).unwrap();
    assert!(splits.iter().all(|split| split.start % 7 == 0));
    assert_eq!(splits.last().unwrap().end, 2 * BLOCK_BYTES);
    assert_eq!(plan_records(&[file("a", 10)], 1 << 40).unwrap().len(), 1);
    assert_eq!(plan_records(&[file("a", 10)], 0).unwrap_err().kind(), ErrorKind::Invalid);
    assert!(plan_records(&[file("a.gz", 10)], 2).is_err());
}

#[test]
fn whole_files_share_partitions() {
    let partitions = |sizes: &[u64], min_partitions| -> Vec<usize> {
        let files: Vec<_> = sizes.iter().map(|size| file("a", *size)).collect();
        plan_whole(&files, min_partitions).iter().map(Vec::len).collect()
    };
    assert_eq!(partitions(&[10, 10, 10, 10], 2), [2, 2]);
    assert_eq!(partitions(&[100, 0, 1], 2), [1, 2]);
    assert_eq!(partitions(&[0, 0, 0], 2), [3]);
    assert_eq!(partitions(&[], 2), [0; 0]);
}
