//! The default rule: each file once, by name and content.

use super::{Entry, FileId, Picked, Readiness, SeenFile, SkipReason, WatcherSettings, WatcherState, name_starts_with};
use crate::base::Time;
use std::collections::{BTreeMap, HashMap};

pub(super) fn pick(
    settings: &WatcherSettings,
    state: &mut WatcherState,
    batch: Time,
    listed_at: Time,
    listing: &[SeenFile],
) -> Picked {
    let mut picked = Picked::default();
    let mut candidates = unseen(state, listing, &mut picked);
    drop_renamed(state, &mut candidates, &mut picked);
    candidates.sort_by(|a, b| (a.mtime, &a.path).cmp(&(b.mtime, &b.path)));
    let before = std::mem::take(&mut state.waiting);
    for file in candidates {
        let content = (file.size_bytes, file.mtime);
        let unchanged = before.get(&file.path) == Some(&content);
        if picked.files.len() < settings.max_files_per_batch && is_ready(settings.readiness, listed_at, file, unchanged)
        {
            state.seen.insert(file.path.clone(), Entry::new(file, Some(batch), state.listings));
            picked.files.push(file.clone());
        } else {
            state.waiting.insert(file.path.clone(), content);
        }
    }
    picked.waiting = state.waiting.len();
    forget(settings, state, listed_at);
    picked
}

/// Remembers what is there at the start as if it had been read.
pub(super) fn pass_over(state: &mut WatcherState, listing: &[SeenFile], picked: &mut Picked) {
    for file in listing.iter().filter(|file| ignored(file).is_none()) {
        state.seen.insert(file.path.clone(), Entry::new(file, None, state.listings));
        state.skip(&file.path, SkipReason::ThereAtStart, picked);
    }
}

fn ignored(file: &SeenFile) -> Option<SkipReason> {
    if name_starts_with(&file.path, b"._") {
        Some(SkipReason::Hidden)
    } else if file.is_dir {
        Some(SkipReason::Directory)
    } else {
        None
    }
}

fn is_ready(readiness: Readiness, now: Time, file: &SeenFile, unchanged: bool) -> bool {
    match readiness {
        Readiness::AtOnce => true,
        Readiness::Unchanged => unchanged,
        Readiness::MinAge(_) if file.mtime > now => unchanged,
        Readiness::MinAge(age) => now.since(file.mtime) >= age,
    }
}

/// The files whose name or content was not seen before.
fn unseen<'a>(state: &mut WatcherState, listing: &'a [SeenFile], picked: &mut Picked) -> Vec<&'a SeenFile> {
    let mut candidates = Vec::new();
    let mut noted = BTreeMap::new();
    let number = state.listings;
    for file in listing {
        if let Some(reason) = ignored(file) {
            state.note(&file.path, reason, &mut noted, picked);
            continue;
        }
        let Some(entry) = state.seen.get_mut(&file.path) else {
            candidates.push(file);
            continue;
        };
        let (same_content, same_file) = (entry.has_content_of(file), entry.id == file.id);
        if same_content || same_file {
            (entry.listed, entry.gone_since, entry.id) = (number, None, file.id);
        }
        if same_content {
            continue;
        }
        if same_file && entry.batch.is_some() {
            state.change(file, picked);
        } else {
            // Another file under this name, or one that was passed over at the start and of which nothing was read.
            candidates.push(file);
        }
    }
    state.noted = noted;
    candidates
}

/// Leaves out candidates that are files read before, whose old name is gone or another file's, and remembers their new name.
fn drop_renamed(state: &mut WatcherState, candidates: &mut Vec<&SeenFile>, picked: &mut Picked) {
    if candidates.is_empty() {
        return;
    }
    let number = state.listings;
    let mut gone: HashMap<FileId, &String> =
        state.seen.iter().filter(|(_, entry)| entry.listed != number).map(|(path, entry)| (entry.id, path)).collect();
    let mut renamed = Vec::new();
    candidates.retain(|file| match gone.get(&file.id) {
        Some(old) if state.seen.get(*old).is_some_and(|entry| entry.has_content_of(file)) => {
            renamed.push((String::clone(old), *file));
            gone.remove(&file.id);
            false
        }
        _ => true,
    });
    // All old names go before any new one comes: rotation renames "b" to "c" and "a" to "b" at once.
    let moved: Vec<_> = renamed.iter().map(|(old, file)| (state.seen.remove(old), *file)).collect();
    for (entry, file) in moved {
        let Some(entry) = entry else { continue };
        let reason = if entry.batch.is_some() { SkipReason::RenamedAfterRead } else { SkipReason::ThereAtStart };
        state.seen.insert(file.path.clone(), Entry { listed: number, gone_since: None, ..entry });
        state.skip(&file.path, reason, picked);
    }
}

fn forget(settings: &WatcherSettings, state: &mut WatcherState, now: Time) {
    let number = state.listings;
    state.seen.retain(|_, entry| {
        if entry.listed == number {
            return true;
        }
        // Counted from when it was missed, not from when it was last seen: the time the program was down is no evidence.
        let since = *entry.gone_since.get_or_insert(now);
        now.since(since) < settings.forget_after
    });
}
