//! Keys of Spark that are accepted, so that programs run as they stand, and that do nothing here; each with the reason.

/// A key without effect.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// Ends the sentence "has no effect here, because ...".
    pub(super) because: &'static str,
}

/// The row of the key called `name`; a row that ends in `.*` stands for all names that begin like it.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| match row.name.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => row.name == name,
    })
}

macro_rules! rows {
    ($($name:literal $because:literal)*) => { &[$(Row { name: $name, because: $because }),*] };
}

#[rustfmt::skip]
pub(super) static TABLE: &[Row] = rows! {
    "spark.streaming.receiver.writeAheadLog.rollingIntervalSecs" "each write to the log of received data is a file of its own"
    "spark.streaming.receiver.writeAheadLog.maxFailures" "what could not be stored is tried again while the source waits"
    "spark.streaming.unpersist" "what no later batch needs is always dropped"
    "spark.streaming.ui.retainedBatches" "there is no web page yet"
    "spark.streaming.kafka.consumer.poll.ms" "the time limit of a call is KafkaSettings::call_timeout"
    "spark.hadoop.validateOutputSpecs" "a batch program never writes over a directory, and a streaming one replaces a batch's own"
    "spark.streaming.receiver.writeAheadLog.class" "a Java class cannot be loaded"
    "spark.streaming.receiver.writeAheadLog.closeFileAfterWrite" "each write to the log of received data is a file of its own"
    "spark.streaming.receiver.blockStoreTimeout" "the source waits for as long as the storage of the checkpoint does not answer"
    "spark.streaming.driver.writeAheadLog.class" "a Java class cannot be loaded"
    "spark.streaming.driver.writeAheadLog.rollingIntervalSecs" "there is no log of batches yet"
    "spark.streaming.driver.writeAheadLog.maxFailures" "there is no log of batches yet"
    "spark.streaming.driver.writeAheadLog.closeFileAfterWrite" "there is no log of batches yet"
    "spark.streaming.driver.writeAheadLog.allowBatching" "there is no log of batches yet"
    "spark.streaming.driver.writeAheadLog.batchingTimeout" "there is no log of batches yet"
    "spark.streaming.blockQueueSize" "received data is bounded in bytes, by tidemill.receiver.poolBytes"
    "spark.streaming.sessionByKey.deltaChainThreshold" "state is updated in place and has no chain of deltas"
    "spark.streaming.clock" "a Java class cannot be loaded; give the context a Clock"
    "spark.streaming.manualClock.jump" "a test moves its ManualClock itself"
    "spark.streaming.dynamicAllocation.*" "the number of workers is fixed while a program runs"
    "spark.streaming.kafka.consumer.cache.*" "the consumers of a stream live as long as it does"
    "spark.streaming.kafka.allowNonConsecutiveOffsets" "gaps between offsets are always allowed"
    "spark.streaming.kafka.maxRetries" "it belonged to a Kafka connector that Spark itself removed"
    "spark.streaming.kinesis.*" "there is no Kinesis source"
    "spark.streaming.receiver.writeAheadLogs.enable" "Spark renamed it long ago; write spark.streaming.receiver.writeAheadLog.enable"
    "spark.streaming.internal.*" "it is set by the engine and not by programs"

    "spark.ui.*" "there is no web page yet"
    "spark.port.maxRetries" "there is no web page yet"
    "spark.metrics.namespace" "there are no Spark metrics sinks"
    "spark.io.compression.codec" "what moves between workers of one process is not compressed"
    "spark.checkpoint.compress" "checkpoint files have a format of their own"
    "spark.cleaner.*" "datasets are freed when their last handle goes"
    "spark.hadoopRDD.ignoreEmptySplits" "an empty file costs nothing"
    "spark.rdd.compress" "cached records are kept as they are"
    "spark.rdd.limit.*" "taking records stops when there are enough"
    "spark.serializer" "records are not serialized between threads"
    "spark.serializer.*" "records are not serialized between threads"
    "spark.kryo.*" "there is no Java to serialize"
    "spark.kryoserializer.*" "there is no Java to serialize"
    "spark.python.worker.memory" "Python's shuffles do not spill"
    "spark.python.worker.reuse" "Python is not started for each task"
    "spark.driver.maxResultSize" "results are handed over in memory and not sent"
    "spark.locality.wait" "every worker can read every partition"
    "spark.locality.wait.*" "every worker can read every partition"
    "spark.speculation" "a task never runs twice at once"
    "spark.speculation.*" "a task never runs twice at once"
    "spark.scheduler.mode" "jobs run in the order of their batches"
    "spark.broadcast.*" "threads of one process share a broadcast value as it is"
    "spark.dynamicAllocation.*" "the number of workers is fixed while a program runs"
    "spark.driver.memory" "there is no Java heap to size"
    "spark.driver.cores" "the driver is a thread of the process"
    "spark.driver.extraJavaOptions" "there is no Java to start"
    "spark.driver.extraClassPath" "there is no Java to start"
    "spark.executor.*" "there are no executors; see tidemill.worker.threads"
    "spark.jars" "there is no Java to load them"
    "spark.jars.*" "there is no Java to load them; connectors are part of tidemill"
};
