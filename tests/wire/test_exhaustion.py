"""Faults that need another process: no descriptors left, a server that was stopped."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from fault_server import FaultServer
from wire_kit import in_thread

from vimmerse_async import APITimeoutError, RetryPolicy, Timeouts, refine_prompt

MEMORY = 2 * 2**30


def run(program: str, *arguments: str) -> dict:
    """Run a program in a process of bounded memory, and return the JSON that it prints."""
    limited = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, ({MEMORY},) * 2)\n"
    done = subprocess.run(
        [sys.executable, "-c", limited + textwrap.dedent(program), *arguments],
        capture_output=True, text=True, timeout=30, check=False,
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
