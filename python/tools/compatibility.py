"""Writes the Python section of COMPATIBILITY.md: PySpark's names, and what became of each.

    python python/tools/compatibility.py

`python/tests/test_compatibility.py` checks that the file is what this would write.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "python/tests"), str(ROOT / "python/tools")]
import absences  # noqa: E402
import names  # noqa: E402

FILE = ROOT / "COMPATIBILITY.md"
BEGIN = "<!-- python/tools/compatibility.py writes from here -->"
END = "<!-- to here -->"
HEAD = """
## Python

The names of PySpark 3.5 outside of `pyspark.sql`, and what became of them in `tidemill.pyspark`. *same*: there, called
with the same parameters in the same order with the same defaults. `python/tests/test_names.py` keeps this true, and
`make oracle` compares what the methods do with the real PySpark.

| module | same | differs | absent |
|---|---|---|---|
"""


def status(name: str) -> str:
    row = absences.absence(name)
    return "same" if row is None else row.status


def counts(described: names.Names) -> Iterator[str]:
    """A line for each module of which something is here: how many of its names are same, different, absent."""
    found: dict[str, Counter[str]] = {}
    modules = [name for name, description in described.items() if description["kind"] == "module"]
    for name in described:
        module = max((of for of in modules if f"{name}.".startswith(f"{of}.")), key=len)
        found.setdefault(module, Counter())[status(name)] += 1
    for module, number in sorted(found.items()):
        if number["same"] + number["differs"] > 0:
            yield f"| `{module}` | {number['same']} | {number['differs'] or ''} | {number['absent'] or ''} |"


def short(pattern: str) -> str:
    """Classes are known without their modules."""
    parts = pattern.split(".")
    first = next((place for place, part in enumerate(parts) if part[:1].isupper()), 0)
    return ".".join(parts[first:])


def rows() -> Iterator[str]:
    for row in sorted(absences.ABSENCES, key=lambda row: row.status, reverse=True):
        patterns = ", ".join(f"`{short(pattern)}`" for pattern in row.patterns)
        yield f"| {patterns} | {row.status} | {row.why} |"


def section() -> str:
    described = names.flat(json.loads((ROOT / "python/tests/pyspark_names.json").read_text()))
    table = "\n".join(counts(described))
    return f"{HEAD}{table}\n\n| PySpark | status | note |\n|---|---|---|\n" + "\n".join(rows()) + "\n"


def document() -> str:
    """The file as it should be."""
    text = FILE.read_text()
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{section()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    FILE.write_text(document())
