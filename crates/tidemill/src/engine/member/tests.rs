//! Members of a cluster as threads, over real connections. What ends a process is tested with real processes.

use super::*;
use crate::{
    base::ErrorKind,
    engine::cluster::{BuildId, CONNECT_TIMEOUT, Cluster, ClusterConfig, Timing},
};
use std::{net::TcpListener, thread};

/// Runs `program` in `processes` members; what came of it in each.
fn together<R: Send + 'static>(
    processes: usize,
    program: impl Fn(&Member) -> R + Send + Sync + Clone + 'static,
) -> Vec<R> {
    let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    let members: Vec<_> = listeners
        .into_iter()
        .enumerate()
        .map(|(index, listener)| {
            let config = ClusterConfig::loopback(addresses.clone(), index).unwrap();
            let program = program.clone();
            let run = move || {
                let build = BuildId::of_bytes(b"the same");
                let cluster = Cluster::connect_with_listener(&config, build, listener, CONNECT_TIMEOUT).unwrap();
                let (_data, control) =
                    cluster.into_parts(Box::new(|process, why| panic!("{process}: {why}")), Timing::default()).unwrap();
                let member = Member::start(index, config.processes(), control).unwrap();
                let outcome = program(&member);
                member.leave();
                member.close();
                outcome
            };
            thread::Builder::new().name("driver".into()).spawn(run).unwrap()
        })
        .collect();
    members.into_iter().map(|member| member.join().unwrap()).collect()
}

fn job(member: &Member, number: u64) -> u64 {
    let turn = member.turn(JobScope::default()).unwrap();
    if member.leads() {
        member.announce(&turn, "count".into(), number).unwrap();
    } else {
        member.follow(&turn, "count", number);
        member.built();
    }
    member.release(&turn);
    turn.sequence
}

#[test]
fn jobs_are_taken_in_the_order_of_process_0() {
    let taken = together(3, |member| (0..50).map(|number| job(member, number)).collect::<Vec<_>>());
    assert_eq!(taken, vec![(0..50).collect::<Vec<_>>(); 3]);
}

#[test]
fn one_failure_is_the_failure_of_all() {
    let outcomes = together(3, |member| {
        let failing = |index| if member.index == index { Err(Error::user(format!("only {index}"))) } else { Ok(()) };
        let scope = JobScope::default();
        [member.agree(scope, Ok(())), member.agree(scope, failing(2)), member.agree(scope, failing(0))]
            .map(|outcome| outcome.map_err(|error| (error.kind(), error.to_string())))
    });
    for outcome in outcomes {
        let failure = |text: &str| Err((ErrorKind::User, text.to_owned()));
        assert_eq!(outcome, [Ok(()), failure("only 2"), failure("only 0")]);
    }
}

#[test]
fn when_two_fail_all_have_the_same_failure() {
    let outcomes = together(3, |member| {
        let outcome = if member.leads() { Ok(()) } else { Err(Error::user(format!("only {}", member.index))) };
        member.agree(JobScope::default(), outcome).unwrap_err().to_string()
    });
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
}

#[test]
fn a_job_that_process_0_never_runs_is_refused() {
    let outcomes =
        together(2, |member| if member.leads() { Ok(()) } else { member.turn(JobScope::default()).map(drop) });
    assert_eq!(outcomes[1].as_ref().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn two_jobs_at_a_time_of_one_lane_are_refused() {
    let kinds = together(2, |member| {
        if !member.leads() {
            return None;
        }
        let _turn = member.turn(JobScope::default()).unwrap();
        Some(member.turn(JobScope::default()).unwrap_err().kind())
    });
    assert_eq!(kinds, [Some(ErrorKind::Invalid), None]);
}

#[test]
fn notes_arrive_in_order_and_end() {
    let heard = together(2, |member| {
        for note in 0..10 {
            member.tell(&[note]).unwrap();
        }
        if member.leads() { Vec::new() } else { std::iter::from_fn(|| member.hear()).collect() }
    });
    assert_eq!(heard[1], (0..10).map(|note| vec![note]).collect::<Vec<_>>());
}
