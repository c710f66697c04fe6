"""The Python section of COMPATIBILITY.md is what the tables say."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import compatibility  # noqa: E402


def test_the_document_is_what_the_tables_say() -> None:
    assert compatibility.FILE.read_text() == compatibility.document(), "run python/tools/compatibility.py"
