//! What a checkpoint has of a window: the batches in it, key by key. What the operators make of them is made again.

use crate::{
    base::{Data, Key, Time},
    dstream::state::StatePartition,
    rdd::{chunk::CHUNK_RECORDS, task::Cursor},
};

/// Lets the batches come in again, the oldest first.
pub(super) fn restore_panes<K: Key, V: Data, P: StatePartition<In = (K, V)>>(
    window: &mut P,
    entries: Vec<(Time, K, Vec<V>)>,
) {
    let mut entries = entries.into_iter().peekable();
    while let Some((time, ..)) = entries.peek() {
        let time = *time;
        let of_batch = std::iter::from_fn(|| entries.next_if(|(of, ..)| *of == time));
        let mut pairs = of_batch.flat_map(|(_, key, values)| {
            let mut keys = std::iter::repeat_n(key, values.len());
            values.into_iter().filter_map(move |value| Some((keys.next()?, value)))
        });
        let chunks = std::iter::from_fn(|| {
            let chunk: Vec<(K, V)> = pairs.by_ref().take(CHUNK_RECORDS).collect();
            (!chunk.is_empty()).then_some(chunk)
        });
        window.apply(time, Box::new(chunks), &Cursor::default());
        window.commit();
    }
}
