//! The figures of the loops by hand alone: what is the limit on this machine? The argument is the number of runs.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use std::{
    io::Write,
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};
use tidemill_bench::{
    hand::{self, InverseWindow, NaiveWindow, State},
    measure::{median, per_second_m},
    words::{Shape, every_key, lines, pairs},
};

const WORDS: usize = 5_000_000;
const BATCHES: u64 = 30;

fn main() {
    let runs = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(9);
    let text = lines(7, WORDS, Shape::default());
    let words = |name: &str, work: &mut dyn FnMut() -> usize| {
        println!("{name:<44} {:>8.1} M words/s", per_second_m(WORDS, median(runs, work)));
    };
    words("word count, 1 thread", &mut || hand::word_count(&text).distinct());
    words("word count, 2 threads", &mut || hand::word_count_2(&text).distinct());
    words("word count from a socket", &mut || over_socket(&text));
    words("grep", &mut || hand::grep(&text, b"abcde"));

    let ms = |name: &str, work: &mut dyn FnMut() -> usize| {
        println!("{name:<44} {:>8.2} ms", median(runs, work).as_secs_f64() * 1e3);
    };
    let batches: Vec<_> = (0..=BATCHES).map(|seed| every_key(seed, 100_000)).collect();
    let (mut inverse, mut naive) = (InverseWindow::new(BATCHES as usize), NaiveWindow::new(BATCHES as usize));
    for batch in &batches[1..] {
        inverse.slide(batch);
        naive.slide(batch);
    }
    let (mut next, mut next_naive) = (batches.iter().cycle(), batches.iter().cycle());
    ms("window of 30 with inverse, a slide, 100k keys", &mut || next.next().map_or(0, |b| inverse.slide(b).len()));
    ms("window of 30 without, a slide, 100k keys", &mut || next_naive.next().map_or(0, |b| naive.slide(b).len()));

    let mut state = State::default();
    state.all(&every_key(0, 1_000_000));
    let records: Vec<_> = (0..BATCHES).map(|seed| pairs(seed, 100_000, 1_000_000)).collect();
    let mut next = records.iter().cycle();
    ms("state, 100k records into 1M keys, touched out", &mut || next.next().map_or(0, |b| state.touched(b).len()));
    ms("state, 100k records into 1M keys, all out", &mut || next.next().map_or(0, |b| state.all(b).len()));
}

/// Sends the text over a loopback connection from a second thread, and counts it in this one.
fn over_socket(text: &[u8]) -> usize {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free loopback port");
    let address = listener.local_addr().expect("the listener is bound");
    thread::scope(|scope| {
        let sender = thread::Builder::new().name("sender".into()).spawn_scoped(scope, move || {
            let (mut stream, _) = listener.accept().expect("the reader connects");
            stream
                .write_all(text)
                .and_then(|()| stream.shutdown(Shutdown::Write))
                .expect("the reader reads to the end");
        });
        let counts = TcpStream::connect(address).and_then(hand::socket_word_count).expect("the sender sends");
        sender.expect("a thread can be started").join().expect("the sender does not panic");
        counts.distinct()
    })
}
