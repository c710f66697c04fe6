//! Signals to a program with a checkpoint, and programs that come back changed. Cases have the number of the list of
//! faults they are from.

use crate::{
    disks::faulty,
    patience::until,
    trial::{Program, Trial, configured, pause, variant},
};
use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
    time::Duration,
};

/// Disks that take their time, so that a signal comes while a batch is committed.
fn slowly(command: &mut Command) {
    command.env("LD_PRELOAD", faulty()).env("FAULTY_SLOW_US", "8000");
}

fn started(trial: &Trial, change: impl FnOnce(&mut Command)) -> Program {
    let before = trial.batches().len();
    let program = trial.start_with(change);
    until("a batch ran", || trial.batches().len() > before);
    program
}

/// 35: each drains, at any moment of a commit.
#[test]
fn every_signal_that_asks_to_end_drains_also_during_a_commit() {
    let mut trial = Trial::new(35);
    for (number, name) in ["TERM", "HUP", "INT"].into_iter().enumerate() {
        let mut program = started(&trial, slowly);
        trial.give(1);
        pause(Duration::from_millis(number as u64 * 17));
        assert_eq!(program.end(name).code(), Some(0), "{name}: {}", trial.log());
    }
    trial.end_exact();
}

/// 35: as `nohup` starts it.
#[test]
fn a_program_that_is_deaf_to_hanging_up_stays_deaf() {
    let mut trial = Trial::new(36);
    let mut deaf = Command::new("sh");
    deaf.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let mut program = trial.start_by(deaf, |_| ());
    until("a batch ran", || !trial.batches().is_empty());
    program.signal("HUP");
    trial.give(1);
    trial.until_written();
    assert_eq!(program.end("TERM").code(), Some(0), "{}", trial.log());
    trial.records.check(&trial.log());
}

/// 35: the second signal ends the program soon, and what it had begun is done by the next start.
#[test]
fn a_second_signal_is_quick_and_nothing_is_lost() {
    let mut trial = Trial::new(37);
    for round in 0..2 {
        let mut program = started(&trial, slowly);
        trial.give(2);
        pause(Duration::from_millis(20 * round));
        program.signal("TERM");
        // Signals that come too close together are one signal.
        pause(Duration::from_millis(15));
        if !program.has_ended() {
            program.signal("TERM");
        }
        let ended = program.ended();
        assert_eq!(ended.signal(), None, "{ended}: {}", trial.log());
    }
    trial.end_exact();
}

/// 35: a signal before the program has begun.
#[test]
fn a_signal_at_any_moment_of_the_start_loses_nothing() {
    let mut trial = Trial::new(38);
    for milliseconds in [0, 15, 30, 45, 60, 90] {
        trial.give(1);
        let mut program = trial.start();
        pause(Duration::from_millis(milliseconds));
        program.end("INT");
    }
    trial.end_exact();
}

/// 35: who reads what is printed goes away.
#[test]
fn a_closed_pipe_ends_a_program_quietly_and_nothing_is_lost() {
    let mut trial = Trial::new(39);
    trial.give(2);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut program = trial.start_with(|command| {
        variant("prints")(command);
        command.stdout(Stdio::from(writer));
    });
    let mut output = BufReader::new(reader);
    let mut line = String::new();
    while !line.starts_with("Time: ") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "{}", trial.log());
    }
    drop(output);
    assert_eq!(program.ended().code(), Some(0), "{}", trial.log());
    assert!(!trial.log().contains("panicked"), "{}", trial.log());
    trial.end_exact();
}

/// 36: operators come, go and move; the counts go on as long as they are there.
#[test]
fn a_program_that_changed_goes_on_or_is_refused_with_the_option_that_decides() {
    let mut trial = Trial::new(40);
    for changed in ["", "more operators", ""] {
        trial.give(1);
        let mut program = trial.start_with(|command| {
            variant(changed)(command);
            // To go back, what the operator that came had to remember is given up.
            configured(&[("tidemill.checkpoint.discard", "sizes")])(command);
        });
        trial.until_written();
        assert_eq!(program.end("TERM").code(), Some(0), "{}", trial.log());
    }
    let refused = trial.start_with(variant("without counts")).ended();
    let log = trial.log();
    assert_eq!(refused.code(), Some(3), "{log}");
    let told = log.lines().rev().find(|line| line.contains("tidemill.checkpoint.discard=counts")).unwrap();
    assert!(told.contains("throw that away"), "{log}");
    assert!(log.contains("dropped: operator \"counts\""), "{log}");
    // Nothing was thrown away by asking.
    trial.end_exact();
    trial.give(1);
    let mut program = trial.start_with(|command| {
        variant("without counts")(command);
        configured(&[("tidemill.checkpoint.discard", "counts")])(command);
    });
    trial.until_written();
    assert_eq!(program.end("TERM").code(), Some(0), "{}", trial.log());
}
