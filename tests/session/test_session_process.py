"""Sessions in processes that fork, exit and forget: what is said on stderr, and what is not."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMORY = 4 * 1024**3
PRELUDE = """
import asyncio, gc, os, sys
from scripted_server import *
from vimmerse_async import *

URL = "https://a.example/1"
"""


def run_script(script: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a new interpreter that finds the package and the tests' helpers."""
    return subprocess.run(
        [sys.executable, *flags, "-c", PRELUDE + script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_D11_process_forked() -> None:
    """A child that inherits a session is told so; the parent's pooled connections are unharmed."""
    done = run_script("""
async def main():
    async with ScriptedServer() as server, server.session() as session:
        print(await image_2_prompt(session, URL), flush=True)
        child = os.fork()
        if not child:
            try:
                await image_2_prompt(session, URL)
            except SessionError as error:
                print("child:", error, flush=True)
            try:
                await gather_prompts(session, [URL])
            except SessionError as error:
                print("child:", error, flush=True)
            runtime = session._runtime
            session._runtime = None
            del runtime
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)
        for _ in range(3):
            print(await image_2_prompt(session, URL), flush=True)
        print(server.accepted, "connection", flush=True)

asyncio.run(main())
""", "-W", "always")  # fmt: skip
    assert done.stdout.splitlines() == [
        "about 1",
        *["child: this session was opened before a fork; open one in each process"] * 2,
        *["about 1"] * 3,
        "1 connection",
    ]
    assert "VimmerseSession" not in done.stderr
    assert done.returncode == 0


FORGETFUL = """
async def main():
    global session
    async with ScriptedServer() as server:
        session = server.session()
        await session.__aenter__()
        await asyncio.gather(*(image_2_prompt(session, URL) for _ in range(3)))
        print("done")

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("end", "flags"),
    [
        ("", ()),
        ("", ("-W", "error")),
        ("del session; gc.collect()", ("-W", "always")),
        ("sys.exit(0)", ("-X", "dev")),
    ],
)
def test_D12_process_forgets_a_session(end: str, flags: tuple[str, ...]) -> None:
    """A session left open at the end of its loop says one thing, once, and only when asked."""
    done = run_script(FORGETFUL + end, *flags)
    assert done.stdout == "done\n"
    assert done.returncode == 0
    if not flags:
        assert done.stderr == ""
    else:
        assert done.stderr.count("was not closed") == 1
        assert "Event loop is closed" not in done.stderr
        assert "Unclosed" not in done.stderr
        assert "never awaited" not in done.stderr


def test_D17_process_ends_with_work_in_flight() -> None:
    """A loop that ends with calls, batches and streams under way says nothing on stderr."""
    done = run_script("""
async def endless():
    number = 0
    while True:
        await asyncio.sleep(0.001)
        yield f"https://a.example/{(number := number + 1)}"

async def main():
    server = await ScriptedServer(slow(60.0)).__aenter__()
    session = await server.session(limit=8).__aenter__()
    async def read():
        async with stream_prompts(session, endless()) as results:
            async for _ in results:
                pass
    async def managed():
        async with server.session() as own:
            await image_2_prompt(own, URL)
    tasks = [asyncio.ensure_future(work) for work in (
        *(image_2_prompt(session, URL) for _ in range(20)),
        gather_prompts(session, [URL] * 100), gather_prompts(session, endless()), read(), managed(),
    )]
    while len(server.requests) < 9:
        await asyncio.sleep(0.01)
    print(len(server.requests))

asyncio.run(main())
""")  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "9\n"
    assert done.returncode == 0


def test_D6_process_interrupted() -> None:
    """Ctrl-C in the middle of a batch ends the process by KeyboardInterrupt, without noise."""
    done = run_script("""
import signal

async def main():
    async with ScriptedServer(slow(60.0)) as server, server.session(limit=8) as session:
        asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
        async with stream_prompts(session, [URL] * 1000) as results:
            async for _ in results:
                pass

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
""", "-W", "always")  # fmt: skip
    assert done.stdout == "interrupted\n"
    assert done.stderr == ""


def test_process_import_is_quiet() -> None:
    """Importing the package warns of nothing and leaves logging alone."""
    done = run_script(
        "import logging, vimmerse_async.batch.engine; print(logging.getLogger().handlers)",
        "-W", "error",
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[]\n", "")
