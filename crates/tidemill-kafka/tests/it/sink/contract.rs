//! The contract of sinks, tried on transactions of a real Kafka.

use super::settings;
use tidemill::{
    Result, Time,
    io::{Sink, SinkContract, SinkStart},
    testing::check_sink,
};
use tidemill_kafka::{KafkaSink, ProducerRecord};
use tidemill_kafka_broker::Kafka;

/// Tells the reader which batch a record is of.
struct Stamped(KafkaSink<(u64, String)>);

impl Sink<String> for Stamped {
    type Receipt = u64;

    fn contract(&self) -> SinkContract {
        self.0.contract()
    }

    fn start(&self, start: &SinkStart) -> Result<()> {
        self.0.start(start)
    }

    fn begin(&self, time: Time) -> Result<()> {
        self.0.begin(time)
    }

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = String>) -> Result<u64> {
        self.0.write(time, partition, &mut records.map(|record| (time.as_ms(), record)))
    }

    fn seal(&self, time: Time) -> Result<()> {
        self.0.seal(time)
    }

    fn prepare(&self, time: Time, receipts: Vec<u64>) -> Result<Vec<u64>> {
        self.0.prepare(time, receipts)
    }

    fn commit(&self, time: Time, receipts: Vec<u64>) -> Result<()> {
        self.0.commit(time, receipts)
    }

    fn abort(&self, time: Time) -> Result<()> {
        self.0.abort(time)
    }

    fn restore(&self, last: Option<(Time, Vec<u64>)>) -> Result<()> {
        self.0.restore(last)
    }

    fn close(&self) -> Result<()> {
        self.0.close()
    }
}

#[test]
fn transactions_keep_the_contract() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("contract", 2);
    let sink = || {
        Stamped(KafkaSink::new(&settings(kafka), topic.as_str(), |(time, line): &(u64, String)| {
            ProducerRecord::new(line).key(time.to_string())
        }))
    };
    check_sink(sink, |time| {
        let of_batch = kafka.read_committed(&topic).into_iter().filter(|record| record.key == time.as_ms().to_string());
        let values: Vec<_> = of_batch.map(|record| record.value).collect();
        (!values.is_empty()).then_some(values)
    });
}
