//! The control channel: orders from process 0 to all, reports from all to process 0, and the watch over lost peers.
//!
//! Every connection has a thread that sends, and one that receives. Who has nothing to send sends a heartbeat. A
//! connection that ends without a goodbye, or is silent for too long, means that its process is lost.

use super::{
    connect::ControlSocket,
    frame::{self, Frame, FrameReader, Kind, MAX_PAYLOAD_BYTES, READ_POLL},
    handshake::is_retry,
};
use crate::base::{Error, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use std::{
    fmt,
    io::{self, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Called with a process's index and what happened, once for each process that was lost.
pub type OnLost = Box<dyn Fn(usize, String) + Send + Sync>;

/// How many messages may wait on each side before the sender has to.
const QUEUE_MESSAGES: usize = 64;
/// How often a blocked write looks whether it still matters.
const WRITE_POLL: Duration = Duration::from_millis(50);
/// How long a closing process waits for the others to hang up.
const CLOSE_GRACE: Duration = Duration::from_secs(1);
/// What a process ends with when another was lost (`EX_SOFTWARE` of sysexits).
const LOST_EXIT_CODE: i32 = 70;

/// A message from another process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The index of the process that sent it.
    pub from: usize,
    /// What it sent.
    pub payload: Vec<u8>,
}

/// How the processes of a cluster watch over each other.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How often a process that has nothing to say says that it lives.
    pub heartbeat: Duration,
    /// How long another may be silent before it counts as lost.
    pub silence: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { heartbeat: Duration::from_millis(200), silence: Duration::from_secs(5) }
    }
}

/// What production does when a process is lost: says so, and ends this one with exit code 70.
///
/// `addresses` are those of all processes, for the message.
pub fn end_process(addresses: Vec<String>) -> OnLost {
    let ending = Once::new();
    Box::new(move |process, why| {
        // One loss brings the next; only the first is told, and whoever comes second waits here for the end.
        ending.call_once(|| {
            let address = addresses.get(process).map_or("?", String::as_str);
            let what = format!("process {process} ({address}) was lost: {why}; ending this process");
            if tracing::enabled!(tracing::Level::ERROR) {
                tracing::error!("{what}");
            } else {
                // In one piece, as all processes may write to the same place now.
                let line = format!("tidemill: {what}\n");
                eprint!("{line}");
            }
            std::process::exit(LOST_EXIT_CODE);
        });
    })
}

/// The channel between process 0 and all others.
///
/// Messages of one sender arrive in the order in which they were sent. Both directions are bounded: a process that
/// does not receive makes the senders wait.
#[derive(Debug)]
pub struct Control {
    index: usize,
    /// One queue per other process; emptied by `close`, which is how the senders learn of it.
    outboxes: Mutex<Vec<(usize, Sender<Vec<u8>>)>>,
    inbox: Receiver<Message>,
    links: Vec<Arc<Link>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Control {
    pub(super) fn start(
        index: usize,
        sockets: Vec<Option<ControlSocket>>,
        on_lost: OnLost,
        timing: Timing,
    ) -> io::Result<Self> {
        let (incoming, inbox) = bounded(QUEUE_MESSAGES);
        let on_lost: Arc<OnLost> = Arc::new(on_lost);
        let mut control =
            Self { index, outboxes: Mutex::default(), inbox, links: Vec::new(), threads: Mutex::default() };
        for (peer, socket) in sockets.into_iter().enumerate() {
            let Some((stream, reader)) = socket else { continue };
            stream.set_write_timeout(Some(WRITE_POLL))?;
            let link = Arc::new(Link::new(peer, stream, timing, Arc::clone(&on_lost)));
            let (outbox, outgoing) = bounded(QUEUE_MESSAGES);
            lock(&control.outboxes).push((peer, outbox));
            control.links.push(Arc::clone(&link));
            // Messages go between process 0 and the others only; when those are gone, no more can come.
            let incoming = (index == 0 || peer == 0).then(|| incoming.clone());
            let (sender, receiver) = (Arc::clone(&link), link);
            control.spawn(format!("tidemill-to-{peer}"), move || sender.send_all(&outgoing))?;
            control.spawn(format!("tidemill-from-{peer}"), move || receiver.receive_all(reader, incoming.as_ref()))?;
        }
        Ok(control)
    }

    fn spawn(&self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        lock(&self.threads).push(thread::Builder::new().name(name).spawn(work)?);
        Ok(())
    }

    /// Sends `payload` from process 0 to every other process.
    ///
    /// # Errors
    /// `Internal` if this is not process 0, `Invalid` if the payload is longer than 64 MiB, `Closed` after `close`,
    /// `Unavailable` if a process has gone.
    pub fn broadcast(&self, payload: &[u8]) -> Result<()> {
        if self.index != 0 {
            return Err(Error::internal(format!("process \"{}\" tried to broadcast; only process 0 may", self.index)));
        }
        let outboxes = lock(&self.outboxes).clone();
        if outboxes.is_empty() && !self.links.is_empty() {
            return Err(closed());
        }
        outboxes.iter().try_for_each(|(peer, outbox)| post(*peer, outbox, payload))
    }

    /// Sends `payload` to process 0.
    ///
    /// # Errors
    /// As [`broadcast`](Self::broadcast); `Internal` on process 0 itself.
    pub fn send(&self, payload: &[u8]) -> Result<()> {
        if self.index == 0 {
            return Err(Error::internal("process 0 tried to send to itself; use broadcast to reach the others"));
        }
        let outbox = lock(&self.outboxes).iter().find(|(peer, _)| *peer == 0).map(|(_, outbox)| outbox.clone());
        post(0, &outbox.ok_or_else(closed)?, payload)
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    /// `Closed` when no more can come: this channel was closed, or process 0 has gone, or, on process 0, all others.
    pub fn recv(&self) -> Result<Message> {
        self.inbox.recv().map_err(|_| closed())
    }

    /// The next message, waiting for at most `limit`; `None` if none came.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, limit: Duration) -> Result<Option<Message>> {
        match self.inbox.recv_timeout(limit) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(closed()),
        }
    }

    /// The messages that have arrived, for a `select!`.
    pub fn inbox(&self) -> &Receiver<Message> {
        &self.inbox
    }

    /// Says goodbye to all others and ends the threads. What was sent before still arrives; a message that others
    /// send after this is lost. Must not be called from `on_lost`.
    pub fn close(&self) {
        for link in &self.links {
            link.closing.store(true, Ordering::Release);
        }
        lock(&self.outboxes).clear();
        for thread in lock(&self.threads).drain(..) {
            // A thread of ours that panicked has nothing left to close.
            drop(thread.join());
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if thread::panicking() {
            // No goodbye: this process fails, and the others have to learn it at once.
            for link in &self.links {
                link.closing.store(true, Ordering::Release);
                link.hang_up(Shutdown::Both);
            }
        }
        self.close();
    }
}

/// The connection to one other process.
struct Link {
    peer: usize,
    stream: TcpStream,
    timing: Timing,
    on_lost: Arc<OnLost>,
    /// This process says goodbye.
    closing: AtomicBool,
    /// The other has said goodbye, or is lost.
    gone: AtomicBool,
}

impl Link {
    fn new(peer: usize, stream: TcpStream, timing: Timing, on_lost: Arc<OnLost>) -> Self {
        Self { peer, stream, timing, on_lost, closing: AtomicBool::new(false), gone: AtomicBool::new(false) }
    }

    /// Sends what is in the queue until it is closed, and heartbeats between.
    ///
    /// Raises no alarm when it fails: the receiving side learns of it too, and knows whether there was a goodbye.
    fn send_all(&self, outgoing: &Receiver<Vec<u8>>) {
        loop {
            let written = match outgoing.recv_timeout(self.timing.heartbeat) {
                Ok(payload) => self.write(Kind::Message, &payload),
                Err(RecvTimeoutError::Timeout) => self.write(Kind::Heartbeat, &[]),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if written.is_err() {
                return;
            }
        }
        // Whoever has gone needs no goodbye.
        drop(self.write(Kind::Goodbye, &[]));
        self.hang_up(Shutdown::Write);
    }

    /// Writes one frame, however long a busy receiver lets it wait; not longer than the grace while closing.
    fn write(&self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let bytes = frame::encode(kind, payload);
        let (mut rest, mut grace) = (&bytes[..], CLOSE_GRACE);
        while !rest.is_empty() {
            match (&self.stream).write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(e) if is_retry(e.kind()) && !grace.is_zero() => {
                    if self.closing.load(Ordering::Acquire) {
                        grace = grace.saturating_sub(WRITE_POLL);
                    }
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Hands on what arrives until the other says goodbye, is lost, or this process has closed.
    fn receive_all(&self, mut reader: FrameReader, incoming: Option<&Sender<Message>>) {
        let (mut silent, mut grace) = (Duration::ZERO, CLOSE_GRACE);
        loop {
            match reader.poll(&self.stream) {
                Ok(Some(Frame { kind: Kind::Goodbye, .. })) => {
                    self.gone.store(true, Ordering::Release);
                    // So that the other sees the end of the connection and need not wait for it.
                    return self.hang_up(Shutdown::Write);
                }
                Ok(Some(frame)) => {
                    silent = Duration::ZERO;
                    let inbox = incoming.filter(|_| frame.kind == Kind::Message);
                    if inbox.is_some_and(|inbox| !self.deliver(frame.payload, inbox)) {
                        return;
                    }
                }
                // Silence is counted in reads that found nothing, not by a clock: a process that was itself stopped
                // for a while, and wakes up, must not blame the others.
                Ok(None) => silent += READ_POLL,
                Err(error) => return self.lose(&error.to_string()),
            }
            if self.closing.load(Ordering::Acquire) {
                grace = grace.saturating_sub(READ_POLL);
                if grace.is_zero() {
                    return;
                }
            } else if silent >= self.timing.silence {
                return self.lose(&format!("it was silent for {} ms", silent.as_millis()));
            }
        }
    }

    /// Puts a message into the inbox, waiting for room; false if nobody is there to read it.
    fn deliver(&self, payload: Vec<u8>, incoming: &Sender<Message>) -> bool {
        let mut message = Message { from: self.peer, payload };
        loop {
            match incoming.send_timeout(message, READ_POLL) {
                Ok(()) => return true,
                // While this process closes nobody reads, but what the other still says has to be drained.
                Err(SendTimeoutError::Timeout(_)) if self.closing.load(Ordering::Acquire) => return true,
                Err(SendTimeoutError::Timeout(back)) => message = back,
                Err(SendTimeoutError::Disconnected(_)) => return false,
            }
        }
    }

    /// The connection failed: raises the alarm, unless one side has said goodbye.
    fn lose(&self, why: &str) {
        let known = self.gone.swap(true, Ordering::AcqRel);
        self.hang_up(Shutdown::Both);
        if !known && !self.closing.load(Ordering::Acquire) {
            (self.on_lost)(self.peer, why.to_string());
        }
    }

    fn hang_up(&self, how: Shutdown) {
        // An error says that the connection has ended already.
        drop(self.stream.shutdown(how));
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("peer", &self.peer).field("stream", &self.stream).finish_non_exhaustive()
    }
}

fn post(peer: usize, outbox: &Sender<Vec<u8>>, payload: &[u8]) -> Result<()> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Error::invalid(format!(
            "a control message of \"{}\" bytes is longer than the limit of {MAX_PAYLOAD_BYTES}; send records through an exchange instead",
            payload.len()
        )));
    }
    outbox.send(payload.to_vec()).map_err(|_| Error::unavailable(format!("process \"{peer}\" has gone")))
}

fn closed() -> Error {
    Error::closed("the control channel is closed")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
