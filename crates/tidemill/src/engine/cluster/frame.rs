//! The messages of a control connection: one byte of kind, four bytes of length, the payload.

use super::handshake::is_retry;
use std::{
    io::{self, Read},
    net::TcpStream,
    time::Duration,
};

/// The longest payload. Orders are small; this only stops a broken peer from filling the memory.
pub(super) const MAX_PAYLOAD_BYTES: usize = 64 << 20;
/// How long a read waits before it reports that nothing has come.
pub(super) const READ_POLL: Duration = Duration::from_millis(50);

const HEADER_BYTES: usize = 5;
const SCRATCH_BYTES: usize = 64 << 10;

/// What a frame means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The sender is alive.
    Heartbeat = 1,
    /// The sender has all its connections.
    Ready = 2,
    /// The payload is for the receiver's inbox.
    Message = 3,
    /// The sender closes in good order.
    Goodbye = 4,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Kind::Heartbeat, Kind::Ready, Kind::Message, Kind::Goodbye].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// One message of a control connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) payload: Vec<u8>,
}

/// The bytes of one frame. The caller has checked the payload against [`MAX_PAYLOAD_BYTES`].
pub(super) fn encode(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.push(kind as u8);
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads frames, keeping what has arrived of an unfinished one.
///
/// The buffer grows with the bytes that arrive, never with the length that a header promises.
#[derive(Debug)]
pub(super) struct FrameReader {
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

impl FrameReader {
    /// A reader for a connection, whose read timeout it sets.
    pub(super) fn new(stream: &TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(READ_POLL))?;
        Ok(Self { buffer: Vec::new(), scratch: vec![0; SCRATCH_BYTES] })
    }

    /// The next frame; `None` if nothing came within [`READ_POLL`].
    pub(super) fn poll(&mut self, mut stream: &TcpStream) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            match stream.read(&mut self.scratch) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")),
                Ok(n) => self.buffer.extend_from_slice(&self.scratch[..n]),
                Err(e) if is_retry(e.kind()) => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<Frame>> {
        let Some((&[kind, l0, l1, l2, l3], rest)) = self.buffer.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let bad = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let Some(kind) = Kind::of(kind) else { return bad("it sent a frame of unknown kind") };
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if length > MAX_PAYLOAD_BYTES {
            return bad("it sent a frame that is too long");
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let frame = Frame { kind, payload: payload.to_vec() };
        self.buffer.drain(..HEADER_BYTES + length);
        Ok(Some(frame))
    }
}
