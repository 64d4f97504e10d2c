"""Compressed catalogs and outputs."""

import bz2
import contextlib
import csv
import gzip
import io
import lzma
import subprocess
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Ended

from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]
ZSTD: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
PACKED: dict[str, Any] = {".gz": gzip, ".bz2": bz2, ".xz": lzma, ".zst": ZSTD}
ENDINGS = sorted(PACKED)
each_packing = pytest.mark.parametrize("ending", ENDINGS)


def lines(count: int) -> bytes:
    rows = (f"{row},https://x.example/{row * 7919:06}.jpg\n" for row in range(count))
    return ("sku,image\n" + "".join(rows)).encode()


def asked(emulator: Emulator) -> list[str]:
    return [(seen.fields or {})["image_url"] for seen in emulator.requests]


def table(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode())))


@each_packing
def test_packed_in_packed_out(vimmerse: Vimmerse, place: Path, ending: str) -> None:
    """A compressed catalog, also of several archives in a row, comes back compressed and whole."""
    packing = PACKED[ending]
    plain = lines(40)
    (place / f"in.csv{ending}").write_bytes(
        packing.compress(plain[:101]) + packing.compress(plain[101:])
    )
    ended = vimmerse("caption", f"in.csv{ending}", "-o", f"out.csv{ending}")
    assert ended.code == 0, ended.err
    out = packing.decompress((place / f"out.csv{ending}").read_bytes())
    before, after = plain.splitlines(), out.splitlines()
    assert len(after) == len(before)
    assert all(new.startswith(old + b",") for old, new in zip(before, after, strict=True))
    assert all(row["prompt"] and not row["error"] for row in table(out))


@each_packing
def test_what_a_pipe_brings_is_unpacked(
    start: Callable[..., "subprocess.Popen[str]"], place: Path, ending: str
) -> None:
    """Compressed bytes are told by how they begin, also where they have no name."""
    (place / "in").write_bytes(PACKED[ending].compress(lines(3)))
    with (place / "in").open("rb") as file:
        cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        process = start("caption", "-", "-o", "out.jsonl", stdin=cat.stdout)
        _, said = process.communicate(timeout=60)
    assert cat.stdout is not None
    cat.stdout.close()
    assert (cat.wait(), process.returncode) == (0, 0), said
    assert len((place / "out.jsonl").read_text().splitlines()) == 3


@each_packing
def test_a_cut_archive_is_an_error_at_its_place(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, ending: str
) -> None:
    """What stands before the cut is asked; what is cut is not, and the row there says so."""
    plain = lines(40)
    packed = PACKED[ending].compress(plain[:617]) + PACKED[ending].compress(plain[617:])[:20]
    (place / f"in.csv{ending}").write_bytes(packed)
    ended = vimmerse("caption", f"in.csv{ending}", "-o", "out.csv")
    assert ended.code == 1, ended.err
    assert set(asked(emulator)) < set(plain.decode().replace("\n", ",").split(","))
    found = table((place / "out.csv").read_bytes())
    assert len(found) == len(asked(emulator)) + 1 < 40
    assert all(row["prompt"] for row in found[:-1])
    assert found[-1]["error"] == f"line {len(found) + 1}: the archive is cut off here"
    assert "the archive is cut off here" in ended.err


@pytest.mark.parametrize("journal", ["--journal=j", "--no-journal"])
def test_a_cut_catalog_replaces_no_whole_one(vimmerse: Vimmerse, place: Path, journal: str) -> None:
    """Yesterday's output stays where today's listing was cut off."""
    whole = gzip.compress(lines(9), mtime=0)
    (place / "in.csv.gz").write_bytes(whole)
    assert vimmerse("caption", "in.csv.gz", "-o", "out.csv", "--journal=j").code == 0
    before = (place / "out.csv").read_bytes()
    (place / "in.csv.gz").write_bytes(gzip.compress(lines(3), mtime=0)[:-5])
    ended = vimmerse("caption", "in.csv.gz", "-o", "out.csv", journal, "--overwrite")
    assert ended.code == 1
    assert (place / "out.csv").read_bytes() == before
    assert (place / "out.partial.csv").exists()


@each_packing
def test_a_damaged_archive_is_refused_before_anything_is_sent(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, ending: str
) -> None:
    """Rows of a damaged archive may be wrong: none is asked, and the output is left alone."""
    plain = lines(4_000)
    packed = bytearray(
        ZSTD.compress(plain, options={ZSTD.CompressionParameter.checksum_flag: 1})
        if ending == ".zst"
        else PACKED[ending].compress(plain)
    )
    packed[len(packed) // 2] ^= 0xFF
    (place / f"in.csv{ending}").write_bytes(packed)
    ended = vimmerse("caption", f"in.csv{ending}", "-o", "out.csv", "--rows", 2)
    assert ended.code == 2
    assert "the archive is damaged" in ended.err
    assert not emulator.requests
    assert not (place / "out.csv").exists()


def test_a_damage_that_runs_off_the_end_is_no_cut(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """A wrong byte may turn all behind it into text without an end: none of it is asked."""
    (place / "in.csv.gz").write_bytes(endless(gzip.compress(lines(60), mtime=0)))
    ended = vimmerse("caption", "in.csv.gz", "-o", "out.csv")
    assert ended.code == 2
    assert "the archive is damaged (gzip: its last bytes are there" in ended.err
    assert not emulator.requests


def endless(packed: bytes) -> bytes:
    """Return an archive with one wrong bit that gzip finds nothing in but that it has no end."""
    for place in range(len(packed) - 9, 20, -1):
        for bit in range(8):
            wrong = bytearray(packed)
            wrong[place] ^= 1 << bit
            unpacker = zlib.decompressobj(31)
            with contextlib.suppress(zlib.error):
                unpacker.decompress(bytes(wrong))
                if not unpacker.eof:
                    return bytes(wrong)
    raise AssertionError("each wrong bit is found")


def test_a_damaged_pipe_ends_at_its_place(
    start: Callable[..., "subprocess.Popen[str]"], place: Path
) -> None:
    """What came through a pipe before the damage is kept; behind it nothing is made up."""
    packed = bytearray(gzip.compress(lines(3)) + gzip.compress(b"x" * 99))
    packed[-5] ^= 0xFF
    (place / "in").write_bytes(packed)
    with (place / "in").open("rb") as file:
        cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        process = start("caption", "-", "-o", "out.csv", stdin=cat.stdout)
        _, said = process.communicate(timeout=60)
    assert cat.stdout is not None
    cat.stdout.close()
    assert (cat.wait(), process.returncode) == (0, 1), said
    found = table((place / "out.csv").read_bytes())
    assert [bool(row["prompt"]) for row in found] == [True, True, True, False]
    assert "the archive is damaged" in found[-1]["error"]


def test_an_archive_cut_in_its_header_is_no_table(vimmerse: Vimmerse, place: Path) -> None:
    """The names of columns are never cut ones."""
    (place / "in.csv.gz").write_bytes(gzip.compress(b"sku,image\n1,https://x.example/1.png\n")[:17])
    ended = vimmerse("caption", "in.csv.gz", "-o", "out.csv")
    assert ended.code == 2
    assert "the archive is cut off here" in ended.err


def test_zstd_that_is_not_installed_is_named(
    vimmerse: Vimmerse, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is said with the extra that brings it, before anything is sent."""
    (place / "in.csv.zst").write_bytes(ZSTD.compress(lines(3)))
    monkeypatch.setitem(sys.modules, ZSTD.__name__, None)
    ended = vimmerse("caption", "in.csv.zst", "-o", "out.csv")
    assert ended.code == 2
    assert 'pip install "vimmerse-async[zstd]"' in ended.err


def test_equal_tables_make_equal_archives(vimmerse: Vimmerse, place: Path) -> None:
    """No clock and no name gets into an output that is compressed."""
    (place / "in.csv").write_bytes(lines(3))
    for name in ("a.csv.gz", "b.csv.gz"):
        assert vimmerse("caption", "in.csv", "-o", name).code == 0
    assert (place / "a.csv.gz").read_bytes() == (place / "b.csv.gz").read_bytes()
