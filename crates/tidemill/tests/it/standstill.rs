//! A program that stands still for a while, and clocks that step. Cases have the number of the list of faults they are
//! from.

use crate::{
    disks::faulty,
    trial::{INTERVAL, Trial, configured, contents, pause},
};
use std::{fs, time::Duration};
use tidemill::{
    Clock, Config, Result, Time,
    base::storage::MemoryStorage,
    keys, minutes,
    testing::{Collected, TestContext},
};

/// 7 and 27: a driver sleeps, another one takes its checkpoint, and the first wakes up while that one runs or after it.
#[test]
fn a_driver_that_wakes_up_after_another_took_over_ends_and_changes_nothing() {
    for (seed, other_has_ended) in [(27, false), (28, true)] {
        let mut trial = Trial::new(seed);
        trial.give(2);
        let mut stale = trial.start();
        trial.until_written();
        stale.signal("STOP");
        trial.give(2);
        let mut refused = trial.start();
        assert_eq!(refused.ended().code(), Some(3), "{}", trial.log());
        let mut new = trial.start_with(configured(&[("tidemill.checkpoint.takeOver", "true")]));
        trial.until_written();
        if other_has_ended {
            assert_eq!(new.end("TERM").code(), Some(0), "{}", trial.log());
        }
        let kept = || [contents(&trial.path("checkpoint/log")), contents(&trial.path("out"))];
        let before = kept();
        assert_eq!(stale.end("CONT").code(), Some(3), "{}", trial.log());
        assert!(trial.log().contains("another driver has taken over the checkpoint"), "{}", trial.log());
        if other_has_ended {
            assert_eq!(kept(), before);
            trial.end_exact();
        } else {
            trial.give(2);
            trial.until_written();
            assert_eq!(new.end("TERM").code(), Some(0), "{}", trial.log());
            trial.records.check(&trial.log());
        }
    }
}

/// 27: nobody took over. The batches of the time that was missed are run as the configuration says.
#[test]
fn a_program_that_was_stopped_and_goes_on_catches_up() {
    let still = Duration::from_millis(1_000);
    for (seed, rule) in [(29, "each"), (30, "merged")] {
        let mut trial = Trial::new(seed);
        trial.give(1);
        let mut program = trial.start_with(configured(&[("tidemill.recovery.missedBatches", rule)]));
        trial.until_written();
        program.signal("STOP");
        trial.give(2);
        pause(still);
        program.signal("CONT");
        trial.give(1);
        trial.until_written();
        assert_eq!(program.end("TERM").code(), Some(0), "{}", trial.log());
        trial.records.check(&trial.log());
        let interval = INTERVAL.as_millis() as u64;
        let steps: Vec<_> = trial.batches().windows(2).map(|two| two[1] - two[0]).collect();
        let longest = steps.iter().copied().max().unwrap();
        match rule {
            "each" => assert!(steps.iter().all(|step| *step == interval), "{steps:?}"),
            _ => assert!(longest >= still.as_millis() as u64 - interval && !steps.contains(&0), "{steps:?}"),
        }
    }
}

/// 26: the wall clock steps under a running program, which goes by another clock.
#[test]
fn the_wall_clock_may_step_while_a_program_runs() {
    let mut trial = Trial::new(26);
    trial.give(1);
    let step = trial.path("step");
    let mut program = trial.start_with(|command| {
        command.env("LD_PRELOAD", faulty()).env("FAULTY_STEP", &step);
    });
    for seconds in ["3600", "-3600", "0"] {
        trial.until_written();
        fs::write(&step, seconds).unwrap();
        trial.give(1);
    }
    trial.until_written();
    assert_eq!(program.end("TERM").code(), Some(0), "{}", trial.log());
    trial.records.check(&trial.log());
    let batches = trial.batches();
    let interval = INTERVAL.as_millis() as u64;
    assert!(batches.windows(2).all(|two| two[1] == two[0] + interval), "{batches:?}");
}

/// One more record in every batch; sums over windows of three batches.
fn windows(checkpoint: &MemoryStorage, rule: &str) -> (TestContext, Collected<(char, u64)>) {
    let config = Config::new().set(keys::MISSED_BATCHES, rule);
    let test = TestContext::remembered_in(checkpoint.clone(), config, minutes(1));
    let ones = test.stream((0..200).map(|_| vec![('a', 1_u64)]).collect());
    let sums = ones.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, minutes(3), None);
    let seen = test.collect(&sums);
    (test, seen)
}

fn sums(seen: &Collected<(char, u64)>) -> Vec<u64> {
    seen.batches().concat().into_iter().map(|(_, sum)| sum).collect()
}

/// 26: an hour ahead, an hour back, as the clock does it at the ends of summer, while the program runs.
#[test]
fn batch_times_go_on_and_windows_are_whole_though_the_clock_steps() -> Result<()> {
    let (test, seen) = windows(&MemoryStorage::new(), "each");
    test.run(4)?;
    // Every batch of the hour that is not there is run, as in Spark.
    test.clock().advance(minutes(59));
    test.run(1)?;
    test.clock().set(test.clock().now().saturating_sub(minutes(60)));
    test.run(10)?;
    assert_eq!(seen.times().last(), Some(&Time::from_ms(64 * 60_000)), "no batch is run twice");
    // From where the clock was before, the next batch is the one after the last.
    test.clock().advance(minutes(50));
    test.run(2)?;
    let times: Vec<_> = seen.times().into_iter().map(Time::as_ms).collect();
    assert!(times.iter().copied().eq((1..=66).map(|n| n * 60_000)), "{times:?}");
    assert!(sums(&seen).iter().copied().eq([1, 2].into_iter().chain([3; 64])), "{:?}", sums(&seen));
    Ok(())
}

/// 26: the clock has stepped when the program starts again.
#[test]
fn a_restart_goes_on_after_the_last_batch_wherever_the_clock_stands() -> Result<()> {
    for rule in ["each", "merged", "skipped"] {
        let checkpoint = MemoryStorage::new();
        let (mut times, mut all) = (Vec::new(), Vec::new());
        for start in [100, 160, 40, 100] {
            let (test, seen) = windows(&checkpoint, rule);
            test.clock().set(Time::from_ms(start * 60_000));
            test.run(4)?;
            times.extend(seen.times().into_iter().map(|time| time.as_ms() / 60_000));
            all.extend(sums(&seen));
        }
        assert!(times.windows(2).all(|two| two[1] > two[0]), "{rule}: {times:?}");
        // Back an hour: at once the batch after the last.
        let last = &times[times.len() - 8..];
        assert!(last.windows(2).all(|two| two[1] == two[0] + 1), "{rule}: {times:?}");
        assert_eq!(
            times.len(),
            if rule == "each" { 4 + 60 + 8 } else { 16 + usize::from(rule == "merged") },
            "{rule}: {times:?}"
        );
        assert!(rule != "each" || all[2..].iter().all(|sum| *sum == 3), "{all:?}");
    }
    Ok(())
}
