"""Faults that need another process: no descriptors left, a server that was stopped."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from fault_server import FaultServer
from wire_kit import PURE, in_thread

from vimmerse_async import APITimeoutError, RetryPolicy, Timeouts, refine_prompt

MEMORY = 2 * 2**30


def run(program: str, *arguments: str, memory: int = MEMORY) -> Any:
    """Run a program in a process of bounded memory, and return the JSON that it prints."""
    limited = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, ({memory},) * 2)\n"
    done = subprocess.run(
        [sys.executable, "-c", limited + textwrap.dedent(program), *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


FEW_DESCRIPTORS = """
    import asyncio, json, os, resource, sys
    from vimmerse_async import RetryPolicy, VimmerseSession, refine_prompt

    class Hook:
        kinds = set()
        def on_retry(self, event):
            self.kinds.add((getattr(event.error, "kind", ""), getattr(event.error, "sent", "")))
        def on_call(self, event):
            pass

    async def main(url):
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        retry = RetryPolicy(max_attempts=50, backoff_base=0.01, backoff_cap=0.05, budget=10_000)
        hook = Hook()
        async with VimmerseSession("test-only-key", base_url=url, retry=retry,
                                   hooks=[hook]) as session:
            await refine_prompt(session, "warm")
            taken = []
            try:
                while True:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                for each in taken[-3:]:
                    os.close(each)
            answers = await asyncio.gather(*(refine_prompt(session, str(at)) for at in range(60)))
            statistics = session.statistics()
            for each in taken[:-3]:
                os.close(each)
        print(json.dumps({
            "answers": answers, "kinds": sorted(hook.kinds), "window": statistics.limit.window,
            "charged": statistics.possibly_charged,
        }))

    asyncio.run(main(sys.argv[1]))
"""


def test_A29_no_descriptors_left():
    """With sockets for 4 of 16 calls none fails or is charged twice; we send fewer at a time."""
    with in_thread(FaultServer()) as server:
        found = run(FEW_DESCRIPTORS, server.url)
        assert found["answers"] == [f"answer to {at}" for at in range(60)]
        assert found["kinds"] == [["local", "no"]]
        assert found["window"] < 16
        assert found["charged"] == 0
        assert len(server.requests) == 61


FLOODED = """
    import asyncio, json, sys, time
    from pathlib import Path
    from vimmerse_async import APIError, RetryPolicy, VimmerseSession, refine_prompt

    async def watch(pauses):
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            pauses.append(max(pauses.pop(), now - last))
            last = now

    def peak_since_reset():
        line = next(line for line in Path("/proc/self/status").open() if "VmHWM" in line)
        Path("/proc/self/clear_refs").write_text("5")
        return int(line.split()[1]) / 1024

    async def main(url, count):
        retry = RetryPolicy(max_attempts=1)
        found = []
        async with VimmerseSession("test-only-key", base_url=url, retry=retry,
                                   limit=1) as session:
            await refine_prompt(session, "warm")
            peak_since_reset()
            before = peak_since_reset()
            for _ in range(count):
                pauses = [0.0]
                watching = asyncio.ensure_future(watch(pauses))
                try:
                    kind = await refine_prompt(session, "x")
                except APIError as error:
                    kind = getattr(error, "kind", None) or error.status
                await asyncio.sleep(0.001)
                watching.cancel()
                found.append([kind, peak_since_reset() - before, pauses[0]])
        print(json.dumps(found))

    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

OK = "HTTP/1.1 200 OK\r\n"
FLOODS = {
    "a bomb of 50 MB": ({"do": "bomb", "megabytes": 50}, "too_large"),
    "a bomb of 3 GB": ({"do": "bomb", "megabytes": 3000}, "too_large"),
    "a bomb of 10 GB": ({"do": "bomb", "megabytes": 10_000}, "too_large"),
    "a deflate bomb": ({"do": "bomb", "megabytes": 3000, "encoding": "deflate"}, "too_large"),
    "200,000 members": ({"do": "zipped", "text": '"a"', "members": 200_000}, "encoding"),
    "a million members": ({"do": "zipped", "text": '"a"', "members": 10**6}, "too_large"),
    "1 GB": ({"do": "big", "size": 2**30}, "too_large"),
    "endless": ({"do": "big", "size": 2**30, "length": False}, "too_large"),
    "an endless error": ({"do": "big", "size": 2**30, "status": 500}, 500),
    "endless chunks": (
        {"do": "drip", "head": f"{OK}Transfer-Encoding: chunked\r\n\r\n",
         "piece": "8000\r\n{{x*32768}}\r\n", "every": 0}, "too_large",
    ),
    "tiny chunks": (
        {"do": "drip", "head": f"{OK}Transfer-Encoding: chunked\r\n\r\n",
         "piece": "1\r\nx\r\n" * 8000, "every": 0}, "too_large",
    ),
    "headers": ({"do": "headers_flood", "count": 100_000, "size": 100}, "malformed"),
    "trailers": ({"do": "trailers_flood", "count": 20_000}, "malformed"),
}  # fmt: skip


def test_B13_B14_B15_B18_memory_stays_flat():
    """Whatever is poured out, a client of bounded memory grows by 32 MB at most, nor stalls.

    A pause is CPU time; the parser in Python takes 0.11 s over 64 KiB of the tiniest chunks.
    """
    orders = [order for order, _ in FLOODS.values()]
    with in_thread(FaultServer(["ok", *orders])) as server:
        found = run(FLOODED, server.url, str(len(orders)), memory=2**30)
    assert [kind for kind, _, _ in found] == [kind for _, kind in FLOODS.values()]
    assert max(growth for _, growth, _ in found) <= 32, dict(zip(FLOODS, found, strict=True))
    assert max(pause for _, _, pause in found) <= (0.3 if PURE else 0.1), dict(
        zip(FLOODS, found, strict=True)
    )


SERVER = """
    import contextlib, socket
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        with contextlib.suppress(OSError), listener.accept()[0] as connection:
            while data := connection.recv(65536):
                connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\n"fine"')
"""


@pytest.fixture
def stoppable():
    """A server in a process of its own; yields its port and process."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVER)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


async def test_A15_a_stopped_server(stoppable, connect):
    """A peer that stands still is timed out, and its connection is never used again."""
    port, process = stoppable
    session = await connect(
        f"http://127.0.0.1:{port}",
        timeouts=Timeouts(attempt=0.2),
        retry=RetryPolicy(max_attempts=1),
    )
    assert await refine_prompt(session, "x") == "fine"
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(APITimeoutError) as raised:
        await refine_prompt(session, "x")
    assert (raised.value.kind, raised.value.sent) == ("timeout", "maybe")
    assert not session._runtime.transport._connector._conns
    os.kill(process.pid, signal.SIGCONT)
    await asyncio.sleep(0.05)
    assert await refine_prompt(session, "x") == "fine"
