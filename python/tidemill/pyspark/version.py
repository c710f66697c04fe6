"""The version of PySpark whose API this is."""

__version__ = "3.5.8"
