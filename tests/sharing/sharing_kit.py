"""Members in processes of their own, before a server that counts."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from benchmarks.sharing.crowd import account, counts

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEY = "sharing-key-of-nobody"


class Nursery:
    """Starts members of one account."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._started = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "nursery.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()

    def start(self, folder: Path, **job: Any) -> "Member":
        """Begin a member's work in a meeting place."""
        self._started += 1
        report = folder / f"member-{self._started}"
        job = {"share": "host", "name": f"m{self._started}", "url": self.url, **job}
        line = json.dumps({**job, "folder": str(folder), "report": str(report)})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return Member(int(self._process.stdout.readline()), job["name"], report)

    def counts(self, *, reset: bool = False) -> dict[str, Any]:
        """Return what the server counted since the last reset."""
        return counts(self.url, reset=reset)

    def accepted(self) -> int:
        """Return how many requests the server took since the last reset."""
        return sum(self.counts()["accepted"].values())


class Member:
    """One process that works."""

    def __init__(self, pid: int, name: str, report: Path) -> None:
        self.pid, self.name, self._report = pid, name, report

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def has_ended(self) -> bool:
        """Return whether nothing of it is left but what its parent asks for."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return True
        return state.rpartition(")")[2].split()[0] in {"Z", "X"}

    def found(self, patience: float = 60.0) -> dict[str, Any]:
        """Wait until it has ended and return what it found."""
        wait_for(self._report.exists, patience)
        found: dict[str, Any] = json.loads(self._report.read_text())
        return found

    def said(self) -> str:
        """Return what it wrote to its log."""
        log = Path(f"{self._report}.log")
        return log.read_text() if log.exists() else ""


def leader_of(folder: Path) -> int:
    """Return the process that holds a place's lock and wrote itself into it; 0: nobody yet."""
    for lock in (folder / "vimmerse").glob("*.lock"):
        if words := lock.read_text().split():
            return int(words[0])
    return 0


def wait_for(true: Callable[[], Any], patience: float = 30.0) -> None:
    """Wait until something is true."""
    until = time.monotonic() + patience
    while not true():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


__all__ = ["KEY", "Member", "Nursery", "account", "leader_of", "wait_for"]
