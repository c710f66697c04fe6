"""`pyspark.streaming.kafka` against a real Kafka."""

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kafka_broker import Kafka
from programs import Process
from tidemill.pyspark import SparkConf, SparkContext
from tidemill.pyspark import _kafka_parameters as parameters
from tidemill.pyspark.streaming.kafka import KafkaRDD, KafkaUtils, OffsetRange, TopicAndPartition
from tidemill.pyspark.streaming.kafka_records import Encode, Unencoded, utf8_encoder
from tidemill.pyspark.streaming.testing import StreamTest

EXAMPLES = Path(__file__).parents[2] / "examples"
# Only ends a test that hangs.
PATIENCE_S = 60.0
numbers = itertools.count()


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    node = Kafka()
    yield node
    node.end()


@pytest.fixture
def topic() -> str:
    return f"topic-{next(numbers)}"


@pytest.fixture
def sc() -> Iterator[SparkContext]:
    with SparkContext("local[2]", "kafka") as context:
        yield context


def reading(kafka: Kafka, **more: str) -> dict[str, str]:
    return {"metadata.broker.list": kafka.brokers, "auto.offset.reset": "smallest", **more}


def write(kafka: Kafka, sc: SparkContext, topic: str, *records: Any) -> None:
    test = StreamTest(sc, 1.0)
    source = test.input(1)
    source.saveToKafka(topic, {"bootstrap.servers": kafka.brokers}, exactlyOnce=False)
    source.push(*records)
    test.tick()
    test.ssc.stop(stopSparkContext=False)


def all_of(stream: StreamTest, collected: Any, count: int) -> list[Any]:
    """All records, when there are so many; batches run until then."""
    patience = time.monotonic() + PATIENCE_S
    while len(found := list(itertools.chain.from_iterable(collected.batches))) < count:
        assert time.monotonic() < patience, found
        stream.tick()
    return found


def offsets(kafka: Kafka, sc: SparkContext, topic: str, count: int) -> list[OffsetRange]:
    """The ranges of a topic that has so many messages."""
    test = StreamTest(sc, 1.0)
    seen: list[OffsetRange] = []
    stream = KafkaUtils.createDirectStream(test.ssc, [topic], reading(kafka))
    stream.foreachRDD(lambda rdd: seen.extend(rdd.offsetRanges()))
    patience = time.monotonic() + PATIENCE_S
    while sum(one.untilOffset - one.fromOffset for one in seen) < count:
        assert time.monotonic() < patience, seen
        test.tick()
    test.ssc.stop(stopSparkContext=False)
    return [one for one in seen if one.untilOffset > one.fromOffset]


def test_a_direct_stream_has_keys_values_and_ranges(kafka: Kafka, sc: SparkContext, topic: str) -> None:
    records = [(f"key {n}", f"value {n}") for n in range(50)]
    write(kafka, sc, topic, *records)
    test = StreamTest(sc, 1.0)
    messages = KafkaUtils.createDirectStream(test.ssc, [topic], reading(kafka))
    seen: list[list[OffsetRange]] = []

    def note(rdd: Any) -> Any:
        assert isinstance(rdd, KafkaRDD)
        assert rdd.getNumPartitions() == len(rdd.offsetRanges())
        assert [sum(1 for _ in part) for part in rdd.glom().collect()] == [
            one.untilOffset - one.fromOffset for one in rdd.offsetRanges()
        ]
        seen.append(rdd.offsetRanges())
        return rdd

    collected = test.collect(messages.transform(note).map(lambda message: message))
    assert sorted(all_of(test, collected, 50)) == sorted(records)
    test.ssc.stop(stopSparkContext=False)
    offsets = [(one.topic, one.partition, n) for batch in seen for one in batch for n in range(one.fromOffset, one.untilOffset)]
    assert len(offsets) == len(set(offsets)) == 50
    # The same ranges, read again.
    again = KafkaUtils.createRDD(sc, reading(kafka), [one for batch in seen for one in batch])
    assert sorted(again.collect()) == sorted(records)


def test_messages_have_their_place_and_their_own_decoders(kafka: Kafka, sc: SparkContext, topic: str) -> None:
    write(kafka, sc, topic, ("k", b"\x01\x02"), "alone", ("k", None), ("k", "v", [("name", b"header")]))
    found = offsets(kafka, sc, topic, 4)
    rdd = KafkaUtils.createRDD(
        sc,
        reading(kafka),
        found,
        valueDecoder=lambda value: None if value is None else len(value),
        messageHandler=lambda message: (message.topic, message.partition, message.offset, message.key, message.message),
    )
    records = rdd.collect()
    assert [record[:3] for record in records] == [
        (topic, one.partition, offset) for one in found for offset in range(one.fromOffset, one.untilOffset)
    ]
    assert sorted((str(key), str(size)) for _, _, _, key, size in records) == sorted(
        [("k", "2"), ("None", "5"), ("k", "None"), ("k", "1")]
    )


def test_a_stream_from_given_offsets_and_with_a_handler(kafka: Kafka, sc: SparkContext, topic: str) -> None:
    write(kafka, sc, topic, *((f"k{n}", str(n)) for n in range(60)))
    test = StreamTest(sc, 1.0)
    begin = {TopicAndPartition(topic, 1): 2}
    handled = KafkaUtils.createDirectStream(
        test.ssc, [topic], reading(kafka), begin, messageHandler=lambda message: (message.partition, message.offset)
    )
    collected = test.collect(handled)
    found = all_of(test, collected, 1)
    assert found[0] == (1, 2)
    assert {partition for partition, _ in found} == {1}
    test.ssc.stop(stopSparkContext=False)


def test_a_tombstone_is_none_and_what_is_no_text_says_so(kafka: Kafka, sc: SparkContext, topic: str) -> None:
    write(kafka, sc, topic, ("gone", None))
    assert KafkaUtils.createRDD(sc, reading(kafka), offsets(kafka, sc, topic, 1)).collect() == [("gone", None)]
    write(kafka, sc, topic, ("bad", b"\xff"))
    with pytest.raises(ValueError, match=rf'the record of "{topic}-\d" at offset \d cannot be decoded: UnicodeDecodeError'):
        KafkaUtils.createRDD(sc, reading(kafka), offsets(kafka, sc, topic, 2)).collect()


def letters(folder: Path) -> list[dict[str, Any]]:
    """The dead letters of a checkpoint."""
    command = [sys.executable, "-m", "tidemill", "dlq", "show", "--json", str(folder)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout
    found: list[dict[str, Any]] = json.loads(shown)
    return found


def careful() -> SparkContext:
    """A context of streams that keep what they cannot use."""
    return SparkContext(conf=SparkConf().setMaster("local[2]").setAppName("k").set("tidemill.deadLetter.enabled", "true"))


def test_poison_is_put_aside_with_its_place(kafka: Kafka, topic: str, tmp_path: Path) -> None:
    with SparkContext("local[2]", "kafka") as sc:
        write(kafka, sc, topic, *(("k", value) for value in ("1", b"\xff\xfe", "2", "many", "3")))
        (found,) = offsets(kafka, sc, topic, 5)
    with careful() as sc:
        test = StreamTest(sc, 1.0)
        test.ssc.checkpoint(str(tmp_path / "checkpoint"))
        stream = KafkaUtils.createDirectStream(
            test.ssc, [topic], reading(kafka), valueDecoder=lambda value: int((value or b"").decode())
        )
        assert all_of(test, test.collect(stream), 3) == [("k", 1), ("k", 2), ("k", 3)]
        test.ssc.stop(stopSparkContext=False)
    kept = sorted(letters(tmp_path / "checkpoint"), key=lambda letter: int(letter["offset"]))
    assert [(letter["source"], letter["offset"]) for letter in kept] == [(f"{topic}-{found.partition}", n) for n in (1, 3)]
    assert "at offset 1 cannot be decoded: UnicodeDecodeError" in kept[0]["error"]
    assert "at offset 3 cannot be decoded: ValueError: invalid literal" in kept[1]["error"]


def test_poison_fails_the_batch_with_its_place_without_dead_letters(kafka: Kafka, sc: SparkContext, topic: str) -> None:
    write(kafka, sc, topic, ("k", b"\xff\xfe"))
    test = StreamTest(sc, 1.0)
    collected = test.collect(KafkaUtils.createDirectStream(test.ssc, [topic], reading(kafka)))
    with pytest.raises(ValueError, match=rf'the record of "{topic}-\d" at offset 0 cannot be decoded: UnicodeDecodeError'):
        all_of(test, collected, 1)


def test_what_cannot_be_sent_fails_the_batch_or_is_put_aside(kafka: Kafka, topic: str, tmp_path: Path) -> None:
    records: list[Any] = [("k", "good"), ("k", "bad", [("h", "text")]), ("k", 7), ("k", "also good")]
    conf = {"bootstrap.servers": kafka.brokers}
    with SparkContext("local[2]", "kafka") as sc:
        test = StreamTest(sc, 1.0)
        source = test.input(1)
        source.saveToKafka(topic, conf)
        source.push(*records)
        with pytest.raises(Exception, match=r"the record \('k', 'bad', .* the header \"h\" is str and not bytes"):
            test.tick()
    with careful() as sc:
        test = StreamTest(sc, 1.0)
        test.ssc.checkpoint(str(tmp_path / "checkpoint"))
        source = test.input(1)
        source.saveToKafka(topic, conf)
        source.push(*records)
        test.tick()
        test.ssc.stop(stopSparkContext=False)
    kept = sorted(letters(tmp_path / "checkpoint"), key=lambda letter: str(letter["error"]))
    assert ["the header" in kept[0]["error"], "not int" in kept[1]["error"], len(kept)] == [True, True, 2]
    with SparkContext("local[2]", "kafka") as sc:
        test = StreamTest(sc, 1.0)
        collected = test.collect(KafkaUtils.createDirectStream(test.ssc, [topic], reading(kafka)))
        assert all_of(test, collected, 2) == [("k", "good"), ("k", "also good")]
        test.ssc.stop(stopSparkContext=False)


def test_an_old_stream_begins_anew_where_its_offsets_expired(kafka: Kafka, topic: str) -> None:
    for loss, expected in ((None, ["13", "14"]), ("fail", None)):
        conf = SparkConf().setMaster("local[2]").setAppName("k")
        if loss:
            conf.set("tidemill.kafka.onDataLoss", loss)
        name = f"{topic}-{loss}"
        with SparkContext(conf=conf) as sc:
            write(kafka, sc, name, *(("k", str(n)) for n in range(10)))
            given = {"bootstrap.servers": kafka.brokers, "auto.offset.reset": "smallest"}

            def started(sc: SparkContext = sc, name: str = name, given: dict[str, str] = given) -> tuple[StreamTest, Any]:
                test = StreamTest(sc, 1.0)
                stream = KafkaUtils.createStream(test.ssc, "localhost:2181", f"group-{name}", {name: 1}, given)
                return test, test.collect(stream.map(lambda message: message[1]))

            test, collected = started()
            all_of(test, collected, 10)
            test.tick()
            test.ssc.stop(stopSparkContext=False, stopGraceFully=True)
            write(kafka, sc, name, *(("k", str(n)) for n in range(10, 15)))
            (place,) = {one.partition for one in offsets(kafka, sc, name, 15)}
            kafka.expire(name, place, 13)
            test, collected = started()
            if expected:
                assert all_of(test, collected, 2) == expected
                test.ssc.stop(stopSparkContext=False)
            else:
                with pytest.raises(Exception, match=r"are lost.*tidemill\.kafka\.onDataLoss"):
                    all_of(test, collected, 1)


def test_one_dict_is_for_reading_and_writing_and_a_group_is_told_of(
    kafka: Kafka, sc: SparkContext, topic: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write(kafka, sc, topic, ("k", "first"))
    both = reading(kafka, **{"group.id": "g", "fetch.min.bytes": "1", "isolation.level": "read_committed"})
    test = StreamTest(sc, 1.0)
    source = test.input()
    source.saveToKafka(topic, both)
    collected = test.collect(KafkaUtils.createDirectStream(test.ssc, [topic], both))
    source.push(("k", "second"))
    assert all_of(test, collected, 2) == [("k", "first"), ("k", "second")]
    test.ssc.stop(stopSparkContext=False)
    assert "tidemill: group.id of the Kafka parameters mean nothing here\n" in capfd.readouterr().err


def test_a_checkpoint_has_no_secrets_of_the_configuration(kafka: Kafka, topic: str, tmp_path: Path) -> None:
    conf = SparkConf().setMaster("local[2]").setAppName("k").set("kafka.sasl.password", "canary-7")
    with SparkContext(conf=conf) as sc:
        write(kafka, sc, topic, ("k", "v"))
        test = StreamTest(sc, 1.0)
        test.ssc.checkpoint(str(tmp_path))
        stream = KafkaUtils.createDirectStream(test.ssc, [topic], reading(kafka))
        stream.saveToKafka(f"{topic}-out", {"bootstrap.servers": kafka.brokers})
        assert all_of(test, test.collect(stream), 1) == [("k", "v")]
        test.ssc.stop(stopSparkContext=False)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(topic.encode() in path.read_bytes() for path in files)
    assert not any(b"canary-7" in path.read_bytes() for path in files)


def test_a_key_of_the_configuration_that_librdkafka_does_not_know_is_refused(kafka: Kafka, topic: str) -> None:
    conf = SparkConf().setMaster("local[2]").setAppName("k").set("kafka.no.such.key", "1")
    with SparkContext(conf=conf) as sc, pytest.raises(ValueError, match=r"no\.such\.key"):
        KafkaUtils.createRDD(sc, reading(kafka), [OffsetRange(topic, 0, 0, 1)])


def test_offsets_that_are_not_there_are_an_error(kafka: Kafka, sc: SparkContext, topic: str) -> None:
    write(kafka, sc, topic, "one")
    with pytest.raises(Exception, match=f"{topic}-0.*are lost"):
        KafkaUtils.createRDD(sc, reading(kafka), [OffsetRange(topic, 0, 0, 10)]).count()


def test_a_group_goes_on_where_it_was_committed(kafka: Kafka, sc: SparkContext, topic: str) -> None:
    conf = {"bootstrap.servers": kafka.brokers, "auto.offset.reset": "smallest"}
    write(kafka, sc, topic, *("first",) * 10)
    for text, count in (("first", 10), ("second", 7)):
        test = StreamTest(sc, 1.0)
        stream = KafkaUtils.createStream(test.ssc, "localhost:2181", f"group-{topic}", {topic: 1}, conf)
        collected = test.collect(stream.map(lambda message: message[1]))
        assert all_of(test, collected, count) == [text] * count
        test.tick()
        test.ssc.stop(stopSparkContext=False, stopGraceFully=True)
        write(kafka, sc, topic, *("second",) * 7)


OLD_PROGRAM = """
from pyspark import SparkConf, SparkContext
from pyspark.streaming import StreamingContext
from pyspark.streaming.kafka import KafkaUtils

conf = SparkConf().setAppName("old").set("spark.jars.packages", "org.apache.spark:spark-streaming-kafka-0-8_2.11:2.4.5")
sc = SparkContext(conf=conf)
sc.setLogLevel("ERROR")
ssc = StreamingContext(sc, 1)
messages = KafkaUtils.{call}
lines = messages.map(lambda x: x[1])
counts = lines.flatMap(lambda line: line.split(" ")).map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
counts.pprint()
ssc.start()
ssc.awaitTermination()
"""


@pytest.mark.parametrize("kind", ["direct", "zookeeper"])
def test_old_programs_run_as_they_are(kafka: Kafka, sc: SparkContext, topic: str, tmp_path: Path, kind: str) -> None:
    write(kafka, sc, topic, "to be or", "not to be")
    call = {
        "direct": f"createDirectStream(ssc, [{topic!r}], {reading(kafka)!r})",
        "zookeeper": f'createStream(ssc, "localhost:2181", "group-{topic}", {{{topic!r}: 1}}, {{"auto.offset.reset": "smallest"}})',
    }[kind]
    (tmp_path / "old.py").write_text(OLD_PROGRAM.format(call=call))
    with Process(["submit", "--conf", f"tidemill.kafka.brokers={kafka.brokers}", "old.py"], tmp_path) as process:
        process.until("('to', 2)")
        process.send(signal.SIGTERM)
        assert process.ended() == 0


def test_a_zookeeper_without_brokers_says_what_to_do(tmp_path: Path) -> None:
    call = 'createStream(ssc, "localhost:2181", "group", {"topic": 1})'
    (tmp_path / "old.py").write_text(OLD_PROGRAM.format(call=call))
    with Process(["run", "old.py"], tmp_path) as process:
        assert process.ended() == 1
        assert "--conf tidemill.kafka.brokers=host:port" in process.stderr


def test_kafka_to_kafka_is_exactly_once_through_kills(kafka: Kafka, sc: SparkContext, topic: str, tmp_path: Path) -> None:
    count, keys = 3_000, 7
    source, target = f"{topic}-in", f"{topic}-out"
    arguments = ["run", EXAMPLES / "kafka_to_kafka.py", kafka.brokers, source, target, tmp_path / "checkpoint"]
    write(kafka, sc, source, *((f"key{n % keys}", f"{n} key{n % keys}") for n in range(count // 2)))
    chance = random.Random(5)
    for round_ in range(4):
        with Process(arguments, tmp_path) as process:
            process.until_stderr("guarantee")
            time.sleep(chance.uniform(0.2, 1.5))
            process.send(signal.SIGKILL)
            process.ended()
        if round_ == 1:
            write(kafka, sc, source, *((f"key{n % keys}", f"{n} key{n % keys}") for n in range(count // 2, count)))
            kafka.restart()
    with Process(arguments, tmp_path):
        test = StreamTest(sc, 1.0)
        out = KafkaUtils.createDirectStream(test.ssc, [target], reading(kafka)).map(lambda message: message[1])
        collected = test.collect(out)
        found = all_of(test, collected, count)
        time.sleep(0.5)
        test.tick(2)
        test.ssc.stop(stopSparkContext=False)
    assert len(list(itertools.chain.from_iterable(collected.batches))) == count
    records = [line.split(" ") for line in found]
    assert sorted(int(identity) for identity, _, _ in records) == list(range(count))
    by_key: dict[str, list[int]] = {}
    for _, key, number in records:
        by_key.setdefault(key, []).append(int(number))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_key.values())


def test_the_example_counts_words(kafka: Kafka, sc: SparkContext, topic: str, tmp_path: Path) -> None:
    write(kafka, sc, topic, "so that it is there")
    with Process(["run", EXAMPLES / "direct_kafka_word_count.py", kafka.brokers, topic], tmp_path) as process:
        process.until("Time:")
        write(kafka, sc, topic, "to be or", "not to be")
        process.until("('to', 2)")


def test_the_example_finds_stolen_cards(kafka: Kafka, sc: SparkContext, topic: str, tmp_path: Path) -> None:
    def payment(number: int, card: str, amount: float) -> tuple[str, str]:
        return card, json.dumps({"id": number, "card": card, "amount": amount, "merchant": "m", "time": number * 1000})

    write(kafka, sc, topic, *(payment(n, "honest", 20.0) for n in range(9)))
    write(kafka, sc, topic, *(payment(n, "stolen", 500.0) for n in range(3)))
    arguments = [kafka.brokers, topic, f"{topic}-alerts", tmp_path / "checkpoint"]
    with Process(["run", EXAMPLES / "kafka_fraud_check.py", *arguments], tmp_path) as process:
        process.until("{'card': 'stolen', 'amount': 1500.0, ")


# Without a broker.


@pytest.mark.parametrize(
    ("given", "settings", "start"),
    [
        ({"metadata.broker.list": "b:1"}, {"bootstrap.servers": "b:1"}, "latest"),
        ({"bootstrap.servers": "b:1", "auto.offset.reset": "earliest"}, {"bootstrap.servers": "b:1"}, "earliest"),
        ({"bootstrap.servers": "b:1", "enable.auto.commit": False}, {"bootstrap.servers": "b:1"}, "latest"),
        (
            {"bootstrap.servers": "b:1", "security.protocol": "SSL"},
            {"bootstrap.servers": "b:1", "security.protocol": "SSL"},
            "latest",
        ),
    ],
)
def test_parameters(given: dict[str, Any], settings: dict[str, str], start: str) -> None:
    plan = parameters.direct(given, SparkConf(False))
    assert (plan.settings, plan.start, plan.stored) == (settings, start, False)


def test_parameters_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"metadata\.broker\.list"):
        parameters.direct({}, SparkConf(False))
    with pytest.raises(ValueError, match="not \"none\""):
        parameters.direct({"bootstrap.servers": "b:1", "auto.offset.reset": "none"}, SparkConf(False))
    assert "secret" not in repr(parameters.direct({"bootstrap.servers": "b:1", "sasl.password": "secret"}, SparkConf(False)))


def test_the_configuration_is_under_what_the_program_gives() -> None:
    conf = SparkConf(False).set("kafka.client.id", "conf").set("kafka.acks", "1").set("tidemill.kafka.brokers", "b:1")
    merged = {"bootstrap.servers": "b:1", "client.id": "program", "acks": "1"}
    given = {"client.id": "program"}
    assert parameters.direct(given, conf).settings == merged
    assert parameters.of_group({**given, "group.id": "g"}, conf, "zk").settings == {**merged, "group.id": "g"}
    assert parameters.ranges(given, conf) == merged
    assert parameters.producer(given, conf) == merged
    for key in ("group.id", "auto.offset.reset", "bootstrap.servers", "metadata.broker.list"):
        with pytest.raises(ValueError, match=f'"kafka.{key}" cannot be set in the configuration'):
            parameters.direct(given, SparkConf(False).set(f"kafka.{key}", "x").set("tidemill.kafka.brokers", "b:1"))


def test_what_means_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    old = ("consumer.id", "dual.commit.enabled", "offsets.storage", "partition.assignment.strategy", "queued.max.message.chunks")
    given = {"bootstrap.servers": "b:1", "auto.offset.reset": "smallest", "group.id": "g", **dict.fromkeys(old, "1")}
    bare = {"bootstrap.servers": "b:1"}
    assert parameters.direct(given, SparkConf(False)).settings == bare
    always = ", ".join(sorted((*old, "group.id")))
    assert capsys.readouterr().err == f"tidemill: {always} of the Kafka parameters mean nothing here\n"
    assert parameters.ranges(given, SparkConf(False)) == parameters.producer(given, SparkConf(False)) == bare
    line = f"tidemill: auto.offset.reset, {always} of the Kafka parameters mean nothing here\n"
    assert capsys.readouterr().err == line * 2
    assert parameters.of_group(given, SparkConf(False), "zk").settings == {**bare, "group.id": "g"}
    assert "group.id" not in capsys.readouterr().err


def test_types_are_told(sc: SparkContext) -> None:
    test: Any = None
    with pytest.raises(TypeError, match="topics should be list"):
        KafkaUtils.createDirectStream(test, "topic", {})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="topics should be dict"):
        KafkaUtils.createStream(test, "", "", ["topic"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="offsetRanges should be list"):
        KafkaUtils.createRDD(sc, {}, ())  # type: ignore[arg-type]


def test_records_as_messages() -> None:
    encode = Encode(utf8_encoder, utf8_encoder)
    assert encode("v") == (None, b"v", [])
    assert encode(("k", "v")) == (b"k", b"v", [])
    assert encode(("k", None)) == (b"k", None, [])
    assert encode((None, b"v", [("h", b"1")])) == (None, b"v", [("h", b"1")])
    for record, told in (
        (("k", 1), "str, bytes or None, not int"),
        (("k", "v", [("h", "text")]), 'the header "h" is str and not bytes'),
        ((None, None), "a tombstone needs the key"),
    ):
        refused = encode(record)
        assert isinstance(refused, Unencoded)
        assert refused.error.startswith(f"the record {record!r} cannot be encoded for Kafka: ")
        assert told in refused.error
    refused = Encode(utf8_encoder, len)("text")  # type: ignore[arg-type]
    assert isinstance(refused, Unencoded)
    assert "the value was made int and not bytes by its encoder" in refused.error
