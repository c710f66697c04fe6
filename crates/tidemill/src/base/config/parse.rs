//! How texts become values: Spark's times and sizes, switches, numbers.

use super::Unit;
use std::time::Duration;

/// A type that a configuration value can have.
pub trait ConfigValue: Sized {
    /// The unit of a key that names none.
    const UNIT: Unit;
    /// What is accepted; ends the sentence "expected ...".
    const EXPECTED: &'static str;
    /// Reads a value whose surrounding blanks are gone; none if it is not one.
    fn parse(value: &str, unit: Unit) -> Option<Self>;
}

impl ConfigValue for String {
    const UNIT: Unit = Unit::Text;
    const EXPECTED: &'static str = "some text";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        (!value.is_empty()).then(|| value.to_owned())
    }
}

impl ConfigValue for bool {
    const UNIT: Unit = Unit::Switch;
    const EXPECTED: &'static str = "true or false";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        match value.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

impl ConfigValue for f64 {
    const UNIT: Unit = Unit::Factor;
    const EXPECTED: &'static str = "a number such as \"0.5\"";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        value.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

impl ConfigValue for usize {
    const UNIT: Unit = Unit::Count;
    const EXPECTED: &'static str = "a whole number that is not negative";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        value.parse().ok()
    }
}

impl ConfigValue for u64 {
    const UNIT: Unit = Unit::Count;
    const EXPECTED: &'static str = "a whole number that is not negative";
    fn parse(value: &str, unit: Unit) -> Option<Self> {
        if unit == Unit::Bytes { size(value) } else { value.parse().ok() }
    }
}

impl ConfigValue for Duration {
    const UNIT: Unit = Unit::Milliseconds;
    const EXPECTED: &'static str = "a time such as \"200ms\", \"10s\", \"1min\" or \"1h\"";
    fn parse(value: &str, unit: Unit) -> Option<Self> {
        let (number, suffix) = split_number(value)?;
        let micros = match suffix.as_str() {
            "" if unit == Unit::Seconds => 1_000_000,
            "" | "ms" => 1_000,
            "us" => 1,
            "s" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return None,
        };
        number.checked_mul(micros).map(Duration::from_micros)
    }
}

/// What a size can look like; ends the sentence "expected ...".
pub(super) const SIZE: &str = "a size such as \"64k\", \"64KiB\", \"16m\" or \"1g\"";

/// A size in bytes. As in Spark every suffix is a power of 1024, with or without the `b` or `ib`.
fn size(value: &str) -> Option<u64> {
    let (number, suffix) = split_number(value)?;
    let power = match suffix.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    number.checked_mul(1024_u64.pow(power))
}

/// A rate in records per second, where zero and less mean, as in Spark, that there is none.
pub(super) fn rate(value: &str, _: Unit) -> Option<Option<u64>> {
    let rate: i64 = value.parse().ok()?;
    Some(u64::try_from(rate).ok().filter(|rate| *rate > 0))
}

/// What a rate can look like; ends the sentence "expected ...".
pub(super) const RATE: &str = "a whole number of records per second (0 or less: no limit)";

/// The digits at the front, and the rest in lower case.
fn split_number(value: &str) -> Option<(u64, String)> {
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (digits, suffix) = value.split_at(end);
    Some((digits.parse().ok()?, suffix.to_ascii_lowercase()))
}
