"""Outputs that are no files: named pipes, descriptors, devices. What reads them gets rows once."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_kit import write_urls

from vimmerse_async import system
from vimmerse_async.emulator import Emulator

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
Vimmerse = Callable[..., Any]


class Reader:
    """Reads a pipe until it ends, once, in a thread."""

    def __init__(self, place: int | Path) -> None:
        self.text: str = ""
        self._place = place
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with open(self._place, encoding="utf-8", newline="") as stream:  # noqa: PTH123 - or a number
            self.text = stream.read()

    def wait(self) -> str:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.text


@pytest.mark.parametrize("journal", [(), ("--journal", "j.db")])
def test_a_named_pipe_is_opened_once(vimmerse: Vimmerse, place: Path, journal: Any) -> None:
    """Whoever reads a named pipe sees no end before the rows, and is waited for."""
    write_urls(place / "in.txt", 3)
    os.mkfifo(place / "pipe")
    reader = Reader(place / "pipe")
    ended = vimmerse("caption", "in.txt", "-o", "pipe", "--to", "csv", *journal)
    assert ended.code == 0
    assert ("no journal: nothing is kept" in ended.err) is not bool(journal)
    lines = reader.wait().splitlines()
    assert lines[0] == "url,prompt,error"
    assert len(lines) == 4


def test_a_stream_gets_each_row_once(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """What cannot be taken back is written when all is known, not while rows are looked up."""
    write_urls(place / "in.txt", 900)
    words = ("caption", "in.txt", "--to", "csv", "--journal", "j.db", "-o")
    assert vimmerse(*words, os.devnull, "--rows", "600").code == 0
    os.mkfifo(place / "pipe")
    reader = Reader(place / "pipe")
    assert vimmerse(*words, "pipe").code == 0
    assert len(reader.wait().splitlines()) == 901
    assert len(emulator.requests) == 900


def test_a_descriptor_without_a_name_is_written_to(vimmerse: Vimmerse, place: Path) -> None:
    """A shell's `>(command)` is a path to a pipe that has no name of its own."""
    if not Path("/dev/fd").exists():
        pytest.skip("descriptors have no paths")
    write_urls(place / "in.txt", 3)
    out, inward = os.pipe()
    reader = Reader(out)
    ended = vimmerse("caption", "in.txt", "-o", f"/dev/fd/{inward}", "--to", "jsonl")
    os.close(inward)
    assert ended.code == 0
    assert len(reader.wait().splitlines()) == 3


def test_the_standard_output_has_other_names(vimmerse: Vimmerse, place: Path) -> None:
    """`-o /dev/stdout` is `-o -`, whatever it is at the moment."""
    write_urls(place / "in.txt", 3)
    ended = vimmerse("caption", "in.txt", "-o", "/dev/stdout")
    assert ended.code == 0
    assert ended.out.splitlines()[0] == "url,prompt,error"
    assert len(ended.out.splitlines()) == 4


def test_signals_end_the_wait_for_a_reader(start: Callable[..., Any], place: Path) -> None:
    """While nobody reads a named pipe, a signal ends the command; nothing was sent."""
    write_urls(place / "in.txt", 3)
    os.mkfifo(place / "pipe")
    process = start("caption", "in.txt", "-o", "pipe", "--to", "csv")
    with pytest.raises(Exception, match="timed out"):
        process.wait(1.5)
    process.send_signal(next(iter(system.endings())))
    assert process.wait(60) != 0
