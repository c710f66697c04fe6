//! A key of the table: its name, what it can be, and what it means.

use super::{
    super::{Error, Result},
    parse::ConfigValue,
    redact,
};
use std::{any::type_name, fmt};

/// What a value is measured in: for a time, what a number without a suffix means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// A word or a path.
    Text,
    /// `true` or `false`.
    Switch,
    /// A number of things.
    Count,
    /// A factor.
    Factor,
    /// A time; a bare number is milliseconds.
    Milliseconds,
    /// A time; a bare number is seconds.
    Seconds,
    /// A size; a bare number is bytes.
    Bytes,
    /// Records per second.
    RecordsPerSecond,
}

impl Unit {
    /// The unit in the words of the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Text => "text",
            Unit::Switch => "true, false",
            Unit::Count => "count",
            Unit::Factor => "factor",
            Unit::Milliseconds => "time (ms)",
            Unit::Seconds => "time (s)",
            Unit::Bytes => "bytes",
            Unit::RecordsPerSecond => "records/s",
        }
    }
}

/// A name in a [`Config`](super::Config) together with the type `T` of its values.
///
/// Those of tidemill are in [`keys`](super::keys). Make one of your own to read a setting of your program with
/// the same units and the same error messages.
///
/// # Examples
/// ```
/// use tidemill::{Config, ConfigKey, seconds};
/// const GRACE: ConfigKey<std::time::Duration> = ConfigKey::new("shop.grace", "5s");
/// assert_eq!(Config::new().get(&GRACE)?, seconds(5));
/// assert_eq!(Config::new().set(GRACE, "2min").get(&GRACE)?, seconds(120));
/// assert!(Config::new().set(GRACE, "soon").get(&GRACE).is_err());
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct ConfigKey<T> {
    name: &'static str,
    aliases: &'static [&'static str],
    default: Fallback<T>,
    unit: Unit,
    parse: fn(&str, Unit) -> Option<T>,
    expected: &'static str,
    bound: Option<Bound<T>>,
    doc: &'static str,
}

/// What counts while a key is not set.
enum Fallback<T> {
    /// This text, read as if it had been set.
    Text(&'static str),
    /// A value that stands for "not set", and words for what then happens.
    Derived(fn() -> T, &'static str),
}

/// What a value must satisfy after it was read, and words for it.
struct Bound<T> {
    words: &'static str,
    holds: fn(&T) -> bool,
}

impl<T: ConfigValue> ConfigKey<T> {
    /// A key with the given name that counts as set to `default` until it is set.
    pub const fn new(name: &'static str, default: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            default: Fallback::Text(default),
            unit: T::UNIT,
            parse: T::parse,
            expected: T::EXPECTED,
            bound: None,
            doc: "",
        }
    }
}

impl<T: ConfigValue> ConfigKey<Option<T>> {
    /// A key that may be left unset; `otherwise` says in words what then happens.
    pub const fn optional(name: &'static str, otherwise: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            default: Fallback::Derived(|| None, otherwise),
            unit: T::UNIT,
            parse: |value, unit| T::parse(value, unit).map(Some),
            expected: T::EXPECTED,
            bound: None,
            doc: "",
        }
    }
}

impl<T> ConfigKey<T> {
    /// The same key with a meaning, in a sentence or two.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// The same key with another unit.
    #[must_use]
    pub const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// The same key with older names, which count where the name itself is not set.
    #[must_use]
    pub const fn also_called(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The same key, which accepts only values for which `holds`; `words` end the sentence "expected ...".
    #[must_use]
    pub const fn bounded(mut self, words: &'static str, holds: fn(&T) -> bool) -> Self {
        self.bound = Some(Bound { words, holds });
        self
    }

    /// The same key with another way to read a value; `expected` ends the sentence "expected ...".
    #[must_use]
    pub(super) const fn parsed_by(mut self, expected: &'static str, parse: fn(&str, Unit) -> Option<T>) -> Self {
        self.parse = parse;
        self.expected = expected;
        self
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its older names.
    pub const fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// Reads `value` as a value of this key.
    ///
    /// # Errors
    /// Invalid, naming the key, the value and what was expected.
    ///
    /// # Examples
    /// ```
    /// use tidemill::keys;
    /// assert_eq!(keys::LINES_MAX_BYTES.parse("64k")?, 65_536);
    /// let error = keys::LINES_MAX_BYTES.parse("64 apples").unwrap_err();
    /// assert!(error.to_string().contains("expected a size such as"));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn parse(&self, value: &str) -> Result<T> {
        self.parse_as(self.name, value)
    }

    /// Reads a value that was set under `name`, which may be an alias.
    pub(super) fn parse_as(&self, name: &str, value: &str) -> Result<T> {
        let bad = |expected: &str| {
            let value = redact::shown(name, value);
            Error::invalid(format!("the value \"{value}\" of \"{name}\" cannot be used: expected {expected}"))
        };
        let parsed = (self.parse)(value.trim(), self.unit).ok_or_else(|| bad(self.expected))?;
        match &self.bound {
            Some(bound) if !(bound.holds)(&parsed) => Err(bad(bound.words)),
            _ => Ok(parsed),
        }
    }

    /// What counts while it is not set.
    pub(super) fn default(&self) -> Result<T> {
        match self.default {
            Fallback::Text(text) => self.parse(text),
            Fallback::Derived(value, _) => Ok(value()),
        }
    }
}

impl<T> AsRef<str> for ConfigKey<T> {
    fn as_ref(&self) -> &str {
        self.name
    }
}

impl<T> fmt::Debug for ConfigKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigKey<{}>({})", type_name::<T>(), self.name)
    }
}

/// A key whose type of value is forgotten; what the table is made of.
pub(super) trait AnyKey: Sync {
    fn name(&self) -> &'static str;
    fn aliases(&self) -> &'static [&'static str];
    fn unit(&self) -> Unit;
    fn doc(&self) -> &'static str;
    /// The default in words, and whether these words are the very text that could be set.
    fn default_words(&self) -> (&'static str, bool);
    /// Whether `value` could be set under `name`.
    fn check(&self, name: &str, value: &str) -> Result<()>;
}

impl<T> AnyKey for ConfigKey<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    fn unit(&self) -> Unit {
        self.unit
    }

    fn doc(&self) -> &'static str {
        self.doc.trim()
    }

    fn default_words(&self) -> (&'static str, bool) {
        match self.default {
            Fallback::Text(text) => (text, true),
            Fallback::Derived(_, words) => (words, false),
        }
    }

    fn check(&self, name: &str, value: &str) -> Result<()> {
        self.parse_as(name, value).map(drop)
    }
}
