"""nginx with a rate limit and a concurrency limit, before an upstream that takes 300 ms."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from benchmarks import nginx
from benchmarks.server import free_port

PER_SECOND = 200
BURST = 20
IN_FLIGHT = 60


@attrs.frozen
class Limited:
    """One limited server.

    Attributes:
        name: What limits it.
        origin: Its address.
        log: A line with the status of every request.
    """

    name: str
    origin: str
    log: Path

    def statuses(self) -> list[str]:
        return [line.split()[0] for line in self.log.open()] if self.log.exists() else []


@asynccontextmanager
async def limited_servers() -> AsyncIterator[list[Limited]]:
    """Run nginx and its upstream and give the two servers."""
    upstream = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.discovery.upstream", stdout=asyncio.subprocess.PIPE
    )
    assert upstream.stdout is not None
    upstream_port = int(await upstream.stdout.readline())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        servers = {
            "limit_req": f"limit_req zone=rate burst={BURST} nodelay;",
            "limit_conn": f"limit_conn window {IN_FLIGHT};",
        }
        limited = {
            kind: nginx.Limited(limit, free_port(), folder / f"{kind}.log")
            for kind, limit in servers.items()
        }
        command = nginx.command(folder, PER_SECOND, f"127.0.0.1:{upstream_port}", limited.values())
        process = await asyncio.create_subprocess_exec(*command)
        try:
            await asyncio.sleep(1.0)
            yield [
                Limited(kind, f"http://127.0.0.1:{each.port}", each.log)
                for kind, each in limited.items()
            ]
        finally:
            process.terminate()
            await process.wait()
            upstream.terminate()
            await upstream.wait()
