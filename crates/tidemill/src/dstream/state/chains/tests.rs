//! Lists after lists, against the obvious.

use super::{Chains, Listed, Marks};
use proptest::prelude::*;

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
            let mut firsts: Vec<_> = firsts.map(|(_, slot)| *slot).collect();
            // A list is long if it has more places than the slots have words of 64 bits.
            if list.len() > 200_usize.div_ceil(64) {
                firsts.sort_unstable();
            }
            prop_assert_eq!(marks.each_once(200, list.iter().copied()), firsts);
        }
    }
}

#[test]
fn a_list_is_read_as_a_vec() {
    let values = vec![1_u64, 300, 5];
    let written = postcard::to_stdvec(&Listed(values.iter())).unwrap();
    assert_eq!(postcard::from_bytes::<Vec<u64>>(&written).unwrap(), values);
}
