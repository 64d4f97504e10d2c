"""Moments in the life of processes that share: a call, one more, a death, and what it costs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.server import free_port
from benchmarks.sharing.crowd import LATENCY, Crowd, account, counts

WARM_UP, SECONDS = 10.0, 20.0


def beside_a_batch() -> dict[str, float]:
    """Calls beside a batch that saturates 64 places, in latencies.

    `own`: both in one process, whose gate is its own: the least that anybody can wait, as a place
    has to come free.
    """
    figures = {}
    for way in ("off", "host", "own"):
        with account(64) as url, tempfile.TemporaryDirectory() as folder:
            members = Crowd(folder)
            calls = {"seconds": SECONDS, "every": 0.25}
            if way == "own":
                caller = members.start(
                    url=url, share="off", name="both", do="both", after=WARM_UP, **calls
                )
            else:
                members.start(url=url, share=way, name="batch", do="rows", seconds=3600)
                time.sleep(WARM_UP)
                caller = members.start(url=url, share=way, name="calls", do="calls", **calls)
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


def through_redis() -> dict[str, float]:
    """The same through a Redis server beside."""
    binary = shutil.which("valkey-server") or shutil.which("redis-server")
    if binary is None:
        raise SystemExit("neither valkey-server nor redis-server is there (Debian: redis-server)")
    port, found = free_port(), dict[str, Any]()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([binary, *words], cwd=folder, stdout=subprocess.DEVNULL) as server,
    ):
        time.sleep(1.0)
        for what in ("cpu", "way"):
            said = subprocess.check_output(
                [sys.executable, "-m", "benchmarks.sharing.admission", what],
                env={**os.environ, "REDIS": f"redis://127.0.0.1:{port}/0"}, timeout=240,
            )  # fmt: skip
            found |= json.loads(said)
        server.kill()
    return {
        "through Redis: CPU of 100 admissions a second, % of a core": 1e4
        * found["shared, 1 at a time"],
        "through Redis: release to admission, µs": 1e6 * found["release to admission"],
    }


def _leader(folder: str) -> int:
    for lock in (Path(folder) / "vimmerse").glob("*.lock"):
        if words := lock.read_text().split():
            return int(words[0])
    return 0


MOMENTS: dict[str, Callable[[], dict[str, float]]] = {
    "calls": beside_a_batch,
    "late": late_joiner,
    "equal": equal_work,
    "takeovers": takeovers,
    "stopped": stopped,
    "blocked": blocked,
    "costs": costs,
    "redis": through_redis,
}
