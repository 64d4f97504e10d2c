"""Several processes on one account, strangers beside sharers: what they get, and what it costs.

    python -m benchmarks sharing

Each crowd is measured once with strangers and once sharing, in turn, after both have found the
limit. Own server: answers take 0.3 to 1 s and go on when a client has gone. Close what else runs.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.report import Bar, Result
from benchmarks.sharing.crowd import LATENCY, Crowd, Score, account, counts, score
from benchmarks.sharing.gateway import Server, nginx, own

WARM_UP, SECONDS = 10.0, 20.0
QUICK = 8.0
WAYS = ("off", "host")


@attrs.frozen
class Case:
    """One crowd before one server."""

    name: str
    members: int
    serve: Callable[[int, float], AbstractContextManager[Server]]
    places: int = 0
    rate: float = 0.0


CASES = [
    *(Case("64 places", each, own, places=64) for each in (2, 4, 16)),
    *(Case("40/s", each, own, rate=40.0) for each in (2, 4, 16)),
    Case("8 places", 4, own, places=8),
    Case("4 places", 4, own, places=4),
    Case("nginx limit_conn 64", 4, nginx, places=64),
    Case("nginx limit_req 40/s", 4, nginx, rate=40.0),
]


def run(_origin: str, *, quick: bool, rounds: int | None) -> Result:
    """Measure everything, and return the table of crowds."""
    cases = CASES[1:2] if quick else CASES
    seconds = QUICK if quick else SECONDS
    rows, bars = [], []
    for case in cases:
        found: dict[str, list[Score]] = {way: [] for way in WAYS}
        for _ in range(rounds or 1):
            for way in WAYS:
                found[way].append(crowd(case, way, seconds))
        row = [f"{case.name}, {case.members} processes"]
        for way in WAYS:
            middle = [
                statistics.median(getattr(each, name) for each in found[way])
                for name in ("goodput", "refused", "fairness")
            ]
            row.append(f"{middle[0]:.3f} / {100 * middle[1]:.2f} / {middle[2]:.3f}")
            whole = 100 * middle[0]
            bars.append(Bar(f"{row[0]}, {way}", whole, whole, whole, own=way == "host"))
        rows.append(row)
        print("  ", *row, file=sys.stderr, flush=True)
    figures = {} if quick else others()
    for name, value in figures.items():
        rows.append([name, "", f"{value:.3g}"])
    return Result(
        title="Several processes, one account",
        text='Processes with a batch each on one account: strangers, and with `share="host"`. '
        "Accepted as a share of what is allowed, refused in %, Jain's index of the shares.",
        header=["goodput / refused % / Jain", "strangers", "shared"],
        rows=rows,
        unit="What the account allows that was used, %",
        bars=bars,
        figures=figures,
    )


def crowd(case: Case, way: str, seconds: float) -> Score:
    """Let processes work, and return what they had once the limit was found."""
    names = [f"c{number}" for number in range(case.members)]
    with case.serve(case.places, case.rate) as server, tempfile.TemporaryDirectory() as folder:
        members = Crowd(folder)
        for name in names:
            members.start(url=server.url, share=way, name=name, do="rows", seconds=3600)
        while len(counts(server.behind)["accepted"]) < case.members:
            time.sleep(0.1)
        time.sleep(WARM_UP)
        mark = server.reset()
        time.sleep(seconds)
        found = server.counts(mark)
        members.kill()
    return score(found, names, case.places, case.rate)


def others() -> dict[str, float]:
    """Return the figures that are no table."""
    figures: dict[str, float] = {}
    for measure in (beside_a_batch, late_joiner, equal_work, takeovers, stopped, blocked, costs):
        found = measure()
        print("  ", found, file=sys.stderr, flush=True)
        figures |= found
    return figures


def beside_a_batch() -> dict[str, float]:
    """Calls in one process while a batch saturates the account in another, in latencies."""
    figures = {}
    for way in WAYS:
        with account(16) as url, tempfile.TemporaryDirectory() as folder:
            members = Crowd(folder)
            members.start(url=url, share=way, name="batch", do="rows", seconds=3600)
            time.sleep(WARM_UP)
            caller = members.start(
                url=url, share=way, name="calls", do="calls", seconds=SECONDS, every=0.25
            )
            assert caller.stdout is not None
            found = json.loads(caller.stdout.readline())
            members.kill()
        waited = sorted(each / LATENCY for each in found["waited"])
        figures |= {
            f"calls beside a batch, {way}: wait, median": waited[len(waited) // 2],
            f"calls beside a batch, {way}: wait, p95": waited[int(0.95 * len(waited))],
            f"calls beside a batch, {way}: refused": found["refused"],
        }
    return figures


def late_joiner() -> dict[str, float]:
    """A third process comes to two: its share of an equal part, by the second after it began."""
    with account(64) as url, tempfile.TemporaryDirectory() as folder:
        members = Crowd(folder)
        for name in ("a", "b"):
            members.start(url=url, share="host", name=name, do="rows", seconds=3600)
        time.sleep(WARM_UP)
        members.start(url=url, share="host", name="late", do="rows", seconds=3600)
        while not counts(url)["accepted"].get("late"):
            time.sleep(0.02)
        counts(url, reset=True)
        time.sleep(1.0)
        first = counts(url, reset=True)["accepted"]
        time.sleep(2.0)
        second = counts(url)["accepted"]
        members.kill()
    return {
        "late joiner, of an equal part, in its first second": 3
        * first["late"]
        / sum(first.values()),
        "late joiner, of an equal part, in the next two": 3 * second["late"] / sum(second.values()),
    }


def equal_work() -> dict[str, float]:
    """Four processes with 300 rows each: how far apart they end."""
    with account(64) as url, tempfile.TemporaryDirectory() as folder:
        members = Crowd(folder)
        begun = time.monotonic()
        for number in range(4):
            members.start(url=url, share="host", name=f"c{number}", do="rows", rows=300)
        ends = [each["at"] - begun for each in members.wait()]
    return {"equal work, spread of the ends": (max(ends) - min(ends)) / max(ends)}


def takeovers(kills: int = 40) -> dict[str, float]:
    """Leaders are killed: seconds until another leads, and the goodput of the whole time."""
    took, worked, seconds = [], 0.0, 0.0
    with account(64) as url, tempfile.TemporaryDirectory() as folder:
        members = Crowd(folder)
        for number in range(4):
            members.start(url=url, share="host", name=f"c{number}", do="rows", seconds=3600)
        time.sleep(WARM_UP)
        for number in range(kills):
            leader = _leader(folder)
            dead = next(each for each in members.members if each.pid == leader)
            counts(url, reset=True)
            begun = time.monotonic()
            dead.kill()
            while _leader(folder) in {leader, 0}:
                time.sleep(0.002)
            took.append(time.monotonic() - begun)
            members.members.remove(dead)
            dead.wait()
            assert dead.stdout is not None
            dead.stdout.close()
            members.start(url=url, share="host", name=f"d{number}", do="rows", seconds=3600)
            time.sleep(3.0)
            found = counts(url)
            worked, seconds = worked + found["worked"], seconds + found["seconds"]
        peak = counts(url)["peak"]
        members.kill()
    took.sort()
    return {
        "takeover after a kill, median s": took[len(took) // 2],
        "takeover after a kill, p95 s": took[int(0.95 * len(took))],
        "goodput while a leader is killed every 3 s": worked / (64 * seconds),
        "most in flight, of 64": peak,
    }


def stopped() -> dict[str, float]:
    """The leader is stopped: seconds until another leads."""
    with account(64) as url, tempfile.TemporaryDirectory() as folder:
        members = Crowd(folder)
        for number in range(3):
            members.start(url=url, share="host", name=f"c{number}", do="rows", seconds=3600)
        time.sleep(WARM_UP)
        leader = _leader(folder)
        begun = time.monotonic()
        os.kill(leader, signal.SIGSTOP)
        while _leader(folder) == leader:
            time.sleep(0.01)
        took = time.monotonic() - begun
        members.kill()
    return {"takeover after SIGSTOP, s": took}


def blocked() -> dict[str, float]:
    """The leader's application blocks its loop for half a second, again and again."""
    with account() as url, tempfile.TemporaryDirectory() as folder:
        members = Crowd(folder)
        members.start(
            url=url, share="host", name="blocked", do="calls", seconds=60, every=0.5, block=0.5
        )
        time.sleep(3.0)
        caller = members.start(
            url=url, share="host", name="calls", do="calls", seconds=SECONDS, every=0.05
        )
        assert caller.stdout is not None
        waited = sorted(json.loads(caller.stdout.readline())["waited"])
        members.kill()
    return {"calls beside a leader that blocks .5 s, p95 s": waited[int(0.95 * len(waited))]}


def costs() -> dict[str, float]:
    """CPU of an admission, and the way from a release to an admission in another process."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for what in ("cpu", "way"):
            words = subprocess.check_output(
                [sys.executable, "-m", "benchmarks.sharing.admission", what],
                env={**os.environ, "XDG_RUNTIME_DIR": folder}, timeout=120,
            )  # fmt: skip
            found |= json.loads(words)
    return {
        "CPU of a shared admission, of an own one's, 1 at a time": found["shared, 1 at a time"]
        / found["own, 1 at a time"],
        "CPU of a shared admission, of an own one's, 16 at a time": found["shared, 16 at a time"]
        / found["own, 16 at a time"],
        "CPU of 100 shared admissions a second, % of a core": 1e4 * found["shared, 1 at a time"],
        "release to admission in another process, µs": 1e6 * found["release to admission"],
        "the same, of a round trip of 24 bytes": found["release to admission"]
        / found["round trip"],
    }


def _leader(folder: str) -> int:
    for lock in (Path(folder) / "vimmerse").glob("*.lock"):
        if words := lock.read_text().split():
            return int(words[0])
    return 0
