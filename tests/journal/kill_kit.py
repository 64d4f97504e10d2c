"""Runs that are killed, and the witnesses who are not.

A nursery process has everything imported and forks a child for each run, in milliseconds. The
child asks a server in a process of its own, which appends each request to a file before it answers;
what the child's reader sees, the child appends to another. Neither file passes through the journal.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

SERVER = """
import asyncio, json, os, sys
from benchmarks.fast_server import Requests

log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

class Logged(Requests):
    def data_received(self, data):
        self.buffer += data
        while (head := self.buffer.find(b"\\r\\n\\r\\n")) >= 0:
            length = int(self.buffer[:head].lower().partition(b"content-length:")[2].split()[0])
            if len(self.buffer) < head + 4 + length:
                break
            if self.buffer.startswith(b"GET"):
                self.buffer = self.buffer[head + 4:]
                self.write(b"HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n")
                continue
            body = self.buffer[head + 4:head + 4 + length]
            self.buffer = self.buffer[head + 4 + length:]
            name = json.loads(body)["image_url"].rpartition("/")[2]
            os.write(log, name.encode() + b"\\n")
            reply = b'"about %s"' % name.encode()
            self.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n"
                       b"Content-Length: %d\\r\\n\\r\\n" % len(reply) + reply)

async def main():
    server = await asyncio.get_running_loop().create_server(Logged, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""

NURSERY = """
import asyncio, ctypes, json, os, resource, sys, traceback
import vimmerse_async as va
from vimmerse_async.batch import engine, intake, ledger
from vimmerse_async.journal import journal

async def work(job):
    report = os.open(job["report"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    urls = (f"https://a.example/{number}" for number in job["numbers"] or range(job["rows"]))
    options = job.get("options", {})
    async with va.VimmerseSession("test-key", base_url=job["url"], limit=job["window"]) as session:
        async with va.stream_prompts(session, urls, journal=job["journal"], **options) as results:
            async for result in results:
                os.write(report, f"{result.request.rpartition('/')[2]} {result.prompt}\\n".encode())

def run(job):
    for name, most in job.get("limits", {}).items():
        resource.setrlimit(getattr(resource, name), (most, most))
    if job.get("disk"):
        ctypes.CDLL(None).disk_arm(job["mark"].encode(), *job["disk"])
    try:
        asyncio.run(work(job))
    except va.JournalError as error:
        print(f"{error.kind}: {error}", file=sys.stderr)
        return 3
    if job.get("disk"):
        print("count", ctypes.CDLL(None).disk_count(), file=sys.stderr)
    return 0

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if not pid:
        status = 70
        try:
            os.dup2(os.open(job["errors"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            status = run(job)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Kit:
    """A server, a nursery and the files of one test.

    Args:
        folder: Where files go.
        rows: How many questions there are.
        window: Requests in flight.
        preload: A library for the nursery; None for none.
        place: The journal's folder; None: `folder`.
    """

    def __init__(
        self, folder: Path, rows: int, window: int = 16, preload: Path | None = None,
        place: Path | None = None,
    ) -> None:  # fmt: skip
        self.journal = (place or folder) / "run.db"
        self.rows, self.window = rows, window
        self.calls, self.report = folder / "calls.log", folder / "report.log"
        self.errors = folder / "errors.log"
        self._preload = preload
        self._reported = 0

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.calls.touch()
        self.report.touch()
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, self.calls],
            stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        if self._preload is not None:
            environment["LD_PRELOAD"] = str(self._preload)
        self._nursery = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert self._server.stdout is not None
        self.url = f"http://127.0.0.1:{self._server.stdout.readline().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._nursery, self._server):
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def start(self, **options: Any) -> int:
        """Begin a run and return its process id."""
        job = {
            "url": self.url, "journal": str(self.journal), "report": str(self.report),
            "errors": str(self.errors), "rows": self.rows, "window": self.window,
            "mark": str(self.journal), "numbers": None, **options,
        }  # fmt: skip
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(job) + "\n")
        self._nursery.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """Wait for the run's end and return its exit code, negative for a signal."""
        return int(self._line())

    def run(self, **options: Any) -> int:
        """Run to the end."""
        self.start(**options)
        return self.wait()

    def kill_after(self, calls: int, pause: float) -> int:
        """Run until so many more calls were made and a pause has passed, then kill."""
        size = self.calls.stat().st_size
        pid = self.start()
        goal = size + 6 * calls
        until = time.monotonic() + 30
        while self.calls.stat().st_size < goal and time.monotonic() < until:
            if not Path(f"/proc/{pid}").exists():
                break
            time.sleep(0.001)
        time.sleep(pause)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self.wait()

    def said(self) -> str:
        """Return what the last run wrote to its standard error."""
        return self.errors.read_text()

    def asked(self) -> Counter[str]:
        """Return how often each question was asked, as the server saw it."""
        return Counter(self.calls.read_text().split())

    def new_reports(self) -> list[tuple[str, str]]:
        """Return what readers saw since the last look: questions and answers, whole lines only."""
        with self.report.open() as file:
            file.seek(self._reported)
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._reported += len(whole)
        return [(line.partition(" ")[0], line.partition(" ")[2]) for line in whole.splitlines()]

    def _line(self) -> str:
        assert self._nursery.stdout is not None
        line = self._nursery.stdout.readline()
        assert line, "the nursery died"
        return line


def built(folder: Path) -> Path | None:
    """Return the library that fails the disk; None where there is no compiler or preloading."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "faulty_disk.so"
    source = str(HERE / "faulty_disk.c")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), source, "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return library if done.returncode == 0 else None
