"""Spark Streaming programs, without Spark: `tidemill run app.py` runs a program of `pyspark.streaming` as it stands.

`tidemill.pyspark` is the API, `tidemill._native` the engine below it.
"""


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # slow to import, and seldom asked for

        return version("tidemill")
    raise AttributeError(f'module "{__name__}" has no attribute "{name}"')
