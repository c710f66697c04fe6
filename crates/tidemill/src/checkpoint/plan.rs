//! Which changes of state are merged next: a decision over their sizes.
//!
//! Small changes are merged into larger ones, eight of a size at a time, so that each byte is rewritten few times; when
//! the changes come to a quarter of the base, all becomes a new base.

use super::{StateSource, memory::StateRef};
use std::ops::Range;

/// Changes may come to so much before a base is written, or to a quarter of the base if that is more.
const CHANGES_BYTES: u64 = 256 * 1024;
/// So many changes of a size are merged.
const FAN_IN: usize = 8;
/// The smallest size; each next is [`FAN_IN`] times as large.
const SMALLEST_BYTES: u64 = 4 * 1024;
/// Changes in the log may come to so much in a manifest; more are moved to a file.
pub(super) const INLINE_BYTES: u64 = SMALLEST_BYTES;

fn base_of(state: &[StateRef]) -> usize {
    state.iter().take_while(|state| state.base).count()
}

fn bytes_of(state: &[StateRef]) -> u64 {
    state.iter().map(|state| state.source.bytes()).sum()
}

pub(super) fn bytes_of_base_and_changes(state: &[StateRef]) -> (u64, u64) {
    let (base, changes) = state.split_at(base_of(state));
    (bytes_of(base), bytes_of(changes))
}

/// Whether all of it should become a new base.
pub(super) fn base_is_due(state: &[StateRef]) -> bool {
    let (base, changes) = bytes_of_base_and_changes(state);
    changes > CHANGES_BYTES.max(base / 4)
}

/// The changes to merge into one before a manifest is written.
pub(super) fn to_merge(state: &[StateRef]) -> Option<Range<usize>> {
    let first = base_of(state);
    let sizes: Vec<_> = state[first..].iter().map(|state| size_of(state.source.bytes())).collect();
    let largest = sizes.iter().copied().max().unwrap_or_default();
    let same = (0..=largest).find_map(|size| {
        let run = sizes.iter().rev().take_while(|of| **of <= size).count();
        (run >= FAN_IN).then(|| state.len() - run)
    });
    let is_inline = |state: &&StateRef| matches!(state.source, StateSource::Inline(_));
    let inline_bytes: u64 = state.iter().filter(is_inline).map(|state| state.source.bytes()).sum();
    let inline = state[first..].iter().position(|state| is_inline(&state)).filter(|_| inline_bytes > INLINE_BYTES);
    let from = same.into_iter().chain(inline.map(|at| at + first)).min()?;
    Some(from..state.len())
}

fn size_of(bytes: u64) -> u32 {
    let (mut size, mut limit) = (0, SMALLEST_BYTES);
    while bytes > limit {
        (size, limit) = (size + 1, limit.saturating_mul(FAN_IN as u64));
    }
    size
}

#[cfg(test)]
mod tests;
