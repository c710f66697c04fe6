//! Makes the connections of a cluster: dials the processes of lower index, listens for those of higher index.
//!
//! Every pair that fits is connected once for each [`Purpose`]. Whoever fails the handshake, or is slow at it, loses
//! only its own connection. When a process has all its connections it tells every other that it is ready, and waits
//! to hear the same from each, so that the cluster starts as a whole or not at all.

use super::{
    build::BuildId,
    config::ClusterConfig,
    frame::{self, Frame, FrameReader, Kind},
    handshake::{self, Answer, Deadline, Hello, Purpose, Refusal},
};
use crate::base::{Error, ErrorKind, Interrupt, Result};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{Builder, Scope},
    time::Duration,
};

const PURPOSES: [Purpose; 2] = [Purpose::Data, Purpose::Control];
/// How long one attempt to dial may take.
const DIAL_LIMIT: Duration = Duration::from_secs(2);
/// How long a dialler may take to say hello.
pub(super) const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// How often the listener looks for a new connection.
const ACCEPT_POLL: Duration = Duration::from_millis(5);
/// The pause after a failed attempt to dial or bind; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// How many strangers may be at the door at a time; more are turned away unheard.
const MAX_AT_THE_DOOR: usize = 64;
/// How many refused connections are logged one by one.
const MAX_LOGGED: usize = 8;

/// The finished connections to all other processes, by index; `None` at this process's own.
pub(super) struct Connections {
    pub(super) data: Vec<Option<TcpStream>>,
    pub(super) control: Vec<Option<ControlSocket>>,
}

/// A control connection with what has already been read of it.
pub(super) type ControlSocket = (TcpStream, FrameReader);

/// The connections as they come in.
struct Sockets {
    data: Vec<Option<TcpStream>>,
    control: Vec<Option<TcpStream>>,
}

impl Sockets {
    fn new(processes: usize) -> Self {
        let none = || (0..processes).map(|_| None).collect();
        Self { data: none(), control: none() }
    }

    fn place(&mut self, index: usize, purpose: Purpose) -> &mut Option<TcpStream> {
        match purpose {
            Purpose::Data => &mut self.data[index],
            Purpose::Control => &mut self.control[index],
        }
    }

    fn missing(&self, own: usize) -> Option<usize> {
        (0..self.data.len()).find(|&i| i != own && (self.data[i].is_none() || self.control[i].is_none()))
    }
}

/// Binds `address`, waiting for a previous owner of the port to go.
pub(super) fn bind(address: &str, timeout: Duration) -> Result<TcpListener> {
    let deadline = Deadline::after(timeout, &Interrupt::new());
    let mut pause = FIRST_PAUSE;
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && deadline.pause(pause) => pause = longer(pause),
            Err(e) => {
                return Err(Error::unavailable(format!("cannot bind \"{address}\", this process's address: {e}"))
                    .with_source(e));
            }
        }
    }
}

/// Connects this process with all others.
pub(super) fn all(
    config: &ClusterConfig,
    build: BuildId,
    listener: TcpListener,
    timeout: Duration,
) -> Result<Connections> {
    listener.set_nonblocking(true)?;
    let stop = Interrupt::new();
    let deadline = Deadline::after(timeout, &stop);
    let meeting = Meeting {
        config,
        build,
        deadline: &deadline,
        stop: &stop,
        sockets: Mutex::new(Sockets::new(config.processes())),
        at_the_door: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        last_trouble: Mutex::new(None),
    };
    let sockets = meeting.hold(&listener)?;
    // From here on nobody else can reach this process.
    drop(listener);
    let control = everyone_ready(config, sockets.control, &deadline)?;
    Ok(Connections { data: sockets.data, control })
}

/// What the threads that make the connections share.
struct Meeting<'a> {
    config: &'a ClusterConfig,
    build: BuildId,
    deadline: &'a Deadline,
    stop: &'a Interrupt,
    sockets: Mutex<Sockets>,
    at_the_door: AtomicUsize,
    refused: AtomicUsize,
    last_trouble: Mutex<Option<String>>,
}

impl Meeting<'_> {
    /// Runs until all connections are made, one process turns out not to fit, or the time is over.
    fn hold(self, listener: &TcpListener) -> Result<Sockets> {
        let (failed, failure) = bounded(1);
        let outcome = std::thread::scope(|scope| {
            let outcome =
                self.spawn_dialers(scope, &failed).and_then(|()| self.listen(scope, listener, &failed, &failure));
            self.stop.raise();
            outcome
        });
        outcome?;
        Ok(self.sockets.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn spawn_dialers<'s>(&'s self, scope: &'s Scope<'s, '_>, failed: &Sender<Error>) -> Result<()> {
        for index in 0..self.config.index() {
            let failed = failed.clone();
            spawn(scope, format!("tidemill-dial-{index}"), move || {
                for purpose in PURPOSES {
                    match self.dial(index, purpose) {
                        Ok(stream) => *self.sockets().place(index, purpose) = Some(stream),
                        // Only the first failure counts; the others follow from it.
                        Err(error) => return drop(failed.try_send(error)),
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Lets processes of higher index in until nobody is missing.
    fn listen<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        listener: &TcpListener,
        failed: &Sender<Error>,
        failure: &Receiver<Error>,
    ) -> Result<()> {
        loop {
            if let Ok(error) = failure.try_recv() {
                return Err(error);
            }
            let Some(missing) = self.sockets().missing(self.config.index()) else { return Ok(()) };
            match listener.accept() {
                Ok((stream, _)) if self.at_the_door.fetch_add(1, Ordering::Relaxed) < MAX_AT_THE_DOOR => {
                    let failed = failed.clone();
                    spawn(scope, "tidemill-greet".into(), move || {
                        if let Err(error) = self.greet(stream) {
                            drop(failed.try_send(error));
                        }
                        self.at_the_door.fetch_sub(1, Ordering::Relaxed);
                    })?;
                }
                Ok(_) => {
                    self.at_the_door.fetch_sub(1, Ordering::Relaxed);
                    self.note_refused("too many connections at a time");
                }
                Err(_) if self.deadline.pause(ACCEPT_POLL) => {}
                Err(_) => return Err(self.absent(missing)),
            }
        }
    }

    /// Hears what a stranger has to say; an error only if a member of the cluster turns out not to fit.
    fn greet(&self, stream: TcpStream) -> Result<()> {
        let deadline = Deadline::after(HELLO_LIMIT, self.stop);
        let hello = match prepare(&stream, &deadline).and_then(|()| handshake::read::<Hello>(&stream, &deadline)) {
            Ok(hello) => hello,
            Err(error) => {
                self.note_refused(&error.to_string());
                return Ok(());
            }
        };
        let ours = Hello::new(self.config, self.build, hello.purpose);
        match ours.judge(&hello).and_then(|()| self.seat(&hello, &stream, ours)) {
            Ok(()) => Ok(()),
            Err(refusal) => {
                // Whoever is refused may be gone already.
                drop(handshake::write(&stream, &Answer::Refused(refusal.clone())));
                let error = refusal.explain(&format!("process {}", hello.index), "this process");
                self.note_refused(&error.to_string());
                if refusal.is_of_a_member() { Err(error) } else { Ok(()) }
            }
        }
    }

    /// Welcomes a member that fits and keeps its connection, unless its place is taken.
    fn seat(&self, hello: &Hello, stream: &TcpStream, ours: Hello) -> std::result::Result<(), Refusal> {
        let index = usize::try_from(hello.index).unwrap_or(usize::MAX);
        if index <= self.config.index() || index >= self.config.processes() {
            return Err(Refusal::Index(hello.index));
        }
        let mut sockets = self.sockets();
        let place = sockets.place(index, hello.purpose);
        if place.is_some() {
            return Err(Refusal::Taken(hello.index));
        }
        // A member that cannot be answered has gone; it will dial again.
        if handshake::write(stream, &Answer::Welcome(ours)).is_ok() {
            *place = stream.try_clone().ok();
        }
        Ok(())
    }

    /// Dials until the process answers, an error if it refuses or the time is over.
    fn dial(&self, index: usize, purpose: Purpose) -> Result<TcpStream> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.dial_once(index, purpose) {
                Ok(stream) => return Ok(stream),
                Err(error) if error.kind() == ErrorKind::Invalid => return Err(error),
                Err(error) => self.note_trouble(&error.to_string()),
            }
            if !self.deadline.pause(pause) {
                return Err(self.absent(index));
            }
            pause = longer(pause);
        }
    }

    fn dial_once(&self, index: usize, purpose: Purpose) -> Result<TcpStream> {
        let stream = self.reach(index)?;
        prepare(&stream, self.deadline)?;
        let ours = Hello::new(self.config, self.build, purpose);
        handshake::write(&stream, &ours)?;
        let refusal = match handshake::read::<Answer>(&stream, self.deadline)? {
            Answer::Refused(refusal) => refusal,
            Answer::Welcome(theirs) => match theirs.judge(&ours) {
                Ok(()) if theirs.index == index as u64 && theirs.purpose == purpose => return Ok(stream),
                Ok(()) => Refusal::Index(theirs.index),
                Err(refusal) => refusal,
            },
        };
        Err(refusal.explain("this process", &self.named(index)))
    }

    fn reach(&self, index: usize) -> Result<TcpStream> {
        let address = &self.config.addresses()[index];
        let mut last = Error::unavailable(format!("\"{address}\" has no address"));
        for socket_address in address.to_socket_addrs()? {
            let Some(left) = self.deadline.left(DIAL_LIMIT) else { return Err(self.absent(index)) };
            match TcpStream::connect_timeout(&socket_address, left) {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e.into(),
            }
        }
        Err(last)
    }

    fn named(&self, index: usize) -> String {
        named(self.config, index)
    }

    fn absent(&self, index: usize) -> Error {
        let trouble = self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = trouble.as_deref().map(|trouble| format!(" (last trouble: {trouble})")).unwrap_or_default();
        Error::unavailable(format!(
            "{} did not connect in time{trouble}; check that it runs and can be reached",
            self.named(index)
        ))
    }

    fn note_refused(&self, why: &str) {
        if self.refused.fetch_add(1, Ordering::Relaxed) < MAX_LOGGED {
            tracing::warn!(why, "a connection was refused");
        }
        self.note_trouble(why);
    }

    fn note_trouble(&self, what: &str) {
        *self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.to_string());
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells every process that this one is complete, and waits until each has said so.
fn everyone_ready(
    config: &ClusterConfig,
    sockets: Vec<Option<TcpStream>>,
    deadline: &Deadline,
) -> Result<Vec<Option<ControlSocket>>> {
    // The meeting is over and has raised its interrupt; what is left of its time is not.
    let deadline = deadline.without_interrupt();
    let failed = |index: usize, why: String| {
        Error::unavailable(format!("{} ended before all processes were connected: {why}", named(config, index)))
    };
    for (index, stream) in sockets.iter().enumerate() {
        let Some(mut stream) = stream.as_ref() else { continue };
        stream.write_all(&frame::encode(Kind::Ready, &[])).map_err(|e| failed(index, e.to_string()))?;
    }
    let ready = sockets.into_iter().enumerate().map(|(index, stream)| {
        let hear = |stream| hear_ready(stream, &deadline).map_err(|e| failed(index, e.to_string()));
        stream.map(hear).transpose()
    });
    ready.collect()
}

fn hear_ready(stream: TcpStream, deadline: &Deadline) -> io::Result<ControlSocket> {
    let mut reader = FrameReader::new(&stream)?;
    while deadline.left(DIAL_LIMIT).is_some() {
        match reader.poll(&stream)? {
            Some(Frame { kind: Kind::Ready, .. }) => return Ok((stream, reader)),
            Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "it spoke out of turn")),
            None => {}
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "it was not ready in time"))
}

fn named(config: &ClusterConfig, index: usize) -> String {
    format!("process {index} ({})", config.addresses()[index])
}

fn prepare(stream: &TcpStream, deadline: &Deadline) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok(stream.set_write_timeout(deadline.left(HELLO_LIMIT))?)
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

fn spawn<'s>(scope: &'s Scope<'s, '_>, name: String, work: impl FnOnce() + Send + 's) -> Result<()> {
    match Builder::new().name(name).spawn_scoped(scope, work) {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::unavailable("cannot start a thread to connect the processes").with_source(e)),
    }
}
