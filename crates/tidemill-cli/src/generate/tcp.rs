//! Records as lines for everyone who connects. Each client has a thread and a queue of its own, so that a slow one holds up
//! nobody.

use super::{Destination, Made};
use crate::Failure;
use std::{
    io::{ErrorKind, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tidemill::{Interrupt, base::clock::Stopwatch};

/// Bursts that wait for a client.
const QUEUE: usize = 64;
/// How long clients may take for what is in their queues when the last record is made.
const FINISH: Duration = Duration::from_secs(5);

struct Client {
    lines: SyncSender<Arc<[u8]>>,
    /// Bursts that are not sent yet.
    waiting: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// A port, and who is connected to it.
pub(super) struct Served {
    listener: TcpListener,
    port: u16,
    /// Whether nothing is left out for anybody: then all wait for the slowest.
    waits: bool,
    clients: Vec<Client>,
}

impl Served {
    pub(super) fn start(port: u16, waits: bool) -> Result<Self, Failure> {
        let refused = |error: std::io::Error| Failure::new(1, format!("cannot listen on 127.0.0.1:{port}: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let port = listener.local_addr().map_err(refused)?.port();
        Ok(Self { listener, port, waits, clients: Vec::new() })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let (lines, taken) = sync_channel::<Arc<[u8]>>(QUEUE);
            let waiting = Arc::new(AtomicUsize::new(0));
            let left = waiting.clone();
            let write = move || {
                for burst in taken {
                    // An error is a client that has gone.
                    if write_all(&stream, &burst).is_err() {
                        break;
                    }
                    left.fetch_sub(1, Ordering::Relaxed);
                }
            };
            if let Ok(thread) = thread::Builder::new().name("tidemill-gen-client".into()).spawn(write) {
                self.clients.push(Client { lines, waiting, thread });
            }
        }
        self.clients.retain(|client| !client.thread.is_finished());
    }
}

fn write_all(mut stream: &TcpStream, burst: &[u8]) -> std::io::Result<()> {
    // Accepted from a listener that does not block, a stream may not either.
    stream.set_nonblocking(false)?;
    match stream.write_all(burst) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        written => written,
    }
}

impl Destination for Served {
    fn room(&mut self, wanted: u64) -> u64 {
        self.accept();
        let is_full = |client: &Client| client.waiting.load(Ordering::Relaxed) >= QUEUE;
        if self.clients.is_empty() || (self.waits && self.clients.iter().any(is_full)) { 0 } else { wanted }
    }

    fn take(&mut self, records: Vec<Made>) -> Result<(), Failure> {
        let burst: Vec<u8> =
            records.into_iter().flat_map(|made| [made.line.into_bytes(), b"\n".to_vec()].concat()).collect();
        let burst: Arc<[u8]> = burst.into();
        self.clients.retain(|client| {
            client.waiting.fetch_add(1, Ordering::Relaxed);
            let sent = client.lines.try_send(burst.clone());
            if sent.is_err() {
                client.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            // One whose queue is full misses this burst.
            !matches!(sent, Err(TrySendError::Disconnected(_)))
        });
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let (since, pause) = (Stopwatch::start(), Interrupt::new());
        let threads: Vec<_> = self.clients.drain(..).map(|client| client.thread).collect();
        while threads.iter().any(|thread| !thread.is_finished()) && since.elapsed() < FINISH {
            pause.wait_timeout(Duration::from_millis(5));
        }
        Ok(())
    }
}
