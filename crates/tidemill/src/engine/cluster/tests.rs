//! Clusters of threads that act as processes, over loopback connections on free ports.

mod config;
mod control;
mod handshake;

use super::{BuildId, Cluster, ClusterConfig, Control, OnLost, Timing};
use crate::base::Result;
use crossbeam_channel::{Receiver, unbounded};
use std::{
    net::{TcpListener, TcpStream},
    thread::{Builder, JoinHandle},
    time::Duration,
};

/// Long enough never to be reached by a test that passes.
const PLENTY: Duration = Duration::from_secs(20);
const BUILD: &[u8] = b"this build";

fn listeners(n: usize) -> (Vec<TcpListener>, Vec<String>) {
    let listeners: Vec<_> = (0..n).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses = listeners.iter().map(|l| l.local_addr().unwrap().to_string()).collect();
    (listeners, addresses)
}

/// Starts a process for every listener; `change` may spoil its configuration.
fn start(
    n: usize,
    timeout: Duration,
    change: impl Fn(usize, ClusterConfig) -> (ClusterConfig, BuildId),
) -> (Vec<JoinHandle<Result<Cluster>>>, Vec<String>) {
    let (listeners, addresses) = listeners(n);
    let start_one = |(index, listener)| {
        let (config, build) = change(index, ClusterConfig::loopback(addresses.clone(), index).unwrap());
        let process = move || Cluster::connect_with_listener(&config, build, listener, timeout);
        Builder::new().name(format!("process-{index}")).spawn(process).unwrap()
    };
    let processes = listeners.into_iter().enumerate().map(start_one).collect();
    (processes, addresses)
}

fn fitting(_: usize, config: ClusterConfig) -> (ClusterConfig, BuildId) {
    (config, BuildId::of_bytes(BUILD))
}

fn join<T>(handles: Vec<JoinHandle<T>>) -> Vec<T> {
    handles.into_iter().map(|handle| handle.join().unwrap()).collect()
}

type Alarm = (usize, String);

struct Process {
    data: Vec<Option<TcpStream>>,
    control: Control,
    alarms: Receiver<Alarm>,
}

fn cluster(n: usize, timing: Timing) -> Vec<Process> {
    let start_control = |cluster: Result<Cluster>| {
        let (raise, alarms) = unbounded();
        let on_lost: OnLost = Box::new(move |peer, why| raise.send((peer, why)).unwrap());
        let (data, control) = cluster.unwrap().into_parts(on_lost, timing).unwrap();
        Process { data, control, alarms }
    };
    join(start(n, PLENTY, fitting).0).into_iter().map(start_control).collect()
}
