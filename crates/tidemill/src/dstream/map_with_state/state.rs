//! The state of one key, as the function of a `map_with_state` sees it.

use std::fmt;

/// What the function has done to the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Change {
    #[default]
    None,
    Updated,
    Removed,
}

/// The state of one key, while the function of a [`StateSpec`](crate::StateSpec) is called for it.
///
/// # Panics
/// What cannot be is a mistake in the function and fails the batch: to [`get`](Self::get) a state that does not exist, to
/// change one that was removed in the same call or is timing out.
///
/// # Examples
/// See [`StateSpec`](crate::StateSpec).
pub struct State<S> {
    value: Option<S>,
    /// What the value was before the call, once it was changed.
    before: Option<S>,
    change: Change,
    timing_out: bool,
}

impl<S> Default for State<S> {
    fn default() -> Self {
        Self { value: None, before: None, change: Change::None, timing_out: false }
    }
}

impl<S: fmt::Debug> fmt::Debug for State<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => value.fmt(f),
            None => f.write_str("<state is not set>"),
        }
    }
}

impl<S> State<S> {
    /// Whether there is a state.
    pub fn exists(&self) -> bool {
        self.value.is_some()
    }

    /// The state, which must exist.
    pub fn get(&self) -> &S {
        match &self.value {
            Some(value) => value,
            None => panic!("the state of the key is not set; ask exists first, or use get_option"),
        }
    }

    /// The state, if there is one.
    pub fn get_option(&self) -> Option<&S> {
        self.value.as_ref()
    }

    /// Whether the key is about to be forgotten because it has been idle for longer than the timeout.
    pub fn is_timing_out(&self) -> bool {
        self.timing_out
    }

    /// Sets the state.
    pub fn update(&mut self, value: S) {
        assert!(self.change != Change::Removed, "the state was removed in this call and cannot be updated");
        assert!(!self.timing_out, "the state is timing out and cannot be updated; ask is_timing_out first");
        self.set(Some(value), Change::Updated);
    }

    /// Forgets the key.
    pub fn remove(&mut self) {
        assert!(self.change != Change::Removed, "the state was already removed in this call");
        assert!(!self.timing_out, "the state is timing out and cannot be removed; ask is_timing_out first");
        self.set(None, Change::Removed);
    }

    fn set(&mut self, value: Option<S>, change: Change) {
        let old = std::mem::replace(&mut self.value, value);
        if self.change == Change::None {
            self.before = old;
        }
        self.change = change;
    }

    /// Begins a call.
    pub(super) fn open(&mut self, value: Option<S>, timing_out: bool) {
        (self.value, self.before, self.change, self.timing_out) = (value, None, Change::None, timing_out);
    }

    /// Ends a call: the value after it, what was done, and the value before it if something was.
    pub(super) fn close(&mut self) -> (Option<S>, Change, Option<S>) {
        (self.value.take(), self.change, self.before.take())
    }

    /// Ends a call that panicked: the value before it.
    pub(super) fn give_up(&mut self) -> Option<S> {
        let (value, change, before) = self.close();
        if change == Change::None { value } else { before }
    }
}
