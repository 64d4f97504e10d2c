"""Worlds in which time stands still, sockets are gevent's, asserts are gone or loops are many."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORK = """
import asyncio
from scripted_server import Answer, ScriptedServer
from vimmerse_async import RetryPolicy, Timeouts, gather_prompts, refine_prompt

def run(main):
    asyncio.run(main())

async def work():
    failing = iter([Answer(500, {}), Answer(429, {})])
    async with ScriptedServer() as server:
        server.script = lambda asked: next(failing, None) or Answer(
            value=f"about {asked.name}", delay=0.01 if asked.name.endswith("7") else 0.0)
        async with server.session(
            retry=RetryPolicy(backoff_base=0.01), timeouts=Timeouts(attempt=20)
        ) as session:
            calls = await asyncio.gather(*(refine_prompt(session, str(n)) for n in range(20)))
            assert calls == [f"about {n}" for n in range(20)], calls
            rows = await gather_prompts(session, [f"https://a.example/{n}" for n in range(50)])
            assert rows == [f"about {n}" for n in range(50)], rows
            numbers = session.statistics()
            if (numbers.succeeded, numbers.retried, numbers.refused) != (70, 1, 1):
                raise SystemExit(str(numbers))
    print("done", flush=True)
"""
FROZEN = """
from freezegun import freeze_time
with freeze_time("2031-05-06", {options}):
    run(work)
"""
WORLDS = {
    "freezegun": FROZEN.format(options="real_asyncio=True"),
    "freezegun that ticks": FROZEN.format(options="tick=True"),
    "time-machine": """
import time_machine
with time_machine.travel("2031-05-06", tick=False):
    run(work)
""",
    "uvloop": """
import uvloop
uvloop.run(work())
""",
    "eager": """
async def main():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await work()
run(main)
""",
    "threads": """
import threading
threads = [threading.Thread(target=run, args=(work,)) for _ in range(3)]
for each in threads: each.start()
for each in threads: each.join()
""",
}


def outcome(program: str, *flags: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", *flags, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.parametrize("world", WORLDS)
def test_a_session_works_in_every_world(world: str) -> None:
    """Calls, a retry, a refusal and a batch end as anywhere, with the real packages."""
    if world == "uvloop" and find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    if world == "eager" and sys.version_info < (3, 12):
        pytest.skip("eager tasks came with Python 3.12")
    threads = 3 if world == "threads" else 1
    assert outcome(WORK + WORLDS[world]).count("done") == threads


def test_a_session_works_on_sockets_of_gevent() -> None:
    """Gevent's patches, made before anything is imported, change nothing."""
    if find_spec("gevent") is None:
        pytest.skip("gevent is not installed")
    patched = "from gevent import monkey; monkey.patch_all()"
    assert outcome(f"{patched}\n{WORK}\nrun(work)") == "done\n"


@pytest.mark.parametrize("flags", [["-O"], ["-OO"]], ids=" ".join)
def test_a_session_works_without_asserts(flags: list[str]) -> None:
    """`python -O` takes assertions away, and nothing with them."""
    asserting = f"{WORK}\nif __debug__: raise SystemExit(1)\nrun(work)"
    assert outcome(asserting, *flags) == "done\n"
