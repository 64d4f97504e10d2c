"""Benchmarks that are programs of their own and print a table."""

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.report import Result, parse_table

LONGEST = 3_600
"""Seconds that such a program may take."""


def journal(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """What keeping every result on disk costs."""
    said = _said("benchmarks.journal", ["--results", "50000" if quick else "500000"])
    lines = [line.strip() for line in said.replace(", \n", ", ").splitlines()]
    pairs = [line.partition(":")[::2] for line in lines if ":" in line]
    return Result(
        title="Journal",
        text="A SQLite file that holds every result before its caller sees it.",
        header=("what", "measured"),
        rows=[[name.strip(), " ".join(value.split())] for name, value in pairs],
    )


def discovery(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Who finds the limit of a real gateway, whatever its refusal is called."""
    only = ["--only", "nginx"] if quick else []
    said = _said("benchmarks.discovery", ["--seconds", "20" if quick else "40", *only])
    header, rows = parse_table(said)
    return Result(
        title="Discovery",
        text=(
            "Real gateways and limiters, with their default refusal and with 429: 20 requests a "
            "second, 200 in 10 s, or 8 in flight, before answers that take 0.3 to 1 s. Share of "
            "the limit, cold start included, and share of the requests that were refused, in "
            "percent; nobody is told the limit but the last."
        ),
        header=header,
        rows=rows,
    )


def _said(module: str, arguments: Sequence[str]) -> str:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LONGEST)
    return done.stdout
