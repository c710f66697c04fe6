//! What one partition has of a batch, as pieces that can be put one after another into any file.

use super::{
    options::RollingOptions,
    plan::{Piece, Place, Written},
};
use crate::base::{
    Error, Result,
    durable::durable_step,
    files::{codec::Compressor, refused},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, Write as _},
    path::{Path, PathBuf},
};

/// About how many bytes of lines are handed to a file at once.
const WRITE_BYTES: usize = 64 << 10;
/// Up to how many bytes of lines go into the receipt instead of a file.
const INLINE_BYTES: usize = 16 << 10;

/// Writes lines into pieces; dropped before [`finish`](Self::finish) it leaves nothing.
pub(super) struct PieceWriter<'a, N> {
    options: &'a RollingOptions,
    /// Makes the path of the file, if one is needed.
    path: N,
    buffer: Vec<u8>,
    /// How long the last line was, and those before it in the piece.
    seen: usize,
    piece_bytes: u64,
    piece_rows: u64,
    pieces: Vec<Piece>,
    file: Option<Staged>,
}

/// A file of pieces.
struct Staged {
    path: PathBuf,
    end: u64,
    at: At,
}

enum At {
    Between(File),
    Within(Box<Compressor>),
    /// A write failed.
    Lost,
}

impl<'a, N: Fn() -> PathBuf> PieceWriter<'a, N> {
    pub(super) fn new(options: &'a RollingOptions, path: N) -> Self {
        let (buffer, pieces) = (Vec::new(), Vec::new());
        Self { options, path, buffer, seen: 0, piece_bytes: 0, piece_rows: 0, pieces, file: None }
    }

    /// Where the next line goes.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// A line was added.
    pub(super) fn end_row(&mut self) -> Result<()> {
        self.piece_rows += 1;
        self.piece_bytes += (self.buffer.len() - self.seen) as u64;
        self.seen = self.buffer.len();
        if self.piece_rows >= self.options.max_rows || self.piece_bytes >= self.options.max_bytes {
            return self.end_piece();
        }
        if self.buffer.len() >= WRITE_BYTES { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Staged::new((self.path)())?),
        };
        file.write(&self.buffer, self.options)?;
        self.buffer.clear();
        self.seen = 0;
        Ok(())
    }

    fn end_piece(&mut self) -> Result<()> {
        self.spill()?;
        let Some(file) = &mut self.file else { return Ok(()) };
        let rows = std::mem::take(&mut self.piece_rows);
        self.piece_bytes = 0;
        self.pieces.push(Piece { bytes: file.end_piece()?, rows });
        Ok(())
    }

    /// The pieces, durable or in the receipt itself.
    pub(super) fn finish(mut self) -> Result<Written> {
        if self.file.is_none() && self.buffer.len() <= INLINE_BYTES {
            return self.inline();
        }
        if self.piece_rows > 0 {
            self.end_piece()?;
        }
        let Some(mut file) = self.file.take() else { return Ok(Written::default()) };
        let name = file.settle()?;
        Ok(Written { place: Place::Staged(name), pieces: std::mem::take(&mut self.pieces) })
    }

    fn inline(self) -> Result<Written> {
        if self.buffer.is_empty() {
            return Ok(Written::default());
        }
        let compressed = Compressor::new(Vec::new(), self.options.codec)
            .and_then(|mut writer| writer.write_all(&self.buffer).map(|()| writer))
            .and_then(Compressor::finish);
        let bytes = compressed
            .map_err(|error| Error::internal("lines could not be compressed in memory").with_source(error))?;
        let piece = Piece { bytes: bytes.len() as u64, rows: self.piece_rows };
        Ok(Written { place: Place::Inline(bytes), pieces: vec![piece] })
    }
}

impl Staged {
    fn new(path: PathBuf) -> Result<Self> {
        let open = OpenOptions::new().write(true).create_new(true).open(&path);
        let at = At::Between(open.map_err(|error| refused("make", &path, error))?);
        Ok(Self { path, end: 0, at })
    }

    fn write(&mut self, bytes: &[u8], options: &RollingOptions) -> Result<()> {
        let write = |at: At| -> io::Result<At> {
            let mut writer = match at {
                At::Between(file) => Box::new(Compressor::new(file, options.codec)?),
                At::Within(writer) => writer,
                At::Lost => return Ok(At::Lost),
            };
            writer.write_all(bytes)?;
            Ok(At::Within(writer))
        };
        let at = std::mem::replace(&mut self.at, At::Lost);
        self.at = write(at).map_err(|error| refused("write", &self.path, error))?;
        Ok(())
    }

    /// Ends what is compressed by itself; how long it is.
    fn end_piece(&mut self) -> Result<u64> {
        let At::Within(writer) = std::mem::replace(&mut self.at, At::Lost) else { return Ok(0) };
        let ended = writer.finish().and_then(|mut file| Ok((file.stream_position()?, file)));
        let (end, file) = ended.map_err(|error| refused("write", &self.path, error))?;
        self.at = At::Between(file);
        let bytes = end - self.end;
        self.end = end;
        Ok(bytes)
    }

    /// Makes the file durable, and keeps it; its name.
    fn settle(&mut self) -> Result<String> {
        if let At::Between(file) = &self.at {
            durable_step("rolling: pieces written");
            file.sync_all().map_err(|error| refused("write", &self.path, error))?;
            durable_step("rolling: pieces synced");
        }
        let path = std::mem::take(&mut self.path);
        Ok(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.path != Path::new("") {
            // Best effort: a leftover has a hidden name, and a restart removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
