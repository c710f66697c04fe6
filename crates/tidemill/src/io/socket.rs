//! Sockets: lines of text, and length-prefixed frames.

use super::receiver::{Ending, Receiver, ReceiverLink, SealedBlocks};
use crate::{
    base::{
        Config, Error, Result, Text,
        clock::Deadline,
        keys,
        text::{LineBlock, LineCounts, LineLimits, LineSplitter},
    },
    rdd::Session,
};
use std::{
    fmt,
    io::{self, ErrorKind, Read},
    net::{TcpStream, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a read waits for data before it looks whether the receiver is to end.
const READ_TIMEOUT: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where to connect, and for how long it may be silent.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    host: String,
    port: u16,
    idle_timeout: Option<Duration>,
}

impl Server {
    pub(crate) fn new(host: impl Into<String>, port: u16, config: &Config) -> Result<Self> {
        Ok(Self { host: host.into(), port, idle_timeout: config.get(&keys::SOCKET_IDLE_TIMEOUT)? })
    }

    fn connect(&self) -> Result<Connection<'_>> {
        let what = |error: io::Error| Error::from(error).context(format!("could not connect to \"{self}\""));
        let mut last = None;
        for address in (self.host.as_str(), self.port).to_socket_addrs().map_err(what)? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(READ_TIMEOUT)).map_err(what)?;
                    return Ok(Connection { server: self, stream, idle: self.patience() });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(what(last.unwrap_or_else(|| io::Error::new(ErrorKind::NotFound, "the host has no address"))))
    }

    /// Until when something has to come.
    fn patience(&self) -> Option<Deadline> {
        self.idle_timeout.map(Deadline::after)
    }

    fn closed(&self) -> Ending {
        Ending::Restart(format!("the server \"{self}\" closed the connection"))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A connection to a server.
struct Connection<'a> {
    server: &'a Server,
    stream: TcpStream,
    idle: Option<Deadline>,
}

impl Connection<'_> {
    /// Reads what is there; `None` if nothing came in time, and 0 bytes once the server closed the connection.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        match self.stream.read(buffer) {
            Ok(read_bytes) => {
                self.idle = self.server.patience();
                Ok(Some(read_bytes))
            }
            Err(error) if found_nothing(&error) => match &self.idle {
                Some(idle) if idle.is_over() => Err(Error::unavailable(format!(
                    "nothing came from \"{}\" for {:?}, so it is taken for gone; see {}",
                    self.server,
                    self.server.idle_timeout.unwrap_or_default(),
                    keys::SOCKET_IDLE_TIMEOUT.name(),
                ))),
                _ => Ok(None),
            },
            Err(error) => Err(Error::from(error).context(format!("could not read from \"{}\"", self.server))),
        }
    }
}

/// Whether a read only found nothing in time.
fn found_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Receives lines of UTF-8 text from a server.
#[derive(Debug)]
pub(crate) struct SocketTextReceiver {
    pub(crate) server: Server,
    pub(crate) limits: LineLimits,
    /// Whose tally has the totals of all text sources.
    pub(crate) session: Arc<Session>,
}

type Splitter = Arc<Mutex<LineSplitter>>;

fn lock(splitter: &Splitter) -> MutexGuard<'_, LineSplitter> {
    splitter.lock().unwrap_or_else(PoisonError::into_inner)
}

fn put(blocks: &SealedBlocks<'_, Text>, block: LineBlock) {
    let (records, bytes) = (block.records(), block.bytes());
    blocks.put(block, records, bytes);
}

impl Receiver for SocketTextReceiver {
    type Item = Text;

    fn run(&mut self, link: &ReceiverLink<Text>) -> Result<Ending> {
        let mut connection = self.server.connect()?;
        let splitter: Splitter = Arc::new(Mutex::new(LineSplitter::new(self.limits)));
        let sealed = splitter.clone();
        link.on_cut(Some(Box::new(move |blocks| {
            let mut splitter = lock(&sealed);
            if let Some(block) = splitter.seal() {
                put(blocks, block);
            }
        })));
        let mut losses = Losses { session: self.session.clone(), told: 0, counted: LineCounts::default() };
        let ended = self.receive(&mut connection, &splitter, link, &mut losses);
        link.on_cut(None);
        if let Some(last) = lock(&splitter).finish() {
            put(&link.sealed(), last);
        }
        losses.tell_rest(link, lock(&splitter).counts());
        ended.map(|()| self.server.closed())
    }
}

impl SocketTextReceiver {
    /// Receives until the server closes the connection or the receiver is to end.
    fn receive(
        &self,
        connection: &mut Connection<'_>,
        splitter: &Splitter,
        link: &ReceiverLink<Text>,
        losses: &mut Losses,
    ) -> Result<()> {
        let mut buffer = vec![0; self.limits.block_bytes.max(1)];
        while !link.is_stopped() {
            let arrived = match connection.read(&mut buffer)? {
                None => continue,
                Some(0) => return Ok(()),
                Some(read_bytes) => &buffer[..read_bytes],
            };
            link.wait_for_room(arrived.len());
            let counts = {
                let mut splitter = lock(splitter);
                splitter.push(arrived, |block| put(&link.sealed(), block));
                splitter.counts()
            };
            losses.tell(link, counts);
            link.save_if_much();
            if link.rate_limit().is_some() {
                link.pace(memchr::memchr_iter(b'\n', arrived).count())?;
            }
        }
        Ok(())
    }
}

/// What was dropped or repaired: counted at once, told at the first time and then each time it has doubled.
struct Losses {
    session: Arc<Session>,
    told: u64,
    counted: LineCounts,
}

impl Losses {
    fn total(counts: LineCounts) -> u64 {
        counts.oversize_lines + counts.invalid_sequences
    }

    fn tell(&mut self, link: &ReceiverLink<Text>, counts: LineCounts) {
        self.count(counts);
        if Self::total(counts) > self.told * 2 {
            self.tell_rest(link, counts);
        }
    }

    fn count(&mut self, counts: LineCounts) {
        if counts != self.counted {
            self.session.extensions.line_tally.add(counts.since(&self.counted));
            self.counted = counts;
        }
    }

    /// Tells what is not told yet.
    fn tell_rest(&mut self, link: &ReceiverLink<Text>, counts: LineCounts) {
        self.count(counts);
        if Self::total(counts) == self.told {
            return;
        }
        self.told = Self::total(counts);
        let LineCounts { oversize_lines, oversize_bytes, invalid_sequences } = counts;
        let error = Error::data(format!(
            "on this connection {oversize_lines} lines longer than \"{}\" allows were dropped, {oversize_bytes} bytes up to \
             now, and {invalid_sequences} sequences that are not UTF-8 were replaced by U+FFFD",
            keys::LINES_MAX_BYTES.name(),
        ));
        link.report_error("what was received is not whole", &error);
    }
}

/// Receives frames: four bytes of length, the most significant first, and as many bytes.
#[derive(Debug)]
pub(crate) struct RawSocketReceiver {
    pub(crate) server: Server,
    pub(crate) max_frame_bytes: usize,
}

/// How much room is made for a frame before that many bytes of it came.
const FRAME_STEP_BYTES: usize = 64 << 10;

impl Receiver for RawSocketReceiver {
    type Item = Vec<u8>;

    fn run(&mut self, link: &ReceiverLink<Vec<u8>>) -> Result<Ending> {
        let mut connection = self.server.connect()?;
        let mut length = [0; 4];
        while !link.is_stopped() && fill(&mut connection, &mut length, link, true)? {
            let length = u32::from_be_bytes(length) as usize;
            if length > self.max_frame_bytes {
                return Err(Error::data(format!(
                    "\"{}\" announced a frame of {length} bytes, and the most is {}; raise {} if it is right",
                    self.server,
                    self.max_frame_bytes,
                    keys::LINES_MAX_BYTES.name(),
                )));
            }
            let Some(frame) = frame(&mut connection, length, link)? else { break };
            let bytes = size_of::<Vec<u8>>() + frame.len();
            link.put(vec![frame], bytes, None)?;
        }
        Ok(self.server.closed())
    }
}

/// Reads a frame; `None` if the receiver is to end. An announced length alone makes no room.
fn frame(connection: &mut Connection<'_>, length: usize, link: &ReceiverLink<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    let mut frame = Vec::new();
    while frame.len() < length {
        let filled = frame.len();
        frame.resize(length.min(filled + FRAME_STEP_BYTES), 0);
        if !fill(connection, &mut frame[filled..], link, false)? {
            return Ok(None);
        }
    }
    Ok(Some(frame))
}

/// Fills `buffer`; false if the receiver is to end or, where a frame may end, the server closed the connection.
fn fill(
    connection: &mut Connection<'_>,
    buffer: &mut [u8],
    link: &ReceiverLink<Vec<u8>>,
    may_end: bool,
) -> Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match connection.read(&mut buffer[filled..])? {
            None if link.is_stopped() => return Ok(false),
            None => {}
            Some(0) if may_end && filled == 0 => return Ok(false),
            Some(0) => return Err(Error::data("the server closed the connection in the middle of a frame")),
            Some(read_bytes) => filled += read_bytes,
        }
    }
    Ok(true)
}
