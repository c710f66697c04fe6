//! Datasets of blocks, and Python's functions over their partitions.

use crate::{
    block::Block,
    blocks::scoped,
    error::{self, declared, detached, in_task},
    kafka,
    value::Value,
};
use pyo3::{exceptions::PyValueError, prelude::*, types::PyList};
use std::{any::Any, sync::Arc};
use tidemill::{Partitioner, StorageLevel, Text};

/// A function of Python's that is shared by tasks.
pub(crate) type Function = Arc<Py<PyAny>>;

#[pyclass(frozen, module = "tidemill._native")]
#[derive(Clone)]
pub(crate) struct Rdd(pub(crate) tidemill::Rdd<Block>);

/// Places what a shuffle moves: the key is the partition.
#[derive(Debug)]
struct ByNumber(usize);

impl Partitioner<u32> for ByNumber {
    fn partitions(&self) -> usize {
        self.0
    }
    fn partition(&self, key: &u32) -> usize {
        *key as usize
    }
}

/// How Python has placed the keys of records that the engine does not look into: in how many partitions, and the number
/// of the function that placed them.
#[derive(Debug, PartialEq)]
pub(crate) struct Placement(pub(crate) usize, pub(crate) u64);

impl Partitioner<Block> for Placement {
    fn partitions(&self) -> usize {
        self.0
    }
    fn partition(&self, _: &Block) -> usize {
        0
    }
    fn same_as(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>() == Some(self)
    }
}

/// As [`in_task`], for an operation that has a name in Python.
fn in_operation<R>(name: &str, f: impl for<'py> FnOnce(Python<'py>) -> PyResult<R>) -> R {
    in_task(|py| f(py).map_err(|exception| error::in_operation(py, exception, name)))
}

/// The lists that an iterable of Python's gives.
fn blocks_of(made: &Bound<'_, PyAny>) -> PyResult<Vec<Block>> {
    made.try_iter()?.map(|block| Ok(Block::of(block?.cast_into::<PyList>()?))).collect()
}

pub(crate) fn storage_level(disk: bool, memory: bool) -> StorageLevel {
    match (disk, memory) {
        (false, false) => StorageLevel::None,
        (false, true) => StorageLevel::MemoryOnly,
        (true, true) => StorageLevel::MemoryAndDisk,
        (true, false) => StorageLevel::DiskOnly,
    }
}

impl Rdd {
    /// The records of chosen partitions, as one list each.
    fn lists<'py>(&self, py: Python<'py>, partitions: &[usize]) -> PyResult<Vec<Bound<'py, PyList>>> {
        let collected = detached(py, || self.0.collect_some(partitions))?;
        collected.into_iter().map(|blocks| joined(py, &blocks)).collect()
    }
}

/// One list of the records of all blocks; a copy, which the caller may change.
fn joined<'py>(py: Python<'py>, blocks: &[Block]) -> PyResult<Bound<'py, PyList>> {
    let all = PyList::empty(py);
    for block in blocks {
        let end = all.len();
        all.set_slice(end, end, block.list(py)?.as_any())?;
    }
    Ok(all)
}

#[pymethods]
impl Rdd {
    #[getter]
    fn id(&self) -> u64 {
        self.0.id()
    }

    #[getter]
    fn num_partitions(&self) -> usize {
        self.0.num_partitions()
    }

    /// The number of the function that placed the keys.
    #[getter]
    fn placement(&self) -> Option<u64> {
        let partitioner = self.0.partitioner::<Block>()?;
        let partitioner: &dyn Any = &*partitioner;
        partitioner.downcast_ref::<Placement>().map(|placement| placement.1)
    }

    fn placed_by(&self, number: u64) -> Self {
        Self(self.0.with_partitioner::<Block>(Arc::new(Placement(self.0.num_partitions(), number))))
    }

    /// Without what could not be decoded of messages of Kafka.
    fn without_undecoded(&self) -> Self {
        Self(self.0.flat_map(kafka::decoded))
    }

    fn map_partitions(&self, f: Py<PyAny>, name: String) -> Self {
        let f = Arc::new(f);
        Self(self.0.map_partitions_with_index(move |partition, blocks| {
            in_operation(&name, |py| scoped(py, blocks, |blocks| blocks_of(&f.bind(py).call1((partition, blocks))?)))
        }))
    }

    fn shuffle(&self, py: Python<'_>, partitions: usize, f: Py<PyAny>, name: String) -> PyResult<Self> {
        let f = Arc::new(f);
        let placed = self.0.map_partitions_with_index(move |partition, blocks| {
            in_operation(&name, |py| {
                scoped(py, blocks, |blocks| {
                    let made = f.bind(py).call1((partition, blocks))?;
                    made.try_iter()?.map(|pair| placed_block(&pair?, partitions)).collect::<PyResult<Vec<_>>>()
                })
            })
        });
        declared(py, || Self(placed.partition_by(Arc::new(ByNumber(partitions))).values()))
    }

    fn zip_partitions(&self, py: Python<'_>, other: &Self, f: Py<PyAny>, name: String) -> PyResult<Self> {
        let f = Arc::new(f);
        let both = detached(py, || self.0.glom().zip(&other.0.glom()))?;
        Ok(Self(both.map_partitions_with_index(move |partition, both| {
            let both: Vec<_> = both.collect();
            in_operation(&name, |py| {
                let Some((left, right)) = both.first() else { return Ok(Vec::new()) };
                let lists = |blocks: &[Block]| -> PyResult<_> {
                    let lists: Vec<_> = blocks.iter().map(|block| block.list(py)).collect::<PyResult<_>>()?;
                    PyList::new(py, lists)?.try_iter()
                };
                blocks_of(&f.bind(py).call1((partition, lists(left)?, lists(right)?))?)
            })
        })))
    }

    fn cartesian(&self, other: &Self) -> Self {
        let pairs = self.0.glom().cartesian(&other.0.glom());
        Self(pairs.flat_map(|(left, right)| {
            in_task(|py| {
                let (left, right) = (joined(py, &left)?, joined(py, &right)?);
                let product = py.import("itertools")?.call_method1("product", (left, right))?;
                let product = py.import("builtins")?.call_method1("list", (product,))?;
                Ok(Some(Block::of(product.cast_into::<PyList>()?)))
            })
        }))
    }

    fn coalesce(&self, py: Python<'_>, partitions: usize) -> PyResult<Self> {
        detached(py, || self.0.coalesce(partitions)).map(Self)
    }

    fn persist(&self, py: Python<'_>, disk: bool, memory: bool) -> PyResult<Self> {
        detached(py, || self.0.persist(storage_level(disk, memory))).map(Self)
    }

    fn unpersist(&self, py: Python<'_>) {
        py.detach(|| self.0.unpersist());
    }

    fn checkpoint(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.0.checkpoint())
    }

    #[getter]
    fn is_checkpointed(&self) -> bool {
        self.0.is_checkpointed()
    }

    #[getter]
    fn checkpoint_file(&self) -> Option<String> {
        self.0.checkpoint_file().map(|path| path.display().to_string())
    }

    fn collect<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyList>>> {
        self.lists(py, &(0..self.0.num_partitions()).collect::<Vec<_>>())
    }

    #[pyo3(signature = (f, partitions=None, name="run"))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        f: Py<PyAny>,
        partitions: Option<Vec<usize>>,
        name: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let name = name.to_owned();
        let f = Arc::new(f);
        let partitions = partitions.unwrap_or_else(|| (0..self.0.num_partitions()).collect());
        let results = self.0.map_partitions_with_index(move |partition, blocks| {
            let result = in_operation(&name, |py| {
                scoped(py, blocks, |blocks| Ok(f.bind(py).call1((partition, blocks))?.unbind()))
            });
            Some(Value::Object(Arc::new(result)))
        });
        let results = detached(py, || results.collect_some(&partitions))?;
        let list = PyList::empty(py);
        for result in results.iter().flatten() {
            list.append(result.to_python(py)?)?;
        }
        Ok(list)
    }

    fn take<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Bound<'py, PyList>> {
        let limited = self.0.map_partitions(move |blocks| {
            let mut missing = n;
            let mut taken = Vec::new();
            while missing > 0
                && let Some(block) = blocks.next()
            {
                missing = missing.saturating_sub(block.records());
                taken.push(block);
            }
            taken
        });
        let (taken, mut next, mut step) = (PyList::empty(py), 0, 1);
        let partitions = self.0.num_partitions();
        while taken.len() < n && next < partitions {
            let some: Vec<usize> = (next..partitions.min(next + step)).collect();
            for blocks in detached(py, || limited.collect_some(&some))? {
                let end = taken.len();
                taken.set_slice(end, end, joined(py, &blocks)?.as_any())?;
            }
            (next, step) = (next + step, (next + step) * 4);
        }
        let length = taken.len();
        taken.del_slice(n.min(length), length)?;
        Ok(taken)
    }

    fn local_iterator(&self) -> LocalIterator {
        LocalIterator { rdd: self.clone(), next: 0 }
    }

    #[pyo3(signature = (path, codec=None))]
    fn save_as_text_file(&self, py: Python<'_>, path: &str, codec: Option<&str>) -> PyResult<()> {
        use tidemill::base::files::Codec;
        let codec = match codec {
            None => None,
            Some("gzip") => Some(Codec::Gzip),
            Some("bzip2") => Some(Codec::Bzip2),
            Some("zstd") => Some(Codec::Zstd),
            Some("deflate") => Some(Codec::Deflate),
            Some(other) => {
                let codecs = "\"gzip\", \"bzip2\", \"zstd\" or \"deflate\"";
                return Err(PyValueError::new_err(format!("there is no codec \"{other}\"; take {codecs}")));
            }
        };
        let texts = self.0.flat_map(texts_of);
        detached(py, || match codec {
            None => texts.save_as_text_file(path),
            Some(codec) => texts.save_as_text_file_compressed(path, codec),
        })
    }
}

/// Records as text; all of them are str.
pub(crate) fn texts_of(block: Block) -> Vec<Text> {
    match block {
        Block::Lines(lines) => lines.to_vec(),
        Block::List(list) => in_task(|py| {
            let text = |record: Bound<'_, PyAny>| Ok(Text::from(record.extract::<&str>()?));
            list.bind(py).iter().map(text).collect()
        }),
    }
}

/// A partition and what goes there.
fn placed_block(pair: &Bound<'_, PyAny>, partitions: usize) -> PyResult<(u32, Block)> {
    let (partition, list): (usize, Bound<'_, PyList>) = pair.extract()?;
    match u32::try_from(partition) {
        Ok(number) if partition < partitions => Ok((number, Block::of(list))),
        _ => Err(PyValueError::new_err(format!("partition {partition} was asked for, and there are {partitions}"))),
    }
}

/// The records of a dataset on the driver, partition by partition.
#[pyclass(module = "tidemill._native")]
pub(crate) struct LocalIterator {
    rdd: Rdd,
    next: usize,
}

#[pymethods]
impl LocalIterator {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        if self.next >= self.rdd.0.num_partitions() {
            return Ok(None);
        }
        self.next += 1;
        Ok(self.rdd.lists(py, &[self.next - 1])?.pop())
    }
}
