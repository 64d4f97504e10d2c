"""JSONL comes back line by line, two members behind the others."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from append_kit import appended
from hypothesis import given
from hypothesis import strategies as st

LINES: dict[str, tuple[str, str]] = {
    "plain": ('{"a": 1}', '{"a": 1, "prompt": "p", "error": null}'),
    "compact": ('{"a":1,"b":[1,2]}', '{"a":1,"b":[1,2], "prompt": "p", "error": null}'),
    "empty": ("{ }", '{ "prompt": "p", "error": null}'),
    "spaces": (' {"a": 1} \t', ' {"a": 1, "prompt": "p", "error": null} \t'),
    "double names": ('{"a": 1, "a": 2}', '{"a": 1, "a": 2, "prompt": "p", "error": null}'),
    "numbers": (
        '{"a": 1e400, "b": 1234567890123456789, "c": 1.50, "d": NaN}',
        '{"a": 1e400, "b": 1234567890123456789, "c": 1.50, "d": NaN, "prompt": "p", "error": null}',
    ),
    "many digits": (
        f'{{"a": {"9" * 5000}}}', f'{{"a": {"9" * 5000}, "prompt": "p", "error": null}}',
    ),
    "escapes": (r'{"a": "\u00e9\ud800"}', r'{"a": "\u00e9\ud800", "prompt": "p", "error": null}'),
    "a name like ours": (
        '{"prompt": 1}', '{"prompt": 1, "vimmerse_prompt": "p", "error": null}',
    ),
    "no object": (
        "[1]",
        '{"raw": "[1]", "prompt": null, "error": "is JSON, but not an object with names"}',
    ),
    "no JSON": (
        '{"a": ', '{"raw": "{\\"a\\": ", "prompt": null, "error": "is not JSON: Expecting value"}',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
def test_lines_are_kept(tmp_path: Path, line: str, expected: str) -> None:
    """A line keeps its text, spaces and numbers; one that is no object is held as text."""
    path = tmp_path / "in.jsonl"
    path.write_text(f"{line}\r\n\n")
    assert appended(path, answer="p").read_bytes() == f"{expected}\r\n\n".encode()


def test_one_row_with_such_a_name_names_all(tmp_path: Path) -> None:
    """Where one row has a member like ours, ours have the same other name in all rows."""
    path = tmp_path / "in.jsonl"
    path.write_text('{"a": 1}\n{"error": 1}\n')
    rows = [json.loads(line) for line in appended(path, answer="p").read_text().splitlines()]
    assert [list(row) for row in rows] == [
        ["a", "prompt", "vimmerse_error"],
        ["error", "prompt", "vimmerse_error"],
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = st.text(max_size=8) | st.sampled_from(["prompt", "error", "vimmerse_prompt"])


@given(st.lists(st.dictionaries(names, values, max_size=4), max_size=5), st.text(), st.booleans())
def test_every_object_comes_back(rows: list[dict[str, Any]], answer: str, narrow: bool) -> None:
    """Whatever objects hold, each comes back as it was, with two members that it had not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.jsonl")
        lines = [json.dumps(row, ensure_ascii=narrow) for row in rows]
        path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))
        out = appended(path, answer=answer).read_bytes()
    for line, row, made in zip(
        lines, rows, out.splitlines() if not rows else out.split(b"\n"), strict=False
    ):
        read = json.loads(made)
        if "raw" not in read or "raw" in row:
            assert {name: read[name] for name in row} == row
            assert made.startswith(line[:-1].encode("utf-8", "surrogatepass"))
            assert len(read) == len(row) + 2
