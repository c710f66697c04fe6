//! Rdds from files, and Rdds to files.

pub(super) mod objects;
mod save;
mod source;

#[cfg(test)]
mod tests;

pub(crate) use source::{binary_files, binary_records, object_file, text_file, whole_text_files};
