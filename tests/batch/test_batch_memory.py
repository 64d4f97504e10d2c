"""What a million rows weigh: nothing that grows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = 45.0
"""Megabytes at the peak, of which the four dependencies alone take 34."""
SERVER = """
import asyncio
from benchmarks.fast_server import Requests

async def main():
    server = await asyncio.get_running_loop().create_server(Requests, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
CLIENT = """
import asyncio, json, re, sys
from vimmerse_async import VimmerseSession, stream_prompts

COUNT = int(sys.argv[2])

def megabytes(what):
    with open("/proc/self/status") as status:
        return int(re.search(what + r":\\s+(\\d+) kB", status.read())[1]) / 1024

async def main():
    weights = []
    rows = (f"https://catalog.example/pictures/{number:09}.jpg" for number in range(COUNT))
    async with VimmerseSession("test-key-of-many-rows", base_url=sys.argv[1], limit=64) as session:
        async with stream_prompts(session, rows) as results:
            async for result in results:
                assert result.ok, result.error
                if result.index % (COUNT // 10) == 0:
                    weights.append(megabytes("VmRSS"))
    answers = session.statistics().succeeded
    return {"peak": megabytes("VmHWM"), "weights": weights, "answers": answers}

print(json.dumps(asyncio.run(main())))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.full)])
def test_C13_batch_weighs_the_same_at_any_length(count: int) -> None:
    """A stream of a million rows peaks at 45 MB, and does not grow on the way."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            done = subprocess.run(
                [sys.executable, "-c", CLIENT, url, str(count)],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
                timeout=1200,
            )
        finally:
            server.kill()
    seen = json.loads(done.stdout)
    print(f"{count:,} rows: peak {seen['peak']:.1f} MB, on the way {seen['weights']}")  # noqa: T201
    assert seen["answers"] == count
    assert seen["peak"] <= MOST
    assert max(seen["weights"][1:]) - seen["weights"][1] <= 1.5
