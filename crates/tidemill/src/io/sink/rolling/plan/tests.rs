//! What goes to which file, and when files end.

use super::{super::options::RollingOptions, OpenFile, Piece, Place, Planned, Written, plan};
use crate::{Time, milliseconds, seconds};

fn staged(name: &str, pieces: &[(u64, u64)]) -> Written {
    let pieces = pieces.iter().map(|&(bytes, rows)| Piece { bytes, rows }).collect();
    Written { place: Place::Staged(name.to_owned()), pieces }
}

fn planned(options: &RollingOptions, ms: u64, open: Option<OpenFile>, written: Vec<Written>) -> Vec<Planned> {
    plan(options, Time::from_ms(ms), open, written, |n| (format!(".{ms}-{n}"), format!("{ms}-{n}")))
}

/// Name, bytes before and after, rows, whether it ends.
fn shape(plan: &[Planned]) -> Vec<(&str, u64, u64, u64, bool)> {
    plan.iter().map(|p| (&*p.file.name, p.before, p.file.bytes, p.file.rows, p.ends)).collect()
}

fn open_of(plan: &[Planned]) -> Option<OpenFile> {
    plan.last().filter(|planned| !planned.ends).map(|planned| planned.file.clone())
}

#[test]
fn batches_share_a_file_until_it_is_old() {
    let options = RollingOptions::new().max_age(seconds(2));
    let first =
        planned(&options, 1_000, None, vec![staged("a", &[(5, 1)]), Written::default(), staged("b", &[(7, 2)])]);
    assert_eq!(shape(&first), [("1000-0", 0, 12, 3, false)]);
    assert_eq!(first[0].additions.len(), 2);
    let second = planned(&options, 2_000, open_of(&first), vec![]);
    assert_eq!((shape(&second), second[0].additions.len()), (vec![("1000-0", 12, 12, 3, false)], 0));
    let third = planned(&options, 3_000, open_of(&second), vec![staged("c", &[(1, 1)])]);
    assert_eq!(shape(&third), [("1000-0", 12, 13, 4, true)]);
    assert!(planned(&options, 4_000, open_of(&third), vec![Written::default()]).is_empty());
    // Age is told at a batch without records too, however late it comes.
    let late = planned(&options, 9_000, open_of(&second), vec![]);
    assert_eq!(shape(&late), [("1000-0", 12, 12, 3, true)]);
}

#[test]
fn files_end_with_the_piece_that_fills_them() {
    let options = RollingOptions::new().max_bytes(10).max_age(seconds(60));
    let pieces = staged("a", &[(6, 1), (6, 1), (12, 2), (3, 1)]);
    let plan = planned(&options, 1_000, None, vec![pieces]);
    let expected = [("1000-0", 0, 12, 2, true), ("1000-1", 0, 12, 2, true), ("1000-2", 0, 3, 1, false)];
    assert_eq!(shape(&plan), expected);
    let places: Vec<_> = plan.iter().map(|p| (p.additions.len(), p.additions[0].from, p.additions[0].bytes)).collect();
    assert_eq!(places, [(1, 0, 12), (1, 12, 12), (1, 24, 3)]);
    let by_rows = RollingOptions::new().max_rows(3);
    let plan = planned(&by_rows, 1_000, None, vec![staged("a", &[(1, 2), (1, 2)]), staged("b", &[(1, 2)])]);
    assert_eq!(shape(&plan), [("1000-0", 0, 2, 4, true), ("1000-1", 0, 1, 2, false)]);
}

#[test]
fn without_an_age_every_batch_is_a_file() {
    let options = RollingOptions::new().max_age(milliseconds(0));
    let plan = planned(&options, 1_000, None, vec![staged("a", &[(1, 1)])]);
    assert_eq!(shape(&plan), [("1000-0", 0, 1, 1, true)]);
    assert!(planned(&options, 2_000, None, vec![Written::default(); 3]).is_empty());
}
