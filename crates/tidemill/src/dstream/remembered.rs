//! What the streams of a program remember from batch to batch, to the checkpoint and back.

use super::graph::Graph;
use crate::{
    base::{Result, Time},
    checkpoint::{Delta, StateDelta},
};
use std::collections::BTreeMap;

impl Graph {
    /// What the batch at `time` changed in this process, before it is committed.
    ///
    /// # Errors
    /// Data, if a state cannot be serialised.
    pub(crate) fn state_changes(&self, time: Time) -> Result<StateDelta> {
        let mut changes = StateDelta::default();
        for remembering in self.remembering().iter() {
            let delta = remembering.with(|remembered| remembered.state.changes(time)).transpose()?.flatten();
            changes.operators.extend(delta.map(|delta| (remembering.part.uid.clone(), delta)));
        }
        Ok(changes)
    }

    /// Takes in what was remembered after the batch at `last_done`, the oldest changes first.
    ///
    /// # Errors
    /// Data, if it cannot be read as what an operator keeps.
    pub(crate) fn restore_state(
        &self,
        deltas: impl IntoIterator<Item = Result<StateDelta>>,
        last_done: Time,
    ) -> Result<()> {
        let mut of_operators: BTreeMap<String, Vec<Delta>> = BTreeMap::new();
        for delta in deltas {
            for (uid, delta) in delta?.operators {
                let deltas = of_operators.entry(uid).or_default();
                // What came before may even be of other types.
                if delta.from_nothing {
                    deltas.clear();
                }
                deltas.push(delta);
            }
        }
        for remembering in self.remembering().iter() {
            let deltas = of_operators.remove(&remembering.part.uid).unwrap_or_default();
            let restored = remembering.with(|remembered| remembered.state.restore(last_done, &deltas));
            restored.transpose().map_err(|error| {
                error.context(format_args!("the state of \"{}\" cannot be taken in", remembering.part.site))
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
