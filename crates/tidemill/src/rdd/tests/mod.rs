//! Transformations against slow, obvious models, and what happens when user functions fail.

mod failures;
mod models;
mod sessions;
mod transformations;
