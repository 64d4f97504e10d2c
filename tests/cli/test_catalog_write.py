"""Rows with prompts, written so that nothing is lost, hidden or executed."""

import csv
import io
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.catalog.atomic import AtomicFile
from vimmerse_async.catalog.write import CsvWriter, JsonlWriter, output_form
from vimmerse_async.errors import InvalidRequestError


def csv_of(
    fields: Mapping[str, Any], prompt: str | None = "p", error: str | None = None
) -> dict[str, str]:
    stream = io.StringIO(newline="")
    CsvWriter(stream, list(fields)).write(fields, prompt, error)
    stream.seek(0)
    (row,) = csv.DictReader(stream)
    return row


def json_of(fields: Mapping[str, Any], prompt: str | None = "p", error: str | None = None) -> Any:
    stream = io.StringIO()
    JsonlWriter(stream).write(fields, prompt, error)
    stream.getvalue().encode()
    return json.loads(stream.getvalue())


@pytest.mark.parametrize(
    "cell",
    ["=cmd()", "@x", "+1+1", "-1-1", "=1", "\t=1", "\r=1", "\n=1", "-x", "+49 x", "＝1", "＠x"],
)
def test_C26_formulas_are_guarded(cell: str) -> None:
    """A cell that a spreadsheet would compute begins with an apostrophe, prompts included."""
    row = csv_of({"a": cell}, prompt=cell, error=cell)
    assert set(row.values()) == {f"'{cell}"}


@pytest.mark.parametrize("cell", ["-5", "+1.5", "-1,000.25", "-1e5", "-", "+", "5-3", "a=b", "-3%"])
def test_harmless_cells_are_left_alone(cell: str) -> None:
    """Plain numbers, lone signs and signs inside are written as they are."""
    assert csv_of({"a": cell})["a"] == cell


def test_own_columns_never_overwrite() -> None:
    """Columns of the input named like ours are kept, and ours take another name."""
    fields = {"prompt": "mine", "error": "too"}
    expected = {**fields, "vimmerse_prompt": "p", "vimmerse_error": "e"}
    assert csv_of(fields, "p", "e") == expected
    assert json_of(fields, "p", "e") == expected


def test_json_is_unchanged() -> None:
    """JSONL keeps every value of the input, lone surrogates included, and null for nothing."""
    fields = {"n": 1.5, "list": [1, {"a": None}], "text": "=x \ud800 \0 é", "big": 10**30}
    assert json_of(fields, None, "why") == {**fields, "prompt": None, "error": "why"}


def test_json_values_in_csv() -> None:
    """Values that are no text become JSON in a cell, nothing becomes an empty cell."""
    row = csv_of({"n": -1.5, "list": [1, "é"], "none": None, "yes": True})
    assert row == {"n": "-1.5", "list": '[1, "é"]', "none": "", "yes": "true",
                   "prompt": "p", "error": ""}  # fmt: skip


def test_fields_without_a_column_are_named() -> None:
    """A field that the header does not have is left out of CSV, and remembered by name."""
    writer = CsvWriter(io.StringIO(), ["a"])
    writer.write({"a": 1, "b": 2}, "p", None)
    writer.write({"c": 2, "b": 2}, "p", None)
    assert list(writer.left_out) == ["b", "c"]


@given(st.text(st.characters(), max_size=30))
def test_any_cell_survives(cell: str) -> None:
    """Any text comes back from CSV as it was, but for the guard and for what no file can hold."""
    kept = "".join("\ufffd" if "\ud800" <= one <= "\udfff" or one == "\0" else one for one in cell)
    assert csv_of({"a": cell})["a"] in {kept, f"'{kept}"}


def test_output_form() -> None:
    """The ending decides, in any case; another ending is refused with the mend."""
    assert [output_form(name) for name in ("a.CSV", "b.jsonl", "c.ndjson")] == [
        "csv",
        "jsonl",
        "jsonl",
    ]
    with pytest.raises(InvalidRequestError, match="--to"):
        output_form("a.ods")


def written(file: AtomicFile, text: str) -> Path:
    file.stream.write(text)
    path = file.commit()
    file.stream.close()
    return path


def test_file_appears_whole(tmp_path: Path) -> None:
    """Until it is whole a file has another name, and the old one stays as it was."""
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o640)
    file = AtomicFile(path)
    file.stream.write("new")
    file.stream.flush()
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 2)
    assert written(file, "er") == path
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("newer", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_may_be_found_at_the_end(tmp_path: Path) -> None:
    """Whoever knows only then what a file shall be called sees it before it gets its name."""
    path = tmp_path / "out.csv"
    path.write_text("old")
    file = AtomicFile(path)
    file.stream.write("new")
    seen = []
    named = file.commit(
        lambda written: seen.append(written.read_text()) or path.with_stem("out.partial")
    )
    file.stream.close()
    assert (named.name, named.read_text(), seen) == ("out.partial.csv", "new", ["new"])
    assert path.read_text() == "old"


def test_permissions_follow_the_mask(tmp_path: Path) -> None:
    """A new file is as open as any that the user makes."""
    before = os.umask(0o027)
    try:
        path = written(AtomicFile(tmp_path / "out.csv"), "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_link_is_followed(tmp_path: Path) -> None:
    """A link to a file stays a link."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    written(AtomicFile(tmp_path / "link.csv"), "x")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "x"


def test_device_is_written_directly() -> None:
    """What is no regular file is not replaced by one."""
    written(AtomicFile(Path("/dev/null")), "x")
    assert not Path("/dev/null").is_file()


def test_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    """A file that is given up leaves the folder as it was."""
    file = AtomicFile(tmp_path / "out.csv")
    file.stream.close()
    file.discard()
    assert list(tmp_path.iterdir()) == []
