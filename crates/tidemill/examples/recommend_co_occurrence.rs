//! Recommends by co-occurrence: which products are bought together, learned from baskets as they come.

use std::collections::BTreeMap;
use tidemill::{Error, Result, StreamingContext, Text, seconds};

const PRODUCTS: [&str; 9] = ["bread", "butter", "jam", "tea", "milk", "sugar", "nails", "hammer", "saw"];

/// Basket number `n`: a few products, most of them from the same shelf.
fn basket(n: u64) -> Vec<Text> {
    let dice = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let shelf = (dice % 3) as usize * 3;
    let mut picks = vec![shelf + (dice as usize >> 3) % 3, shelf + (dice as usize >> 5) % 3, (dice as usize >> 7) % 9];
    picks.sort_unstable();
    picks.dedup();
    picks.into_iter().map(|pick| Text::from(PRODUCTS[pick])).collect()
}

/// Every ordered pair of different products.
fn pairs(basket: Vec<Text>) -> Vec<(Text, BTreeMap<Text, u64>)> {
    let others = |product: &Text| basket.iter().filter(|other| *other != product).map(|other| (other.clone(), 1)).collect();
    basket.iter().map(|product| (product.clone(), others(product))).collect()
}

fn add(mut counts: BTreeMap<Text, u64>, more: BTreeMap<Text, u64>) -> BTreeMap<Text, u64> {
    more.into_iter().for_each(|(product, count)| *counts.entry(product).or_default() += count);
    counts
}

fn main() -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    ssc.checkpoint(std::env::temp_dir().join("tidemill-recommend"))?;
    ssc.generate_stream(500, basket)
        .flat_map(pairs)
        .reduce_by_key(add)
        .update_state_by_key(|new, known| Some(new.iter().cloned().fold(known.unwrap_or_default(), add)))
        .for_each_batch(|mut products, time| {
            products.sort();
            println!("{time}: who buys ... also buys ...");
            for (product, together) in products {
                if let Some((best, count)) = together.iter().max_by_key(|(_, count)| **count) {
                    println!("  {product:<8} {best} ({count} times)");
                }
            }
            Ok::<_, Error>(())
        });
    ssc.start()?;
    ssc.await_termination()
}
