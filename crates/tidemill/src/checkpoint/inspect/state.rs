//! What operators remember after the last batch that is done, without knowing its types.

use super::{
    super::{
        BEGUN, StateDelta,
        decide::decide,
        delta::Entry,
        facts::Observed,
        memory::Memory,
        merge::{Into, merge},
        state_file::load_state,
    },
    OperatorState,
};
use crate::base::{Result, storage::StorageRef};
use std::collections::BTreeMap;

/// All state of a checkpoint. It is in memory at once.
fn state_of(storage: &StorageRef, memory: &Memory) -> Result<StateDelta> {
    let changes = memory.state.iter().map(|state| load_state(storage, &state.source)).collect::<Result<Vec<_>>>()?;
    merge(&changes, Into::Base)
}

fn each_entry(state: &StateDelta, mut entry_found: impl FnMut(&str, &Entry<'_>, &[u8])) -> Result<()> {
    for (uid, delta) in &state.operators {
        for entry in delta.groups.iter().flat_map(|group| group.entries()) {
            let entry = entry?;
            let Some(value) = entry.value.filter(|_| entry != BEGUN) else { continue };
            entry_found(uid, &entry, value);
        }
    }
    Ok(())
}

/// How many keys each operator has. An error is told of elsewhere: the file is damaged.
pub(super) fn operators_of(storage: &StorageRef, memory: &Memory) -> Vec<OperatorState> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let parts = &memory.program.operators;
    sums.extend(parts.iter().map(|part| (part.uid.clone(), (0, 0))));
    let counted = state_of(storage, memory).and_then(|state| {
        each_entry(&state, |uid, entry, value| {
            let (keys, bytes) = sums.entry(uid.to_owned()).or_default();
            *keys += 1;
            *bytes += (entry.key.len() + value.len()) as u64;
        })
    });
    let site = |uid: &str| parts.iter().find(|part| part.uid == uid).map(|part| part.site.clone());
    let operator = |(uid, (keys, bytes)): (String, (u64, u64))| {
        let site = site(&uid).unwrap_or_default();
        OperatorState { uid, site, keys: counted.is_ok().then_some(keys), bytes }
    };
    sums.into_iter().map(operator).collect()
}

/// Every entry that is there after the last batch that is done: uid, time and key in hexadecimal digits, and the value.
///
/// # Errors
/// Data, if something cannot be read.
pub(crate) fn state_entries(storage: &StorageRef) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut entries = BTreeMap::new();
    let Some(decision) = decide(&Observed::of(&**storage)?)? else { return Ok(entries) };
    each_entry(&state_of(storage, &decision.memory)?, |uid, entry, value| {
        let key: String = entry.key.iter().map(|byte| format!("{byte:02x}")).collect();
        entries.insert(format!("{uid} {} {key}", entry.time.as_ms()), value.to_vec());
    })?;
    Ok(entries)
}
