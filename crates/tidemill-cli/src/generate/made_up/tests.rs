//! What is made up is plausible, and the same for the same seed.

use super::*;
use serde_json::Value;

fn lines(kind: Kind, seed: u64) -> Vec<String> {
    let mut source = MadeUp::new(kind, seed);
    (0..5_000).map(|_| source.next_record().line).collect()
}

#[test]
fn a_seed_makes_the_same_words() {
    assert_eq!(lines(Kind::Words, 7), lines(Kind::Words, 7));
    assert_ne!(lines(Kind::Words, 7), lines(Kind::Words, 8));
}

#[test]
fn clicks_and_payments_are_json() {
    let click: Value = serde_json::from_str(&lines(Kind::Clicks, 1)[0]).unwrap();
    assert!(click["user"].is_string() && click["page"].is_string() && click["time"].is_u64(), "{click}");
    let payments: Vec<Value> =
        lines(Kind::Payments, 1).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = payments.iter().map(|payment| payment["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=5_000).collect::<Vec<_>>());
    let odd = payments.iter().filter(|payment| payment["amount"].as_f64().unwrap() >= 400.0).count();
    assert!((10..500).contains(&odd), "{odd} payments of 5000 are a thief's");
}
