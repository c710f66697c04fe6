//! Object files: part files that hold payloads of bytes in an envelope that notices damage.
//!
//! ```text
//! file    = "tidemobj" version:u8 frame* end
//! frame   = length:u32 crc:u32 payload        length < 2^32 - 1
//! end     = 2^32 - 1:u32 crc:u32 frames:u64   nothing may follow
//! ```
//! Numbers are little-endian; a crc is the CRC-32 (IEEE) of the length and the payload. The end frame makes a file that was
//! cut between two frames as visible as one that was cut within. What a payload means is up to the caller.

use super::{open, unreadable, write::PartFile};
use crate::base::{Error, Result};
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"tidemobj";
const VERSION: u8 = 1;
const END: u32 = u32::MAX;

/// Writes payloads into a part file.
///
/// # Examples
/// ```
/// use tidemill::base::files::{OutputMode, PartWriter, objects::{ObjectReader, ObjectWriter}};
/// let folder = tempfile::tempdir()?;
/// let directory = folder.path().join("objects");
/// let parts = PartWriter::create(&directory, OutputMode::MustNotExist, None)?;
/// let mut writer = ObjectWriter::new(parts.part(0)?)?;
/// writer.write(b"first chunk")?;
/// writer.commit()?;
/// parts.finish(1)?;
///
/// let mut reader = ObjectReader::open(directory.join("part-00000"))?;
/// assert_eq!(reader.next_payload()?.as_deref(), Some(&b"first chunk"[..]));
/// assert_eq!(reader.next_payload()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ObjectWriter {
    part: PartFile,
    frames: u64,
}

impl ObjectWriter {
    /// Begins an object file in a part that nothing was written to.
    ///
    /// # Errors
    /// Unavailable if the system refuses.
    pub fn new(mut part: PartFile) -> Result<Self> {
        part.write(MAGIC)?;
        part.write(&[VERSION])?;
        Ok(Self { part, frames: 0 })
    }

    /// Writes one payload.
    ///
    /// # Errors
    /// Invalid for a payload of 4 GiB and more, Unavailable if the system refuses.
    pub fn write(&mut self, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(payload.len()).ok().filter(|length| *length != END).ok_or_else(|| {
            Error::invalid(format!("a payload of \"{}\" bytes is too large; write it in parts", payload.len()))
        })?;
        self.frames += 1;
        self.frame(length, payload)
    }

    /// Ends the file and makes it visible.
    ///
    /// # Errors
    /// Unavailable if the system refuses.
    pub fn commit(self) -> Result<()> {
        self.end()?.commit()
    }

    /// Ends the file under its hidden name, which is returned.
    ///
    /// # Errors
    /// Unavailable if the system refuses.
    pub(crate) fn stage(self) -> Result<PathBuf> {
        self.end()?.stage()
    }

    fn end(mut self) -> Result<PartFile> {
        let frames = self.frames.to_le_bytes();
        self.frame(END, &frames)?;
        Ok(self.part)
    }

    fn frame(&mut self, length: u32, payload: &[u8]) -> Result<()> {
        let length = length.to_le_bytes();
        self.part.write(&length)?;
        self.part.write(&checksum(length, payload).to_le_bytes())?;
        self.part.write(payload)
    }
}

/// Reads the payloads of an object file.
#[derive(Debug)]
pub struct ObjectReader {
    file: BufReader<File>,
    path: PathBuf,
    /// Offset of the frame that is read next.
    offset: u64,
    frames: u64,
    at_end: bool,
}

impl ObjectReader {
    /// Opens an object file.
    ///
    /// # Errors
    /// Unavailable if it cannot be opened, Data if it is no object file, Invalid if a newer version wrote it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let mut reader = Self { file: BufReader::new(open(&path)?), path, offset: 0, frames: 0, at_end: false };
        let head: [u8; MAGIC.len() + 1] = reader.exactly()?;
        if head[..MAGIC.len()] != *MAGIC {
            return Err(Error::data(format!("\"{}\" is no object file; name one", reader.path.display())));
        }
        match head[MAGIC.len()] {
            VERSION => reader.offset = head.len() as u64,
            version => {
                return Err(Error::invalid(format!(
                    "object file \"{}\" has the format version \"{version}\", which this release cannot read; use a newer one",
                    reader.path.display()
                )));
            }
        }
        Ok(reader)
    }

    /// The file that is read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next payload, or `None` at the end of a file that is complete.
    ///
    /// # Errors
    /// Data, with the file and the offset of the frame, if the file is torn or a bit of it changed.
    pub fn next_payload(&mut self) -> Result<Option<Vec<u8>>> {
        if self.at_end {
            return Ok(None);
        }
        let length: [u8; 4] = self.exactly()?;
        let expected = u32::from_le_bytes(self.exactly()?);
        let is_end = u32::from_le_bytes(length) == END;
        let payload_bytes = if is_end { 8 } else { u64::from(u32::from_le_bytes(length)) };
        let payload = self.payload(payload_bytes)?;
        if checksum(length, &payload) != expected {
            return Err(self.damaged("its checksum is wrong"));
        }
        if is_end {
            return self.end(&payload);
        }
        self.offset += 8 + payload_bytes;
        self.frames += 1;
        Ok(Some(payload))
    }

    fn end(&mut self, payload: &[u8]) -> Result<Option<Vec<u8>>> {
        if payload != self.frames.to_le_bytes() {
            return Err(self.damaged("frames before it are missing"));
        }
        let mut beyond = [0; 1];
        if self.file.read(&mut beyond).map_err(|error| unreadable(&self.path, error))? > 0 {
            return Err(self.damaged("something follows the last one"));
        }
        self.at_end = true;
        Ok(None)
    }

    fn exactly<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.payload(N as u64)?;
        bytes.try_into().map_err(|_| self.damaged("it is torn"))
    }

    /// Reads without believing `bytes`: memory grows with what is really there.
    fn payload(&mut self, bytes: u64) -> Result<Vec<u8>> {
        let mut payload = Vec::new();
        let read = (&mut self.file).take(bytes).read_to_end(&mut payload);
        read.map_err(|error| unreadable(&self.path, error))?;
        if (payload.len() as u64) < bytes {
            return Err(self.damaged("it is torn"));
        }
        Ok(payload)
    }

    fn damaged(&self, how: &str) -> Error {
        Error::data(format!(
            "object file \"{}\" is damaged in the frame at offset {}: {how}; restore or remove the file",
            self.path.display(),
            self.offset
        ))
    }
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
