//! Who drives: a text for people that says which process of which machine it is, and since when.

use crate::base::{Clock, SystemClock, Time};
use std::{fs, process};

/// This process. Nothing of its environment or command line, which may hold secrets.
pub(super) fn owner(now: Time) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    let host = host.map_or_else(|_| "an unnamed host".to_owned(), |host| host.trim().to_owned());
    format!("process {} on {host} since {}", process::id(), utc(now))
}

pub(super) fn wall_now() -> Time {
    SystemClock::new().now()
}

/// Date and time of day in UTC, to the second.
///
/// # Examples
/// ```
/// use tidemill::{Time, checkpoint::utc};
/// assert_eq!(utc(Time::from_ms(951_782_400_000)), "2000-02-29 00:00:00 UTC");
/// ```
pub fn utc(time: Time) -> String {
    let seconds = time.as_ms() / 1_000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// Year, month and day of the Gregorian calendar, so many days after 1970 began.
fn date(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // 400 years always have as many days.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_709_210_096_000, "2024-02-29 12:34:56 UTC"),
            (4_107_542_399_999, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ];
        for (ms, text) in cases {
            assert_eq!(utc(Time::from_ms(ms)), text);
        }
    }
}
