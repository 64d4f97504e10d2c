"""nginx with a limit, before a server of our own that has none."""

import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.nginx import Limited, command
from benchmarks.server import free_port
from benchmarks.sharing.crowd import account, counts


@attrs.frozen
class Server:
    """What is asked, and where it is counted.

    Attributes:
        url: What clients ask.
        places, rate: What it allows; one of them is 0.
        behind: Where answers are counted.
        log: A line for each request; None: the server counts refusals itself.
    """

    url: str
    places: int
    rate: float
    behind: str
    log: Path | None = None

    def reset(self) -> int:
        """Begin to count anew; return the mark for `counts`."""
        counts(self.behind, reset=True)
        return self.log.stat().st_size if self.log is not None else 0

    def counts(self, mark: int) -> dict[str, Any]:
        """Return what was counted since a mark."""
        found = counts(self.behind)
        if self.log is not None:
            with self.log.open() as log:
                log.seek(mark)
                lines = [line.split() for line in log]
            found["refused"] = Counter(words[-1] for words in lines if words[0] == "429")
        return found


@contextmanager
def own(places: int, rate: float) -> Iterator[Server]:
    """Run a server that limits by itself."""
    with account(places, rate) as url:
        yield Server(url, places, rate, url)


@contextmanager
def nginx(places: int, rate: float) -> Iterator[Server]:
    """Run nginx with `limit_conn` or `limit_req` before it."""
    limit = f"limit_conn window {places};" if places else "limit_req zone=rate burst=4 nodelay;"
    with account() as behind, tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        limited = Limited(limit, port, folder / "seen.log")
        upstream = behind.removeprefix("http://")
        words = command(folder, int(rate) or 1, upstream, [limited])
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
            try:
                _wait(port)
                yield Server(f"http://127.0.0.1:{port}", places, rate, behind, limited.log)
            finally:
                process.terminate()


def _wait(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("nginx did not start")
