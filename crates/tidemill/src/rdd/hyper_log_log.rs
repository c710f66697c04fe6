//! A sketch of a set that knows about how many elements it has.
//!
//! HyperLogLog with the estimator of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which
//! needs no tables of measured corrections and is right from the first element on. Written here because the crates at
//! hand do not fit: `cardinality-estimator` fixes the precision at compile time, sums in `f32` in the order of arrival
//! (so the estimate depends on how the set was partitioned) and writes its pointer when serialised;
//! `hyperloglogplus` is no longer kept.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A sketch of a set of hashes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HyperLogLog {
    precision: u8,
    registers: Registers,
}

/// For each group of hashes, the longest run of zero bits seen, plus one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Registers {
    /// Those that are not 0, while they are few.
    Sparse(BTreeMap<u32, u8>),
    Dense(Vec<u8>),
}

const PRECISIONS: std::ops::RangeInclusive<u8> = 4..=24;

/// Above this share of registers in use, an array is smaller than a map.
const DENSE_SHARE: usize = 16;

impl HyperLogLog {
    /// A sketch whose estimates have this standard deviation, relative to the truth; `None` if it cannot be that small.
    pub(crate) fn with_relative_sd(relative_sd: f64) -> Option<Self> {
        if !(relative_sd > 0.0 && relative_sd <= 1.0) {
            return None;
        }
        let precision = (2.0 * (1.054 / relative_sd).log2()).ceil().max(f64::from(*PRECISIONS.start())) as u8;
        PRECISIONS.contains(&precision).then(|| Self { precision, registers: Registers::Sparse(BTreeMap::new()) })
    }

    fn size(&self) -> usize {
        1 << self.precision
    }

    #[inline]
    pub(crate) fn insert(&mut self, hash: u64) {
        let index = (hash >> (64 - self.precision)) as u32;
        // The bits that chose the register are gone, so the run ends at a bit that is put in their place.
        let rank = ((hash << self.precision) | (1 << (self.precision - 1))).leading_zeros() as u8 + 1;
        self.raise(index, rank);
    }

    #[inline]
    fn raise(&mut self, index: u32, rank: u8) {
        match &mut self.registers {
            Registers::Dense(dense) => {
                let register = &mut dense[index as usize];
                *register = rank.max(*register);
            }
            Registers::Sparse(sparse) => {
                let register = sparse.entry(index).or_default();
                *register = rank.max(*register);
                if sparse.len() * DENSE_SHARE > 1 << self.precision {
                    self.densify();
                }
            }
        }
    }

    #[cold]
    fn densify(&mut self) {
        let mut dense = vec![0; self.size()];
        self.for_each(|index, rank| dense[index as usize] = rank);
        self.registers = Registers::Dense(dense);
    }

    fn for_each(&self, mut f: impl FnMut(u32, u8)) {
        match &self.registers {
            Registers::Sparse(sparse) => sparse.iter().for_each(|(&index, &rank)| f(index, rank)),
            Registers::Dense(dense) => dense.iter().zip(0..).for_each(|(&rank, index)| f(index, rank)),
        }
    }

    /// Adds the set that `other`, of the same precision, is a sketch of.
    pub(crate) fn merge(&mut self, other: &Self) {
        other.for_each(|index, rank| {
            if rank > 0 {
                self.raise(index, rank);
            }
        });
    }

    /// About how many elements the set has.
    pub(crate) fn estimate(&self) -> u64 {
        let longest = usize::from(64 - self.precision);
        let mut counts = vec![0_usize; longest + 2];
        let mut used = 0;
        self.for_each(|_, rank| {
            counts[usize::from(rank)] += 1;
            used += usize::from(rank > 0);
        });
        let size = self.size() as f64;
        let unused = (self.size() - used) as f64;
        let mut z = size * tau(1.0 - counts[longest + 1] as f64 / size);
        for &count in counts[1..=longest].iter().rev() {
            z = 0.5 * (z + count as f64);
        }
        z += size * sigma(unused / size);
        let infinite_alpha = 0.5 / std::f64::consts::LN_2;
        (infinite_alpha * size * size / z).round() as u64
    }
}

/// The correction for registers that are still 0.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// The correction for registers that can rise no further.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
