//! The same jobs on tidemill, written as a user would write them.

pub mod keyed;
