"""Rounds of processes, interleaved: each round measures everything once, in a new order.

The machine is whatever it is, and others use it: only the ratios of one round are compared, and
their median is worth quoting. A control measures the first one twice.
"""

import asyncio
import importlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from benchmarks.server import pin

Figures = dict[str, float]
Round = Mapping[str, Figures]


@attrs.frozen
class Subject:
    """What one process measures.

    Attributes:
        name: Its name in tables.
        client: Module and function, as in "peers:httpx2_client".
        count: Requests that count.
        warm_up: Requests before them.
        loop: "asyncio" or "uvloop".
        options: More arguments of the function.
    """

    name: str
    client: str
    count: int = 5000
    warm_up: int = 1000
    loop: str = "asyncio"
    options: tuple[tuple[str, Any], ...] = ()


def measure(subject: Subject, origin: str, scale: float = 1.0) -> Figures:
    """Run a subject in a process of its own; return its figures in µs for each request."""
    wanted = json.dumps({**attrs.asdict(subject), "origin": origin, "scale": scale})
    command = [sys.executable, "-m", "benchmarks.rounds", wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{subject.name} failed:\n{done.stderr}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_rounds(
    subjects: Iterable[Subject], origin: str, rounds: int, scale: float = 1.0
) -> list[Round]:
    """Measure every subject once a round."""
    subjects = list(subjects)
    found: list[Round] = []
    for number in range(rounds):
        order = random.sample(subjects, len(subjects))
        measured = {each.name: measure(each, origin, scale) for each in order}
        found.append(measured)
        print(f"  round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


def quartiles(values: Iterable[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    values = list(values)
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratios(rounds: list[Round], base: str, name: str, figure: str) -> tuple[float, float, float]:
    """Return quartiles of `base` over `name`, round by round: above 1 is better than `base`."""
    return quartiles(each[base][figure] / each[name][figure] for each in rounds)


def _here(wanted: dict[str, Any]) -> Figures:
    pin(0)
    module, _, function = wanted["client"].partition(":")
    client = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    count = max(50, int(wanted["count"] * wanted["scale"]))
    marks: list[tuple[float, Any]] = []

    def mark() -> None:
        marks.append((time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)))

    factory = None
    if wanted["loop"] == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        options = dict(wanted["options"])
        runner.run(client(wanted["origin"], wanted["warm_up"], count, mark, **options))
        mark()
    (wall, before), (end, after) = marks
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return {
        "wall": (end - wall) / count * 1e6,
        "cpu": (user + system) / count * 1e6,
        "system": system / count * 1e6,
    }


if __name__ == "__main__":
    print(json.dumps(_here(json.loads(sys.argv[1]))), flush=True)
    os._exit(0)  # threads of some peers fall over an interpreter that ends
