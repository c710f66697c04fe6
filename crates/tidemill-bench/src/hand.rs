//! The loops by hand. Each returns what it counted, so that it cannot be optimised away and can be compared.

mod counts;
pub mod kafka;
mod keyed;
mod text;

#[cfg(test)]
mod tests;

pub use counts::WordCounts;
pub use keyed::{InverseWindow, NaiveWindow, State};
pub use text::{each_word, grep, grep_lines, socket_word_count, word_count, word_count_2};
