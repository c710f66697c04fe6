//! Checks payments as they come: too many from one card in ten seconds, or from two countries within that time.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tidemill::{DStream, Result, StreamingContext, Text, seconds};

/// A payment by card.
#[derive(Clone, Serialize, Deserialize)]
struct Payment {
    card: u32,
    cents: u64,
    country: Text,
}

/// Payment number `n`. Card 13 is used by two people at once, and card 77 buys far too often.
fn payment(n: u64) -> Payment {
    let dice = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let card = if n.is_multiple_of(50) { 77 } else if n.is_multiple_of(199) { 13 } else { 1_000 + (dice % 5_000) as u32 };
    let country = if card == 13 && n.is_multiple_of(2) { "NZ" } else { "NO" };
    Payment { card, cents: dice % 20_000, country: Text::from(country) }
}

/// What one card did in the window.
type Use = (u32, u64, BTreeSet<Text>);

fn suspicions(payments: &DStream<Payment>) -> DStream<Text> {
    payments
        .map(|payment| (payment.card, (1, payment.cents, BTreeSet::from([payment.country]))))
        .reduce_by_key_and_window(
            |a: Use, b: Use| (a.0 + b.0, a.1 + b.1, a.2.union(&b.2).cloned().collect()),
            seconds(10),
            seconds(2),
        )
        .flat_map(|(card, (payments, cents, countries))| {
            let often = (payments > 30).then(|| format!("card {card}: {payments} payments of {cents} cents in all"));
            let apart = (countries.len() > 1).then(|| format!("card {card}: used in {countries:?} at once"));
            often.into_iter().chain(apart).map(Text::from).collect::<Vec<_>>()
        })
}

fn main() -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    suspicions(&ssc.generate_stream(1_000, payment)).print(10);
    ssc.start()?;
    ssc.await_termination()?;
    eprintln!("stopped after {}", ssc.progress());
    Ok(())
}
