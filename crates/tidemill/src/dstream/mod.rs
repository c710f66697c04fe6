//! A stream is a function from batch time to [`Rdd`](crate::Rdd); one node per operation.
//!
//! A node fills three holes: its parents, its slide duration, and `compute(time)`. Memoising, validity, remembering and
//! forgetting live once, in [`node`].

pub(crate) mod graph;
pub(crate) mod input;
pub(crate) mod node;
pub(crate) mod output;
pub(crate) mod state;

mod combine;
mod fallible;
mod guarantee;
mod identity;
mod join;
mod kept;
mod map_with_state;
mod narrow;
mod pairs;
mod reduce;
mod remembered;
mod repartition;
mod restore;
mod shared;
mod stateful;
mod transform;
mod union;
mod update_state;
mod window;

#[cfg(test)]
mod tests;

pub use graph::ContextState;
pub use guarantee::Guarantee;
pub use map_with_state::{MapWithStateDStream, State, StateSpec};
pub use node::DStream;
pub use update_state::StateOptions;
