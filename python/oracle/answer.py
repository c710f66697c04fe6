"""Answers requests: a list of pipelines in, a list of results out, as pickles over standard input and output.

Runs under the real PySpark and under ours alike: `python answer.py` or `tidemill run answer.py`, always `local[2]`.
"""

import os
import pickle
import re
import sys
import traceback
from typing import Any, BinaryIO

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import batch  # noqa: E402
import streaming  # noqa: E402
from pyspark import SparkConf, SparkContext  # noqa: E402

CONF = {"spark.ui.enabled": "false", "spark.python.worker.reuse": "true", "spark.log.level": "ERROR"}


def failure(error: BaseException) -> dict[str, str]:
    """The name of the Python exception at the bottom, wherever the JVM hid it."""
    name, text = type(error).__name__, str(error)
    if name == "Py4JJavaError":
        found = re.findall(r"^(?:pyspark\.\S+\.)?(\w+(?:Error|Exception|Warning|Interrupt))(?::|$)", text, re.M)
        name = found[0] if found else name
    return {"failed": name, "text": traceback.format_exc()}


def answered(context: Any, pipeline: batch.Pipeline) -> Any:
    try:
        return batch.run(context, pipeline)
    except Exception as error:
        return failure(error)


def answers(context: Any, kind: str, pipelines: list[batch.Pipeline]) -> list[Any]:
    if kind == "streams":
        return streaming.run(context, pipelines)
    return [answered(context, pipeline) for pipeline in pipelines]


def standard_output() -> BinaryIO:
    """Standard output for answers alone; what else is printed goes to standard error."""
    ours = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return ours


def main() -> None:
    output = standard_output()
    conf = SparkConf().setMaster("local[2]").setAppName("oracle").setAll(list(CONF.items()))
    context = SparkContext(conf=conf)
    while True:
        try:
            kind, pipelines = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        pickle.dump(answers(context, kind, pipelines), output)
        output.flush()
    context.stop()


if __name__ == "__main__":
    main()
