"""A dry run promises the calls that the run makes, and says what keeps rows from being asked."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Ended
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vimmerse_async.cli.refusals import MOST, OTHER, Refusals
from vimmerse_async.emulator import Emulator, Fault

Vimmerse = Callable[..., Ended]
FAULTS = [
    Fault("status", status=404, contains="/gone"),
    Fault("status", status=422, contains="/odd"),
]
CELLS = st.sampled_from(
    [
        *(f"https://a.example/{name}" for name in ("1", "2", "3", "gone", "gone2", "odd")),
        "http://a.example/1", "a.example/1", "https://a.example/a b", "https://", "", "no",
        "https://a.example/1,https://a.example/2",
    ]
)  # fmt: skip
ROWS = st.lists(st.tuples(CELLS, st.sampled_from(["a fox", "a hare", ""])), max_size=12)
SETS = st.sampled_from([(), ("--prompt-column", "text"), ("--split", "first"), ("--mode", "Scene")])
RETRY = st.sampled_from([(), ("--retry-errors",), ("--retry-errors", "NotFoundError")])
CALLS = st.none() | st.integers(0, 4)


def write(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("url", "text"), *rows, ("https://a.example/last", "")])


def promised(said: str) -> int:
    """Return how many calls a dry run says the run makes."""
    told = dict(line.split("  ", 1) for line in said.splitlines() if line[0] != " ")
    needed = int(told["calls needed"])
    return min(needed, int(told.get("calls allowed", needed)))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_run_makes_the_calls_that_were_promised(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, data: Any
) -> None:
    """Over drawn catalogs, options and journals, each step's promise is what the server counts."""
    emulator.reset(faults=FAULTS)
    for step in range(2):
        write(place / "in.csv", data.draw(ROWS))
        most = data.draw(CALLS)
        words = ["caption", "in.csv", "--column", "url", "-o", "out.csv", *data.draw(SETS)]
        words += [*data.draw(RETRY), *(() if most is None else ("--max-calls", most))]
        words += [] if step else ["--fresh"]
        before = len(emulator.requests)
        planned = vimmerse(*words, "--dry-run")
        assert planned.code == 0, planned.err
        assert len(emulator.requests) == before
        vimmerse(*words)
        assert len(emulator.requests) - before == promised(planned.out), (words, planned.out)


def test_refusals_are_told_by_reason(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """Each reason has its count, an example with its line, and what the rows would need."""
    bad = ["http://x.example/2.jpg", "x.example/3.jpg", "https://x.example/a b.jpg", ""]
    write(place / "in.csv", [(url, "a text") for url in ["https://x.example/1.jpg", *bad]])
    ended = vimmerse("caption", "in.csv", "--column", "url", "-o", "out.csv", "--dry-run")
    lines = ended.out.splitlines()
    assert lines[1] == "cannot be asked     4"
    assert lines[2].startswith("       1  line 3: image_url must begin with https://")
    assert lines[3].startswith("       1  line 4: cannot be read: No such file")
    assert lines[4].startswith("       1  line 5: image_url contains ' '")
    assert "percent-encode it" in lines[4]
    assert lines[5] == "       1  line 6: column url is empty; needs something in that column"
    assert "calls needed        2" in ended.out


def test_files_are_looked_at_as_an_upload_does(
    vimmerse: Vimmerse, photos: Path, emulator: Emulator
) -> None:
    """A file that is refused before it is sent is no call of the dry run either."""
    (photos / "empty.png").touch()
    (photos / "text.jpg").write_text("no picture")
    planned = vimmerse("caption", photos, "-o", "out.csv", "--dry-run")
    assert "cannot be asked     2" in planned.out
    assert "       1  empty.png: is empty; needs a picture" in planned.out
    assert "text.jpg: is not JPEG" in planned.out
    assert "uploads needed      3" in planned.out
    assert vimmerse("caption", photos, "-o", "out.csv").code == 1
    assert len(emulator.requests) == 3 + promised(planned.out)


@pytest.mark.parametrize("extra", [("--no-journal", "-o", "out.csv"), ()])
def test_without_a_journal_equal_rows_may_cost_again(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, extra: tuple[str, ...]
) -> None:
    """What nothing remembers is told as a range, and the run keeps within."""
    write(place / "in.csv", [("https://a.example/1", "")] * 4)
    words = ("caption", "in.csv", "--column", "url", *extra)
    assert "calls needed        2 to 5: without a journal" in vimmerse(*words, "--dry-run").out
    assert vimmerse(*words).code == 0
    assert 2 <= len(emulator.requests) <= 5


def test_few_reasons_are_kept() -> None:
    """However many reasons there are, few are told apart, and every row is counted."""
    refusals = Refusals()
    for number in range(500):
        refusals.add("line 1", f"is no {chr(0x4E00 + number)} at all")
        refusals.add("line 2", f"holds {number:,} URLs in 'column {number}'")
    reasons = list(refusals)
    assert len(refusals) == sum(reason.count for reason in reasons) == 1_000
    assert len(reasons) == MOST + 1
    assert [reason.count for reason in reasons[:2]] == [500, 500 - MOST + 1]
    assert reasons[1].example == OTHER
