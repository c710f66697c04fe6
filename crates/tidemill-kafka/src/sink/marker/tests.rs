//! What marks say, as a table.

use super::*;
use tidemill::ErrorKind;

fn marks(times: &[Option<u64>]) -> Vec<Option<Marker>> {
    let of = Origin { processes: times.len(), epoch: 1, run: 2 };
    times.iter().map(|time| time.map(|ms| Marker { time: Time::from_ms(ms), of })).collect()
}

#[test]
fn what_is_committed_follows_from_marks_and_log() {
    // marks of before, last done, unfinished, processes now, committed
    type Case = (&'static [Option<u64>], Option<u64>, bool, usize, Option<&'static [u64]>);
    let cases: &[Case] = &[
        (&[], None, false, 2, Some(&[0, 0])),
        // The sink is new in a program that has unfinished batches.
        (&[], None, true, 1, Some(&[0])),
        (&[Some(3)], Some(3), false, 1, Some(&[3])),
        (&[Some(4)], Some(3), true, 1, Some(&[4])),
        (&[Some(3), Some(4)], Some(3), true, 2, Some(&[3, 4])),
        (&[Some(3), Some(4)], Some(3), true, 1, None),
        (&[Some(4), Some(4)], Some(3), true, 1, Some(&[4])),
        (&[Some(4)], Some(3), true, 3, Some(&[4, 4, 4])),
        (&[Some(2), Some(3)], Some(3), true, 3, Some(&[3, 3, 3])),
        // Kafka has forgotten.
        (&[], Some(3), true, 1, None),
        (&[None], Some(3), true, 1, None),
        (&[Some(3), None], Some(3), true, 2, None),
        (&[], Some(3), false, 1, Some(&[3])),
        (&[None], Some(3), false, 2, Some(&[3, 3])),
    ];
    for (before, last_done, has_unfinished, processes, expected) in cases {
        let known =
            Known { last_done: last_done.map(Time::from_ms), has_unfinished: *has_unfinished, processes: *processes };
        let found = committed(&marks(before), known);
        let case = format!("{before:?} {known:?}");
        match expected {
            Some(times) => {
                let times: Vec<_> = times.iter().copied().map(Time::from_ms).collect();
                assert_eq!(found.unwrap(), times, "{case}");
            }
            None => assert_eq!(found.unwrap_err().kind(), ErrorKind::Invalid, "{case}"),
        }
    }
}

#[test]
fn a_mark_is_an_offset_and_what_is_said_of_it() {
    let mark = Marker { time: Time::from_ms(1_500), of: Origin { processes: 3, epoch: 9, run: 2 } };
    let list = mark.offsets("out").unwrap();
    let element = &list.elements()[0];
    assert_eq!(element.metadata(), "{\"processes\":3,\"epoch\":9,\"run\":2}");
    let earlier = Marker::parse(Offset::Offset(1_500), "{\"processes\":3,\"epoch\":9}").unwrap().unwrap();
    assert_eq!(earlier.of, Origin { processes: 3, epoch: 9, run: 0 });
    assert_eq!(Marker::parse(element.offset(), element.metadata()).unwrap(), Some(mark));
    assert_eq!(Marker::parse(Offset::Invalid, "").unwrap(), None);
    assert_eq!(Marker::parse(Offset::Offset(7), "consumed").unwrap_err().kind(), ErrorKind::Data);
}
