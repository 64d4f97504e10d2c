"""Benchmarks that are programs of their own and print a table."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.report import Result, parse_table

LONGEST = 300
"""Seconds that such a program may take."""


def journal(origin: str, *, quick: bool, rounds: int | None = None) -> Result | None:
    """What keeping every result on disk costs."""
    return _run(
        "benchmarks.journal",
        ["--quick"] if quick else [],
        title="Journal",
        text="The same batch with and without a journal on disk.",
    )


def discovery(origin: str, *, quick: bool, rounds: int | None = None) -> Result | None:
    """Who finds a limit that nobody published, and at what price."""
    return _run(
        "benchmarks.discovery",
        ["--count", "600" if quick else "2000"],
        title="Discovery",
        text=(
            "nginx limits to 200 requests/s (`limit_req`), or to 60 in flight at 300 ms "
            "(`limit_conn`), and nobody is told: share of the ideal over the whole wall time, cold "
            "start included, and share of the requests that were refused."
        ),
    )


def _run(module: str, arguments: Sequence[str], *, title: str, text: str) -> Result | None:
    if importlib.util.find_spec(module) is None:
        return None
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        print(f"  {module} took more than {LONGEST} s and is left out", file=sys.stderr)
        return None
    if done.returncode or "|" not in done.stdout:
        print(f"  {module} failed and is left out", file=sys.stderr)
        return None
    header, rows = parse_table(done.stdout)
    return Result(title=title, text=text, header=header, rows=rows)
