//! A job as a timely dataflow: for each stage an operator that runs its tasks, and one that takes in what they send.

use super::{envelope::Envelope, job::RunningJob};
use std::sync::Arc;
use timely::{
    dataflow::{
        Scope, Stream,
        channels::pact::{Exchange, Pipeline},
        operators::{
            Capability, Probe,
            generic::{OutputBuilder, builder_rc::OperatorBuilder},
            probe::Handle,
        },
    },
    worker::Worker,
};

type Envelopes<'scope> = Stream<'scope, (), Vec<Envelope>>;
/// Carries no data; its frontier is empty once a shuffle is complete on every worker.
type Signal<'scope> = Stream<'scope, (), Vec<()>>;

/// Builds the dataflow of a job on one worker. The probe is done when every worker is.
pub(super) fn build(worker: &mut Worker, job: &Arc<RunningJob>) -> Handle<()> {
    worker.dataflow::<(), _, _>(|scope| {
        let mut signals: Vec<Signal<'_>> = Vec::with_capacity(job.queues.len());
        for (stage, shuffle) in job.job.shuffles.iter().enumerate() {
            let after = shuffle.after.iter().map(|&i| signals[i].clone()).collect();
            let sent = run_tasks(scope, job, stage, after);
            signals.push(take_in(scope, job, stage, sent));
        }
        let stage = job.job.shuffles.len();
        let after = job.job.result.after.iter().map(|&i| signals[i].clone()).collect();
        let sent = run_tasks(scope, job, stage, after);
        if job.topology.processes == 1 {
            return sent.probe().0;
        }
        let arrived = take_in(scope, job, stage, sent);
        let told = tell_failures(scope, job, arrived);
        take_in(scope, job, stage, told).probe().0
    })
}

/// Runs the tasks of a stage once everything it reads is complete: one task each time it is scheduled, so that other
/// jobs get their turn.
fn run_tasks<'scope>(
    scope: Scope<'scope, ()>,
    job: &Arc<RunningJob>,
    stage: usize,
    after: Vec<Signal<'scope>>,
) -> Envelopes<'scope> {
    let mut builder = OperatorBuilder::new("tasks".to_owned(), scope);
    let _inputs: Vec<_> = after.into_iter().map(|signal| builder.new_input(signal, Pipeline)).collect();
    let (output, sent) = builder.new_output::<Vec<Envelope>>();
    let mut output = OutputBuilder::from(output);
    let activator = scope.activator_for(builder.operator_info().address);
    let job = job.clone();
    builder.build(move |mut capabilities| {
        let mut capability: Option<Capability<()>> = capabilities.pop();
        move |frontiers| {
            if !frontiers.iter().all(|frontier| frontier.is_empty()) {
                return;
            }
            let Some(held) = &capability else { return };
            let next = if job.has_failed() { None } else { job.queues[stage].take() };
            match next {
                Some(index) => {
                    let mut handle = output.activate();
                    let mut session = handle.session(held);
                    job.run_task(stage, index, &mut |envelope| session.give(envelope));
                    activator.activate();
                }
                None => capability = None,
            }
        }
    });
    sent
}

/// Takes in what the tasks of a stage sent to this worker.
fn take_in<'scope>(
    scope: Scope<'scope, ()>,
    job: &Arc<RunningJob>,
    stage: usize,
    sent: Envelopes<'scope>,
) -> Signal<'scope> {
    let mut builder = OperatorBuilder::new("take in".to_owned(), scope);
    let mut input = builder.new_input(sent, Exchange::new(|envelope: &Envelope| envelope.worker as u64));
    let (_output, signal) = builder.new_output::<Vec<()>>();
    let job = job.clone();
    builder.build(move |capabilities| {
        drop(capabilities);
        move |_| {
            input.for_each(|_, envelopes| {
                envelopes.drain(..).for_each(|envelope| job.accept(stage, envelope));
            });
        }
    });
    signal
}

/// Once everything has arrived everywhere: what could not be read here is told to the other processes.
fn tell_failures<'scope>(
    scope: Scope<'scope, ()>,
    job: &Arc<RunningJob>,
    arrived: Signal<'scope>,
) -> Envelopes<'scope> {
    let mut builder = OperatorBuilder::new("tell failures".to_owned(), scope);
    let _input = builder.new_input(arrived, Pipeline);
    let (output, told) = builder.new_output::<Vec<Envelope>>();
    let mut output = OutputBuilder::from(output);
    let job = job.clone();
    builder.build(move |mut capabilities| {
        let mut capability: Option<Capability<()>> = capabilities.pop();
        move |frontiers| {
            if !frontiers.iter().all(|frontier| frontier.is_empty()) {
                return;
            }
            if let Some(held) = capability.take() {
                let mut handle = output.activate();
                let mut session = handle.session(&held);
                job.tell_failures(&mut |envelope| session.give(envelope));
            }
        }
    });
    told
}
