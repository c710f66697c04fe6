//! Merges changes of state without knowing what they are of: of two entries with the same time and key the later counts.

use super::{Delta, Entry, GROUPS, Group, StateDelta, push_entry};
use crate::base::{Result, Time};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::collections::BTreeMap;

/// What a merge comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Into {
    /// Changes to what comes before them.
    Change,
    /// The whole state: what is gone leaves no trace.
    Base,
}

/// The changes of one operator, the oldest first, ready to be merged group by group.
struct Operator<'a> {
    uid: &'a str,
    layers: Vec<Layer<'a>>,
    from_nothing: bool,
    forgotten: Option<Time>,
}

struct Layer<'a> {
    groups: BTreeMap<u16, Vec<&'a Group>>,
    /// What newer layers forget of it.
    forgotten: Option<Time>,
}

/// Merges, group by group, what stands in many changes.
pub(super) struct Merge<'a> {
    operators: Vec<Operator<'a>>,
    into: Into,
}

impl<'a> Merge<'a> {
    /// `changes` are given with the oldest first.
    pub(super) fn of(changes: &'a [StateDelta], into: Into) -> Self {
        let mut by_uid: BTreeMap<&str, Vec<&Delta>> = BTreeMap::new();
        for (uid, delta) in changes.iter().flat_map(|change| &change.operators) {
            let deltas = by_uid.entry(uid).or_default();
            deltas.push(delta);
        }
        let operators = by_uid.into_iter().map(|(uid, deltas)| Operator::of(uid, &deltas)).collect();
        Self { operators, into }
    }

    /// The marks that stand before all entries; none in a base.
    pub(super) fn marks(&self) -> StateDelta {
        let mut marks = StateDelta::default();
        if self.into == Into::Base {
            return marks;
        }
        for operator in &self.operators {
            let (from_nothing, forgotten) = (operator.from_nothing, operator.forgotten);
            let delta = Delta { from_nothing, forgotten, groups: Vec::new() };
            if !delta.is_empty() {
                marks.operators.insert(operator.uid.to_owned(), delta);
            }
        }
        marks
    }

    /// Merges one group of all operators; what there is of `base` in it comes before everything. The bytes that were
    /// added to `merged`.
    pub(super) fn group(&self, index: u16, base: &StateDelta, merged: &mut StateDelta) -> Result<usize> {
        let mut added = 0;
        let nothing = Operator { uid: "", layers: Vec::new(), from_nothing: false, forgotten: None };
        for operator in &self.operators {
            let below = base.operators.get(operator.uid);
            added += operator.group(index, below, self.into, merged)?;
        }
        // Operators that nothing changed since the base.
        for (uid, delta) in &base.operators {
            if self.operators.binary_search_by(|operator| operator.uid.cmp(uid)).is_err() {
                let unchanged = Operator { uid, ..Operator { layers: Vec::new(), ..nothing } };
                added += unchanged.group(index, Some(delta), self.into, merged)?;
            }
        }
        Ok(added)
    }
}

impl<'a> Operator<'a> {
    fn of(uid: &'a str, deltas: &[&'a Delta]) -> Self {
        let mut operator = Self { uid, layers: Vec::new(), from_nothing: false, forgotten: None };
        for delta in deltas.iter().rev() {
            let mut groups: BTreeMap<u16, Vec<&Group>> = BTreeMap::new();
            delta.groups.iter().for_each(|group| groups.entry(group.index).or_default().push(group));
            operator.layers.push(Layer { groups, forgotten: operator.forgotten });
            operator.forgotten = operator.forgotten.max(delta.forgotten);
            if delta.from_nothing {
                operator.from_nothing = true;
                break;
            }
        }
        operator.layers.reverse();
        operator
    }

    fn group(&self, index: u16, base: Option<&Delta>, into: Into, merged: &mut StateDelta) -> Result<usize> {
        let mut layers: Vec<(&Group, Option<Time>)> = Vec::new();
        if let Some(base) = base.filter(|_| !self.from_nothing) {
            let of_base = base.groups.iter().filter(|group| group.index == index);
            layers.extend(of_base.map(|group| (group, self.forgotten)));
        }
        for layer in &self.layers {
            let groups = layer.groups.get(&index).into_iter().flatten();
            layers.extend(groups.map(|group| (*group, layer.forgotten)));
        }
        let bytes = match layers.as_slice() {
            [] => return Ok(0),
            // Groups of a base have neither doubles nor what is gone.
            [(group, None)] if base.is_some() && self.layers.iter().all(|layer| !layer.groups.contains_key(&index)) => {
                group.bytes.clone()
            }
            layers => merged_entries(layers, into)?,
        };
        if bytes.is_empty() {
            return Ok(0);
        }
        let (added, group) = (bytes.len(), Group { index, bytes });
        merged.operators.entry(self.uid.to_owned()).or_default().groups.push(group);
        Ok(added)
    }
}

/// The newest entry of each time and key; in the order in which those stand, the newest first.
fn merged_entries(layers: &[(&Group, Option<Time>)], into: Into) -> Result<Vec<u8>> {
    let size: usize = layers.iter().map(|(group, _)| group.bytes.len()).max().unwrap_or_default();
    let (mut bytes, mut entries) = (Vec::with_capacity(size), Vec::new());
    let mut seen: HashSet<(Time, &[u8]), FixedState> = HashSet::default();
    for (group, forgotten) in layers.iter().rev() {
        entries.clear();
        for entry in group.entries() {
            entries.push(entry?);
        }
        for entry in entries.iter().rev() {
            let Entry { time, key, value } = entry;
            let is_forgotten = *time != Time::default() && Some(*time) <= *forgotten;
            if !is_forgotten && seen.insert((*time, key)) && (value.is_some() || into == Into::Change) {
                push_entry(&mut bytes, entry);
            }
        }
    }
    Ok(bytes)
}

/// All groups, for what fits into memory.
pub(super) fn merge(changes: &[StateDelta], into: Into) -> Result<StateDelta> {
    let (merge, nothing) = (Merge::of(changes, into), StateDelta::default());
    let mut merged = merge.marks();
    for index in 0..GROUPS as u16 {
        merge.group(index, &nothing, &mut merged)?;
    }
    Ok(merged)
}

#[cfg(test)]
mod tests;
