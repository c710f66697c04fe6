//! Partitions in temporary files of one context.
//!
//! ```text
//! file  = frame*
//! frame = length:u32 (little-endian), postcard of a chunk of records
//! ```
//! Only the process that wrote a file reads it, so there is neither version nor checksum, and nothing is synced.

use crate::base::{Data, Error, Result};
use std::{
    fs::{self, DirBuilder, File},
    io::{BufReader, BufWriter, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The folder of a context's temporary files, made when the first is written and removed with the context.
#[derive(Default)]
pub(crate) struct SpillFolder {
    path: Mutex<Option<PathBuf>>,
    files: AtomicU64,
}

fn refused(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::unavailable(format!("cannot {what} \"{}\": {error}", path.display())).with_source(error)
}

impl SpillFolder {
    fn lock(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn folder(&self) -> Option<PathBuf> {
        self.lock().clone()
    }

    fn path(&self) -> Result<PathBuf> {
        let mut path = self.lock();
        if let Some(path) = &*path {
            return Ok(path.clone());
        }
        let made = make_folder()?;
        *path = Some(made.clone());
        Ok(made)
    }

    /// Writes the chunks of a partition to a new file.
    pub(crate) fn write<T: Data>(&self, chunks: impl Iterator<Item = Vec<T>>) -> Result<SpillFile> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let file = SpillFile { path: self.path()?.join(number.to_string()) };
        let open = File::options().write(true).create_new(true).open(&file.path);
        let mut writer = BufWriter::new(open.map_err(|error| refused("make", &file.path, error))?);
        for chunk in chunks {
            let payload = encode(&chunk)?;
            let length = u32::try_from(payload.len())
                .map_err(|_| Error::data(format!("a chunk of \"{}\" bytes cannot be kept on disk", payload.len())))?;
            let frame = writer.write_all(&length.to_le_bytes()).and_then(|()| writer.write_all(&payload));
            frame.map_err(|error| refused("write", &file.path, error))?;
        }
        writer.flush().map_err(|error| refused("write", &file.path, error))?;
        Ok(file)
    }

    /// Removes the folder with all that is in it.
    pub(crate) fn remove(&self) {
        if let Some(path) = self.lock().take()
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::warn!(path = %path.display(), %error, "temporary files could not be removed");
        }
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Makes a folder that nobody else can read, under a name that nobody has.
fn make_folder() -> Result<PathBuf> {
    static FOLDERS: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tidemill-{}-{number}", process::id()));
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused("make the directory", &path, error)),
        }
    }
}

/// One partition on disk; the file goes with its last reader.
pub(crate) struct SpillFile {
    path: PathBuf,
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // It may be gone with its folder already.
        let _ = fs::remove_file(&self.path);
    }
}

impl SpillFile {
    /// The chunks, in the order in which they were written.
    pub(crate) fn read<T: Data>(self: Arc<Self>) -> Result<impl Iterator<Item = Result<Vec<T>>>> {
        let file = File::open(&self.path).map_err(|error| refused("open", &self.path, error))?;
        let mut reader = BufReader::new(file);
        Ok(std::iter::from_fn(move || {
            let frame = next_frame(&mut reader).map_err(|error| refused("read", &self.path, error)).transpose()?;
            Some(frame.and_then(|payload| decode(&payload, &self.path)))
        }))
    }
}

fn next_frame(reader: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match reader.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut payload = vec![0; u32::from_le_bytes(length) as usize];
    reader.read_exact(&mut payload)?;
    Ok(Some(payload))
}

/// A chunk of records as bytes.
pub(super) fn encode<T: Data>(chunk: &[T]) -> Result<Vec<u8>> {
    postcard::to_stdvec(chunk).map_err(|e| Error::data("a record could not be serialised").with_source(e))
}

/// The records of a chunk, read from `path`.
pub(super) fn decode<T: Data>(payload: &[u8], path: &Path) -> Result<Vec<T>> {
    postcard::from_bytes(payload).map_err(|error| {
        let records = std::any::type_name::<T>();
        Error::data(format!("\"{}\" does not hold records of the type \"{records}\"", path.display()))
            .with_source(error)
    })
}
