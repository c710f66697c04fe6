//! Records that are numbers.

use crate::base::Data;

/// A record that can be added up: every integer and float of the language.
///
/// Integers are added up in the widest integer of their sign, floats in `f64`.
pub trait Number: Data {
    /// What their sum is.
    type Sum: Data + Default;

    /// The number as a float.
    fn to_f64(&self) -> f64;

    /// `sum` and this number; `None` if that is too large.
    fn add_to(self, sum: Self::Sum) -> Option<Self::Sum>;

    /// Two sums; `None` if that is too large.
    fn add_sums(left: Self::Sum, right: Self::Sum) -> Option<Self::Sum>;
}

macro_rules! numbers {
    ($($sum:ty : $add:expr => $($number:ty)*;)*) => {$($(
        impl Number for $number {
            type Sum = $sum;
            #[inline]
            #[allow(trivial_numeric_casts)]
            fn to_f64(&self) -> f64 {
                *self as f64
            }
            #[inline]
            #[allow(trivial_numeric_casts)]
            fn add_to(self, sum: $sum) -> Option<$sum> {
                Self::add_sums(sum, self as $sum)
            }
            #[inline]
            fn add_sums(left: $sum, right: $sum) -> Option<$sum> {
                $add(left, right)
            }
        }
    )*)*};
}

numbers! {
    i64: i64::checked_add => i8 i16 i32 i64 isize;
    u64: u64::checked_add => u8 u16 u32 u64 usize;
    i128: i128::checked_add => i128;
    u128: u128::checked_add => u128;
    f64: |left, right| Some(left + right) => f32 f64;
}
