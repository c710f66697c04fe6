//! Orders, reports, and what happens when a process is lost.

use super::super::{
    Timing,
    frame::{self, Frame, FrameReader, Kind, MAX_PAYLOAD_BYTES},
};
use super::{PLENTY, Process, cluster, fitting, join, listeners, start};
use crate::base::{ErrorKind, clock::Stopwatch};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread::Builder,
    time::Duration,
};

/// Quick heartbeats, and a silence that only a test of silence reaches.
fn patient() -> Timing {
    Timing { heartbeat: Duration::from_millis(10), silence: PLENTY }
}

/// Closes all at once, as processes do, and says who raised which alarms.
fn close(processes: Vec<Process>) -> Vec<String> {
    let close_one = |process: Process| {
        Builder::new()
            .name("closing".into())
            .spawn(move || {
                process.control.close();
                process.alarms.try_iter().map(|(_, why)| why).collect::<Vec<_>>()
            })
            .unwrap()
    };
    let closing: Vec<_> = processes.into_iter().map(close_one).collect();
    join(closing).concat()
}

#[test]
fn orders_reach_all_and_reports_reach_process_0_in_order() {
    let processes = cluster(3, patient());
    for n in 0..500_u32 {
        processes[0].control.broadcast(&n.to_be_bytes()).unwrap();
        for process in &processes[1..] {
            let order = process.control.recv().unwrap();
            assert_eq!((order.from, &order.payload[..]), (0, &n.to_be_bytes()[..]));
            process.control.send(&order.payload).unwrap();
        }
        let mut reports = [processes[0].control.recv().unwrap(), processes[0].control.recv().unwrap()];
        reports.sort_by_key(|report| report.from);
        assert_eq!(reports.each_ref().map(|report| report.from), [1, 2]);
        assert!(reports.iter().all(|report| report.payload == n.to_be_bytes()));
    }
    assert_eq!(processes[0].control.recv_timeout(Duration::from_millis(1)).unwrap(), None);
    assert!(close(processes).is_empty());
}

#[test]
fn only_process_0_broadcasts_and_only_the_others_send() {
    let processes = cluster(2, patient());
    assert_eq!(processes[1].control.broadcast(b"x").unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(processes[0].control.send(b"x").unwrap_err().kind(), ErrorKind::Internal);
    let long = vec![0; MAX_PAYLOAD_BYTES + 1];
    assert_eq!(processes[1].control.send(&long).unwrap_err().kind(), ErrorKind::Invalid);
    assert!(close(processes).is_empty());
}

#[test]
fn a_long_message_waits_for_a_slow_reader() {
    let processes = cluster(2, Timing { heartbeat: Duration::from_millis(10), silence: Duration::from_millis(400) });
    let long = vec![7; 24 << 20];
    let expected = long.clone();
    let (zero, one) = (&processes[0].control, &processes[1].control);
    std::thread::scope(|scope| {
        let flood = || {
            for _ in 0..3 {
                zero.broadcast(&long).unwrap();
            }
        };
        Builder::new().name("flood".into()).spawn_scoped(scope, flood).unwrap();
        for _ in 0..3 {
            assert!(one.recv().unwrap().payload == expected);
        }
    });
    assert!(close(processes).is_empty());
}

#[test]
fn an_orderly_goodbye_raises_no_alarm_and_loses_no_message() {
    for round in 0..20 {
        let mut processes = cluster(3, patient());
        let leaving = processes.remove(1);
        leaving.control.send(b"the last word").unwrap();
        leaving.control.close();
        assert_eq!(leaving.control.send(b"more").unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(processes[0].control.recv().unwrap().payload, b"the last word", "round {round}");
        assert!(close(processes).is_empty(), "round {round}");
    }
}

#[test]
fn no_more_messages_come_when_those_who_may_send_have_left() {
    for leaving in [0..1, 1..3] {
        let mut staying = cluster(3, patient());
        let left = staying.drain(leaving).collect();
        assert!(close(left).is_empty());
        for process in &staying {
            assert_eq!(process.control.recv().unwrap_err().kind(), ErrorKind::Closed);
        }
        assert!(close(staying).is_empty());
    }
}

#[test]
fn a_lost_process_raises_the_alarm_of_all_at_once() {
    let mut processes = cluster(3, patient());
    let watch = Stopwatch::start();
    let victim = processes.remove(2);
    let killed = Builder::new().name("victim".into()).spawn(move || {
        let _control = victim.control;
        panic!("this process fails, as the test wants it");
    });
    assert!(killed.unwrap().join().is_err());
    for process in &processes {
        let (peer, why) = process.alarms.recv_timeout(PLENTY).unwrap();
        assert_eq!(peer, 2);
        assert!(why.contains("closed the connection"), "{why}");
    }
    assert!(watch.elapsed() < Duration::from_secs(1), "{:?}", watch.elapsed());
    assert!(processes[0].alarms.is_empty(), "an alarm is raised once");
    assert!(close(processes).is_empty());
}

#[test]
fn a_silent_process_counts_as_lost() {
    let quick = Timing { heartbeat: Duration::from_millis(10), silence: Duration::from_millis(200) };
    let silent = Timing { heartbeat: PLENTY, silence: PLENTY };
    let mut clusters = join(start(2, PLENTY, fitting).0).into_iter().map(Result::unwrap);
    let (raise, alarms) = crossbeam_channel::unbounded();
    let alarm = Box::new(move |peer, why| raise.send((peer, why)).unwrap());
    let (_, control) = clusters.next().unwrap().into_parts(alarm, quick).unwrap();
    let (_, other) = clusters.next().unwrap().into_parts(Box::new(|_, _| ()), silent).unwrap();
    let (peer, why) = alarms.recv_timeout(PLENTY).unwrap();
    assert_eq!(peer, 1);
    assert!(why.contains("silent for 200 ms"), "{why}");
    assert_eq!(control.recv().unwrap_err().kind(), ErrorKind::Closed);
    drop((control, other));
}

#[test]
fn the_data_connections_carry_bytes_between_the_right_processes() {
    let processes = cluster(3, patient());
    for (from, process) in processes.iter().enumerate() {
        for (to, socket) in process.data.iter().enumerate() {
            let Some(mut socket) = socket.as_ref() else { continue };
            socket.write_all(&[from as u8, to as u8]).unwrap();
        }
    }
    for (to, process) in processes.iter().enumerate() {
        for (from, socket) in process.data.iter().enumerate() {
            let Some(mut socket) = socket.as_ref() else { continue };
            let mut bytes = [0; 2];
            socket.read_exact(&mut bytes).unwrap();
            assert_eq!(bytes, [from as u8, to as u8]);
        }
    }
    assert!(close(processes).is_empty());
}

#[test]
fn frames_are_put_together_and_bad_ones_refused() {
    let (listeners, addresses) = listeners(1);
    let mut sender = TcpStream::connect(&addresses[0]).unwrap();
    let receiver = listeners[0].accept().unwrap().0;
    let mut reader = FrameReader::new(&receiver).unwrap();
    assert!(reader.poll(&receiver).unwrap().is_none());
    let bytes = [frame::encode(Kind::Message, b"abc"), frame::encode(Kind::Goodbye, b"")].concat();
    sender.write_all(&bytes[..4]).unwrap();
    assert!(reader.poll(&receiver).unwrap().is_none());
    sender.write_all(&bytes[4..]).unwrap();
    assert_eq!(reader.poll(&receiver).unwrap(), Some(Frame { kind: Kind::Message, payload: b"abc".to_vec() }));
    assert_eq!(reader.poll(&receiver).unwrap(), Some(Frame { kind: Kind::Goodbye, payload: Vec::new() }));
    for bad in [[3, 0xff, 0xff, 0xff, 0xff], [9, 0, 0, 0, 0]] {
        let mut reader = FrameReader::new(&receiver).unwrap();
        sender.write_all(&bad).unwrap();
        assert_eq!(reader.poll(&receiver).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    }
}
