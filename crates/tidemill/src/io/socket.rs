//! Sockets: lines of text, and length-prefixed frames.

use super::receiver::{Ending, Receiver, ReceiverLink, SealedBlocks};
use crate::{
    base::{
        Error, Result, Text,
        text::{LineBlock, LineCounts, LineLimits, LineSplitter},
    },
    rdd::Session,
};
use std::{
    io::{self, ErrorKind, Read},
    net::{TcpStream, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a read waits for data before it looks whether the receiver is to end.
const READ_TIMEOUT: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

fn connect(host: &str, port: u16) -> Result<TcpStream> {
    let what = |error: io::Error| Error::from(error).context(format!("could not connect to \"{host}:{port}\""));
    let mut last = None;
    for address in (host, port).to_socket_addrs().map_err(what)? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(READ_TIMEOUT)).map_err(what)?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(what(last.unwrap_or_else(|| io::Error::new(ErrorKind::NotFound, "the host has no address"))))
}

/// Whether a read only found nothing in time.
fn found_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Receives lines of UTF-8 text from a server.
#[derive(Debug)]
pub(crate) struct SocketTextReceiver {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) limits: LineLimits,
    /// Whose tally has the totals of all text sources.
    pub(crate) session: Arc<Session>,
}

/// What one connection's splitter dropped or repaired, reported bit by bit.
struct Losses {
    server: String,
    max_line_bytes: usize,
    session: Arc<Session>,
    reported: Mutex<LineCounts>,
}

impl Losses {
    /// Adds what is new to the totals, and warns of it.
    fn report(&self, counts: LineCounts) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let new = counts.since(&reported);
        *reported = counts;
        if new.is_clean() {
            return;
        }
        self.session.extensions.line_tally.add(new);
        tracing::warn!(
            server = self.server,
            oversize_lines = new.oversize_lines,
            oversize_bytes = new.oversize_bytes,
            max_line_bytes = self.max_line_bytes,
            invalid_sequences = new.invalid_sequences,
            "lines above the limit were dropped, and bytes that are not UTF-8 replaced; see tidemill.lines.maxBytes"
        );
    }
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
        let mut stream = connect(&self.host, self.port)?;
        let splitter: Splitter = Arc::new(Mutex::new(LineSplitter::new(self.limits)));
        let losses = Arc::new(self.losses());
        let (sealed, of_batch) = (splitter.clone(), losses.clone());
        link.on_cut(Some(Box::new(move |blocks| {
            let mut splitter = lock(&sealed);
            if let Some(block) = splitter.seal() {
                put(blocks, block);
            }
            of_batch.report(splitter.counts());
        })));
        let ended = self.receive(&mut stream, &splitter, link);
        link.on_cut(None);
        if let Some(last) = lock(&splitter).finish() {
            put(&link.sealed(), last);
        }
        losses.report(lock(&splitter).counts());
        ended?;
        Ok(Ending::Restart(format!("the server \"{}:{}\" closed the connection", self.host, self.port)))
    }
}

impl SocketTextReceiver {
    fn losses(&self) -> Losses {
        Losses {
            server: format!("{}:{}", self.host, self.port),
            max_line_bytes: self.limits.max_line_bytes,
            session: self.session.clone(),
            reported: Mutex::default(),
        }
    }

    /// Receives until the server closes the connection or the receiver is to end.
    fn receive(&self, stream: &mut TcpStream, splitter: &Splitter, link: &ReceiverLink<Text>) -> Result<()> {
        let mut buffer = vec![0; self.limits.block_bytes.max(1)];
        while !link.is_stopped() {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read_bytes) => {
                    link.wait_for_room(read_bytes)?;
                    let mut records = 0;
                    lock(splitter).push(&buffer[..read_bytes], |block| {
                        records += block.records();
                        put(&link.sealed(), block);
                    });
                    link.pace(records)?;
                }
                Err(error) if found_nothing(&error) => {}
                Err(error) => {
                    let server = format!("\"{}:{}\"", self.host, self.port);
                    return Err(Error::from(error).context(format!("could not read from {server}")));
                }
            }
        }
        Ok(())
    }
}

/// Receives frames: four bytes of length, the most significant first, and as many bytes.
#[derive(Debug)]
pub(crate) struct RawSocketReceiver {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) max_frame_bytes: usize,
}

impl Receiver for RawSocketReceiver {
    type Item = Vec<u8>;

    fn run(&mut self, link: &ReceiverLink<Vec<u8>>) -> Result<Ending> {
        let mut stream = connect(&self.host, self.port)?;
        let mut length = [0; 4];
        while fill(&mut stream, &mut length, link, true)? {
            let length = u32::from_be_bytes(length) as usize;
            if length > self.max_frame_bytes {
                let most = self.max_frame_bytes;
                return Err(Error::data(format!(
                    "\"{}:{}\" announced a frame of {length} bytes, and the most is {most}; raise tidemill.lines.maxBytes if it is right",
                    self.host, self.port
                )));
            }
            let mut frame = vec![0; length];
            if !fill(&mut stream, &mut frame, link, false)? {
                break;
            }
            link.store_many([frame])?;
        }
        Ok(Ending::Restart(format!("the server \"{}:{}\" closed the connection", self.host, self.port)))
    }
}

/// Fills `buffer`; false if the receiver is to end or, where a frame may end, the server closed the connection.
fn fill(stream: &mut TcpStream, buffer: &mut [u8], link: &ReceiverLink<Vec<u8>>, may_end: bool) -> Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) if may_end && filled == 0 => return Ok(false),
            Ok(0) => return Err(Error::data("the server closed the connection in the middle of a frame")),
            Ok(read_bytes) => filled += read_bytes,
            Err(error) if found_nothing(&error) => {
                if link.is_stopped() {
                    return Ok(false);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
