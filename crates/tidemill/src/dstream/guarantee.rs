//! What is promised of each output: how often a record reaches it, whatever crashes.

use super::{graph::Graph, node::ErasedStream, output::Output};
use std::{fmt, sync::Arc};

/// How often each record reaches an output, however often the program crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Guarantee {
    /// Once or, if the program crashes, perhaps never.
    AtMostOnce,
    /// Once or, if the program crashes, perhaps again.
    AtLeastOnce,
    /// Once.
    ExactlyOnce,
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtMostOnce => "at most once",
            Self::AtLeastOnce => "at least once",
            Self::ExactlyOnce => "exactly once",
        })
    }
}

/// The inputs that a stream is made from.
fn inputs_of(stream: &Arc<dyn ErasedStream>, found: &mut Vec<usize>) {
    if let Some(id) = stream.input().filter(|id| !found.contains(id)) {
        found.push(id);
    }
    stream.parents().iter().for_each(|parent| inputs_of(parent, found));
}

impl Graph {
    /// A line for each output, in the order of their declaration.
    pub(crate) fn guarantees(&self) -> Vec<String> {
        self.outputs().iter().map(|output| self.guarantee(output)).collect()
    }

    fn guarantee(&self, output: &Output) -> String {
        let mut ids = Vec::new();
        inputs_of(&output.stream, &mut ids);
        let inputs = self.inputs();
        let inputs: Vec<_> = inputs.iter().filter(|input| ids.contains(&input.id())).collect();
        let sources: Vec<_> = inputs.iter().map(|input| input.site().operation).collect();
        let replayable = self.has_checkpoint() && inputs.iter().all(|input| input.is_replayable());
        let of_sink = output.sink().map_or(Guarantee::AtLeastOnce, |sink| sink.guarantee());
        let guarantee = if replayable { of_sink } else { Guarantee::AtMostOnce };
        let why = if self.has_checkpoint() { "" } else { " (no checkpoint)" };
        format!("{} -> {}: {guarantee}{why}", sources.join(" + "), output.site.operation)
    }
}

#[cfg(test)]
mod tests;
