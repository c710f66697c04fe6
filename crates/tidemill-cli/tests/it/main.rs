//! The `tidemill` command as a user runs it.

mod launch;
