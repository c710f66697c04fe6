"""Lines of a server, over loopback."""

import socket
import threading
from typing import Any

import pytest

from tidemill.pyspark.conf import SparkConf
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.streaming import StreamingContext, StreamingListener


def serve(server: socket.socket, texts: list[bytes]) -> None:
    for text in texts:
        connection, _ = server.accept()
        connection.sendall(text)
        connection.close()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([b"one\ntwo\r\nlast without an end"], ["one", "two", "last without an end"]),
        ([b"\xff\n\xc3\xa4\n"], ["\ufffd", "ä"]),
    ],
)
def test_lines(texts: list[bytes], expected: list[str]) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=serve, args=(server, texts))
    serving.start()
    ssc = StreamingContext(SparkContext(conf=SparkConf().setMaster("local[2]").setAppName("lines")), 0.05)
    lines: list[str] = []
    done = threading.Event()
    events: list[str] = []

    class Receivers(StreamingListener):
        def onReceiverStarted(self, receiverStarted: Any) -> None:
            events.append(receiverStarted.receiverInfo().name())

    def take(rdd: Any) -> None:
        lines.extend(rdd.collect())
        if len(lines) >= len(expected):
            done.set()

    ssc.addStreamingListener(Receivers())
    ssc.socketTextStream("127.0.0.1", server.getsockname()[1]).foreachRDD(take)
    ssc.start()
    try:
        assert done.wait(20)
    finally:
        ssc.stop()
        server.close()
        serving.join()
    assert lines == expected
    assert len(events) >= 1
