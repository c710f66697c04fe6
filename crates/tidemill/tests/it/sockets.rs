//! Sockets against real servers on the loopback address: framing, losses, reconnection and back-pressure.

use crate::patience::{a_moment, keep_log, logged, until};
use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{Builder, JoinHandle},
};
use tidemill::{
    Config, Result, Text, keys,
    testing::{Collected, TestContext},
};

/// Serves one connection after another with `serve` until that returns false.
fn server(mut serve: impl FnMut(TcpStream, u32) -> bool + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = move || {
        let mut connection = 0;
        while serve(listener.accept().unwrap().0, connection) {
            connection += 1;
        }
    };
    (port, Builder::new().name("server".into()).spawn(body).unwrap())
}

fn config() -> Config {
    Config::new().set(keys::RECEIVER_RESTART_DELAY, "5ms")
}

fn lines_from(port: u16, config: Config) -> (TestContext, Collected<String>) {
    let test = TestContext::with_config(config);
    let lines = test.ssc().socket_text_stream("127.0.0.1", port).map(|line: Text| line.to_string());
    let seen = test.collect(&lines);
    (test, seen)
}

/// Runs batches until so many records were seen.
fn run_until(test: &TestContext, seen: &Collected<String>, records: usize) -> Vec<String> {
    until("enough records came", || {
        test.advance(1).unwrap();
        seen.batches().concat().len() >= records
    });
    seen.batches().concat()
}

#[test]
fn lines_are_split_as_spark_splits_them_and_the_tail_is_delivered() -> Result<()> {
    let (port, served) = server(|mut client, _| {
        for piece in [&b"one\ntwo\r"[..], b"\nthree\rfour\n\nfi\xff", b"ve\nlast"] {
            client.write_all(piece).unwrap();
            client.flush().unwrap();
        }
        false
    });
    let (test, seen) = lines_from(port, config());
    let lines = run_until(&test, &seen, 7);
    served.join().unwrap();
    assert_eq!(lines, ["one", "two", "three", "four", "", "fi\u{fffd}ve", "last"]);
    Ok(())
}

#[test]
fn a_server_that_closes_or_resets_is_connected_to_again() -> Result<()> {
    let (port, served) = server(|mut client, connection| {
        client.write_all(format!("{connection}\n").as_bytes()).unwrap();
        if connection == 1 {
            // Closing with unread input resets the connection, though the line may be lost with it.
            let _ = client.shutdown(std::net::Shutdown::Write);
        }
        connection < 3
    });
    let (test, seen) = lines_from(port, config());
    assert_eq!(run_until(&test, &seen, 4), ["0", "1", "2", "3"]);
    served.join().unwrap();
    Ok(())
}

#[test]
fn a_server_that_comes_up_late_is_found() -> Result<()> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    keep_log();
    let (test, seen) = lines_from(port, config());
    test.ssc().start()?;
    let words = ["could not connect", &port.to_string(), "refused"];
    until("the connection was refused", || !logged(&words).is_empty());
    let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
        return Ok(()); // Another program was given the port meanwhile.
    };
    let served = Builder::new().name("server".into()).spawn(move || listener.accept().unwrap().0.write_all(b"up\n"));
    assert_eq!(run_until(&test, &seen, 1), ["up"]);
    served.unwrap().join().unwrap().unwrap();
    Ok(())
}

#[test]
fn a_server_that_vanished_without_a_word_is_noticed_by_its_silence() -> Result<()> {
    let held = Arc::new(std::sync::Mutex::new(Vec::new()));
    let hold = held.clone();
    let (port, served) = server(move |mut client, connection| {
        client.write_all(format!("{connection}\n").as_bytes()).unwrap();
        hold.lock().unwrap().push(client);
        connection < 1
    });
    let (test, seen) = lines_from(port, config().set(keys::SOCKET_IDLE_TIMEOUT, "100ms"));
    assert_eq!(run_until(&test, &seen, 2)[..2], ["0", "1"]);
    served.join().unwrap();
    Ok(())
}

/// The resident memory of this process, in bytes.
fn resident_bytes() -> u64 {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

#[test]
fn a_line_without_end_is_dropped_and_told_and_takes_bounded_memory() -> Result<()> {
    keep_log();
    let (port, served) = server(|mut client, _| {
        client.write_all(b"before\n").unwrap();
        let chunk = vec![b'x'; 1 << 20];
        (0..64).for_each(|_| client.write_all(&chunk).unwrap());
        client.write_all(b"\nafter\n").unwrap();
        false
    });
    let (test, seen) = lines_from(port, config().set(keys::LINES_MAX_BYTES, "1m"));
    let before = resident_bytes();
    assert_eq!(run_until(&test, &seen, 2), ["before", "after"]);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes more than before, for 64 MiB that were sent");
    served.join().unwrap();
    until("the loss was told", || {
        !logged(&["on this connection 1 lines longer", "tidemill.lines.maxBytes"]).is_empty()
    });
    Ok(())
}

#[test]
fn a_server_that_is_faster_than_we_are_is_held_back_and_nothing_is_lost() -> Result<()> {
    const LINES: u64 = 200_000;
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    let (port, served) = server(move |mut client, _| {
        for first in (0..LINES).step_by(1_000) {
            let text: String = (first..first + 1_000).map(|id| format!("{id:0100}\n")).collect();
            client.write_all(text.as_bytes()).unwrap();
            count.fetch_add(text.len() as u64, Ordering::SeqCst);
        }
        false
    });
    let config = config().set(keys::RECEIVER_POOL_BYTES, "256k").set(keys::RECEIVER_BLOCK_BYTES, "16k");
    let (test, seen) = lines_from(port, config);
    test.ssc().start()?;
    let mut last = 0;
    until("the server is held back", || {
        a_moment();
        std::mem::replace(&mut last, sent.load(Ordering::SeqCst)) == sent.load(Ordering::SeqCst) && last > 0
    });
    assert!(last < LINES * 101, "the kernel's buffers and ours took all {last} bytes");
    until("the server sent everything", || {
        test.advance(1).unwrap();
        sent.load(Ordering::SeqCst) == LINES * 101
    });
    until("everything arrived", || {
        test.advance(1).unwrap();
        served.is_finished() && seen.batches().iter().map(Vec::len).sum::<usize>() as u64 >= LINES
    });
    test.ssc().stop_gracefully()?;
    let ids = seen.batches().concat();
    assert!(ids.iter().map(|id| id.parse::<u64>().unwrap()).eq(0..LINES), "each line once, in order");
    Ok(())
}

#[test]
fn a_graceful_stop_delivers_what_was_received_with_the_unended_line() -> Result<()> {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (port, served) = server(move |mut client, _| {
        client.write_all(b"whole\nnot whole").unwrap();
        let _ = gone.recv();
        false
    });
    let (test, seen) = lines_from(port, config());
    run_until(&test, &seen, 1);
    test.ssc().stop_gracefully()?;
    assert_eq!(seen.batches().concat(), ["whole", "not whole"]);
    drop(go);
    served.join().unwrap();
    Ok(())
}

#[test]
fn lines_that_wait_for_a_batch_are_within_the_rate_limit_too() -> Result<()> {
    let (port, served) = server(|mut client, _| {
        let _ = client.write_all("x\n".repeat(10_000).as_bytes());
        false
    });
    let config = config().set(keys::RECEIVER_MAX_RATE, 100).set(keys::RECEIVER_BLOCK_BYTES, "64");
    let (test, seen) = lines_from(port, config);
    for _ in 0..5 {
        test.advance(1)?;
        a_moment();
    }
    let records = seen.batches().concat().len();
    assert!(records <= 650, "{records} records in 5 seconds at 100 a second");
    test.ssc().stop()?;
    served.join().unwrap();
    Ok(())
}

fn frame(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes()[..], content].concat()
}

#[test]
fn frames_are_received_whole_and_a_bad_one_ends_only_its_connection() -> Result<()> {
    keep_log();
    let (port, served) = server(|mut client, connection| {
        let good = frame(&vec![connection as u8; 100_000]);
        let bad = match connection {
            0 => u32::MAX.to_be_bytes().to_vec(),
            1 => frame(b"cut")[..6].to_vec(),
            _ => frame(b""),
        };
        client.write_all(&[good, bad].concat()).unwrap();
        connection < 2
    });
    let test = TestContext::with_config(config());
    let frames = test.ssc().raw_socket_stream("127.0.0.1", port);
    let seen = test.collect(&frames.map(|frame: Vec<u8>| format!("{} of {:?}", frame.len(), frame.first())));
    let expected = ["100000 of Some(0)", "100000 of Some(1)", "100000 of Some(2)", "0 of None"];
    assert_eq!(run_until(&test, &seen, 4), expected);
    served.join().unwrap();
    let port = port.to_string();
    assert!(!logged(&[&port, "announced a frame of 4294967295 bytes"]).is_empty());
    assert!(!logged(&["in the middle of a frame"]).is_empty());
    Ok(())
}
