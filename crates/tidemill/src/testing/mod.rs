//! For those who write programs on tidemill: a clock that stands still, batch tables, sources that do as they are told,
//! and servers that feed an example over a real socket.

mod script;
mod test_context;
mod text_server;

pub use script::{ScriptedSource, Step};
pub use test_context::{Collected, TestContext, check_batches};
pub use text_server::TextServer;
