//! The ground floor: time, clock, errors, text. Knows no other room.

pub mod clock;
pub mod config;
pub mod dead_letters;
pub(crate) mod durable;
pub(crate) mod envelope;
pub mod error;
pub mod files;
pub mod show;
pub mod storage;
pub mod text;
pub(crate) mod thread;
pub mod time;

pub use clock::{Clock, Interrupt, ManualClock, SystemClock};
pub use config::{Config, ConfigKey, keys};
pub use error::{Error, ErrorKind, Misuse, Result, exit};
pub use show::{Show, Shown};
pub use text::Text;
pub use time::{Interval, Time, milliseconds, minutes, seconds};

use serde::{Serialize, de::DeserializeOwned};
use std::hash::Hash;

/// What a record must be to travel through the engine.
///
/// The serde bounds are there because a shuffle may cross processes. Implemented for every type that fits.
pub trait Data: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {}
impl<T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static> Data for T {}

/// What a record must be to serve as a key of a shuffle or of state.
pub trait Key: Data + Hash + Eq {}
impl<T: Data + Hash + Eq> Key for T {}
