//! Records for `stateful_file_count`, and whether it counted each of them once.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Records of one trial, in files of up to so many.
const RECORDS: usize = 3_000;
const MOST_IN_A_FILE: usize = 120;
const KEYS: u64 = 17;

/// The directories of the program, and the records that are still to be given to it.
pub(crate) struct Records {
    pub(crate) seed: u64,
    pub(crate) random: StdRng,
    pub(crate) folder: PathBuf,
    given: usize,
    files: usize,
}

/// An example of the core, in the profile of the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    let path = binary.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "\"{}\" is not built; run cargo build --examples with the same profile", path.display());
    path
}

fn key(id: usize) -> u64 {
    (id as u64).wrapping_mul(0x9e37_79b9) % KEYS
}

impl Records {
    pub(crate) fn new(seed: u64, folder: &Path) -> Self {
        let folder = folder.join(format!("seed-{seed}"));
        fs::create_dir_all(folder.join("in")).unwrap();
        Self { seed, random: StdRng::seed_from_u64(seed), folder, given: 0, files: 0 }
    }

    /// What the program is to be called with.
    pub(crate) fn arguments(&self) -> [PathBuf; 3] {
        ["in", "out", "checkpoint"].map(|name| self.folder.join(name))
    }

    #[allow(dead_code, reason = "the tests of two crates share this file")]
    pub(crate) fn are_left(&self) -> bool {
        self.given < RECORDS
    }

    /// Moves one more file into the directory.
    pub(crate) fn give(&mut self) {
        let count = self.random.random_range(0..=MOST_IN_A_FILE).min(RECORDS - self.given);
        let records: String =
            (self.given + 1..=self.given + count).map(|id| format!("{id} key{}\n", key(id))).collect();
        let hidden = self.folder.join("in/.writing");
        fs::write(&hidden, records).unwrap();
        fs::rename(hidden, self.folder.join(format!("in/{:05}", self.files))).unwrap();
        (self.given, self.files) = (self.given + count, self.files + 1);
    }

    /// How many of the records that were given are in the output, those in files that are still open not counted.
    #[allow(dead_code, reason = "the tests of two crates share this file")]
    pub(crate) fn written(&self) -> (usize, usize) {
        let out = self.folder.join("out");
        (if out.exists() { lines_of(&out).len() } else { 0 }, self.given)
    }

    /// Every record once, and the numbers of each key without gap; `log` is shown if not.
    pub(crate) fn check(&self, log: &str) {
        let (mut ids, mut numbers) = (BTreeMap::new(), BTreeMap::<String, Vec<u64>>::new());
        for line in lines_of(&self.folder.join("out")) {
            let fields: Vec<&str> = line.split(' ').collect();
            let [id, name, number] = fields[..] else { panic!("seed {}: a line reads {line:?}", self.seed) };
            let id: usize = id.parse().unwrap();
            assert_eq!(name, format!("key{}", key(id)), "seed {}", self.seed);
            *ids.entry(id).or_insert(0) += 1;
            numbers.entry(name.to_owned()).or_default().push(number.parse().unwrap());
        }
        let doubled: Vec<_> = ids.iter().filter(|(_, count)| **count > 1).collect();
        let missing: BTreeSet<_> = (1..=self.given).filter(|id| !ids.contains_key(id)).collect();
        let exact = doubled.is_empty() && missing.is_empty();
        assert!(exact, "seed {}: doubled {doubled:?}, missing {missing:?}\n{log}", self.seed);
        for (key, mut numbers) in numbers {
            numbers.sort_unstable();
            assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "seed {}: {key} {numbers:?}", self.seed);
        }
    }
}

/// The lines of all data files.
fn lines_of(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let data = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with(['.', '_']));
    data.flat_map(|entry| fs::read_to_string(entry.path()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
