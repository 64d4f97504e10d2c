"""Several processes on one account, strangers beside sharers: what they get, and what it costs.

    python -m benchmarks sharing
    python -m benchmarks.sharing.figures "64 places, 4" nginx takeovers --seconds 10

measure all, or some by their names. Each crowd is measured once with strangers and once sharing, in
turn, after both have found the limit. Own server: answers take 0.3 to 1 s and go on when a client
has gone. Close what else runs.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import attrs

from benchmarks.report import Bar, Result
from benchmarks.sharing.crowd import Crowd, Score, counts, score
from benchmarks.sharing.gateway import Server, nginx, own
from benchmarks.sharing.moments import MOMENTS

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

    @property
    def title(self) -> str:
        return f"{self.name}, {self.members} processes"


CASES = [
    *(Case("64 places", each, own, places=64) for each in (2, 4, 16)),
    *(Case("40/s", each, own, rate=40.0) for each in (2, 4, 16)),
    Case("8 places", 4, own, places=8),
    Case("4 places", 4, own, places=4),
    *(Case("nginx limit_conn 64", each, nginx, places=64) for each in (2, 4, 16)),
    *(Case("nginx limit_req 40/s", each, nginx, rate=40.0) for each in (2, 4, 16)),
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
        row = [case.title]
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


def crowd(case: Case, way: str, seconds: float, warm_up: float = WARM_UP) -> Score:
    """Let processes work, and return what they had once the limit was found."""
    names = [f"c{number}" for number in range(case.members)]
    with case.serve(case.places, case.rate) as server, tempfile.TemporaryDirectory() as folder:
        members = Crowd(folder)
        for name in names:
            members.start(url=server.url, share=way, name=name, do="rows", seconds=3600)
        while len(counts(server.behind)["accepted"]) < case.members:
            time.sleep(0.1)
        time.sleep(warm_up)
        mark = server.reset()
        time.sleep(seconds)
        found = server.counts(mark)
        members.kill()
    return score(found, names, case.places, case.rate)


def others() -> dict[str, float]:
    """Return the figures that are no table."""
    figures: dict[str, float] = {}
    for measure in MOMENTS.values():
        found = measure()
        print("  ", found, file=sys.stderr, flush=True)
        figures |= found
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure some of it.")
    parser.add_argument("names", nargs="+", help=f"beginnings of crowds; {', '.join(MOMENTS)}")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--warm-up", type=float, default=WARM_UP)
    options = parser.parse_args()
    for case in CASES:
        if case.title.startswith(tuple(options.names)):
            for way in WAYS:
                found = crowd(case, way, options.seconds, options.warm_up)
                told = f"{found.goodput:.3f} {100 * found.refused:.2f} % {found.fairness:.3f}"
                print(f"{case.title:36} {way:5} {told}", flush=True)
    for name, measure in MOMENTS.items():
        if name in options.names:
            print(*(f"{what}: {value:.3g}" for what, value in measure().items()), sep="\n")


if __name__ == "__main__":
    main()
