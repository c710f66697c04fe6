//! Kafka in and out, against a real one.

#![cfg(test)]

mod sink;
