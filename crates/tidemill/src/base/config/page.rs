//! The page of the documentation that lists every key, made from the tables.

use super::{inert, key::AnyKey, keys};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from crates/tidemill/src/base/config/keys.rs and inert.rs. To change this page, change those and run
     TIDEMILL_BLESS=1 cargo test -p tidemill config_page -->

Times are written `200us`, `200ms`, `10s`, `1min` (or `1m`), `1h`, `1d`; a bare number counts in the unit of its key.
Sizes are written `64k`, `64KiB`, `16m`, `1g`, all in powers of 1024; a bare number is bytes.

A `tidemill.*` key that does not exist is an error; a `spark.streaming.*` key that does not exist is a warning; any
other name is kept for whoever reads it. Values of keys named like a password, a secret or a token are never shown.
";

/// The text of `docs/configuration.md`.
///
/// # Examples
/// ```
/// use tidemill::base::config::config_page;
/// assert!(config_page().contains("| `spark.streaming.blockInterval` | `200ms` |"));
/// ```
pub fn config_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    working_keys(&mut page, "Keys of tidemill", "tidemill.");
    working_keys(&mut page, "Keys of Spark that work here", "spark.");
    keys_without_effect(&mut page);
    page
}

fn working_keys(page: &mut String, title: &str, prefix: &str) {
    *page += &format!("\n## {title}\n\n| key | default | unit | meaning | origin |\n|---|---|---|---|---|\n");
    for key in keys::TABLE.iter().filter(|key| key.name().starts_with(prefix)) {
        line(page, *key, prefix.trim_end_matches('.'));
    }
}

fn line(page: &mut String, key: &dyn AnyKey, origin: &str) {
    let default = match key.default_words() {
        (text, true) => format!("`{text}`"),
        (words, false) => words.to_owned(),
    };
    let (name, unit, mut meaning) = (key.name(), key.unit().name(), key.doc().replace('|', "\\|"));
    for alias in key.aliases() {
        meaning += &format!(" Older name: `{alias}`.");
    }
    *page += &format!("| `{name}` | {default} | {unit} | {meaning} | {origin} |\n");
}

fn keys_without_effect(page: &mut String) {
    *page += "\n## Keys of Spark that are accepted and have no effect\n\n";
    *page += "A program that sets them runs as it stands.\n\n| key | has no effect here, because |\n|---|---|\n";
    for row in inert::TABLE {
        writeln!(page, "| `{}` | {} |", row.name, row.because).expect("a string takes every write");
    }
}
