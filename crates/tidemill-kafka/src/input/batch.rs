//! Ranges of Kafka as a dataset of a batch program.

use super::{OnDataLoss, fetch::Fetchers, loss::Losses, read::RangeSource};
use crate::{
    client::ClientLog,
    offsets::OffsetRange,
    record::{FromBytes, KafkaRecord},
    settings::KafkaSettings,
};
use std::{marker::PhantomData, sync::Arc};
use tidemill::{Context, Rdd, Result, keys};

/// The records of these ranges, a partition each; read anew by each job, unless they are [persisted](Rdd::persist).
///
/// Records that are gone fail the job.
///
/// # Errors
/// Invalid, if the settings or the configuration have values that cannot be used.
///
/// # Examples
/// ```no_run
/// use tidemill::{Context, Text};
/// use tidemill_kafka::{KafkaSettings, OffsetRange, kafka_rdd};
/// let sc = Context::local(2);
/// let ranges = [OffsetRange::new("lines", 0, 0, 100), OffsetRange::new("lines", 1, 0, 100)];
/// let lines = kafka_rdd::<(), Text>(&sc, &KafkaSettings::new("broker:9092"), ranges)?;
/// println!("{} lines", lines.count()?);
/// # Ok::<(), tidemill::Error>(())
/// ```
#[track_caller]
pub fn kafka_rdd<K: FromBytes, V: FromBytes>(
    context: &Context,
    settings: &KafkaSettings,
    ranges: impl IntoIterator<Item = OffsetRange>,
) -> Result<Rdd<KafkaRecord<K, V>>> {
    settings.check()?;
    let log = ClientLog::new(settings, "a dataset");
    let fetchers = Arc::new(Fetchers::new(settings.clone(), "tidemill-executor-dataset".into(), log));
    let ranges: Arc<[_]> = ranges.into_iter().collect();
    fetchers.expect(ranges.len());
    Ok(context.read(RangeSource::<K, V> {
        fetchers,
        losses: Arc::new(Losses::new(OnDataLoss::Fail)),
        ranges,
        max_record_bytes: context.config().get(&keys::KAFKA_MAX_RECORD_BYTES)? as usize,
        types: PhantomData,
    }))
}
