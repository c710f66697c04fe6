//! Word count from a socket that sends as fast as it is read.

use super::process::{Held, forget_peak, megabytes, peak_kb};
use crate::{
    hand,
    measure::{Better, Row, Table},
    words::{Shape, lines},
};
use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tidemill::{Result, StreamingContext, Time, base::clock::Stopwatch, milliseconds};

/// The words that are sent over and over.
const WORDS: usize = 1_000_000;
/// How long each of the two sides runs at a time, and how often, in turn.
const RUN: Duration = Duration::from_secs(4);
const ROUNDS: usize = 3;

/// Sends `text` over and over for [`RUN`]; returns how often it was sent.
fn send(listener: TcpListener, text: Arc<Vec<u8>>) -> std::io::Result<JoinHandle<std::io::Result<u64>>> {
    std::thread::Builder::new().name("sender".into()).spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let watch = Stopwatch::start();
        let mut times = 0;
        while watch.elapsed() < RUN {
            stream.write_all(&text)?;
            times += 1;
        }
        Ok(times)
    })
}

fn sent(sender: JoinHandle<std::io::Result<u64>>) -> Result<u64> {
    Ok(sender.join().map_err(|_| tidemill::Error::internal("the sender panicked"))??)
}

/// Words per second of the loop by hand, in millions.
fn by_hand(text: &Arc<Vec<u8>>) -> Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let sender = send(listener, text.clone())?;
    let stream = TcpStream::connect(address)?;
    let watch = Stopwatch::start();
    let counts = hand::socket_word_count(stream)?;
    let elapsed = watch.elapsed();
    assert_eq!(counts.total(), sent(sender)? * WORDS as u64);
    Ok(counts.total() as f64 / elapsed.as_secs_f64() / 1e6)
}

/// Words per second of ours, in millions, until everything that was sent is counted.
fn ours(text: &Arc<Vec<u8>>, interval_ms: u64) -> Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let sender = send(listener, text.clone())?;
    let ssc = StreamingContext::local(2, milliseconds(interval_ms))?;
    let counted = Arc::new(AtomicU64::new(0));
    let total = counted.clone();
    ssc.socket_text_stream("127.0.0.1", port)
        .flat_map(|line| line.split(' '))
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
        .for_each_batch(move |counts, _: Time| {
            total.fetch_add(counts.iter().map(|(_, count)| count).sum(), Ordering::Relaxed);
            Result::<()>::Ok(())
        });
    let watch = Stopwatch::start();
    ssc.start()?;
    let expected = sent(sender)? * WORDS as u64;
    while counted.load(Ordering::Relaxed) < expected && watch.elapsed() < RUN * 3 {
        ssc.await_termination_or_timeout(Duration::from_millis(1))?;
    }
    let elapsed = watch.elapsed();
    assert_eq!(counted.load(Ordering::Relaxed), expected);
    ssc.stop()?;
    Ok(expected as f64 / elapsed.as_secs_f64() / 1e6)
}

fn middle(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Sustained word count from a socket, and what it holds in memory.
///
/// # Errors
/// If a socket fails, or the context.
pub fn socket(table: &mut Table) -> Result<()> {
    let text = Arc::new(lines(7, WORDS, Shape::default()));
    let before = Held::now();
    forget_peak();
    let mut rounds = vec![(ours(&text, 100)?, by_hand(&text)?)];
    let peak = megabytes(peak_kb());
    for _ in 1..ROUNDS {
        rounds.push((ours(&text, 100)?, by_hand(&text)?));
    }
    // The pool of received blocks bounds what one interval can take in.
    let slow = ours(&text, 500)?;
    table.row(Row {
        name: "word count from a socket, M words/s",
        ours: middle(rounds.iter().map(|round| round.0)),
        hand: middle(rounds.iter().map(|round| round.1)),
        goal: 0.5,
        better: Better::Higher,
    });
    table.note(format_args!(
        "peak {peak:.1} MB resident, {:.1} MB of it before the first record",
        megabytes(before.resident_kb)
    ));
    table.note(format_args!("with batches of 500 ms instead of 100 ms: {slow:.1} M words/s"));
    Ok(())
}
