//! The fixture does what it says, against the real thing.

use tidemill_kafka_broker::Kafka;

fn values(kafka: &Kafka, topic: &str) -> Vec<String> {
    kafka.read_committed(topic).into_iter().map(|record| record.value).collect()
}

#[test]
fn what_is_written_outlives_a_stop_and_a_kill() {
    let kafka = Kafka::start(1);
    let topic = kafka.topic("kept", 1);
    kafka.produce(&topic, &[("a", "1")]);
    kafka.stop(0);
    kafka.resume(0);
    kafka.produce(&topic, &[("a", "2")]);
    kafka.kill(0);
    kafka.resume(0);
    assert_eq!(values(&kafka, &topic), ["1", "2"]);
}

#[test]
fn three_nodes_go_on_without_one() {
    let kafka = Kafka::start(3);
    let topic = kafka.topic("replicated", 3);
    kafka.produce(&topic, &[("a", "1")]);
    kafka.kill(1);
    kafka.produce(&topic, &[("a", "2")]);
    assert_eq!(values(&kafka, &topic), ["1", "2"]);
    kafka.resume(1);
}
