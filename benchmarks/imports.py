"""Seconds until something can begin: imports, and the command line's shortest answer."""

import subprocess
import sys
import time

from benchmarks.report import Bar, Result
from benchmarks.rounds import quartiles

BARE = "a bare interpreter"
CODE = {
    BARE: "pass",
    "import vimmerse_async": "import vimmerse_async",
    "… and a session's name": "from vimmerse_async import VimmerseSession",
    "import aiohttp": "import aiohttp",
    "import httpx2": "import httpx2",
    "import openai": "import openai",
}
VERSION = "vimmerse --version"


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Time processes, interleaved."""
    commands = {name: [sys.executable, "-c", code] for name, code in CODE.items()}
    start = "import sys; from vimmerse_async.cli import main; sys.argv[1:] = ['--version']; main()"
    commands[VERSION] = [sys.executable, "-c", start]
    found = [
        {name: _seconds(command) for name, command in commands.items()}
        for _ in range(rounds or (7 if quick else 25))
    ]
    rows, bars, figures = [], [], {}
    for name in commands:
        whole = quartiles(each[name] * 1e3 for each in found)
        more = quartiles((each[name] - each[BARE]) * 1e3 for each in found)
        own = "vimmerse" in name or "session" in name
        rows.append([f"**{name}**" if own else name, f"{whole[1]:.0f}", f"{more[1]:+.1f}"])
        bars.append(Bar(name, whole[1], whole[0], whole[2], own=own))
        figures[f"ms: {name}"] = whole[1]
        figures[f"more ms: {name}"] = more[1]
    return Result(
        title="Import",
        text="Whole processes, compiled files warm; the last column is the median difference.",
        header=("process", "ms", "over a bare interpreter"),
        rows=rows,
        unit="ms",
        bars=bars,
        figures=figures,
    )


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun
