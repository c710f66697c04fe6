//! The keys of librdkafka that are not the user's to set.

use tidemill::{Error, Result};

/// A key, and what to do instead of setting it.
#[rustfmt::skip]
const OWNED: &[(&str, &str)] = &[
    ("bootstrap.servers", "give the brokers to KafkaSettings::new or to tidemill.kafka.brokers"),
    ("metadata.broker.list", "give the brokers to KafkaSettings::new or to tidemill.kafka.brokers"),
    ("group.id", "call group_id on the stream"),
    ("client.rack", "a replica nearby may lag behind what the driver was told of the leader's; leave it out"),
    ("max.poll.interval.ms", "partitions are assigned and not shared out by a group, and no time limit ends that; leave it out"),
    ("group.instance.id", "partitions are assigned and not shared out by a group; leave it out"),
    ("group.protocol", "partitions are assigned and not shared out by a group; leave it out"),
    ("partition.assignment.strategy", "partitions are assigned and not shared out by a group; leave it out"),
    ("auto.offset.reset", "call starting on the stream for where it begins, and tidemill.kafka.onDataLoss (on_data_loss) for what becomes of lost offsets"),
    ("topic.auto.offset.reset", "call starting on the stream for where it begins, and tidemill.kafka.onDataLoss (on_data_loss) for what becomes of lost offsets"),
    ("enable.auto.commit", "offsets are kept in the checkpoint; call commit_offsets on the stream to have them in the group too"),
    ("auto.commit.enable", "offsets are kept in the checkpoint; call commit_offsets on the stream to have them in the group too"),
    ("auto.commit.interval.ms", "offsets are kept in the checkpoint; call commit_offsets on the stream to have them in the group too"),
    ("enable.auto.offset.store", "offsets are kept in the checkpoint; call commit_offsets on the stream to have them in the group too"),
    ("enable.partition.eof", "the end of a batch is an offset; leave it out"),
    ("transactional.id", "the sink makes one of the job, its uid and the process; leave it out"),
    ("enable.idempotence", "the sink sets it as its guarantee needs it; leave it out"),
    ("transaction.timeout.ms", "set tidemill.kafka.transactionTimeout, or call transaction_timeout on the sink"),
    ("delivery.report.only.error", "the sink sets it as its guarantee needs it; leave it out"),
    ("enable.gapless.guarantee", "the sink sets it as its guarantee needs it; leave it out"),
    ("sasl.jaas.config", "write sasl.mechanism, sasl.username and sasl.password, as there is no Java"),
    ("log_level", "log lines go to tracing, which filters them; set debug to have more of them"),
    ("log.queue", "log lines go to tracing; leave it out"),
];

/// # Errors
/// Invalid, if the key is the engine's.
pub(super) fn refuse(key: &str) -> Result<()> {
    match OWNED.iter().find(|(owned, _)| *owned == key) {
        Some((_, instead)) => Err(Error::invalid(format!("\"{key}\" is set by the engine: {instead}"))),
        None => Ok(()),
    }
}
