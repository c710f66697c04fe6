//! Streams of blocks.

use crate::{
    block::Block,
    error::{declared, detached, interpreted},
    kafka,
    rdd::{Function, Rdd, storage_level, texts_of},
    state::{self, ByPortableHash, Merge},
    value::{Key, Value},
};
use pyo3::prelude::*;
use std::{sync::Arc, time::Duration};
use tidemill::{StateOptions, StateSpec, Time, milliseconds};

#[pyclass(frozen, module = "tidemill._native")]
#[derive(Clone)]
pub(crate) struct DStream(pub(crate) tidemill::DStream<Block>);

/// What a function of Python's makes of the datasets of a batch.
pub(crate) fn made_rdd<A>(f: &Function, arguments: A) -> tidemill::Result<Option<tidemill::Rdd<Block>>>
where
    A: for<'py> pyo3::call::PyCallArgs<'py>,
{
    interpreted(|py| {
        let made = f.bind(py).call1(arguments)?;
        if made.is_none() {
            return Ok(None);
        }
        Ok(Some(made.cast::<Rdd>()?.get().0.clone()))
    })
}

fn windows(window_ms: u64, slide_ms: Option<u64>) -> (Duration, Option<Duration>) {
    (milliseconds(window_ms), slide_ms.map(milliseconds))
}

#[pymethods]
impl DStream {
    #[getter]
    fn slide_ms(&self) -> u64 {
        self.0.slide_duration().as_millis() as u64
    }

    fn transform(&self, py: Python<'_>, f: Py<PyAny>) -> PyResult<Self> {
        let f = Arc::new(f);
        declared(py, || Self(self.0.transform_or_skip(move |rdd, time| made_rdd(&f, (time.as_ms(), Rdd(rdd))))))
    }

    fn transform_with(&self, py: Python<'_>, other: &Self, f: Py<PyAny>) -> PyResult<Self> {
        let f = Arc::new(f);
        declared(py, || {
            Self(self.0.transform_with_or_skip(&other.0, move |left, right, time| {
                made_rdd(&f, (time.as_ms(), Rdd(left), Rdd(right)))
            }))
        })
    }

    fn foreach_rdd(&self, py: Python<'_>, f: Py<PyAny>) -> PyResult<()> {
        let f = Arc::new(f);
        declared(py, || {
            self.0.foreach_rdd(move |rdd, time| interpreted(|py| f.bind(py).call1((time.as_ms(), Rdd(rdd))).map(drop)));
        })
    }

    fn save_as_text_files(&self, py: Python<'_>, prefix: &str, suffix: &str) -> PyResult<()> {
        declared(py, || self.0.flat_map(texts_of).save_as_text_files(prefix, suffix))
    }

    fn save_to_kafka(
        &self,
        py: Python<'_>,
        settings: kafka::Settings,
        topic: &str,
        exactly_once: bool,
    ) -> PyResult<()> {
        kafka::save(py, &self.0, settings, topic, exactly_once)
    }

    #[pyo3(signature = (window_ms, slide_ms))]
    fn window(&self, py: Python<'_>, window_ms: u64, slide_ms: Option<u64>) -> PyResult<Self> {
        let (window, slide) = windows(window_ms, slide_ms);
        declared(py, || Self(self.0.window(window, slide)))
    }

    #[pyo3(signature = (f, partitions, initial))]
    fn update_state_by_key(
        &self,
        py: Python<'_>,
        f: Py<PyAny>,
        partitions: usize,
        initial: Option<&Rdd>,
    ) -> PyResult<Self> {
        let f: Function = Arc::new(f);
        declared(py, || {
            let mut options = StateOptions::<Key, Value>::new().partitioner(Arc::new(ByPortableHash(partitions)));
            if let Some(initial) = initial {
                options = options.initial_state(&state::pairs_of_rdd(&initial.0));
            }
            let pairs = state::pairs(&self.0);
            let states = pairs.update_state_by_key_partitions(options, move |keys| state::updated(&f, keys));
            Self(state::blocks(&states))
        })
    }

    #[pyo3(signature = (f, inverse, window_ms, slide_ms, partitions))]
    fn reduce_by_key_and_window(
        &self,
        py: Python<'_>,
        f: Py<PyAny>,
        inverse: Option<Py<PyAny>>,
        window_ms: u64,
        slide_ms: Option<u64>,
        partitions: usize,
    ) -> PyResult<Self> {
        let f = Merge::new(py, f)?;
        let inverse = inverse.map(|inverse| Merge::new(py, inverse)).transpose()?;
        let (window, slide) = windows(window_ms, slide_ms);
        declared(py, || {
            let (pairs, partitioner) = (state::pairs(&self.0), Arc::new(ByPortableHash(partitions)));
            let merge = move |a: Value, b: Value| f.call(&a, &b);
            let reduced = match inverse {
                None => pairs.reduce_by_key_and_window_into(partitioner, merge, window, slide),
                Some(inverse) => {
                    let inverse = move |a: Value, b: Value| inverse.call(&a, &b);
                    pairs.reduce_by_key_and_window_inverse_into(partitioner, merge, inverse, window, slide)
                }
            };
            Self(state::blocks(&reduced))
        })
    }

    #[pyo3(signature = (f, partitions, initial, timeout_ms))]
    fn map_with_state(
        &self,
        py: Python<'_>,
        f: Py<PyAny>,
        partitions: usize,
        initial: Option<&Rdd>,
        timeout_ms: Option<u64>,
    ) -> PyResult<MapWithStateDStream> {
        let f: Function = Arc::new(f);
        declared(py, || {
            let update = move |time: Time, key: &Key, value: Option<Value>, state: &mut tidemill::State<Value>| {
                state::mapped(&f, time.as_ms(), key, value, state)
            };
            let mut spec = StateSpec::function_with_time(update).partitioner(Arc::new(ByPortableHash(partitions)));
            if let Some(initial) = initial {
                spec = spec.initial_state(&state::pairs_of_rdd(&initial.0));
            }
            if let Some(timeout) = timeout_ms {
                spec = spec.timeout(milliseconds(timeout));
            }
            let mapped = state::pairs(&self.0).map_with_state(spec);
            MapWithStateDStream {
                state_snapshots: Self(state::blocks(&mapped.state_snapshots())),
                mapped: Self(state::blocks_of_values(&mapped)),
            }
        })
    }

    fn persist(&self, py: Python<'_>, disk: bool, memory: bool) -> PyResult<Self> {
        declared(py, || Self(self.0.persist(storage_level(disk, memory))))
    }

    fn checkpoint(&self, py: Python<'_>, interval_ms: u64) -> PyResult<Self> {
        declared(py, || Self(self.0.checkpoint(milliseconds(interval_ms))))
    }

    fn uid(&self, py: Python<'_>, uid: &str) -> PyResult<Self> {
        declared(py, || Self(self.0.uid(uid)))
    }

    fn slice(&self, py: Python<'_>, begin: u64, end: u64) -> PyResult<Vec<Rdd>> {
        let rdds = detached(py, || self.0.slice(Time::from_ms(begin), Time::from_ms(end)))?;
        Ok(rdds.into_iter().map(Rdd).collect())
    }
}

/// What a `map_with_state` gives.
#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct MapWithStateDStream {
    mapped: DStream,
    state_snapshots: DStream,
}

#[pymethods]
impl MapWithStateDStream {
    #[getter]
    fn mapped(&self) -> DStream {
        self.mapped.clone()
    }

    #[getter]
    fn state_snapshots(&self) -> DStream {
        self.state_snapshots.clone()
    }
}
