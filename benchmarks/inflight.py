"""Memory that a request in flight costs beyond its connection."""

import asyncio
import gc
import json
import resource
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from benchmarks.clients import KEY, url
from benchmarks.fast_server import REPLY, Requests, in_a_process
from benchmarks.report import Bar, Result
from benchmarks.server import pin


class Holding(Requests):
    """Answers nobody before it is told to, on a connection that says COUNT or GO."""

    waiting: list["Holding"] = []  # noqa: RUF012 - of the process

    def data_received(self, data: bytes) -> None:
        if data == b"COUNT":
            self.write(b"%d" % len(self.waiting))
        elif data == b"GO":
            ready = self.waiting[:]
            self.waiting.clear()
            for each in ready:
                each.write(REPLY)
        else:
            super().data_received(data)

    def answer(self, count: int) -> None:
        self.waiting.extend([self] * count)


async def _serve(ready: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Holding, "127.0.0.1", 0, backlog=8192)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _main(ready: Connection) -> None:
    _open_files()
    pin(-1)
    asyncio.run(_serve(ready))


def _open_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def holding_server() -> AbstractContextManager[str]:
    """Run the server in a process of its own."""
    return in_a_process(_main)


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Hold requests in flight, and compare with the same connections at rest."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(1000 if quick else 5000, hard // 2 - 100)
    rows, bars, figures = [], [], {}
    for name, kind in (("gather_prompts", "batch"), ("image_2_prompt, a task each", "calls"),
                       ("aiohttp, a task each", "aiohttp")):  # fmt: skip
        with holding_server() as here:
            command = [sys.executable, "-m", "benchmarks.inflight", kind, here, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
        found = json.loads(done.stdout.splitlines()[-1])
        own = kind != "aiohttp"
        shown = f"**{name}**" if own else name
        rows.append([shown, f"{found['flight']:.2f} KB", f"{found['rest']:.2f} KB"])
        bars.append(Bar(name, found["flight"], found["flight"], found["flight"], own=own))
        figures[f"KB: {name}"] = found["flight"]
    return Result(
        title="In flight",
        text=(
            f"{count:,} requests that a server holds, each on a connection of its own: Python's "
            "memory for each beyond that of the same connections at rest, which is the last column."
        ),
        header=("client", "per request in flight", "per connection at rest"),
        rows=rows,
        unit="KB per request in flight",
        bars=bars,
        figures=figures,
    )


async def _measure(kind: str, origin: str, count: int) -> dict[str, float]:
    opened = {"batch": _batch, "calls": _calls, "aiohttp": _aiohttp}[kind]
    found: dict[str, float] = {}
    where = urlsplit(origin)
    control = socket.create_connection((where.hostname, where.port))

    def tell(word: bytes) -> None:
        control.sendall(word)

    async def arrived(run: Callable[[], Awaitable[object]]) -> asyncio.Future[object]:
        running = asyncio.ensure_future(run())
        while True:
            tell(b"COUNT")
            if int(control.recv(16)) >= count:
                return running
            if running.done():
                await running  # with the error that ended it
            await asyncio.sleep(0.05)

    async def steps(run: Callable[[], Awaitable[object]]) -> None:
        empty = _traced()
        running = await arrived(run)
        tell(b"GO")
        await running
        del running
        rest = _traced()
        running = await arrived(run)
        found["flight"] = (_traced() - rest) / count / 1024
        found["rest"] = (rest - empty) / count / 1024
        tell(b"GO")
        await running

    tracemalloc.start()
    try:
        await opened(origin, count, steps)
    finally:
        control.close()
    return found


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


Steps = Callable[[Callable[[], Awaitable[object]]], Awaitable[None]]


async def _batch(origin: str, count: int, steps: Steps) -> None:
    from vimmerse_async import Timeouts, VimmerseSession, gather_prompts

    async with VimmerseSession(
        KEY, base_url=origin, limit=count, timeouts=Timeouts(connect=100.0)
    ) as session:
        await steps(lambda: gather_prompts(session, (url(number) for number in range(count))))


async def _calls(origin: str, count: int, steps: Steps) -> None:
    from vimmerse_async import Timeouts, VimmerseSession, image_2_prompt

    async with VimmerseSession(
        KEY, base_url=origin, limit=count, timeouts=Timeouts(connect=100.0)
    ) as session:
        await steps(
            lambda: asyncio.gather(*(image_2_prompt(session, url(at)) for at in range(count)))
        )


async def _aiohttp(origin: str, count: int, steps: Steps) -> None:
    import aiohttp

    from benchmarks.peers import HEADERS, _post

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(origin, headers=HEADERS, connector=connector) as session:
        await steps(lambda: asyncio.gather(*(_post(session, at) for at in range(count))))


if __name__ == "__main__":
    _open_files()
    pin(0)
    print(json.dumps(asyncio.run(_measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
