//! For those who write programs on tidemill: a clock that stands still, batch tables, sources that do as they are told,
//! and servers that feed an example over a real socket.

mod text_server;

pub use text_server::TextServer;
