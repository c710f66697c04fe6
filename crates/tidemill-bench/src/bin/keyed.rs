//! Prints what windows and state by key cost a batch, beside loops by hand. Run it with `--release`.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use tidemill::{DStream, Result};
use tidemill_bench::{
    hand,
    ours::keyed::{self, Cost, by_hand, run},
};

type Operation = fn(&DStream<(u64, i64)>);

fn show(name: &str, cost: Cost, hand: Cost) {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let ratio = ms(cost.median) / ms(hand.median);
    println!(
        "{name:<44} | {:>8.2} | {:>8.2} | {:>8.2} | {ratio:>5.2}",
        ms(cost.median),
        ms(cost.slowest),
        ms(hand.median)
    );
}

fn windows(workers: usize) -> Result<()> {
    let batches = keyed::batches(125, 200_000, 100_000);
    let hand = by_hand(&batches, 60, keyed::hand_inverse_window(30));
    let inverse = run(workers, &batches, 60, |pairs| keyed::inverse_window(pairs, 30))?;
    show(&format!("window 30, 100k keys, inverse, {workers} workers"), inverse, hand);
    let without = run(workers, &batches, 60, |pairs| keyed::window(pairs, 30))?;
    show(&format!("window 30, 100k keys, without, {workers} workers"), without, hand);
    println!(
        "without inverse takes {:.2} times what with inverse takes",
        without.median.as_secs_f64() / inverse.median.as_secs_f64()
    );
    Ok(())
}

fn states(workers: usize, keys: u64) -> Result<()> {
    let mut batches = vec![keyed::every_key(keys)];
    batches.extend(keyed::batches(30, 100_000, keys));
    let mut state = hand::State::default();
    let touched = by_hand(&batches, 25, |batch| state.touched(batch));
    let mut state = hand::State::default();
    let all = by_hand(&batches, 25, |batch| state.all(batch));
    let operations: [(&str, Operation, Cost); 3] = [
        ("map_with_state", keyed::touched, touched),
        ("map_with_state, timeout", keyed::touched_with_timeout, touched),
        ("update_state_by_key", keyed::all, all),
    ];
    for (name, operation, hand) in operations {
        let cost = run(workers, &batches, 25, operation)?;
        show(&format!("{name}, {}k keys, {workers} workers", keys / 1_000), cost, hand);
    }
    Ok(())
}

fn main() -> Result<()> {
    println!("{:<44} | {:>8} | {:>8} | {:>8} | ratio", "ms a batch", "median", "slowest", "hand");
    for workers in [1, 2] {
        windows(workers)?;
        states(workers, 100_000)?;
        states(workers, 1_000_000)?;
    }
    Ok(())
}
