//! Rdds whose partitions are read from files.

use super::objects;
use crate::{
    base::files::{
        ByteSource, FileSplit, LineSource, paths,
        records::RecordSource,
        split::{plan_lines, plan_records, plan_whole},
        whole,
    },
    base::{
        Data, Error, Result, Text,
        text::{LineBlock, LineLimits, LineSplitter},
    },
    rdd::{
        chunk::Chunks,
        node::{Lineage, Parent, Rdd, RddNode, Site},
        session::Session,
        task::TaskContext,
    },
};
use std::{collections::VecDeque, sync::Arc};

/// Chunks of records, or why there are no more of them.
type Read<T> = Box<dyn Iterator<Item = Result<Vec<T>>>>;

/// How one split is read.
type ReadSplit<T> = Box<dyn Fn(&FileSplit) -> Result<Read<T>> + Send + Sync>;

/// Splits of files, partition by partition.
struct Files<T> {
    partitions: Vec<Vec<FileSplit>>,
    read: ReadSplit<T>,
}

impl<T: Data> Lineage for Files<T> {
    fn partitions(&self) -> usize {
        self.partitions.len()
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}

impl<T: Data> RddNode<T> for Files<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let splits = self.partitions[partition].iter();
        Box::new(splits.flat_map(|split| task.expect((self.read)(split))).map(|chunk| task.expect(chunk)))
    }
}

fn rdd<T: Data>(
    session: &Arc<Session>,
    site: Site,
    partitions: Vec<Vec<FileSplit>>,
    read: impl Fn(&FileSplit) -> Result<Read<T>> + Send + Sync + 'static,
) -> Rdd<T> {
    Rdd::from_node(session, site, Files { partitions, read: Box::new(read) })
}

fn each_alone(splits: Vec<FileSplit>) -> Vec<Vec<FileSplit>> {
    splits.into_iter().map(|split| vec![split]).collect()
}

pub(crate) fn text_file(session: &Arc<Session>, site: Site, path: &str, min_partitions: usize) -> Result<Rdd<Text>> {
    let splits = plan_lines(&paths::expand(path)?, min_partitions)?;
    Ok(rdd(session, site, each_alone(splits), |split| Ok(Box::new(Lines::open(split)?))))
}

pub(crate) fn whole_text_files(
    session: &Arc<Session>,
    site: Site,
    path: &str,
    min_partitions: usize,
) -> Result<Rdd<(String, String)>> {
    let partitions = plan_whole(&paths::expand(path)?, min_partitions);
    Ok(rdd(session, site, partitions, |split| Ok(one(whole::read_text(&split.path)?))))
}

pub(crate) fn binary_files(
    session: &Arc<Session>,
    site: Site,
    path: &str,
    min_partitions: usize,
) -> Result<Rdd<(String, Vec<u8>)>> {
    let partitions = plan_whole(&paths::expand(path)?, min_partitions);
    Ok(rdd(session, site, partitions, |split| Ok(one(whole::read_bytes(&split.path)?))))
}

fn one<T: 'static>(record: T) -> Read<T> {
    Box::new(std::iter::once(Ok(vec![record])))
}

pub(crate) fn binary_records(
    session: &Arc<Session>,
    site: Site,
    path: &str,
    record_bytes: usize,
) -> Result<Rdd<Vec<u8>>> {
    let splits = plan_records(&paths::expand(path)?, record_bytes)?;
    Ok(rdd(session, site, each_alone(splits), move |split| {
        let mut source = RecordSource::open(split, record_bytes)?;
        Ok(Box::new(std::iter::from_fn(move || {
            let mut chunk = Vec::new();
            match source.next_chunk(&mut chunk) {
                Ok(more) => more.then_some(Ok(chunk)),
                Err(error) => Some(Err(error)),
            }
        })))
    }))
}

pub(crate) fn object_file<T: Data>(session: &Arc<Session>, site: Site, path: &str) -> Result<Rdd<T>> {
    let files = paths::expand(path)?;
    let splits = files.iter().map(FileSplit::whole).collect();
    Ok(rdd(session, site, each_alone(splits), |split| Ok(Box::new(objects::read(split.path.clone())?))))
}

/// A line of a batch program may be as long as the splitter allows; one that is longer still is an error, not dropped.
const LIMITS: LineLimits = LineLimits { block_bytes: 64 << 10, max_line_bytes: usize::MAX };

/// The lines of a split: each block of them is a chunk.
struct Lines {
    source: LineSource,
    splitter: LineSplitter,
    piece: Vec<u8>,
    blocks: VecDeque<LineBlock>,
    path: String,
    ended: bool,
}

impl Lines {
    fn open(split: &FileSplit) -> Result<Self> {
        Ok(Self {
            source: LineSource::open(split)?,
            splitter: LineSplitter::new(LIMITS),
            piece: Vec::new(),
            blocks: VecDeque::new(),
            path: split.path.display().to_string(),
            ended: false,
        })
    }

    fn fill(&mut self) -> Result<()> {
        let Self { source, splitter, piece, blocks, path, ended } = self;
        while blocks.is_empty() && !*ended {
            piece.clear();
            if source.next_piece(piece)? {
                splitter.push(piece, |block| blocks.push_back(block));
            } else {
                *ended = true;
                blocks.extend(splitter.finish());
            }
            if splitter.counts().oversize_lines > 0 {
                return Err(Error::data(format!("a line of \"{path}\" is too long; is it a text file?")));
            }
        }
        Ok(())
    }
}

impl Iterator for Lines {
    type Item = Result<Vec<Text>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.fill() {
            Ok(()) => Some(Ok(self.blocks.pop_front()?.lines().collect())),
            Err(error) => Some(Err(error)),
        }
    }
}
