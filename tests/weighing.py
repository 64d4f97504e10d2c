"""Clients that tell what they weigh, in a process of their own, and a fast server in another."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
CAN_WEIGH = Path("/proc/self/status").exists()

SERVER = """
import asyncio
from benchmarks.fast_server import Requests

async def main():
    server = await asyncio.get_running_loop().create_server(Requests, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
SCALES = """
import re

def megabytes(what):
    with open("/proc/self/status") as status:
        return int(re.search(what + r":\\s+(\\d+) kB", status.read())[1]) / 1024
"""


@contextmanager
def served() -> Iterator[str]:
    """Run a server that answers at once, and give its origin."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


def weighed(client: str, *arguments: object) -> dict[str, Any]:
    """Run a client's program, which may ask for its `megabytes`, and return what it prints.

    Args:
        client: The program.
        arguments: Its arguments.
    """
    done = subprocess.run(
        [sys.executable, "-c", SCALES + client, *map(str, arguments)],
        env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
