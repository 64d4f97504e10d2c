"""Benchmarks that are programs of their own and print a table."""

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.report import Result, parse_table

LONGEST = 400
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
    """Who finds a limit that nobody published, and at what price."""
    said = _said("benchmarks.discovery", ["--count", "600" if quick else "1500"])
    header, rows = parse_table(said)
    return Result(
        title="Discovery",
        text=(
            "nginx limits to 200 requests/s (`limit_req`), or to 60 in flight at 300 ms "
            "(`limit_conn`), and nobody is told: share of the ideal over the whole wall time, cold "
            "start included, and share of the requests that were refused."
        ),
        header=header,
        rows=rows,
    )


def _said(module: str, arguments: Sequence[str]) -> str:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LONGEST)
    return done.stdout
