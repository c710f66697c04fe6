//! Spark's rule: files whose modification time lies in the remember window and whose path was not picked within it.

use super::{Entry, Picked, SeenFile, SkipReason, WatcherSettings, WatcherState, name_starts_with};
use crate::base::Time;
use std::collections::BTreeMap;

pub(super) fn pick(
    settings: &WatcherSettings,
    state: &mut WatcherState,
    now: Time,
    remember_from: Time,
    listing: &[SeenFile],
) -> Picked {
    let mut picked = Picked::default();
    let mut noted = BTreeMap::new();
    let first = if settings.new_files_only { state.started } else { Time::default() };
    let threshold = first.max(remember_from);
    for file in listing {
        if name_starts_with(&file.path, b".") {
            state.note(&file.path, SkipReason::Hidden, &mut noted, &mut picked);
        } else if file.is_dir {
            state.note(&file.path, SkipReason::Directory, &mut noted, &mut picked);
        } else if let Some(entry) = state.seen.get(&file.path) {
            if !entry.has_content_of(file) {
                state.change(file, &mut picked);
            }
        } else if file.mtime > now {
            picked.waiting += 1;
        } else if file.mtime <= threshold {
            note_old(state, file, &mut noted, &mut picked);
        } else if picked.files.len() >= settings.max_files_per_batch {
            picked.waiting += 1;
        } else {
            state.seen.insert(file.path.clone(), Entry::new(file, Some(now), state.listings));
            picked.files.push(file.clone());
        }
    }
    // A file that was read must not be called too old when its batch has left the window.
    for (path, entry) in &state.seen {
        if entry.batch < Some(remember_from) {
            noted.insert(path.clone(), SkipReason::TooOld);
        }
    }
    state.noted = noted;
    state.seen.retain(|_, entry| entry.batch >= Some(remember_from));
    picked
}

/// Reports a file that is too old, but not one that was there at the start.
fn note_old(state: &mut WatcherState, file: &SeenFile, noted: &mut BTreeMap<String, SkipReason>, picked: &mut Picked) {
    let is_first_listing = state.listings <= 2;
    if is_first_listing && !state.noted.contains_key(&file.path) {
        noted.insert(file.path.clone(), SkipReason::TooOld);
        state.skip(&file.path, SkipReason::ThereAtStart, picked);
    } else {
        state.note(&file.path, SkipReason::TooOld, noted, picked);
    }
}
