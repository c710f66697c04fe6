//! How a record is printed: as the JVM and Scala print it, so that output can be compared with Spark's line by line.

use super::{Text, Time};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

#[cfg(test)]
mod tests;

/// How a record looks in `print` and in saved text files: the JVM's `toString` of what would stand there in Scala.
///
/// A pair is `(a,1)`, a list `List(1, 2)`, a map `Map(a -> 1)`, an option `Some(1)` or `None`, one and a half `1.5`.
///
/// # Examples
/// A type of your own says how it is shown:
/// ```
/// use std::fmt;
/// use tidemill::Show;
///
/// struct Ad(u32);
///
/// impl Show for Ad {
///     fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "ad {}", self.0)
///     }
/// }
/// assert_eq!(vec![("seen", Some(Ad(7)))].shown().to_string(), "List((seen,Some(ad 7)))");
/// ```
pub trait Show {
    /// Writes the record.
    ///
    /// # Errors
    /// Only what `f` returns.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// The record as something that displays.
    fn shown(&self) -> Shown<'_, Self>
    where
        Self: Sized,
    {
        Shown(self)
    }
}

/// A record that displays as it is shown; see [`Show::shown`].
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a, T: ?Sized>(&'a T);

impl<T: Show + ?Sized> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

macro_rules! as_displayed {
    ($($type:ty),* $(,)?) => {$(
        impl Show for $type {
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

as_displayed!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);
as_displayed!(bool, char, str, String, Text, Time);

macro_rules! as_inner {
    ($($type:ty),* $(,)?) => {$(
        impl<T: Show + ?Sized> Show for $type {
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).show(f)
            }
        }
    )*};
}

as_inner!(&T, &mut T, Box<T>, Arc<T>, Rc<T>);

impl<T: Show + ToOwned + ?Sized> Show for Cow<'_, T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().show(f)
    }
}

impl Show for () {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("()")
    }
}

impl Show for Duration {
    /// Whole milliseconds, as Spark's `Duration`.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.as_millis())
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Some(value) => write!(f, "Some({})", Shown(value)),
            None => f.write_str("None"),
        }
    }
}

macro_rules! float {
    ($($type:ty),*) => {$(
        impl Show for $type {
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let size = self.abs();
                if self.is_nan() {
                    f.write_str("NaN")
                } else if size == <$type>::INFINITY {
                    f.write_str(if *self > 0.0 { "Infinity" } else { "-Infinity" })
                } else if size == 0.0 || (1e-3..1e7).contains(&size) {
                    write!(f, "{self:?}")
                } else {
                    scientific(&format!("{self:e}"), f)
                }
            }
        }
    )*};
}

float!(f32, f64);

/// Java's form of `1e10` is `1.0E10`: there is always a digit after the point.
fn scientific(shortest: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (digits, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    write!(f, "{digits}{point}E{exponent}")
}

/// `name(a, b)`.
fn listed<T: fmt::Display>(name: &str, items: impl IntoIterator<Item = T>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{name}(")?;
    for (i, item) in items.into_iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        write!(f, "{item}")?;
    }
    f.write_str(")")
}

impl<T: Show> Show for [T] {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed("List", self.iter().map(Shown), f)
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().show(f)
    }
}

impl<T: Show, const N: usize> Show for [T; N] {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().show(f)
    }
}

impl<T: Show> Show for BTreeSet<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed("Set", self.iter().map(Shown), f)
    }
}

impl<K: Show, V: Show> Show for BTreeMap<K, V> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed("Map", self.iter().map(|(key, value)| Entry(key, value)), f)
    }
}

impl<T: Show, S> Show for HashSet<T, S> {
    /// In the order of the shown items: the order of hashes must not reach output.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed("Set", sorted(self.iter().map(Shown)), f)
    }
}

impl<K: Show, V: Show, S> Show for HashMap<K, V, S> {
    /// In the order of the shown entries: the order of hashes must not reach output.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed("Map", sorted(self.iter().map(|(key, value)| Entry(key, value))), f)
    }
}

fn sorted<T: fmt::Display>(items: impl Iterator<Item = T>) -> Vec<String> {
    let mut items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.sort();
    items
}

struct Entry<'a, K, V>(&'a K, &'a V);

impl<K: Show, V: Show> fmt::Display for Entry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", Shown(self.0), Shown(self.1))
    }
}

macro_rules! tuples {
    ($(($first:ident $($rest:ident)*))*) => {$(
        impl<$first: Show, $($rest: Show),*> Show for ($first, $($rest,)*) {
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                #[allow(non_snake_case, reason = "one name for the type and for the field of that type")]
                let ($first, $($rest,)*) = self;
                write!(f, "({}", Shown($first))?;
                $(write!(f, ",{}", Shown($rest))?;)*
                f.write_str(")")
            }
        }
    )*};
}

tuples! { (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }
