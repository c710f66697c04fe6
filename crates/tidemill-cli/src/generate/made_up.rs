//! The records: plausible, and the same for the same seed but for their times.

use super::Kind;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use tidemill::{Clock, SystemClock};

/// Words in the order in which they are common.
const WORDS: &str = "the of and a to in is it was for on with as at by from tide mill wheel water turns runs stone grain \
                     flour sea moon river stream batch window state key value count join sink source clock record";
const PAGES: [&str; 8] = ["/", "/search", "/item", "/cart", "/checkout", "/account", "/help", "/about"];
const USERS: u32 = 1_000;
const CARDS: u32 = 500;
const MERCHANTS: u32 = 60;
/// One payment in so many begins a spree.
const SPREE_EVERY: u32 = 400;

/// A record, with the key that it has in a topic.
pub(super) struct Made {
    pub(super) key: Option<String>,
    pub(super) line: String,
}

/// An endless source of records.
pub(super) struct MadeUp {
    kind: Kind,
    random: StdRng,
    words: Vec<&'static str>,
    clock: SystemClock,
    payments: u64,
    /// A card in the hands of a thief, and how many payments are still to come of it.
    spree: Option<(u32, u32)>,
}

impl MadeUp {
    pub(super) fn new(kind: Kind, seed: u64) -> Self {
        Self {
            kind,
            random: StdRng::seed_from_u64(seed),
            words: WORDS.split_whitespace().collect(),
            clock: SystemClock::new(),
            payments: 0,
            spree: None,
        }
    }

    pub(super) fn next_record(&mut self) -> Made {
        match self.kind {
            Kind::Words => Made { key: None, line: self.words() },
            Kind::Clicks => self.click(),
            Kind::Payments => self.payment(),
        }
    }

    /// Low numbers more often than high ones.
    fn skewed(&mut self, below: u32) -> u32 {
        let unit: f64 = self.random.random();
        ((unit * unit * f64::from(below)) as u32).min(below - 1)
    }

    fn words(&mut self) -> String {
        let count = self.random.random_range(4..12);
        let all = self.words.len() as u32;
        let indices: Vec<_> = (0..count).map(|_| self.skewed(all) as usize).collect();
        let words: Vec<_> = indices.into_iter().map(|index| self.words[index]).collect();
        words.join(" ")
    }

    fn click(&mut self) -> Made {
        let (user, page) = (format!("u{:04}", self.skewed(USERS)), PAGES[self.skewed(8) as usize]);
        let line = format!(r#"{{"user":"{user}","page":"{page}","time":{}}}"#, self.clock.now().as_ms());
        Made { key: Some(user), line }
    }

    fn payment(&mut self) -> Made {
        self.payments += 1;
        let (card, cents) = match self.spree.take() {
            // Not every payment in between is the thief's.
            Some((card, left)) if self.random.random_ratio(1, 3) => {
                self.spree = (left > 1).then_some((card, left - 1));
                (card, self.random.random_range(40_000..200_000))
            }
            spree => {
                self.spree = spree;
                (self.skewed(CARDS), 100 + u64::from(self.random.next_u32() % 9_900))
            }
        };
        if self.spree.is_none() && self.random.random_ratio(1, SPREE_EVERY) {
            self.spree = Some((self.skewed(CARDS), self.random.random_range(3..8)));
        }
        let (card, merchant) = (format!("c{card:04}"), self.skewed(MERCHANTS));
        let line = format!(
            r#"{{"id":{},"card":"{card}","amount":{}.{:02},"merchant":"m{merchant:02}","time":{}}}"#,
            self.payments,
            cents / 100,
            cents % 100,
            self.clock.now().as_ms()
        );
        Made { key: Some(card), line }
    }
}

#[cfg(test)]
mod tests;
