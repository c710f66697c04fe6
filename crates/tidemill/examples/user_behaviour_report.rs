//! A live report on user behaviour: per page, visits, visitors and the mean time spent, over a minute, every two seconds.

use std::collections::BTreeSet;
use tidemill::{Error, Result, StreamingContext, Text, seconds};

/// Visit number `n`: who, which page, for how many seconds.
fn visit(n: u64) -> (Text, (u32, f64)) {
    let dice = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let page = ["/home", "/search", "/basket", "/pay"][(dice % 16 / 5) as usize];
    (Text::from(page), ((dice >> 4) as u32 % 500, (dice % 97) as f64 / 4.0))
}

/// What is known of the visits to one page.
type Visits = (u64, BTreeSet<u32>, f64);

fn both(a: Visits, b: Visits) -> Visits {
    (a.0 + b.0, a.1.union(&b.1).copied().collect(), a.2 + b.2)
}

fn main() -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    ssc.generate_stream(1_000, visit)
        .map_values(|(user, spent_s)| (1, BTreeSet::from([user]), spent_s))
        .reduce_by_key_and_window(both, seconds(60), seconds(2))
        .for_each_batch(|mut pages, time| {
            pages.sort_by_key(|(_, (visits, ..))| std::cmp::Reverse(*visits));
            println!("{time}: page, visits, visitors, mean seconds");
            for (page, (visits, visitors, spent_s)) in pages {
                println!("  {page:<10} {visits:>7} {:>5} {:>6.2}", visitors.len(), spent_s / visits as f64);
            }
            Ok::<_, Error>(())
        });
    ssc.start()?;
    ssc.await_termination()
}
