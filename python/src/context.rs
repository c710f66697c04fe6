//! The context that datasets are made in.

use crate::{
    block::{Block, of_bytes, of_lines},
    error::{detached, in_task},
    kafka,
    rdd::Rdd,
};
use pyo3::{prelude::*, types::PyList};
use std::collections::HashMap;
use tidemill::{Config, keys};

#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct Context(pub(crate) tidemill::Context);

/// The keys that the engine is to know: Python handles signals and says itself what must be checkpointed.
fn config(conf: HashMap<String, String>) -> Config {
    Config::from_pairs(conf)
        .set_if_missing(keys::SHUTDOWN_SIGNALS, false)
        .set_if_missing(keys::CHECKPOINT_REQUIRED, false)
        .set_if_missing(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, true)
        .set_if_missing(keys::WARN_UNUSED_STREAMS, false)
        .set_if_missing(keys::MISSED_BATCHES, "skipped")
}

#[pymethods]
impl Context {
    #[new]
    fn new(py: Python<'_>, conf: HashMap<String, String>) -> PyResult<Self> {
        detached(py, || tidemill::Context::new(config(conf))).map(Self)
    }

    #[getter]
    fn default_parallelism(&self) -> usize {
        self.0.default_parallelism()
    }

    fn parallelize(&self, partitions: Vec<Bound<'_, PyList>>) -> Rdd {
        let count = partitions.len();
        let blocks: Vec<Block> = partitions.into_iter().map(Block::of).collect();
        if count == 0 {
            return Rdd(self.0.empty());
        }
        Rdd(self.0.parallelize(blocks, count))
    }

    fn kafka_rdd(&self, py: Python<'_>, settings: kafka::Settings, ranges: Vec<kafka::Range>) -> PyResult<Rdd> {
        kafka::dataset(py, &self.0, settings, ranges)
    }

    fn text_file(&self, py: Python<'_>, path: &str, min_partitions: usize) -> PyResult<Rdd> {
        let lines = detached(py, || self.0.text_file(path, min_partitions))?;
        Ok(Rdd(lines.map_partitions(|lines| of_lines(lines))))
    }

    fn whole_text_files(&self, py: Python<'_>, path: &str, min_partitions: usize) -> PyResult<Rdd> {
        let files = detached(py, || self.0.whole_text_files(path, min_partitions))?;
        Ok(Rdd(files.map_partitions(|files| {
            let files: Vec<_> = files.collect();
            listed(|py| PyList::new(py, files))
        })))
    }

    fn binary_files(&self, py: Python<'_>, path: &str, min_partitions: usize) -> PyResult<Rdd> {
        let files = detached(py, || self.0.binary_files(path, min_partitions))?;
        Ok(Rdd(files.map_partitions(|files| {
            let files: Vec<_> = files.collect();
            listed(|py| {
                let pairs = files.iter().map(|(path, bytes)| (path, pyo3::types::PyBytes::new(py, bytes)));
                PyList::new(py, pairs.collect::<Vec<_>>())
            })
        })))
    }

    fn binary_records(&self, py: Python<'_>, path: &str, record_length: usize) -> PyResult<Rdd> {
        let records = detached(py, || self.0.binary_records(path, record_length))?;
        Ok(Rdd(records.map_partitions(|records| of_bytes(records))))
    }

    fn union(&self, rdds: Vec<PyRef<'_, Rdd>>) -> Rdd {
        let rdds: Vec<_> = rdds.iter().map(|rdd| rdd.0.clone()).collect();
        Rdd(self.0.union(&rdds))
    }

    fn set_checkpoint_dir(&self, py: Python<'_>, path: &str) -> PyResult<()> {
        detached(py, || self.0.set_checkpoint_dir(path))
    }

    #[getter]
    fn checkpoint_dir(&self) -> Option<String> {
        self.0.checkpoint_dir().map(|path| path.display().to_string())
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.0.stop())
    }
}

/// A block of the list that `make` makes.
fn listed(make: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyList>>) -> Option<Block> {
    Some(in_task(|py| make(py).map(Block::of)))
}
