//! Lists after lists, against the obvious.

use super::{Chains, Listed, Marks};
use crate::Error;
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn once(marks: &mut Marks, list: &[u32]) -> Vec<usize> {
    let mut seen = Vec::new();
    let each = |slot| {
        seen.push(slot);
        Ok(())
    };
    marks.each_once(200, list.iter().copied(), each).unwrap();
    seen
}

proptest! {
    #[test]
    fn one_table_serves_many_lists(lists in proptest::collection::vec(proptest::collection::vec(0_u32..200, 0..60), 1..8)) {
        let (mut chains, mut marks) = (Chains::default(), Marks::default());
        for list in lists {
            chains.link(200, list.len(), |place| list[place]);
            for (place, slot) in list.iter().enumerate() {
                let is_first = list[..place].iter().all(|earlier| earlier != slot);
                prop_assert_eq!(chains.begins_at(place, *slot), is_first);
                let from_here = (place..list.len()).filter(|later| list[*later] == *slot);
                prop_assert_eq!(chains.from(place).collect::<Vec<_>>(), from_here.collect::<Vec<_>>());
            }
            let firsts = list.iter().enumerate().filter(|(place, slot)| chains.begins_at(*place, **slot));
            prop_assert_eq!(once(&mut marks, &list), firsts.map(|(_, slot)| *slot as usize).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_list_that_is_left_in_the_middle_hides_nothing_of_the_next() {
    let mut marks = Marks::default();
    let list = [7_u32, 3, 7];
    marks.each_once(8, list.into_iter(), |_| Err(Error::data("no"))).unwrap_err();
    assert_eq!(once(&mut marks, &list), [7, 3]);
    let panics = || drop(marks.each_once(8, list.into_iter(), |_| panic!("no")));
    catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    assert_eq!(once(&mut marks, &list), [7, 3]);
}

#[test]
fn a_list_is_read_as_a_vec() {
    let values = vec![1_u64, 300, 5];
    let written = postcard::to_stdvec(&Listed(values.iter())).unwrap();
    assert_eq!(postcard::from_bytes::<Vec<u64>>(&written).unwrap(), values);
}
