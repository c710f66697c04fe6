//! Where records come from and go to: the connectors that need no heavy library.

pub mod files;
