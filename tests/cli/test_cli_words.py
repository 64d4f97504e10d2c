"""What the command says is for people: no names of routes, classes, fields or rows of a list."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vimmerse_async.emulator import Emulator, Fault

JARGON = re.compile(
    r"\(\w*_(?:prompt|image|video)\b|_2_prompt|Error\b|Entity|the batch stopped|\brow 0\b|b'"
    r"|RetryPolicy|_url\b|\bdict\b|NoneType|(['\"])(\S+)\1: \1\2"
)
"""Names that only programmers know, and file names that stand twice."""
KINDS = (
    *(Fault("status", status=status) for status in (400, 401, 402, 403, 404, 418, 422)),
    Fault("html", status=404),
    Fault("wrong-shape", body="{}"),
    Fault("wrong-shape", body="[1, null]"),
    Fault("redirect"),
)


@pytest.mark.parametrize("fault", KINDS, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_what_goes_wrong_is_said_in_words(
    vimmerse: Callable[..., Any], emulator: Emulator, photos: Path, fault: Fault
) -> None:
    """Whatever a server answers: a question, an upload and a catalog say it without jargon."""
    emulator.reset(faults=[fault])
    (photos / "shop.csv").write_text("sku,image\nA,https://a.example/1.png\nB,\n")
    for words in (
        ("refine", "a fox"),
        ("suggest", "-n", "2"),
        ("upload", photos / "red.png"),
        ("caption", photos / "shop.csv", "-o", photos / "out.csv", "--no-journal", "--overwrite"),
    ):
        ended = vimmerse(*words)
        assert ended.code in {1, 3}
        assert not JARGON.search(ended.err), ended.err
    out = photos / "out.csv"
    assert not out.exists() or not JARGON.search(out.read_text())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prompt", "--image", "https://"), "--image has no host"),
        (("prompt", "--image", "none.png"), "'none.png' cannot be read: No such file"),
        (("upload", "shop.csv"), "'shop.csv' is not JPEG, .* bytes are 'sku,imag'"),
        (("refine", "a", "--base-url", "ftp://a"), "--base-url .* must begin with https"),
        (("refine", "a", ""), "prompt is empty"),
        (("caption", "shop.csv", "out.csv"), "no 'out.csv' to read: the output is named by -o"),
    ],
)
def test_what_was_typed_is_called_as_it_was_typed(
    vimmerse: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    """An error names the option, not the field, and a file once."""
    monkeypatch.chdir(tmp_path)
    Path("shop.csv").write_text("sku,image\n")
    ended = vimmerse(*words)
    assert re.search(said, ended.err), ended.err
    assert not JARGON.search(ended.err), ended.err


def test_what_is_said_of_each_question_is_said_once(
    vimmerse: Callable[..., Any], emulator: Emulator
) -> None:
    """Three questions that fail alike are one line."""
    emulator.reset(faults=[Fault("status", status=422)])
    ended = vimmerse("suggest", "-n", "3")
    assert ended.err == "vimmerse: 3 of 3: HTTP 422: body.prompt: Input should be valid\n"


def test_rejected_rows_are_asked_again_by_status(
    vimmerse: Callable[..., Any], emulator: Emulator, tmp_path: Path
) -> None:
    """`--retry-errors 422` takes what stands in the column `error`; another status asks nothing."""
    emulator.reset(faults=[Fault("status", status=422, count=1)])
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("image\nhttps://a.example/1.png\n")
    assert vimmerse("caption", source, "-o", out).code == 1
    assert "line 2: HTTP 422: " in out.read_text()
    assert vimmerse("caption", source, "-o", out, "--retry-errors", "404").code == 1
    assert vimmerse("caption", source, "-o", out, "--retry-errors", "404,422").code == 0
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    ("missing", "extra"), [("PIL.Image", "emulator"), ("av", "video")], ids=["pictures", "videos"]
)
def test_a_missing_extra_stops_before_the_first_row(
    vimmerse: Callable[..., Any],
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    extra: str,
) -> None:
    """What the emulator cannot look at is said once, before anything is uploaded or written."""
    (photos / "walk.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    monkeypatch.setitem(sys.modules, missing, None)
    ended = vimmerse("caption", photos, "-o", photos.parent / "out.csv", "--emulator")
    assert ended.code == 2
    assert ended.err.count("pip install") == 1
    assert f'pip install "vimmerse-async[{extra}]"' in ended.err
    assert not (photos.parent / "out.csv").exists()
