//! Records as files of lines in a folder: one a second, renamed into place when it is complete.

use super::{Destination, Kind, Made};
use crate::Failure;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tidemill::{Clock, SystemClock, base::clock::Stopwatch};

const EVERY: Duration = Duration::from_secs(1);

/// The file that is being written, under a hidden name.
struct Writing {
    file: BufWriter<File>,
    since: Stopwatch,
}

/// A folder that files appear in.
pub(super) struct Folder {
    folder: PathBuf,
    kind: Kind,
    writing: Option<Writing>,
    files: u64,
}

impl Folder {
    pub(super) fn new(folder: &Path, kind: Kind) -> Result<Self, Failure> {
        let new = Self { folder: folder.to_owned(), kind, writing: None, files: 0 };
        fs::create_dir_all(folder).map_err(|error| new.refused(&error))?;
        Ok(new)
    }

    fn refused(&self, error: &io::Error) -> Failure {
        Failure::new(1, format!("cannot write into \"{}\": {error}", self.folder.display()))
    }

    fn hidden(&self) -> PathBuf {
        self.folder.join(format!(".gen-{}", std::process::id()))
    }

    fn write(&mut self, records: &[Made]) -> io::Result<()> {
        if self.writing.is_none() {
            let file = BufWriter::new(File::create(self.hidden())?);
            self.writing = Some(Writing { file, since: Stopwatch::start() });
        }
        let Some(writing) = &mut self.writing else { return Ok(()) };
        for made in records {
            writeln!(writing.file, "{}", made.line)?;
        }
        if writing.since.elapsed() >= EVERY { self.publish() } else { Ok(()) }
    }

    fn publish(&mut self) -> io::Result<()> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        writing.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        self.files += 1;
        let kind = format!("{:?}", self.kind).to_lowercase();
        let name = format!("{kind}-{}-{}.txt", SystemClock::new().now().as_ms(), self.files);
        fs::rename(self.hidden(), self.folder.join(name))
    }
}

impl Destination for Folder {
    fn take(&mut self, records: Vec<Made>) -> Result<(), Failure> {
        self.write(&records).map_err(|error| self.refused(&error))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.publish().map_err(|error| self.refused(&error))
    }
}
