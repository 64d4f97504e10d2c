"""What a journal and shared questions weigh: nothing that grows with the rows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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

url, count, kind, path = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
IDENTICAL = kind in ("identical", "occurrences")
JOURNAL = {} if kind in ("identical", "distinct") else {"journal": path}
DEDUPE = {"dedupe": False} if kind in ("occurrences", "numbered") else {}

def megabytes(what):
    with open("/proc/self/status") as status:
        return int(re.search(what + r":\\s+(\\d+) kB", status.read())[1]) / 1024

async def main():
    weights, cached = [], 0
    rows = (f"https://a.example/{0 if IDENTICAL else number:09}.jpg" for number in range(count))
    async with VimmerseSession("test-key-of-many-rows", base_url=url, limit=64) as session:
        async with stream_prompts(session, rows, **JOURNAL, **DEDUPE) as results:
            async for result in results:
                assert result.ok, result.error
                cached += result.cached
                if result.index % (count // 10) == 0:
                    weights.append(megabytes("VmRSS"))
        sends = session.statistics().sends
    return {"peak": megabytes("VmHWM"), "weights": weights, "sends": sends, "cached": cached}

print(json.dumps(asyncio.run(main())))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", ["identical", "distinct", "occurrences", "numbered", "known"])
def test_E23_P8_memory_is_flat(tmp_path, kind, count):
    """E23: a million rows, alike or not, known or not, counted or not, take no more than a few."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            for turn in range(2 if kind == "known" else 1):
                done = subprocess.run(
                    [sys.executable, "-c", CLIENT, url, str(count), kind, tmp_path / "run.db"],
                    env=environment, capture_output=True, text=True, check=False, timeout=1800,
                )  # fmt: skip
                assert not done.returncode, done.stderr
                seen = json.loads(done.stdout)
                assert turn == 0 or seen["cached"] == count
                assert turn == 0 or seen["sends"] == 0
        finally:
            server.kill()
    print(f"{kind}, {count:,}: {seen}")  # noqa: T201
    assert seen["sends"] + seen["cached"] == count
    if kind == "identical":
        assert seen["sends"] < count / 10
    assert seen["peak"] <= 60
    assert max(seen["weights"][1:]) - seen["weights"][1] <= 5
