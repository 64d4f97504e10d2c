"""Catalogs that are elsewhere."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Ended

from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]


@pytest.fixture
def bucket() -> Any:
    """A store in memory, with parts below a prefix."""
    fsspec: Any = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for day in (1, 2):
        name = f"/shop/feed/day={day}/part-0.csv"
        files.pipe_file(name, f"sku,image\n{day},https://x.example/{day}.jpg\n".encode())
    files.pipe_file("/shop/feed/_SUCCESS", b"")
    yield files
    files.rm("/shop", recursive=True)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("memory://shop/feed", 2),
        ("memory://shop/feed/*/*.csv", 2),
        ("memory://shop/feed/day=1/part-0.csv", 1),
    ],
)
def test_what_is_in_a_store_is_a_catalog(
    vimmerse: Vimmerse, place: Path, bucket: Any, name: str, rows: int
) -> None:
    """A file, a pattern and a prefix are read as those of a folder, also by export."""
    ended = vimmerse("caption", name, "-o", "out.csv")
    assert ended.code == 0, ended.err
    with (place / "out.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["sku"] for row in found] == [str(day) for day in range(1, rows + 1)]
    assert [row.get("day", row["sku"]) for row in found] == [row["sku"] for row in found]
    assert all(row["prompt"] for row in found)
    assert vimmerse("export", "out.csv", "-o", "again.csv").code == 0
    assert (place / "again.csv").read_bytes() == (place / "out.csv").read_bytes()


def test_what_is_not_there_is_said(vimmerse: Vimmerse, place: Path, bucket: Any) -> None:
    """A name that means nothing is refused before anything is sent."""
    ended = vimmerse("caption", "memory://shop/nothing", "-o", "out.csv")
    assert ended.code == 2
    assert "cannot be fetched" in ended.err


@pytest.mark.parametrize(
    "name", ["s3://b/a.csv", "gs://b/a.csv", "az://b/a.csv", "hf://datasets/a/b"]
)
def test_a_store_that_is_not_installed_is_named(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each scheme says which extra brings it."""
    for library in ("s3fs", "gcsfs", "adlfs", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, library, None)
    ended = vimmerse("caption", name, "-o", "out.csv")
    assert ended.code == 2
    assert 'pip install "vimmerse-async[cloud]"' in ended.err
    assert not emulator.requests


def test_a_picture_at_an_address_is_no_catalog(vimmerse: Vimmerse, place: Path) -> None:
    """One address of a picture is told what asks about one picture."""
    ended = vimmerse("caption", "https://x.example/1.jpg", "-o", "out.csv")
    assert ended.code == 2
    assert "vimmerse prompt --image-url URL" in ended.err


def stored(bucket: Any, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(bucket.cat(f"/shop/{name}").decode().splitlines()))


def test_an_output_goes_into_a_store(vimmerse: Vimmerse, place: Path, bucket: Any) -> None:
    """It is sent whole, its journal lies here and goes on, and OUT of others is left alone."""
    words = ("caption", "memory://shop/feed", "-o", "memory://shop/out/captions.csv")
    ended = vimmerse(*words)
    assert ended.code == 0, ended.err
    assert "written to memory://shop/out/captions.csv" in ended.err
    assert "it lies here, not in the store" in ended.err
    assert [path.name for path in place.iterdir()] == ["captions.csv.journal"]
    assert all(row["prompt"] for row in stored(bucket, "out/captions.csv"))
    assert "2 known already" in vimmerse(*words).err
    assert vimmerse("status", words[-1]).code == 0
    bucket.pipe_file("/shop/out/captions.csv", b"theirs")
    ended = vimmerse(*words)
    assert ended.code == 2
    assert "--overwrite replaces it" in ended.err
    assert bucket.cat("/shop/out/captions.csv") == b"theirs"


def test_a_stop_leaves_what_is_complete_in_a_store(
    vimmerse: Vimmerse, place: Path, bucket: Any
) -> None:
    """What a stopped run has stands beside the output, until that is whole."""
    words = ("caption", "memory://shop/feed", "-o", "memory://shop/out/c.csv.gz")
    assert vimmerse(*words).code == 0
    before = bucket.cat("/shop/out/c.csv.gz")
    stopped = vimmerse(*words, "--prompt", "B", "--max-calls", "1")
    assert stopped.code == 3
    assert "stays as it is: it is complete for other options" in stopped.err
    assert bucket.cat("/shop/out/c.csv.gz") == before
    assert len(bucket.find("/shop/out")) == 2
    assert vimmerse(*words, "--prompt", "B").code == 0
    assert bucket.find("/shop/out") == ["/shop/out/c.csv.gz"]
    assert bucket.cat("/shop/out/c.csv.gz") != before


def test_what_a_store_refuses_costs_nothing(vimmerse: Vimmerse, place: Path, bucket: Any) -> None:
    """An upload that fails ends with 4, and the same command goes on without a call."""
    bucket.pipe_file("/shop/taken", b"a file")
    words = ("caption", "memory://shop/feed", "-o", "memory://shop/taken/c.csv")
    ended = vimmerse(*words)
    assert ended.code == 4, ended.err
    assert "what was answered is kept in c.csv.journal" in ended.err
    bucket.rm("/shop/taken")
    ended = vimmerse(*words)
    assert ended.code == 0
    assert "2 known already" in ended.err


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("https://x.example/c.csv", "https:// takes no file whole or not at all"),
        ("sftp://x.example/c.csv", "sftp:// takes no file whole or not at all"),
        ("memory://shop/out/", "is a prefix, below which no files are replaced all at once"),
        ("memory://shop/c.xyz", "choose with --to csv"),
    ],
)
def test_where_no_file_appears_whole_nothing_is_sent(
    vimmerse: Vimmerse, place: Path, bucket: Any, emulator: Emulator, output: str, said: str
) -> None:
    """A place that could be left half written is refused in words, before anything is sent."""
    ended = vimmerse("caption", "memory://shop/feed", "-o", output)
    assert ended.code == 2
    assert said in ended.err
    words = ("caption", "memory://shop/feed", "-o", "memory://shop/c.csv", "--no-journal")
    assert "leave --no-journal away" in vimmerse(*words).err
    assert not emulator.requests
