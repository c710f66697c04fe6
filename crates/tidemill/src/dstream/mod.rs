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
mod map_with_state;
mod stateful;
mod transform;
mod update_state;
mod window;

pub use graph::ContextState;
pub use map_with_state::{MapWithStateDStream, State, StateSpec};
pub use node::DStream;
pub(crate) use transform::guarded_driver as transform_guarded;
pub use update_state::StateOptions;
