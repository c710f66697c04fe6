//! Sealed blocks on their way into the log of received data, and from there into a batch.

use super::{
    link::{SharedLink, lock},
    place::{FileId, Place},
    stored::{self, BlockLog, Encoded, Turn},
};
use crate::{
    base::{Data, Interrupt, Result},
    io::block::StoredBlock,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// How much goes into one file at the most, unless a single block is larger, and from how much on it is not waited for more.
const FILE_BYTES: usize = 8 << 20;
const WORTH_A_FILE_BYTES: usize = 1 << 20;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl<T: Data> SharedLink<T> {
    /// Everything that was stored since the last call, in order; at most `most` blocks. With a log, what is in it.
    pub(super) fn cut(&self, most: usize) -> Vec<StoredBlock<T>> {
        self.seal_open();
        let logged = self.log.get().is_some();
        // What could not be stored waits, and its source with it; the log of the program says so.
        if self.save().is_err() && self.stop.is_raised() {
            // The last batches are cut one after another until all is in them.
            Interrupt::new().wait_timeout(FIRST_PAUSE);
        }
        let mut sealed = lock(&self.sealed);
        let ready = if logged { unsaved_from(&sealed) } else { sealed.len() };
        sealed.drain(..ready.min(most)).collect()
    }

    pub(super) fn has_blocks(&self) -> bool {
        self.seal_open();
        !lock(&self.sealed).is_empty()
    }

    /// Stores what is sealed; `Ok` without a log.
    pub(super) fn save(&self) -> Result<()> {
        let Some(log) = self.log.get() else { return Ok(()) };
        let turn = log.turn();
        while turn.is_pending() || self.prepare(&turn)? {
            if let Some((file, blocks)) = turn.store()? {
                self.place(file, blocks);
            }
        }
        Ok(())
    }

    /// Stores what is sealed, again and again until that is done, it cannot work, or the receiver is to end.
    pub(super) fn save_surely(&self) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.save() {
                Err(error) if error.may_pass() && !self.stop.wait_timeout(pause) => {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                saved => return saved,
            }
        }
    }

    /// Stores what is sealed once that is worth a file. What fails is tried again when the next batch is cut.
    pub(super) fn save_if_much(&self) {
        if self.log.get().is_some() && self.unsaved_bytes.load(Ordering::Relaxed) >= WORTH_A_FILE_BYTES {
            let _ = self.save();
        }
    }

    /// Seals and stores at every interval what trickles in, until the receiver is to end.
    pub(super) fn save_now_and_then(&self, interval: Duration) {
        while !self.stop.wait_timeout(interval) {
            self.seal_open();
            let _ = self.save();
        }
    }

    /// Makes a file of the first blocks that are not stored; whether there were any.
    fn prepare(&self, turn: &Turn<'_>) -> Result<bool> {
        loop {
            let taken = self.take_unsaved();
            if taken.is_empty() {
                return Ok(false);
            }
            let mut encoded = Vec::with_capacity(taken.len());
            let mut broken = Vec::new();
            for (index, block) in taken.into_iter().enumerate() {
                match block.encoded() {
                    Ok(block) => encoded.push(block),
                    Err(error) => {
                        tracing::error!(%error, "received records cannot be stored, and are lost");
                        broken.push(index);
                    }
                }
            }
            self.drop_unsaved(&broken);
            if !encoded.is_empty() {
                return turn.prepare(&encoded).map(|()| true);
            }
        }
    }

    /// The first blocks that are not stored, as many as go into a file.
    fn take_unsaved(&self) -> Vec<Unsaved<T>> {
        let mut sealed = lock(&self.sealed);
        let first = unsaved_from(&sealed);
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for block in sealed.range_mut(first..) {
            bytes += block.permit.bytes();
            if !taken.is_empty() && bytes > FILE_BYTES {
                break;
            }
            taken.push(Unsaved {
                content: block.content.clone(),
                encoded: block.encoded.take(),
                records: block.records,
                memory_bytes: block.permit.bytes(),
            });
        }
        taken
    }

    /// Gives up blocks that cannot be stored, by their place among those that are not.
    fn drop_unsaved(&self, broken: &[usize]) {
        let mut sealed = lock(&self.sealed);
        let first = unsaved_from(&sealed);
        let dropped: Vec<_> = broken.iter().rev().filter_map(|index| sealed.remove(first + index)).collect();
        drop(sealed);
        self.count_saved(dropped.iter().map(|block| block.permit.bytes()).sum());
    }

    fn place(&self, file: FileId, blocks: usize) {
        let mut sealed = lock(&self.sealed);
        let first = unsaved_from(&sealed);
        let mut bytes = 0;
        for (index, block) in sealed.range_mut(first..first + blocks).enumerate() {
            block.place = Some(Place { file, index: index as u32, is_last: index + 1 == blocks });
            bytes += block.permit.bytes();
        }
        drop(sealed);
        self.count_saved(bytes);
    }

    fn count_saved(&self, bytes: usize) {
        self.unsaved_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes in what an earlier run stored and no batch picked.
    pub(super) fn take_in(&self, log: &BlockLog, file: FileId, from: u32) -> Result<u32> {
        let blocks = log.read::<T>(file)?;
        let (mut taken, count) = (0, blocks.len());
        for (index, block) in blocks.into_iter().enumerate().skip(from as usize) {
            let permit = self.pool.take(block.memory_bytes);
            let place = Some(Place { file, index: index as u32, is_last: index + 1 == count });
            let (content, records, acknowledge, encoded) = (block.content, block.records, None, None);
            lock(&self.sealed).push_back(StoredBlock { content, records, acknowledge, encoded, place, permit });
            taken += 1;
        }
        Ok(taken)
    }
}

/// From where on blocks are not stored.
fn unsaved_from<T>(sealed: &std::collections::VecDeque<StoredBlock<T>>) -> usize {
    sealed.partition_point(|block| block.place.is_some())
}

/// A block that is to be stored.
struct Unsaved<T> {
    content: Arc<dyn crate::io::block::BlockContent<T>>,
    encoded: Option<Vec<u8>>,
    records: usize,
    memory_bytes: usize,
}

impl<T: Data> Unsaved<T> {
    fn encoded(self) -> Result<Encoded> {
        let Self { content, encoded, records, memory_bytes } = self;
        let content = encoded.map_or_else(|| stored::encode(&*content), Ok)?;
        Ok(Encoded { records, memory_bytes, content })
    }
}
