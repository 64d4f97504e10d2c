"""What a journal holds comes out whole, in order, or not at all."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_kit import make_journal, some_rows

from vimmerse_async.catalog.append_csv import CsvAppender
from vimmerse_async.catalog.atomic import AtomicFile
from vimmerse_async.catalog.export import opened_again, recipe_of
from vimmerse_async.catalog.weave import weave, woven
from vimmerse_async.catalog.write import CsvWriter, JsonlWriter
from vimmerse_async.cli.app import run
from vimmerse_async.journal.reader import JournalReader

FORMS = ("csv", "jsonl", "parquet")


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_journal(tmp_path / "out.csv.journal", some_rows(200))


def read_any(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, object]] = pq.read_table(path).to_pylist()
        return rows
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        return [
            {name: value or None for name, value in row.items()} for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("form", FORMS)
def test_export(journal: Path, form: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Every row in order with all columns; failed ones and those not asked yet with their line."""
    assert run(["export", str(journal), "-o", f"out.{form}"]) == 0
    rows = read_any(Path(f"out.{form}"))
    assert [row["sku"] for row in rows] == [f"VM-{place:06}" for place in range(200)]
    assert rows[89]["error"] == "line 91: not asked yet"
    assert list(rows[0]) == ["sku", "title", "image", "prompt", "error"]
    assert rows[39]["error"] == "line 41: no picture 39"
    assert all(bool(row["prompt"]) is not bool(row["error"]) for row in rows)
    assert capfd.readouterr().err == f"wrote 200 rows to out.{form}; 2 have no answer yet\n"


def test_the_output_stands_for_its_journal(
    journal: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The name of a run's output is enough; without -o the rows go to stdout."""
    assert run(["export", "out.csv", "--to", "jsonl"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 200
    assert run(["report", "out.csv"]) == 0
    assert "VM-000199" in Path("report.html").read_text()


@pytest.mark.parametrize("command", ["export", "report"])
@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough for one"])
def test_no_journal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    command: str,
    content: bytes | None,
) -> None:
    """What is no journal is refused in one line, and no output is made or changed."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("x.journal").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    assert run([command, "x.journal", "-o", "out.jsonl"]) != 0
    said = capfd.readouterr().err
    assert said.startswith("vimmerse: ")
    assert len(said.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


DYING = """
import os, sys
left = int(sys.argv[1])
def die(event, args):
    global left
    if event in {"open", "os.rename", "os.remove", "os.listdir", "os.scandir", "tempfile.mkstemp",
                 "sqlite3.connect", "fcntl.flock", "os.chmod"}:
        left -= 1
        if left < 0:
            os._exit(9)
from vimmerse_async.cli.app import run
import vimmerse_async.cli.journal_views, vimmerse_async.catalog.parquet, pyarrow.parquet
pyarrow.array([""])  # loads pandas where it is installed, whose files are no steps of ours
sys.addaudithook(die)
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.full
@pytest.mark.parametrize(
    "words",
    ["export -o out.csv --overwrite", "export -o out.parquet --overwrite", "report -o out.html"],
)
def test_E21_kill_at_each_step(journal: Path, words: str) -> None:
    """E21: killed at any step, the old file or the new one stands, never a mix.

    What the killed process left beside it is gone after the next run.
    """
    command, *rest = words.split()
    out = Path(rest[1])
    out.write_text("old")
    assert run([command, str(journal), *rest]) == 0
    new = out.read_bytes()
    codes = []
    for step in range(60):
        out.write_text("old")
        ended = subprocess.run(
            [sys.executable, "-c", DYING, str(step), command, str(journal), *rest],
            check=False,
            capture_output=True,
        )
        codes.append(ended.returncode)
        assert out.read_bytes() in {b"old", new}, step
        if ended.returncode == 0:
            break
    assert codes[-1] == 0
    assert set(codes[:-1]) == {9}
    assert len(codes) > 4
    assert out.read_bytes() == new
    assert sorted(path.name for path in Path.cwd().iterdir() if ".tmp" in path.name) == []


def test_E21_left_files_are_removed(tmp_path: Path) -> None:
    """E21: a file that a killed process left goes; one that a living process writes stays."""
    path = tmp_path / "a[1].csv"
    living = AtomicFile(path, derived=True)
    (tmp_path / "a[1].csv.dead.tmp").write_text("half")
    (tmp_path / "a1.csv.other.tmp").write_text("another's")
    second = AtomicFile(path, derived=True)
    names = {each.name for each in tmp_path.iterdir()}
    assert living.temporary is not None
    assert second.temporary is not None
    assert names == {living.temporary.name, second.temporary.name, "a1.csv.other.tmp"}
    for file in (living, second):
        file.stream.close()
        file.discard()


texts = st.text(max_size=40) | st.sampled_from(["\0", "\ud800x", "a\nb\r\nc", '",;\t', "x" * 5_000])


def test_E22_a_megabyte() -> None:
    """E22: a text of a megabyte comes back."""
    check_any_text("é" * 500_000 + '"' * 500_000, "x\n" * 500_000)


@given(texts, texts)
def test_E22_any_text(cell: str, prompt: str) -> None:
    """E22: newlines, NULs and lone surrogates: a line each, and back bit by bit."""
    check_any_text(cell, prompt)


def check_any_text(cell: str, prompt: str) -> None:
    """JSONL keeps everything; CSV replaces what no file can hold by a visible sign."""
    out = io.StringIO(newline="")
    JsonlWriter(out).write({"a": cell}, prompt, None)
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue().encode()) == {"a": cell, "prompt": prompt, "error": None}
    out = io.StringIO(newline="")
    CsvWriter(out, ["a"]).write({"a": f"x{cell}"}, f"x{prompt}", None)
    csv.field_size_limit(1 << 21)
    rows = list(csv.reader(io.StringIO(out.getvalue().encode().decode(), newline="")))
    csv.field_size_limit(1 << 17)
    replaced = [
        "".join("\ufffd" if sign == "\0" or "\ud800" <= sign <= "\udfff" else sign for sign in text)
        for text in (f"x{cell}", f"x{prompt}")
    ]
    assert rows[1] == [*replaced, ""]


def test_export_is_flat(tmp_path: Path) -> None:
    """Rows pass in small groups: 20,000 of them take no 5 MB."""
    import tracemalloc

    path = make_journal(tmp_path / "a.journal", some_rows(20_000))
    tracemalloc.start()
    try:
        with JournalReader(path) as reader, Path(os.devnull).open("w") as out:
            recipe = recipe_of(reader)
            assert recipe is not None
            with opened_again(recipe, None) as source:
                writer = CsvAppender(out, source)
                pairs = woven(source.rows(), recipe.questions, reader, reader.findings)
                done = weave(pairs, writer)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert (done.rows, done.missing) == (20_000, 222)
