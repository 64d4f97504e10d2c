"""Folders as people have them: what is no file, no picture that the API takes, or nobody's."""

import base64
import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from cli_kit import Ended
from drawn import GREEN, RED, encoded, solid
from PIL import Image

from vimmerse_async.catalog.pictures import thumbnail
from vimmerse_async.emulator import Emulator
from vimmerse_async.parts import MAX_UPLOAD

Vimmerse = Callable[..., Ended]
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
STUCK = """
import sys, threading, time
import anyio.to_thread
from vimmerse_async import cli
from vimmerse_async.cli import app, runner

async def command(interrupts):
    def hang():
        print("stuck", flush=True)
        time.sleep(600)
    with interrupts.softly(lambda: print("asked", flush=True)):
        await anyio.to_thread.run_sync(hang)

app.run = lambda _: runner.run(command)
sys.exit(cli.main())
"""


def rows_of(text: str) -> dict[str, dict[str, str]]:
    return {row["file"]: row for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture
def phone(place: Path) -> Path:
    """A folder in which only `ok.png` is what the API takes."""
    folder = place / "phone"
    folder.mkdir()
    (folder / "ok.png").write_bytes(encoded(solid(RED)))
    (folder / "IMG_1.heic").write_bytes(HEIC)
    (folder / "anim.gif").write_bytes(encoded(solid(RED), "GIF"))
    (folder / "wrong.jpg").write_bytes(HEIC)
    (folder / "shot.cr3").write_bytes(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(40))
    (folder / "film.mkv").write_bytes(b"\x1aE\xdf\xa3\xa3B\x82\x88matroska" + bytes(40))
    (folder / "song.m4a").write_bytes(b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(40))
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "dir.jpg").symlink_to("/tmp")
    return folder


def test_a_file_that_is_not_taken_is_a_failed_row_that_names_what_it_is(
    vimmerse: Vimmerse, phone: Path, emulator: Emulator
) -> None:
    """Each picture and film has its row; one that cannot be sent says what it is and what mends."""
    for path in (phone / "big.mp4", phone / "big.png"):
        path.write_bytes(encoded(solid(RED)))
        os.truncate(path, 1 << 40)  # hours, were it hashed
    ended = vimmerse("caption", phone, "-o", "o.csv")
    errors = {name: row["error"] for name, row in rows_of(Path("o.csv").read_text()).items()}
    assert ended.code == 1, ended.err
    assert not errors.pop("ok.png")
    large = f"has {1 << 40:,} bytes; at most {MAX_UPLOAD:,} are sent"
    not_taken = "which the API does not take"
    assert errors == {
        "IMG_1.heic": f"IMG_1.heic is a HEIC picture, {not_taken}: add --convert",
        "anim.gif": f"anim.gif is a GIF picture, {not_taken}: add --convert",
        "big.mp4": f"big.mp4: {large}",
        "big.png": f"big.png: {large}",
        "dir.jpg": "dir.jpg: cannot be read: not a regular file, but a folder",
        "film.mkv": f"film.mkv is an MKV video, {not_taken}: add --convert",
        "pipe.jpg": "pipe.jpg: cannot be read: not a regular file, but a pipe",
        "shot.cr3": f"shot.cr3 is a camera's raw picture, {not_taken}: save it as a JPEG",
        "wrong.jpg": f"wrong.jpg is a HEIC picture, {not_taken}: add --convert",
        "zero.png": "zero.png: cannot be read: not a regular file, but a device",
    }
    assert "skipped 1 files that are no picture or video: 1 .m4a" in ended.err
    assert len(emulator.requests) == 2
    planned = vimmerse("caption", phone, "--dry-run")
    assert f"IMG_1.heic: is a HEIC picture, {not_taken}" in planned.out
    assert "uploads needed      1" in planned.out


def test_a_folder_of_other_pictures_alone_is_no_empty_catalog(
    vimmerse: Vimmerse, place: Path
) -> None:
    """Where no picture is taken there are failed rows and exit code 1, never none and 0."""
    (place / "roll").mkdir()
    (place / "roll" / "a.heic").write_bytes(HEIC)
    (place / "roll" / "untold").write_bytes(HEIC)
    for source in ("roll", "roll/a.heic", "roll/untold"):
        ended = vimmerse("caption", source)
        assert ended.code == 1
        assert all("is a HEIC picture" in row["error"] for row in rows_of(ended.out).values())
        assert len(rows_of(ended.out)) == (2 if source == "roll" else 1)


@pytest.mark.parametrize("command", [["upload"], ["prompt", "--image"], ["prompt", "--video"]])
def test_single_files_are_looked_at_before_they_are_opened(
    vimmerse: Vimmerse, phone: Path, command: list[str], emulator: Emulator
) -> None:
    """A pipe or device is refused by name at once, and a HEIC picture says what it is."""
    for name, told in {
        "pipe.jpg": "not a regular file, but a pipe",
        "zero.png": "not a regular file, but a device",
        "IMG_1.heic": "is a HEIC picture, which the API does not take: add --convert",
    }.items():
        ended = vimmerse(*command, phone / name)
        assert ended.code == 2
        assert name in ended.err
        assert told in ended.err
    assert not emulator.requests


def test_what_systems_leave_behind_is_left_out_and_said(vimmerse: Vimmerse, place: Path) -> None:
    """Thumbnails and trash of storage systems are nobody's pictures, and `--exclude` adds to it."""
    share = place / "share"
    for name in (
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/old.png", "$RECYCLE.BIN/$R1.png", "a.png",
        "a.png~", "Thumbs.db", ".DS_Store", "._a.png", "b_small.png", "drafts/c.png", "x/raw/d.png",
        "x/e.png",
    ):  # fmt: skip
        path = share / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(solid(GREEN)))
    words = ("--exclude", "*_small.*", "--exclude", "drafts/", "--exclude", "x/raw")
    ended = vimmerse("caption", share, "-o", "o.csv", *words)
    assert list(rows_of(Path("o.csv").read_text())) == ["a.png", "x/e.png"]
    (litter,) = [line for line in ended.err.splitlines() if "the system's own" in line]
    assert litter.startswith("left out 7 that are hidden or the system's own: 2 hidden, ")
    for name in ("1 @eaDir", "1 #recycle", "1 $RECYCLE.BIN"):
        assert name in litter
    (excluded,) = [line for line in ended.err.splitlines() if "--exclude names" in line]
    assert excluded == "left out 3 that --exclude names: 1 *_small.*, 1 drafts/, 1 x/raw"
    exported = vimmerse("export", "o.csv")
    assert list(rows_of(exported.out)) == ["a.png", "x/e.png"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_names_that_are_no_utf_8_can_be_joined_back(
    vimmerse: Vimmerse, place: Path, form: str
) -> None:
    """Each name of a folder leads back to its very file, in every form of output."""
    names = [b"caf\xe9.png", b"caf\xe8.png", "caf\xe9.png".encode(), b"caf%E9.png", b"a\\xe9.png"]
    (place / "d").mkdir()
    for number, name in enumerate(names):
        path = Path(os.fsdecode(os.fsencode(place / "d") + b"/" + name))
        path.write_bytes(encoded(solid((number, 0, 0))))
    assert vimmerse("caption", "d", "-o", f"o.{form}").code == 0
    shown = rows_of(vimmerse("export", f"o.{form}").out)
    found = {
        unquote_to_bytes(name.removeprefix("file://"))
        if name.startswith("file:///")
        else os.fsencode(place / "d" / name)
        for name in shown
    }
    assert found == {os.fsencode(place / "d") + b"/" + name for name in names}
    assert vimmerse("report", f"o.{form}", "--embed", "-o", "o.html").code == 0
    assert Path("o.html").read_text().count("data:image/webp;base64,") == len(names)


def test_embedded_copies_look_like_their_pictures(tmp_path: Path) -> None:
    """A cut-out keeps its holes, a grey of 16 bits is grey, and what lies on its side stands."""
    cut = Image.new("RGBA", (1600, 1000), (255, 0, 255, 0))
    cut.paste((200, 30, 30, 255), (400, 300, 1200, 700))
    cut.save(tmp_path / "cut.png")
    Image.new("I;16", (600, 400), 128 * 257).save(tmp_path / "grey.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    solid(GREEN, 900, 600).save(tmp_path / "side.jpg", exif=exif)
    Image.new("CMYK", (600, 400), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    solid(GREEN).convert("P").save(tmp_path / "palette.png")
    looks = {}
    for path in tmp_path.iterdir():
        address = thumbnail(path) or ""
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
            looks[path.stem] = picture.size, picture.convert("RGBA")
    assert looks["cut"][0] == (480, 300)
    assert looks["cut"][1].getpixel((5, 5))[3] == 0
    assert looks["cut"][1].getpixel((240, 150))[0] > 180
    assert abs(looks["grey"][1].getpixel((9, 9))[0] - 128) < 6
    assert looks["side"][0] == (240, 360)
    assert looks["cmyk"][1].getpixel((9, 9))[0] > 180
    assert abs(looks["palette"][1].getpixel((9, 9))[1] - GREEN[1]) < 30


def test_a_second_interrupt_waits_for_no_stuck_thread(place: Path) -> None:
    """Whoever asks twice is obeyed, whatever a thread waits for."""
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", STUCK], **options) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stuck\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"asked\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, b"")


def test_halves_of_live_photos_are_told(vimmerse: Vimmerse, place: Path) -> None:
    """A telephone's folder says which videos belong to pictures, and how they are left out."""
    folder = place / "DCIM"
    folder.mkdir()
    video = (Path(__file__).parents[2] / "examples/catalog").glob("*.mp4")
    for name in ("IMG_1.JPG", "IMG_2.JPG", "IMG_E1.JPG"):
        (folder / name).write_bytes(encoded(solid(RED), "JPEG"))
    moving = next(video).read_bytes()
    for name in ("IMG_1.MOV", "IMG_3.MOV"):
        (folder / name).write_bytes(moving)
    (folder / "IMG_1.AAE").write_text("<plist/>")
    ended = vimmerse("caption", "DCIM", "-o", "o.csv")
    assert ended.code == 0, ended.err
    assert "1 videos have a picture of the same name" in ended.err
    assert "--exclude '*.MOV' leaves them out" in ended.err
    assert vimmerse("caption", "DCIM", "-o", "o.csv", "--exclude", "*.MOV").code == 0
    assert len((place / "o.csv").read_text().splitlines()) == 4
