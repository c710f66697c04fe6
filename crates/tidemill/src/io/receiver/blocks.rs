//! The datasets of received blocks.

use super::{place::Run, stored::StoredFile};
use crate::{
    base::Data,
    io::block::{BlockContent, SharedBlock},
    rdd::{Lineage, Parent, RddNode, TaskContext, chunk::Chunks},
};
use std::{slice, sync::Arc};

/// Blocks of a partition.
pub(super) enum Piece<T> {
    /// As they were received.
    Received(Arc<dyn BlockContent<T>>),
    /// As an earlier run received and stored them.
    Stored(Arc<StoredFile<T>>, Run),
}

impl<T> Clone for Piece<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Received(block) => Self::Received(block.clone()),
            Self::Stored(file, run) => Self::Stored(file.clone(), *run),
        }
    }
}

impl<T: Data> Piece<T> {
    fn blocks(&self, task: &TaskContext) -> &[Arc<dyn BlockContent<T>>] {
        match self {
            Self::Received(block) => slice::from_ref(block),
            Self::Stored(file, run) => task.expect(file.blocks(run)),
        }
    }
}

/// The blocks of one partition.
pub(super) type Part<T> = Vec<Piece<T>>;

/// The records of received blocks, some blocks to a partition.
pub(super) struct BlocksRdd<T> {
    pub(super) parts: Vec<Part<T>>,
    pub(super) partitions: usize,
}

impl<T: Data> Lineage for BlocksRdd<T> {
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}

impl<T: Data> RddNode<T> for BlocksRdd<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let pieces = self.parts.get(partition).into_iter().flatten();
        Box::new(pieces.flat_map(|piece| piece.blocks(task)).flat_map(|block| block.chunks()))
    }
}

/// Received blocks as they are. They are in the memory of the process that drives.
pub(super) struct UnreadBlocksRdd<T> {
    pub(super) parts: Vec<Part<T>>,
    pub(super) partitions: usize,
}

impl<T: Data> Lineage for UnreadBlocksRdd<T> {
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
    fn pinned(&self, _partition: usize) -> Option<usize> {
        Some(0)
    }
}

impl<T: Data> RddNode<SharedBlock<T>> for UnreadBlocksRdd<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, SharedBlock<T>> {
        let pieces = self.parts.get(partition).into_iter().flatten();
        // One by one, so that a message between processes is no longer than a block.
        Box::new(pieces.flat_map(|piece| piece.blocks(task)).map(|block| vec![SharedBlock(block.clone())]))
    }
}
