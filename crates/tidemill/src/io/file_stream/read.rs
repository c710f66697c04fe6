//! How the files of a batch are read on the workers: lines, records of a fixed length, or with a function of the user's.

use crate::{
    base::files::{
        ByteSource, FileSplit, InputFile, LineSource, SeenFile,
        lines::PIECE_BYTES,
        records::RecordSource,
        split::{plan_lines, plan_records},
    },
    base::{
        Data, Error, Result, Text,
        config::{MissingFile, Unreadable},
        text::{LineBlock, LineCounts, LineLimits, LineSplitter, LineTally},
    },
    rdd::{
        Lineage, Parent, RddNode, Session, Site, TaskContext,
        chunk::{Chunked, Chunks},
        task::{Cursor, guarded},
    },
};
use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The chunks of records of one split, or why there are no more of them.
pub(crate) type Read<'a, T> = Box<dyn Iterator<Item = Result<Vec<T>>> + 'a>;

/// How files become records.
pub(crate) trait ReadFiles<T>: Send + Sync + 'static {
    /// The splits of a file that has so many bytes; one partition each.
    fn plan(&self, file: InputFile) -> Result<Vec<FileSplit>>;

    /// Opens a split.
    fn open<'a>(&'a self, split: &FileSplit, losses: &'a FileLosses, task: &'a TaskContext) -> Result<Read<'a, T>>;
}

/// What reading had to leave out or repair since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct FileLosses {
    missing_files: AtomicU64,
    lines: LineTally,
}

impl FileLosses {
    pub(super) fn take(&self) -> (u64, LineCounts) {
        (self.missing_files.swap(0, Ordering::Relaxed), self.lines.take())
    }
}

/// The files of a batch, partition by partition.
pub(super) struct FilesRdd<R> {
    splits: Vec<FileSplit>,
    read: Arc<R>,
    policy: FilePolicy,
    losses: Arc<FileLosses>,
}

/// What becomes of files that are gone or may not be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct FilePolicy {
    pub(super) missing: MissingFile,
    pub(super) unreadable: Unreadable,
}

impl FilePolicy {
    /// Whether a file is left out that could not be opened, and why.
    fn passes_over(self, path: &Path, error: &Error) -> Option<&'static str> {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        match source?.kind() {
            io::ErrorKind::NotFound if self.missing == MissingFile::Skip && !path.exists() => {
                Some("a file was gone before it was read")
            }
            io::ErrorKind::PermissionDenied if self.unreadable == Unreadable::Skip => Some("a file may not be read"),
            _ => None,
        }
    }
}

impl<R> FilesRdd<R> {
    pub(super) fn new<T>(
        files: &[SeenFile],
        read: &Arc<R>,
        policy: FilePolicy,
        losses: &Arc<FileLosses>,
    ) -> Result<Self>
    where
        R: ReadFiles<T>,
    {
        let mut splits = Vec::with_capacity(files.len());
        for file in files {
            splits.extend(read.plan(InputFile { path: file.path.clone().into(), size_bytes: file.size_bytes })?);
        }
        Ok(Self { splits, read: read.clone(), policy, losses: losses.clone() })
    }

    /// A split that cannot be opened: no records, or the end of the task.
    fn unopened<'a, T: 'a>(&self, split: &FileSplit, error: Error, task: &TaskContext) -> Chunks<'a, T> {
        let Some(why) = self.policy.passes_over(&split.path, &error) else { task.fail(error) };
        tracing::warn!(path = %split.path.display(), %error, "{why}");
        self.losses.missing_files.fetch_add(1, Ordering::Relaxed);
        Box::new(std::iter::empty())
    }
}

impl<R: Send + Sync> Lineage for FilesRdd<R> {
    fn partitions(&self) -> usize {
        self.splits.len()
    }
    fn source(&self, partition: usize) -> Option<(String, bool)> {
        let FileSplit { path, start, .. } = &self.splits[partition];
        Some((path.display().to_string(), *start == 0))
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}

impl<T: Data, R: ReadFiles<T>> RddNode<T> for FilesRdd<R> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let split = &self.splits[partition];
        match self.read.open(split, &self.losses, task) {
            Ok(chunks) => Box::new(chunks.map(|chunk| task.expect(chunk))),
            Err(error) => self.unopened(split, error, task),
        }
    }
}

/// Reads lines of text.
pub(crate) struct TextLines {
    pub(crate) limits: LineLimits,
    /// Whose tally has the totals of all text sources.
    pub(crate) session: Arc<Session>,
}

impl ReadFiles<Text> for TextLines {
    fn plan(&self, file: InputFile) -> Result<Vec<FileSplit>> {
        plan_lines(&[file], 1)
    }

    fn open<'a>(&'a self, split: &FileSplit, losses: &'a FileLosses, _: &'a TaskContext) -> Result<Read<'a, Text>> {
        Ok(Box::new(Lines {
            source: LineSource::with_piece_bytes(split, piece_bytes(split))?,
            splitter: LineSplitter::new(self.limits),
            piece: Vec::new(),
            blocks: VecDeque::new(),
            ended: false,
            tallies: [&losses.lines, &self.session.extensions.line_tally],
        }))
    }
}

/// How much is read at once: no more than there is, as many files are small and each buffer is cleared first.
fn piece_bytes(split: &FileSplit) -> usize {
    let split_bytes = usize::try_from(split.end - split.start).unwrap_or(usize::MAX);
    // One byte more than the file has shows its end.
    if split.whole { PIECE_BYTES } else { split_bytes.saturating_add(1).min(PIECE_BYTES) }
}

/// The lines of a split: each block of them is a chunk.
struct Lines<'a> {
    source: LineSource,
    splitter: LineSplitter,
    piece: Vec<u8>,
    blocks: VecDeque<LineBlock>,
    ended: bool,
    tallies: [&'a LineTally; 2],
}

impl Lines<'_> {
    fn fill(&mut self) -> Result<()> {
        while self.blocks.is_empty() && !self.ended {
            self.piece.clear();
            if self.source.next_piece(&mut self.piece)? {
                let blocks = &mut self.blocks;
                self.splitter.push(&self.piece, |block| blocks.push_back(block));
            } else {
                self.ended = true;
                self.blocks.extend(self.splitter.finish());
            }
        }
        Ok(())
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Vec<Text>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.fill() {
            Ok(()) => Some(Ok(self.blocks.pop_front()?.lines().collect())),
            Err(error) => Some(Err(error)),
        }
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        self.tallies.iter().for_each(|tally| tally.add(self.splitter.counts()));
    }
}

/// Reads records of a fixed length.
pub(crate) struct BinaryRecords {
    pub(crate) record_bytes: usize,
}

impl ReadFiles<Vec<u8>> for BinaryRecords {
    fn plan(&self, file: InputFile) -> Result<Vec<FileSplit>> {
        plan_records(&[file], self.record_bytes)
    }

    fn open<'a>(&'a self, split: &FileSplit, _: &'a FileLosses, _: &'a TaskContext) -> Result<Read<'a, Vec<u8>>> {
        let mut source = RecordSource::open(split, self.record_bytes)?;
        Ok(Box::new(std::iter::from_fn(move || {
            let mut chunk = Vec::new();
            match source.next_chunk(&mut chunk) {
                Ok(more) => more.then_some(Ok(chunk)),
                Err(error) => Some(Err(error)),
            }
        })))
    }
}

/// Reads each file as one partition with a function of the user's.
pub(crate) struct EachFile<F> {
    pub(crate) site: Site,
    pub(crate) read: F,
}

impl<T, I, E, F> ReadFiles<T> for EachFile<F>
where
    T: Data,
    I: IntoIterator<Item = T> + 'static,
    E: Into<Error>,
    F: Fn(&Path) -> Result<I, E> + Send + Sync + 'static,
{
    fn plan(&self, file: InputFile) -> Result<Vec<FileSplit>> {
        Ok(vec![FileSplit::whole(&file)])
    }

    fn open<'a>(&'a self, split: &FileSplit, _: &'a FileLosses, task: &'a TaskContext) -> Result<Read<'a, T>> {
        let cursor = Cursor::default();
        let records = guarded(&self.site, task, &cursor, || (self.read)(&split.path)).map_err(Into::into)?;
        let mut chunks = Chunked(guarded(&self.site, task, &cursor, || records.into_iter()));
        Ok(Box::new(std::iter::from_fn(move || guarded(&self.site, task, &cursor, || chunks.next().map(Ok)))))
    }
}
