//! The PID formula by hand, and the bucket under a clock that moves only when somebody waits.

use super::*;
use crate::io::{RateLimit, RateLimiter};
use crate::{
    ErrorKind, Interrupt, ManualClock,
    base::{Clock, keys},
    milliseconds,
    scheduler::{BatchInfo, StreamInputInfo},
    seconds,
};
use proptest::prelude::*;
use std::sync::Arc;

fn sample(time_ms: u64, num_records: u64, processing_ms: u64, scheduling_ms: u64) -> RateSample {
    RateSample {
        time: Time::from_ms(time_ms),
        num_records,
        processing_delay: milliseconds(processing_ms),
        scheduling_delay: milliseconds(scheduling_ms),
    }
}

/// Samples and the rates they must give, worked out by hand from the formula of the surface, 2.7 #6.
fn assert_rates(batch_ms: u64, gains: PidGains, table: &[(RateSample, Option<f64>)]) {
    let mut pid = PidRateEstimator::new(milliseconds(batch_ms), gains).expect("the gains are good");
    for (sample, expected) in table {
        let rate = pid.compute(*sample);
        let near = match (rate, *expected) {
            (Some(rate), Some(expected)) => (rate - expected).abs() < 1e-6,
            (rate, expected) => rate == expected,
        };
        assert!(near, "{sample:?} gave {rate:?}, not {expected:?}");
    }
}

#[test]
fn pid_with_the_defaults() {
    assert_rates(
        1_000,
        PidGains::default(),
        &[
            // 1000 records in 500 ms: 2000/s, stored and not published.
            (sample(1_000, 1_000, 500, 0), None),
            // 1000/s; error 1000, no backlog: 2000 - 1000.
            (sample(2_000, 1_000, 1_000, 0), Some(1_000.0)),
            // 800/s; error 200; backlog 250 ms * 800/s / 1 s = 200: 1000 - 200 - 0.2 * 200.
            (sample(3_000, 800, 1_000, 250), Some(760.0)),
            // 4000/s; error -3240; no backlog: 760 + 3240.
            (sample(4_000, 1_000, 250, 0), Some(4_000.0)),
            // 50/s is below the lowest rate.
            (sample(5_000, 50, 1_000, 0), Some(100.0)),
            // The lowest rate is what the next error is taken from: 300/s, error -200: 100 + 200.
            (sample(6_000, 300, 1_000, 0), Some(300.0)),
        ],
    );
}

#[test]
fn pid_with_every_part() {
    let gains = PidGains { proportional: 0.5, integral: 0.1, derived: 0.25, min_rate: 10.0 };
    assert_rates(
        2_000,
        gains,
        &[
            (sample(2_000, 1_000, 1_000, 0), None),
            // 500/s; error 500; backlog 1 s * 500/s / 2 s = 250; change 500 / 2 s = 250:
            // 1000 - 250 - 25 - 62.5.
            (sample(4_000, 500, 1_000, 1_000), Some(662.5)),
            // 250/s; error 412.5; backlog 0; change (412.5 - 500) / 4 s = -21.875: 662.5 - 206.25 + 5.46875.
            (sample(8_000, 500, 2_000, 0), Some(461.71875)),
        ],
    );
}

#[test]
fn pid_passes_over_samples_that_say_nothing() {
    assert_rates(
        1_000,
        PidGains::default(),
        &[
            (sample(1_000, 0, 100, 0), None),
            (sample(2_000, 100, 0, 0), None),
            (sample(3_000, 1_000, 1_000, 0), None), // the first that counts
            (sample(3_000, 9_000, 1_000, 0), None), // not later
            (sample(2_500, 9_000, 1_000, 0), None), // earlier
            (sample(4_000, 0, 1_000, 9), None),     // no records
            (sample(5_000, 700, 1_000, 0), Some(700.0)),
        ],
    );
}

#[test]
fn pid_counts_what_is_below_a_millisecond() {
    let mut pid = PidRateEstimator::new(milliseconds(10), PidGains::default()).expect("good gains");
    let quick = |time_ms| RateSample { processing_delay: Duration::from_micros(500), ..sample(time_ms, 1_000, 0, 0) };
    assert_eq!(pid.compute(quick(10)), None);
    let rate = pid.compute(quick(20)).expect("a second sample gives a rate");
    assert!((rate - 2_000_000.0).abs() < 1e-3, "{rate}");
}

#[test]
fn bad_gains_are_refused() {
    let good = PidGains::default();
    let table = [
        (seconds(1), PidGains { proportional: -1.0, ..good }),
        (seconds(1), PidGains { integral: f64::NAN, ..good }),
        (seconds(1), PidGains { derived: f64::INFINITY, ..good }),
        (seconds(1), PidGains { min_rate: 0.0, ..good }),
        (seconds(0), good),
    ];
    for (batch, gains) in table {
        let error = PidRateEstimator::new(batch, gains).expect_err("must be refused");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{gains:?}");
    }
    let config = Config::new().set(keys::BACKPRESSURE_ESTIMATOR, "guess");
    assert!(PidRateEstimator::from_config(&config, seconds(1)).is_err());
}

#[test]
fn the_initial_limit_is_the_lower_of_initial_and_highest_rate() -> Result<()> {
    let limit = |enabled: bool, initial: &str, max: &str| {
        let config = Config::new()
            .set(keys::BACKPRESSURE_ENABLED, enabled)
            .set(keys::BACKPRESSURE_INITIAL_RATE, initial)
            .set(keys::RECEIVER_MAX_RATE, max);
        RateLimit::from_config(&config).map(|limit| limit.get())
    };
    assert_eq!(limit(true, "500", "2000")?, Some(500));
    assert_eq!(limit(true, "5000", "2000")?, Some(2_000));
    assert_eq!(limit(true, "0", "2000")?, Some(2_000));
    assert_eq!(limit(true, "500", "0")?, Some(500));
    assert_eq!(limit(false, "500", "2000")?, Some(2_000));
    assert_eq!(limit(false, "500", "0")?, None);
    Ok(())
}

fn completed(stream_id: usize, time_ms: u64, records: u64, processing_ms: u64) -> BatchCompleted {
    let end = Time::from_ms(time_ms);
    let start = end - milliseconds(processing_ms);
    let mut batch = BatchInfo::new(start, start).with_input(StreamInputInfo::new(stream_id, records));
    (batch.processing_start_time, batch.processing_end_time) = (Some(start), Some(end));
    BatchCompleted::new(batch)
}

#[test]
fn the_controller_publishes_whole_rates_of_its_own_stream_only() -> Result<()> {
    let limit = RateLimit::unlimited();
    let config = Config::new().set(keys::BACKPRESSURE_ENABLED, true);
    let published = limit.clone();
    let publish = move |rate| published.publish(rate);
    let controller = RateController::from_config(3, &config, seconds(1), publish)?.expect("it is enabled");
    controller.on_batch_completed(&completed(3, 1_000, 500, 300));
    assert_eq!(limit.get(), None, "the first sample is only stored");
    controller.on_batch_completed(&completed(4, 2_000, 500, 300));
    assert_eq!(limit.get(), None, "that was another stream");
    controller.on_batch_completed(&BatchCompleted::new(BatchInfo::new(Time::from_ms(0), Time::from_ms(0))));
    assert_eq!(limit.get(), None, "that batch has no times");
    controller.on_batch_completed(&completed(3, 3_000, 500, 300)); // 1666.67/s
    assert_eq!(limit.get(), Some(1_666));
    assert!(RateController::from_config(3, &Config::new(), seconds(1), move |rate| limit.publish(rate))?.is_none());
    Ok(())
}

/// Time passes only while somebody waits, and then exactly as long as they wait.
#[derive(Debug)]
struct WaitingClock(ManualClock);

impl Clock for WaitingClock {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn wait_until(&self, time: Time, interrupt: &Interrupt) -> bool {
        if !interrupt.is_raised() {
            self.0.set(time.max(self.0.now()));
        }
        !interrupt.is_raised()
    }
}

fn limiter(limit: &RateLimit) -> (RateLimiter, Arc<WaitingClock>) {
    let clock = Arc::new(WaitingClock(ManualClock::new(Time::from_ms(50_000))));
    (RateLimiter::new(limit.clone(), clock.clone()), clock)
}

#[test]
fn a_limiter_keeps_its_rate_and_follows_changes() {
    let (limit, go_on) = (RateLimit::new(Some(1_000), None), Interrupt::new());
    let (mut limiter, clock) = limiter(&limit);
    let start = clock.now();
    assert!(limiter.acquire(500, &go_on), "what is asked for first is granted at once");
    assert_eq!(clock.now(), start);
    assert!(limiter.acquire(100, &go_on));
    assert_eq!(clock.now().since(start), milliseconds(500));
    limit.publish(100); // 100 records are owed: now that takes a second
    assert!(limiter.acquire(1, &go_on));
    assert_eq!(clock.now().since(start), milliseconds(1_500));
}

#[test]
fn a_limiter_makes_up_for_a_tenth_of_a_second_at_most() {
    let (limit, go_on) = (RateLimit::new(Some(1_000), None), Interrupt::new());
    let (mut limiter, clock) = limiter(&limit);
    assert!(limiter.acquire(1, &go_on));
    clock.0.advance(seconds(60));
    let start = clock.now();
    assert!(limiter.acquire(100, &go_on) && limiter.acquire(1, &go_on));
    assert_eq!(clock.now(), start);
    assert!(limiter.acquire(1, &go_on));
    assert_eq!(clock.now().since(start), milliseconds(1));
}

#[test]
fn an_interrupt_ends_the_wait_and_a_lifted_limit_too() {
    let limit = RateLimit::new(Some(1), None);
    let (mut limiter, clock) = limiter(&limit);
    let stop = Interrupt::new();
    assert!(limiter.acquire(1_000_000, &stop));
    stop.raise();
    assert!(!limiter.acquire(1, &stop));
    assert_eq!(clock.now(), Time::from_ms(50_000));
    limit.publish(u64::MAX);
    assert_eq!(limit.get(), None);
    assert!(limiter.acquire(1, &stop), "no limit, no wait, nothing to interrupt");
}

fn samples() -> impl Strategy<Value = Vec<RateSample>> {
    let one = (1_u64..10_000, 0_u64..10_000_000, 0_u64..60_000, 0_u64..600_000);
    prop::collection::vec(one, 1..40).prop_map(|rows| {
        let mut time_ms = 0;
        let mut next = |(step, records, processing, scheduling)| {
            time_ms += step;
            sample(time_ms, records, processing, scheduling)
        };
        rows.into_iter().map(&mut next).collect()
    })
}

proptest! {
    #[test]
    fn rates_never_leave_their_bounds(
        samples in samples(),
        gains in (0.0_f64..10.0, 0.0_f64..10.0, 0.0_f64..10.0, 1.0_f64..500.0),
        max in 500_u64..1_000_000,
    ) {
        let (proportional, integral, derived, min_rate) = gains;
        let gains = PidGains { proportional, integral, derived, min_rate };
        let mut pid = PidRateEstimator::new(seconds(1), gains).expect("the gains are good");
        let limit = RateLimit::new(None, Some(max));
        for sample in samples {
            if let Some(rate) = pid.compute(sample) {
                prop_assert!(rate.is_finite() && rate >= min_rate, "{rate} is below {min_rate}");
                limit.publish(rate as u64);
            }
            let rate = limit.get().expect("there is a highest rate");
            prop_assert!(rate <= max && rate as f64 >= min_rate.floor(), "{rate} of {min_rate} to {max}");
        }
    }

    #[test]
    fn a_limiter_lets_through_no_more_than_the_rate(rate in 1_u64..100_000, asked in prop::collection::vec(1_u64..5_000, 1..50)) {
        let (limit, go_on) = (RateLimit::new(Some(rate), None), Interrupt::new());
        let (mut limiter, clock) = limiter(&limit);
        let start = clock.now();
        let last = asked[asked.len() - 1];
        for records in &asked {
            prop_assert!(limiter.acquire(*records, &go_on));
        }
        // What was asked for last is not waited for; nor is a millisecond of rounding for each.
        let paid = (asked.iter().sum::<u64>() - last) as f64;
        let seconds = clock.now().since(start).as_secs_f64();
        prop_assert!(paid <= seconds * rate as f64 + 1e-6, "{paid} in {seconds} s at {rate}/s");
        prop_assert!(seconds <= paid / rate as f64 + 0.001 * (asked.len() + 1) as f64, "{seconds} s are too slow");
    }
}
