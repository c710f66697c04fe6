//! Merging in any steps comes to the same as applying one change after another.

use super::*;
use crate::checkpoint::DeltaWriter;
use proptest::prelude::*;

/// What a change does, in words.
#[derive(Clone, Debug)]
enum Step {
    Put(u64, u8, Option<u16>),
    Forget(u64),
    Nothing,
}

type State = BTreeMap<(String, u64, u8), u16>;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0_u64..5, any::<u8>(), proptest::option::weighted(0.7, any::<u16>())).prop_map(|(t, k, v)| Step::Put(t, k % 40, v)),
        1 => (1_u64..5).prop_map(Step::Forget),
        1 => Just(Step::Nothing),
    ]
}

/// Marks come before entries.
fn change(uids: &[&str], steps: &[Step]) -> StateDelta {
    let operators = uids.iter().map(|uid| {
        let mut writer = DeltaWriter::new();
        for step in steps {
            match step {
                Step::Put(time, key, value) => writer.put(Time::from_ms(*time), key, value.as_ref()).unwrap(),
                Step::Forget(time) => writer.forget_up_to(Time::from_ms(*time)),
                Step::Nothing => writer.forget_all(),
            }
        }
        ((*uid).to_owned(), writer.finish())
    });
    StateDelta { operators: operators.collect() }
}

fn apply(state: &mut State, change: &StateDelta) {
    for (uid, delta) in &change.operators {
        if delta.from_nothing {
            state.retain(|(of, ..), _| of != uid);
        }
        let forgotten = delta.forgotten.map_or(0, Time::as_ms);
        state.retain(|(of, time, _), _| of != uid || *time == 0 || *time > forgotten);
        for entry in delta.groups.iter().flat_map(Group::entries) {
            let entry = entry.unwrap();
            let key = (uid.clone(), entry.time.as_ms(), postcard::from_bytes(entry.key).unwrap());
            match entry.value {
                Some(value) => drop(state.insert(key, postcard::from_bytes(value).unwrap())),
                None => drop(state.remove(&key)),
            }
        }
    }
}

fn applied<'a>(changes: impl IntoIterator<Item = &'a StateDelta>) -> State {
    let mut state = State::new();
    changes.into_iter().for_each(|change| apply(&mut state, change));
    state
}

fn entries(delta: &StateDelta) -> usize {
    delta.operators.values().flat_map(|delta| &delta.groups).flat_map(Group::entries).count()
}

fn changes() -> impl Strategy<Value = Vec<StateDelta>> {
    let uids = prop_oneof![Just(vec!["a"]), Just(vec!["b"]), Just(vec!["a", "b"])];
    let one = (uids, proptest::collection::vec(step(), 0..30)).prop_map(|(uids, steps)| change(&uids, &steps));
    proptest::collection::vec(one, 1..8)
}

proptest! {
    #[test]
    fn a_merge_is_all_that_was_merged(changes in changes(), from in 0_usize..8, to in 0_usize..8) {
        let (from, to) = (from.min(changes.len()), to.min(changes.len()));
        let (from, to) = (from.min(to), from.max(to));
        let merged = merge(&changes[from..to], Into::Change).unwrap();
        let stepwise = changes[..from].iter().chain([&merged]).chain(&changes[to..]);
        prop_assert_eq!(applied(stepwise), applied(&changes));
        let base = merge(&changes, Into::Base).unwrap();
        prop_assert_eq!(applied([&base]), applied(&changes));
        prop_assert_eq!(entries(&base), applied(&changes).len());
    }

    #[test]
    fn a_base_is_merged_on(changes in changes(), at in 0_usize..8) {
        let at = at.min(changes.len());
        let old = merge(&changes[..at], Into::Base).unwrap();
        let merging = Merge::of(&changes[at..], Into::Base);
        let mut base = StateDelta::default();
        for index in 0..GROUPS as u16 {
            merging.group(index, &old, &mut base).unwrap();
        }
        prop_assert_eq!(applied([&base]), applied(&changes));
        prop_assert_eq!(entries(&base), applied(&changes).len());
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let delta = Delta { groups: vec![Group { index: 3, bytes: vec![0, 200] }], ..Delta::default() };
    let change = StateDelta { operators: [("a".to_owned(), delta)].into() };
    assert!(merge(&[change.clone(), change], Into::Change).is_err());
}
