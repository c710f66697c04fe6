//! What a checkpoint has of a window: the batches in it, key by key. What the operators make of them is made again.

use super::Window;
use crate::{
    base::{Data, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::StatePartition,
    rdd::task::Cursor,
};

/// Writes the values that the batch at `time` brought, and forgets what has left the window by then.
pub(super) fn write_pane<'a, K: Key, V: Data>(
    delta: &mut DeltaWriter,
    window: Window,
    time: Time,
    values: impl Iterator<Item = (u32, &'a V)>,
    key_of: impl Fn(usize) -> &'a K,
) -> Result<()> {
    if let Some(left) = window.left_at(time) {
        delta.forget_up_to(left);
    }
    let mut values: Vec<_> = values.collect();
    // Stable: the values of a key stay in their order.
    values.sort_by_key(|(slot, _)| *slot);
    for of_key in values.chunk_by(|(one, _), (other, _)| one == other) {
        let list: Vec<&V> = of_key.iter().map(|(_, value)| *value).collect();
        delta.put(time, key_of(of_key[0].0 as usize), Some(&list))?;
    }
    Ok(())
}

/// Lets the batches come in again, the oldest first.
pub(super) fn restore_panes<K: Key, V: Data, P: StatePartition<In = (K, V)>>(
    window: &mut P,
    entries: Vec<(Time, K, Vec<V>)>,
) {
    for pane in entries.chunk_by(|(one, ..), (other, ..)| one == other) {
        let values = |(_, key, values): &(Time, K, Vec<V>)| -> Vec<(K, V)> {
            values.iter().map(|value| (key.clone(), value.clone())).collect()
        };
        let batch = pane.iter().map(values);
        window.apply(pane[0].0, Box::new(batch), &Cursor::default());
        window.commit();
    }
}
