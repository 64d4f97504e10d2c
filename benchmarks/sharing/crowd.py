"""Processes and servers that a measurement starts, and what it makes of their counts."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

SHORTEST, LONGEST = 0.3, 1.0
LATENCY = (SHORTEST + LONGEST) / 2


@contextmanager
def account(
    places: int = 0, rate: float = 0.0, shortest: float = SHORTEST, longest: float = LONGEST
) -> Iterator[str]:
    """Run a server of its own; give its address."""
    words = map(str, (places, rate, shortest, longest))
    command = [sys.executable, "-m", "benchmarks.sharing.server", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


def counts(url: str, *, reset: bool = False, details: bool = False) -> dict[str, Any]:
    """Return what a server counted since the last reset."""
    query = "?reset" if reset else "?details" if details else ""
    with urllib.request.urlopen(f"{url}/counts{query}") as reply:
        found: dict[str, Any] = json.load(reply)
    return found


class Crowd:
    """Member processes in a meeting place of their own."""

    def __init__(self, folder: str) -> None:
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": folder}
        self.members: list[subprocess.Popen[str]] = []

    def start(self, **job: Any) -> subprocess.Popen[str]:
        """Begin one member's work."""
        member = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sharing.member"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment,
        )  # fmt: skip
        assert member.stdin is not None
        member.stdin.write(json.dumps(job) + "\n")
        member.stdin.close()
        self.members.append(member)
        return member

    def wait(self) -> list[dict[str, Any]]:
        """Return what the members found that were not killed."""
        found = []
        for member in self.members:
            assert member.stdout is not None
            if line := member.stdout.read():
                found.append(json.loads(line))
            member.stdout.close()
            member.wait()
        self.members.clear()
        return found

    def kill(self) -> None:
        """End all that still work."""
        for member in self.members:
            member.kill()
        self.wait()


@attrs.frozen
class Score:
    """What came of one crowd.

    Attributes:
        goodput: Accepted requests as a share of what the account allows.
        refused: Share of the requests that were refused.
        fairness: Jain's index of what each client had.
    """

    goodput: float
    refused: float
    fairness: float


def score(found: dict[str, Any], names: Sequence[str], places: int, rate: float) -> Score:
    """Return what a server's counts mean."""
    accepted, refused = sum(found["accepted"].values()), sum(found["refused"].values())
    if places:
        goodput = found["worked"] / (places * found["seconds"])
    else:
        goodput = accepted / (rate * found["seconds"])
    return Score(goodput, refused / max(1, refused + accepted), jain(found["accepted"], names))


def jain(accepted: dict[str, int], names: Sequence[str]) -> float:
    """Return Jain's index of fairness: 1.0 when all had the same."""
    shares = [accepted.get(name, 0) for name in names]
    squares = len(shares) * sum(each * each for each in shares)
    return sum(shares) ** 2 / squares if squares else 0.0
