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
    assert "pip install 'vimmerse-async[cloud]'" in ended.err
    assert not emulator.requests


def test_a_picture_at_an_address_is_no_catalog(vimmerse: Vimmerse, place: Path) -> None:
    """One address of a picture is told what asks about one picture."""
    ended = vimmerse("caption", "https://x.example/1.jpg", "-o", "out.csv")
    assert ended.code == 2
    assert "vimmerse prompt --image-url URL" in ended.err
