"""The program that runs real gateways: its table, and one gateway that everybody has."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.discovery.contest import CLIENTS, Score, oracle
from benchmarks.discovery.gateways import GATEWAYS
from benchmarks.discovery.picture import draw
from benchmarks.discovery.table import measured, merged, parsed, placed, written

ROOT = Path(__file__).parents[1]


def test_a_line_tells_share_refusals_failures_and_stops():
    """Shares are of what the limit allows in the time; what was refused is a share of the sends."""
    gateway = next(each for each in GATEWAYS if len(each.statuses) > 1)
    scores = dict.fromkeys(CLIENTS, Score(answered=150, sends=200, failed=3, stopped="throttled"))
    default, other = (str(measured(gateway, status, scores, 10.0)) for status in gateway.statuses)
    share = round(100 * 150 / gateway.allowed / 10.0)
    assert f"{gateway.statuses[0]} (default)" in default
    assert "(default)" not in other
    assert default.count(f"{share} / 25, 3 failed, stopped: throttled") == len(CLIENTS)
    assert Score().cell(200.0) == "0 / 0", "nothing was sent"


def test_the_oracle_is_told_places_or_a_pace():
    """A whole number is places in flight; a rate is kept by pauses, with places to spare."""
    assert (oracle(8).places, oracle(8).pause) == (8, 0.0)
    assert oracle(20.0).pause == 1 / 20.0
    assert oracle(20.0).places > 8


def test_at_least_ten_gateways_are_run_as_they_come_and_with_429():
    """Whatever a gateway calls its refusal by default stands first, and 429 beside it."""
    assert len({each.name for each in GATEWAYS}) == len(GATEWAYS) >= 10
    assert sum(each.statuses[0] != 429 for each in GATEWAYS) >= 8
    assert sum(429 in each.statuses for each in GATEWAYS) >= 10


def test_what_is_measured_anew_takes_its_place_in_the_table():
    """The other lines stay, the order is the gateways', and the means and the page follow."""
    old = [
        measured(gateway, status, dict.fromkeys(CLIENTS, Score(100, 200)), 10.0)
        for gateway in GATEWAYS
        for status in gateway.statuses
    ]
    again = GATEWAYS[1]
    scores = dict.fromkeys(CLIENTS, Score(150, 150, failed=2))
    new = measured(again, again.statuses[-1], scores, 10.0)
    lines = merged(parsed(written(reversed(old))), [new], GATEWAYS)
    assert [(each.gateway, each.refusal) for each in lines] == [
        (each.gateway, each.refusal) for each in old
    ]
    assert [each for each in lines if each not in old] == [new]
    assert merged(old, [], GATEWAYS[:1]) == old[: len(GATEWAYS[0].statuses)], "the rest is gone"
    assert f"| mean of {len(lines)} | | " in written(lines)
    page = f"# Before\n\n{written(old)}\nAfter\n"
    assert placed(page, written(lines)) == f"# Before\n\n{written(lines)}\nAfter\n"
    assert draw(lines).count("<circle") == len(CLIENTS) * (len(lines) + 1)


def test_the_page_has_the_table_that_was_kept():
    """What is said about real gateways is what was measured last."""
    table = (ROOT / "benchmarks" / "discovery" / "gateways.md").read_text()
    page = (ROOT / "docs" / "limits.md").read_text()
    assert table in page
    assert len(parsed(table)) > 20


@pytest.mark.full
def test_a_gateway_is_run_beside_the_naive_client_and_the_oracle():
    """Three clients work, each before a server of its own, and nothing is left running."""
    pytest.importorskip("uvicorn")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.discovery", "--only", "uvicorn", "--seconds", "4"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    row = next(each for each in done.stdout.splitlines() if each.startswith("| uvicorn"))
    shares = [int(share) for share in re.findall(r"\| (\d+) / \d+", row)]
    assert len(shares) == len(CLIENTS)
    assert min(shares) > 0, row
    assert "mean of 1" in done.stdout
