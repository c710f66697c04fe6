//! The pool under several threads, and how records are measured.

use super::*;
use crate::base::thread::start;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two threads of one receiver that looked for room and then took it could both find the same room.
#[test]
fn room_is_looked_for_and_taken_in_one_step() -> crate::Result<()> {
    let (pool, most, never) = (BlockPool::new(100), Arc::new(AtomicUsize::new(0)), Interrupt::new());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (pool, most, never) = (pool.clone(), most.clone(), never.clone());
            start("storing".into(), move || {
                for _ in 0..500 {
                    let permit = pool.acquire(60, &never);
                    most.fetch_max(*pool.used(), Ordering::Relaxed);
                    drop(permit);
                }
            })
        })
        .collect::<Result<_, _>>()?;
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    assert_eq!((most.load(Ordering::Relaxed), *pool.used()), (60, 0));
    Ok(())
}

#[test]
fn what_is_larger_than_the_pool_fits_into_an_empty_one() {
    let (pool, never) = (BlockPool::new(100), Interrupt::new());
    assert_eq!(pool.acquire(1_000, &never).bytes(), 1_000);
    assert_eq!(*pool.used(), 0);
}

#[test]
fn a_receiver_that_ends_does_not_wait_for_room() {
    let (pool, stop) = (BlockPool::new(100), Interrupt::new());
    let _full = pool.acquire(100, &stop);
    stop.raise();
    assert_eq!(pool.acquire(50, &stop).bytes(), 50);
}

#[test]
fn memory_that_records_own_is_counted() {
    assert_eq!(memory_bytes(&[1_u64, 2, 3]), 24);
    assert!(memory_bytes(&["x".repeat(10_000)]) >= 10_000);
    assert!(memory_bytes(&[vec![0_u8; 10_000]]) >= 10_000);
}
