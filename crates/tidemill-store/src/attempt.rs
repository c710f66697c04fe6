//! Names for attempts, so that an answer that got lost can be told from somebody else's success.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

/// A name that nobody else has; the operating system's random numbers seed the hash.
pub(crate) fn unique() -> String {
    let [high, low] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
    format!("{high:016x}{low:016x}")
}
