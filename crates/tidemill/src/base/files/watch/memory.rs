//! What a watcher remembers as bytes: compressed, because the paths of a directory are much alike.

use super::WatcherState;
use crate::base::{Error, Result};
use std::io;

/// The form of the bytes; the first of them.
const VERSION: u8 = 1;

impl WatcherState {
    /// The state as bytes, for a checkpoint.
    ///
    /// # Errors
    /// Internal, if it cannot be encoded.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let failed = |error: io::Error| {
            Error::internal("what is remembered of a watched directory could not be encoded").with_source(error)
        };
        let state = postcard::to_stdvec(self).map_err(|error| failed(io::Error::other(error)))?;
        let mut bytes = vec![VERSION];
        zstd::stream::copy_encode(&state[..], &mut bytes, 1).map_err(failed)?;
        Ok(bytes)
    }

    /// The state that these bytes were made of.
    ///
    /// # Errors
    /// Data, if they are damaged or of a later version.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let unreadable = || Error::data("what is remembered of a watched directory cannot be read");
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                let state = zstd::stream::decode_all(rest).map_err(|error| unreadable().with_source(error))?;
                postcard::from_bytes(&state).map_err(|error| unreadable().with_source(error))
            }
            Some((version, _)) => Err(unreadable().context(format_args!("it has the version \"{version}\""))),
            None => Err(unreadable()),
        }
    }
}
