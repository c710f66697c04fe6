//! For those who write programs on tidemill: a clock that stands still, batch tables, sources that do as they are told,
//! and servers that feed an example over a real socket.

mod crash;
mod crash_output;
mod flaky_storage;
mod memory_sink;
mod script;
mod sink_contract;
mod storage_contract;
mod test_context;
mod text_server;

pub use crash::{CrashRun, crash_everywhere, crash_everywhere_with};
pub use flaky_storage::{FlakyStorage, RetryingStorage, StorageFault};
pub use memory_sink::MemorySink;
pub use script::{ScriptedSource, Step};
pub use sink_contract::check_sink;
pub use storage_contract::check_storage;
pub use test_context::{Collected, TestContext, check_batches};
pub use text_server::TextServer;
