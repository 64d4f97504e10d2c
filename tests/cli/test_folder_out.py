"""A folder out, part for part: the law of an output holds for the whole of it."""

import csv
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_kit import Ended, wait_until
from drawn import RED, encoded, solid

from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]


def write(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{number},https://x.example/{number}.jpg\r\n" for number in numbers)
    text = f"sku,image\r\n{rows}".encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def table(path: Path) -> list[dict[str, str]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(data.decode().splitlines()))


def listed(folder: Path) -> list[str]:
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if not path.parts[0].startswith("."))


def prompts(folder: Path) -> dict[str, str]:
    return {row["sku"]: row["prompt"] for name in listed(folder) for row in table(folder / name)}


@pytest.fixture
def parts(place: Path) -> Path:
    folder = place / "parts"
    write(folder / "day=1" / "a.csv", 1, 2)
    write(folder / "day=1" / "none.csv")
    write(folder / "day=2" / "b.csv.gz", 3)
    (folder / "_SUCCESS").touch()
    return folder


@pytest.mark.parametrize("name", ["out/", "out"])
def test_each_part_comes_out_under_its_name(
    vimmerse: Vimmerse, place: Path, parts: Path, name: str
) -> None:
    """Names, packing, line ends and partitions stay; what a path tells is no column again."""
    ended = vimmerse("caption", "parts", "-o", name)
    assert ended.code == 0, ended.err
    assert "written to out/" in ended.err
    assert listed(place / "out") == ["day=1/a.csv", "day=1/none.csv", "day=2/b.csv.gz"]
    assert (place / "out/day=1/none.csv").read_bytes() == b"sku,image,prompt,error\r\n"
    assert list(table(place / "out/day=2/b.csv.gz")[0]) == ["sku", "image", "prompt", "error"]
    assert all(prompts(place / "out").values())
    assert sorted(prompts(place / "out")) == ["1", "2", "3"]
    assert (place / "out.journal").is_file()
    known = vimmerse("caption", "parts", "-o", name)
    assert known.code == 0
    assert "3 known already" in known.err
    assert vimmerse("status", "out/").code == 0
    assert not [each for each in os.listdir(place) if each.startswith(".")]  # noqa: PTH208


def test_parts_of_parquet_keep_their_own_types(vimmerse: Vimmerse, place: Path) -> None:
    """Each file keeps its schema, and --to gives each the form that was named."""
    for name, kind in (("a", pa.int8()), ("b", pa.int64())):
        path = place / "parts" / f"k={name}" / "0.parquet"
        path.parent.mkdir(parents=True)
        made = {"image": [f"https://x.example/{name}.jpg"], "n": pa.array([1], kind)}
        pq.write_table(pa.table(made), path)
    assert vimmerse("caption", "parts", "-o", "out/").code == 0
    kinds = [pq.read_schema(place / f"out/k={name}/0.parquet").field("n").type for name in "ab"]
    assert kinds == [pa.int8(), pa.int64()]
    assert pq.read_table(place / "out")["prompt"].null_count == 0
    assert vimmerse("caption", "parts", "-o", "texts/", "--to", "jsonl").code == 0
    assert listed(place / "texts") == ["k=a/0.jsonl", "k=b/0.jsonl"]


def test_a_stop_leaves_a_folder_that_is_complete(
    vimmerse: Vimmerse, place: Path, parts: Path
) -> None:
    """What a stopped run has goes into OUT.partial, which goes as soon as OUT is whole."""
    assert vimmerse("caption", "parts", "-o", "out/", "--prompt", "A").code == 0
    before = prompts(place / "out")
    words = ("caption", "parts", "-o", "out/", "--prompt", "B")
    stopped = vimmerse(*words, "--max-calls", "1")
    assert stopped.code == 3
    assert "out/ stays as it is: it is complete for other options" in stopped.err
    assert prompts(place / "out") == before
    assert listed(place / "out.partial") == listed(place / "out")
    assert sum(map(bool, prompts(place / "out.partial").values())) == 1
    assert vimmerse(*words).code == 0
    assert not (place / "out.partial").exists()
    assert all(prompts(place / "out").values())


def test_the_folder_follows_its_source(vimmerse: Vimmerse, place: Path, parts: Path) -> None:
    """A part that went goes from OUT, one that came is in it, and files of others stay."""
    assert vimmerse("caption", "parts", "-o", "out/").code == 0
    (place / "out/notes.csv").write_text("theirs")
    (parts / "day=2/b.csv.gz").unlink()
    write(parts / "day=3/c.csv", 4)
    assert vimmerse("caption", "parts", "-o", "out/").code == 0
    assert listed(place / "out") == ["day=1/a.csv", "day=1/none.csv", "day=3/c.csv", "notes.csv"]
    assert not (place / "out/day=2").exists()


def test_a_part_of_others_is_never_replaced(
    vimmerse: Vimmerse, place: Path, parts: Path, emulator: Emulator
) -> None:
    """A file under a part's name that another program wrote, or changed, needs --overwrite."""
    write(place / "out/day=1/a.csv", 9)
    ended = vimmerse("caption", "parts", "-o", "out/")
    assert ended.code == 2
    assert "--overwrite replaces it" in ended.err
    assert not emulator.requests
    assert vimmerse("caption", "parts", "-o", "out/", "--overwrite").code == 0
    (place / "out/day=1/a.csv").write_text("changed")
    assert vimmerse("caption", "parts", "-o", "out/").code == 2
    assert (place / "out/day=1/a.csv").read_text() == "changed"


def test_one_file_goes_into_a_folder(vimmerse: Vimmerse, place: Path, parts: Path) -> None:
    """A folder takes a file under its own name, of several catalogs one after the other."""
    (place / "results").mkdir()
    for name in ("day=1/a.csv", "day=2/b.csv.gz"):
        ended = vimmerse("caption", f"parts/{name}", "-o", "results")
        assert ended.code == 0, ended.err
    assert listed(place / "results") == ["a.csv", "b.csv.gz"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("photos", "-o", "out/"), "a folder of pictures has no files to write part for part"),
        (("-", "-o", "out/"), "has no name to be written under"),
        (("parts", "-o", "out/", "--no-journal"), "leave --no-journal away"),
        (("parts", "-o", "parts/out/"), "would be a part of the source itself"),
        (("parts", "-o", "parts/"), "the output is the source"),
        (("parts/day=1/a.csv", "-o", "parts/day=1"), "would be written over"),
        (("x.txt", "y.txt", "-o", "out/"), "choose with --to csv"),
        (("x.csv", "x.tsv", "-o", "out/", "--to", "jsonl"), "would both be 'x.jsonl'"),
        (("x.csv", "-o", "none/out/"), "cannot be written"),
        (("x.csv", "-o", "out"), "choose with --to csv"),
    ],
)
def test_what_cannot_be_a_folder_is_said(
    vimmerse: Vimmerse,
    place: Path,
    parts: Path,
    emulator: Emulator,
    words: tuple[str, ...],
    said: str,
) -> None:
    """Nothing is sent before a folder is known to be possible."""
    (place / "photos").mkdir()
    (place / "photos/red.png").write_bytes(encoded(solid(RED)))
    for name in ("x.txt", "y.txt", "x.csv", "x.tsv"):
        (place / name).write_text("image\nhttps://x.example/1.jpg\n")
    ended = vimmerse("caption", *words, stdin="image\nhttps://x.example/1.jpg\n")
    assert ended.code in {2, 4}
    assert said in ended.err
    assert not emulator.requests
    assert not (place / "out").exists()


def test_a_killed_run_leaves_the_parts_of_before(
    vimmerse: Vimmerse,
    start: Callable[..., subprocess.Popen[str]],
    place: Path,
    parts: Path,
    emulator: Emulator,
) -> None:
    """Killed at any point, each part is whole, and what was half written goes with the next run."""
    assert vimmerse("caption", "parts", "-o", "out/").code == 0
    before = prompts(place / "out")
    left = place / "out" / ".vimmerse-killed.tmp"
    left.mkdir()
    (left / "a.csv").write_text("half")
    write(parts / "day=4/d.csv", 5)
    emulator.reset(latency=30.0)
    process: Any = start("caption", "parts", "-o", "out/", "-v")
    wait_until(lambda: "captioning" in process.stderr.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    emulator.reset(latency=0.0)
    if not left.exists():  # its output was looked at already
        assert prompts(place / "out") == before
    assert vimmerse("caption", "parts", "-o", "out/").code == 0
    assert not left.exists()
    assert sorted(prompts(place / "out")) == ["1", "2", "3", "5"]


def test_a_journal_is_exported_part_for_part(
    vimmerse: Vimmerse, place: Path, parts: Path, emulator: Emulator
) -> None:
    """An export writes the folder that the run would, follows its source, and spares others."""
    assert vimmerse("caption", "parts", "-o", "out/", "--max-calls", "2").code == 3
    for name in ("copy/", "copy"):
        ended = vimmerse("export", "out/", "-o", name)
        assert ended.code == 0, ended.err
        assert "copy/; 1 have no answer yet" in ended.err
        assert listed(place / "copy") == ["day=1/a.csv", "day=1/none.csv", "day=2/b.csv.gz"]
    assert vimmerse("caption", "parts", "-o", "out/").code == 0
    (parts / "day=2/b.csv.gz").unlink()
    assert vimmerse("export", "out/", "-o", "copy/").code == 0
    assert listed(place / "copy") == ["day=1/a.csv", "day=1/none.csv"]
    assert prompts(place / "copy") == {sku: prompts(place / "out")[sku] for sku in "12"}
    assert vimmerse("export", "out/", "-o", "texts/", "--to", "jsonl").code == 0
    assert listed(place / "texts") == ["day=1/a.jsonl", "day=1/none.jsonl"]
    calls = len(emulator.requests)
    for words, said in (
        (("-o", "out/"), "is the output of a run"),
        (("-o", "parts/", "--overwrite"), "would be written over"),
        (("-o", "copy/", "--failed"), "a folder takes a catalog's rows"),
    ):
        ended = vimmerse("export", "out/", *words)
        assert ended.code == 2, words
        assert said in ended.err
    (place / "copy/day=1/a.csv").write_text("theirs")
    assert "--overwrite replaces it" in vimmerse("export", "out/", "-o", "copy/").err
    assert (place / "copy/day=1/a.csv").read_text() == "theirs"
    assert vimmerse("export", "out/", "-o", "copy/", "--overwrite").code == 0
    assert sorted(prompts(place / "copy")) == ["1", "2"]
    assert len(emulator.requests) == calls


KILLED = """
import os, pathlib, sys
move, moved = pathlib.Path.replace, []
def replace(self, target):
    if ".vimmerse-" in str(self) and ".vimmerse-" not in str(target):
        if len(moved) == AFTER:
            os.kill(os.getpid(), 9)
        moved.append(self)
    return move(self, target)
pathlib.Path.replace = replace
from vimmerse_async.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "after", [pytest.param(0, marks=pytest.mark.full), 1, pytest.param(2, marks=pytest.mark.full)]
)
def test_a_kill_between_two_parts_loses_nothing(
    vimmerse: Vimmerse,
    place: Path,
    parts: Path,
    emulator: Emulator,
    environment: dict[str, str],
    after: int,
) -> None:
    """Each part is the one before or the one to come, whole; the next run mends it, unpaid."""
    assert vimmerse("caption", "parts", "-o", "out/", "--prompt", "A").code == 0
    before = prompts(place / "out")
    words = ("caption", "parts", "-o", "out/", "--prompt", "B")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED.replace("AFTER", str(after)), *words],
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    calls = len(emulator.requests)
    between = prompts(place / "out")
    assert between.keys() == before.keys()
    assert all(between.values())
    ended = vimmerse(*words)
    assert ended.code == 0, ended.err
    assert "3 known already" in ended.err
    assert len(emulator.requests) == calls
    assert listed(place / "out") == ["day=1/a.csv", "day=1/none.csv", "day=2/b.csv.gz"]
    assert not (place / "out.partial").exists()
    assert not list((place / "out").glob(".vimmerse-*"))
