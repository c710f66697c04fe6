//! Runs jobs on timely workers. The only room that speaks to timely.
//!
//! A job is one short-lived dataflow that every worker builds in the same order, runs to its end and drops. Only one
//! record type ever travels through timely, the `Envelope`, so the dataflow code is compiled once
//! and two workers cannot disagree about a channel's type.

pub mod cluster;
mod envelope;
mod fingerprint;
mod job;
mod member;
mod order;
mod stage;
mod worker;

pub(crate) use worker::Engine;

#[cfg(test)]
mod tests;
