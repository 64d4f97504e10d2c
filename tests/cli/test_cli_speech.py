"""How the command speaks: less, more, into a file, to programs, in colour."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Ended, write_urls

Vimmerse = Callable[..., Ended]


@pytest.fixture
def urls(place: Path) -> str:
    write_urls(place / "in.txt", 3)
    with (place / "in.txt").open("a") as file:
        file.write("http://bad\n")
    return "in.txt"


def events(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.err.splitlines()]


def test_quiet_says_what_is_wrong_alone(vimmerse: Vimmerse, urls: str, place: Path) -> None:
    """With -q a good run says nothing; an error, and how to go on, are still said."""
    write_urls(place / "good.txt", 2)
    assert vimmerse("caption", "good.txt", "-o", "good.csv", "-q").err == ""
    stopped = vimmerse("caption", urls, "-o", "out.csv", "-q", "--max-calls", "1")
    assert "vimmerse: " in stopped.err
    assert "to go on: vimmerse caption in.txt" in stopped.err
    assert "captioning" not in stopped.err
    assert vimmerse("caption", "nope.csv", "--quiet").err.startswith("vimmerse: ")


def test_programs_read_events(vimmerse: Vimmerse, urls: str) -> None:
    """With --json each line of stderr is an object; plan, end and exit code are among them."""
    plan = vimmerse("caption", urls, "-o", "out.csv", "--json", "--dry-run")
    assert json.loads(plan.out) | {"cost": 0} == {
        "event": "plan",
        "rows": 4,
        "cannot_be_asked": 1,
        "questions": 3,
        "answered": 0,
        "rejected": 0,
        "uploads": 0,
        "calls_needed": 3,
        "calls_needed_at_most": 3,
        "calls": 3,
        "cost": 0,
        "seconds": None,
    }
    said = events(vimmerse("caption", urls, "-o", "out.csv", "--json"))
    (end,) = (each for each in said if each["event"] == "end")
    assert end | {"seconds": 0} == {
        "event": "end",
        "complete": True,
        "rows": 4,
        "failed": 1,
        "known": 0,
        "calls": 3,
        "possibly_charged": 0,
        "seconds": 0,
        "output": "out.csv",
    }
    assert said[-1] == {"event": "exit", "code": 1}
    wrong = events(vimmerse("caption", "nope.csv", "--json"))
    assert [each["event"] for each in wrong] == ["warning", "exit"]


def test_a_log_file_has_everything(vimmerse: Vimmerse, urls: str, place: Path) -> None:
    """--log-file keeps what is said, with its time and level, also beside --quiet, each run."""
    for _ in range(2):
        vimmerse("caption", urls, "-o", "out.csv", "-q", "--log-file", "run.log")
    lines = (place / "run.log").read_text().splitlines()
    assert sum("captioning 4 rows" in line for line in lines) == 2
    assert all(line[:4].isdigit() and " INFO " in line for line in lines)
    ended = vimmerse("caption", urls, "--log-file", "nowhere/run.log")
    assert (ended.code, "--log-file: nowhere/run.log cannot be written" in ended.err) == (2, True)


def test_verbose_shows_the_library(vimmerse: Vimmerse, urls: str) -> None:
    """-vv has each request that was sent; the next command is as quiet as before."""
    ended = vimmerse("caption", urls, "-o", "out.csv", "-vv")
    assert ended.err.count(" DEBUG ") == 3
    assert "DEBUG" not in vimmerse("caption", urls, "-o", "two.csv").err


@pytest.mark.parametrize(("color", "escapes"), [("always", True), ("never", False)])
def test_color(vimmerse: Vimmerse, color: str, escapes: bool) -> None:
    """--color never has no escape sequence, --color always has some without a terminal, too."""
    assert ("\x1b[" in vimmerse("caption", "--color", color, "--help").out) is escapes
