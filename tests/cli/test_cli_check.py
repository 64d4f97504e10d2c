"""Answers that look wrong get a column and a filter; pictures that look the same share a call."""

import csv
import io
import sqlite3
from pathlib import Path

import pytest
from drawn import BLUE, GREEN, RED, solid
from PIL import Image, ImageDraw
from pillow_heif import from_pillow
from test_cli_sample import calls, write_shop

from vimmerse_async.catalog.likeness import Likeness, face_of
from vimmerse_async.kinds import HEIC


def rewrite(place: Path, prompt: str, url: str) -> None:
    with sqlite3.connect(place / "o.csv.journal") as connection:
        connection.execute(
            "UPDATE results SET prompt = ? WHERE request LIKE ?", (prompt, f"%{url}%")
        )
    connection.close()


def test_a_check(vimmerse, emulator, place: Path):
    """What looks wrong stands in `check`, is asked again as flagged, and is right then."""
    write_shop(place / "a.csv", 6)
    run = ("caption", "a.csv", "-o", "o.csv")
    vimmerse(*run)
    rewrite(place, "I'm sorry, I cannot describe this.", "/1.png")
    rewrite(place, "Shoe", "/2.png")
    rewrite(place, "A red shoe on a table", "/3.png")
    rewrite(place, "a red shoe on a table!", "/4.png")
    checked = vimmerse(*run, "--check")
    assert checked.code == 0
    assert "looked at 6 answers: some look wrong: 2 same for different pictures" in checked.err
    with (place / "o.csv").open(newline="") as file:
        found = [row["check"] for row in csv.DictReader(file)]
    assert found == [
        "",
        "refusal",
        "too short",
        "same for different pictures",
        "same for different pictures",
        "",
    ]
    vimmerse("mark", "o.csv", "sku = 'S3'", "--good")
    assert vimmerse(*run, "--again", "\"check\" = 'refusal'").code == 0
    assert calls(emulator) == 7
    assert vimmerse(*run, "--again", "flagged", "--mode", "scene", "--check").code == 0
    assert calls(emulator) == 10
    assert "none is wrong" in vimmerse(*run, "--check").err


def drawn(seed: int) -> Image.Image:
    picture = Image.new("RGB", (320, 240), (seed * 40 % 256, 90, 200 - seed * 30 % 200))
    pencil = ImageDraw.Draw(picture)
    for n in range(12):
        x, y = (n * 97 + seed * 53) % 280, (n * 61 + seed * 29) % 200
        pencil.ellipse(
            (x, y, x + 70, y + 50), fill=((n * 50) % 256, (n * 90) % 256, seed * 60 % 256)
        )
    return picture


@pytest.fixture
def look_alikes(place: Path) -> Path:
    """Three pictures, the first of them in three more files that differ in every byte."""
    folder = place / "photos"
    folder.mkdir()
    for seed in range(3):
        drawn(seed).save(folder / f"{seed}.png")
    drawn(0).save(folder / "again.jpg", quality=88)
    drawn(0).resize((160, 120)).save(folder / "small.png")
    drawn(0).save(folder / "web.webp", quality=80)
    return folder


def test_pictures_that_look_the_same_share_a_call(vimmerse, emulator, place, look_alikes):
    """One call answers for all that look the same, in this run and later; others have their own."""
    run = ("caption", look_alikes, "-o", "o.csv")
    assert vimmerse(*run, "--share-similar").code == 0
    assert calls(emulator) == 3
    assert vimmerse(*run).code == 0
    assert calls(emulator) == 3
    with (place / "o.csv").open(newline="") as file:
        said = {row["file"]: row["prompt"] for row in csv.DictReader(file)}
    assert len({said[name] for name in ("0.png", "again.jpg", "small.png", "web.webp")}) == 1
    assert all(said.values())
    assert "calls needed        0" in vimmerse(*run, "--dry-run").out


def test_flat_pictures_are_told_apart(tmp_path: Path):
    """Pictures without any form are the same only if their colours are."""
    likeness = Likeness()
    for number, colour in enumerate((RED, GREEN, BLUE)):
        buffer = io.BytesIO()
        solid(colour).save(buffer, "PNG")
        path = tmp_path / f"{number}.png"
        path.write_bytes(buffer.getvalue())
        face = face_of(path)
        assert face is not None
        assert likeness.first(face, b"%d" % number) == b"%d" % number
    from_pillow(solid(BLUE)).save(tmp_path / "2.heic")
    heic = face_of(tmp_path / "2.heic", HEIC)
    assert heic is not None
    assert likeness.first(heic, b"another") == b"2"
    (tmp_path / "no.png").write_bytes(b"no picture")
    assert face_of(tmp_path / "no.png") is None
