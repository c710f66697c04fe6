//! The layout of a printed batch, to the letter, as Spark 3.5 prints it.

use super::write_batch;
use crate::{Text, Time, testing::TestContext};

fn printed(time_ms: u64, head: &[i32], n: usize) -> String {
    let mut out = Vec::new();
    write_batch(&mut out, Time::from_ms(time_ms), head, n).unwrap();
    String::from_utf8(out).unwrap()
}

const RULE: &str = "-------------------------------------------";

#[test]
fn the_layout_of_a_batch() {
    assert_eq!(RULE.len(), 43);
    let cases: [(&[i32], usize, &str); 7] = [
        (&[], 10, ""),
        (&[], 0, ""),
        (&[7], 10, "7\n"),
        (&[1, 2], 2, "1\n2\n"),
        (&[1, 2, 3], 2, "1\n2\n...\n"),
        (&[1, 2, 3, 4], 2, "1\n2\n...\n"),
        (&[1], 0, "...\n"),
    ];
    for (head, n, records) in cases {
        let expected = format!("{RULE}\nTime: 1795364400000 ms\n{RULE}\n{records}\n");
        assert_eq!(printed(1_795_364_400_000, head, n), expected, "{head:?} with at most {n}");
    }
}

#[test]
fn records_look_as_in_scala() {
    let mut out = Vec::new();
    let head = [(Text::from("a"), Some(1.0)), (Text::from("b"), None)];
    write_batch(&mut out, Time::from_ms(1000), &head, 10).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with(&format!("{RULE}\n(a,Some(1.0))\n(b,None)\n\n")), "{text}");
}

#[test]
fn printing_reads_one_record_more_than_it_shows_of_each_partition() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let (test, computed) = (TestContext::new(), Arc::new(AtomicUsize::new(0)));
    let counter = computed.clone();
    let numbers = test.stream(vec![(0..1_000_000).collect()]);
    let counted = numbers.map(move |n: i32| {
        counter.fetch_add(1, Ordering::Relaxed);
        n
    });
    counted.print(3);
    test.run(1).unwrap();
    assert!(computed.load(Ordering::Relaxed) <= 2 * crate::rdd::chunk::CHUNK_RECORDS, "a chunk of each partition");
}
