//! Who is let in, and what strangers can do.

use super::super::{
    BuildId, Cluster, ClusterConfig, Secret,
    handshake::{self, Answer, Deadline, Hello, Purpose, Refusal},
};
use super::{BUILD, PLENTY, fitting, join, listeners, start};
use crate::base::{ErrorKind, Interrupt, clock::Stopwatch};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread::Builder,
    time::Duration,
};

#[test]
fn every_pair_is_connected_twice() {
    for (index, cluster) in join(start(4, PLENTY, fitting).0).into_iter().enumerate() {
        let cluster = cluster.unwrap();
        let filled: Vec<bool> = (0..4).map(|other| other != index).collect();
        assert_eq!(cluster.data.iter().map(Option::is_some).collect::<Vec<_>>(), filled);
        assert_eq!(cluster.control.iter().map(Option::is_some).collect::<Vec<_>>(), filled);
        assert!(cluster.data.iter().flatten().all(|socket| socket.nodelay().unwrap()));
    }
}

#[test]
fn one_process_needs_nobody() {
    assert!(join(start(1, PLENTY, fitting).0).remove(0).is_ok());
}

#[test]
fn a_process_that_does_not_fit_is_named_on_both_sides() {
    type Spoil = fn(ClusterConfig) -> (ClusterConfig, BuildId);
    let cases: [(&str, Spoil); 3] = [
        ("another build", |config| (config, BuildId::of_bytes(b"another build"))),
        ("2 worker threads", |config| (config.with_workers(2).unwrap(), BuildId::of_bytes(BUILD))),
        ("knows of 2 processes but", |config| {
            let fewer = vec![config.addresses()[0].clone(), config.addresses()[2].clone()];
            (ClusterConfig::loopback(fewer, 1).unwrap(), BuildId::of_bytes(BUILD))
        }),
    ];
    for (expected, spoil) in cases {
        let spoiled = |index, config| if index == 2 { spoil(config) } else { fitting(index, config) };
        // Process 1 knows of nothing wrong until the others have gone; it need not wait for long.
        let errors: Vec<_> =
            join(start(3, Duration::from_secs(1), spoiled).0).into_iter().map(|r| r.unwrap_err().to_string()).collect();
        assert!(errors[0].contains(expected) && errors[0].contains("process"), "{errors:?}");
        assert!(errors[2].contains(expected), "{errors:?}");
    }
}

#[test]
fn a_wrong_secret_stops_the_dialer_only() {
    let spoil = |index: usize, config: ClusterConfig| {
        let secret = ["the right secret!", "the wrong secret!"][index];
        (config.with_secret(Secret::new(secret)).unwrap(), BuildId::of_bytes(BUILD))
    };
    let results = join(start(2, Duration::from_millis(300), spoil).0);
    let errors: Vec<_> = results.into_iter().map(|result| result.unwrap_err()).collect();
    assert_eq!((errors[0].kind(), errors[1].kind()), (ErrorKind::Unavailable, ErrorKind::Invalid));
    assert!(errors[0].to_string().contains("process 1") && errors[0].to_string().contains("secrets"));
    assert!(errors[1].to_string().contains("different secrets"));
    assert!(errors.iter().all(|error| !format!("{error:?}").contains("the wrong")));
}

#[test]
fn an_absent_process_is_named() {
    let (mut listeners, addresses) = listeners(2);
    let config = ClusterConfig::loopback(addresses.clone(), 0).unwrap();
    let first = listeners.remove(0);
    let error = Cluster::connect_with_listener(&config, BuildId::of_bytes(BUILD), first, Duration::from_millis(50))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&format!("process 1 ({})", addresses[1])), "{error}");
}

#[test]
fn the_own_address_is_bound_or_named() {
    let (taken, addresses) = listeners(1);
    let config = ClusterConfig::loopback(addresses.clone(), 0).unwrap();
    let connect = |timeout| Cluster::connect(&config, BuildId::of_bytes(BUILD), timeout);
    let error = connect(Duration::from_millis(30)).unwrap_err();
    assert!(error.to_string().contains(&addresses[0]), "{error}");
    drop(taken);
    assert_eq!(connect(PLENTY).unwrap().index(), 0);
}

#[test]
fn strangers_harm_nobody() {
    let (mut listeners, addresses) = listeners(2);
    let listener = listeners.remove(0);
    let config = ClusterConfig::loopback(addresses.clone(), 0).unwrap();
    let config = config.with_secret(Secret::new("0123456789abcdef")).unwrap();
    let other = ClusterConfig::loopback(addresses.clone(), 1).unwrap();
    let other = other.with_secret(Secret::new("0123456789abcdef")).unwrap();
    let build = BuildId::of_bytes(BUILD);
    let first = move || Cluster::connect_with_listener(&config, build, listener, PLENTY);
    let first = Builder::new().name("process-0".into()).spawn(first).unwrap();

    // Some say nothing, some say nonsense, one promises more than it may, one has the wrong secret.
    let strangers: Vec<TcpStream> = (0..6).map(|_| TcpStream::connect(&addresses[0]).unwrap()).collect();
    (&strangers[1]).write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    (&strangers[2]).write_all(b"tidemill\x00\x01\xff\xff").unwrap();
    (&strangers[3]).write_all(b"tidemill\x00\x01\x00\x04\xff\xff\xff\xff").unwrap();
    (&strangers[4]).write_all(b"tidem").unwrap();
    let thief = Hello::new(&ClusterConfig::loopback(addresses.clone(), 1).unwrap(), build, Purpose::Data);
    handshake::write(&strangers[5], &thief).unwrap();
    let answer: Answer = handshake::read(&strangers[5], &Deadline::after(PLENTY, &Interrupt::new())).unwrap();
    assert!(matches!(answer, Answer::Refused(Refusal::Secret)));
    for refused in &strangers[1..4] {
        assert!(matches!((&*refused).read(&mut [0; 8]), Ok(0) | Err(_)));
    }

    let watch = Stopwatch::start();
    let second = Cluster::connect_with_listener(&other, build, listeners.remove(0), PLENTY).unwrap();
    assert!(first.join().unwrap().is_ok());
    assert_eq!(second.index(), 1);
    assert!(watch.elapsed() < handshake_limit(), "a silent stranger held the others up");
}

fn handshake_limit() -> Duration {
    super::super::connect::HELLO_LIMIT
}

#[test]
fn a_handshake_is_judged_by_every_field() {
    let config = ClusterConfig::loopback(vec!["localhost:1".into(), "localhost:2".into()], 0).unwrap();
    let ours = Hello::new(&config, BuildId::of_bytes(BUILD), Purpose::Data);
    let fits = Hello { index: 1, ..ours.clone() };
    let build = BuildId::of_bytes(b"other");
    let cases = [
        (fits.clone(), Ok(())),
        (Hello { secret: Secret::new("s"), cluster: "x".into(), ..fits.clone() }, Err(Refusal::Secret)),
        (Hello { cluster: "x".into(), build, ..fits.clone() }, Err(Refusal::Cluster)),
        (Hello { processes: 3, ..fits.clone() }, Err(Refusal::Processes(3, 2))),
        (Hello { index: 0, ..fits.clone() }, Err(Refusal::Index(0))),
        (Hello { index: u64::MAX, ..fits.clone() }, Err(Refusal::Index(u64::MAX))),
        (Hello { workers: 9, ..fits.clone() }, Err(Refusal::Workers(9, 1))),
        (Hello { build, ..fits.clone() }, Err(Refusal::Build)),
    ];
    for (peer, expected) in cases {
        assert_eq!(ours.judge(&peer), expected, "{peer:?}");
    }
}

#[test]
fn an_index_can_be_taken_only_once() {
    let (listeners, addresses) = listeners(2);
    let config = |index| ClusterConfig::loopback(addresses.clone(), index).unwrap();
    let (zero, build) = (config(0), BuildId::of_bytes(BUILD));
    let listener = listeners.into_iter().next().unwrap();
    let first = move || Cluster::connect_with_listener(&zero, build, listener, PLENTY);
    let first = Builder::new().name("process-0".into()).spawn(first).unwrap();
    let hello = Hello::new(&config(1), build, Purpose::Data);
    let deadline = Deadline::after(PLENTY, &Interrupt::new());
    let mut answers = (0..2).map(|_| {
        let stream = TcpStream::connect(&addresses[0]).unwrap();
        handshake::write(&stream, &hello).unwrap();
        handshake::read::<Answer>(&stream, &deadline).unwrap()
    });
    assert!(matches!(answers.next(), Some(Answer::Welcome(_))));
    assert!(matches!(answers.next(), Some(Answer::Refused(Refusal::Taken(1)))));
    assert!(first.join().unwrap().unwrap_err().to_string().contains("\"1\" already"));
}
