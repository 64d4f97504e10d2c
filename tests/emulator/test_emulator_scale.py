"""The emulator as the server of benchmarks: many connections, many requests, no growth."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vimmerse_async.emulator import Fault

LOAD = Path(__file__).parents[2] / "benchmarks" / "emulator_load.py"


def load(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, LOAD, *arguments], capture_output=True, text=True, timeout=1200, check=True
    )
    return done.stdout


@pytest.mark.full
async def test_G12_shares_hold_over_http(call):
    """Of 10,000 requests over 64 connections each fault strikes its share, and only that."""
    rules = [Fault("status", status=503, probability=0.2), Fault("empty", probability=0.1)]
    caller = await call(faults=rules)
    numbers = iter(range(10_000))

    async def work() -> None:
        for number in numbers:
            await caller.post("/v2/text/refine-prompt", {"prompt": f"cat {number}"})

    await asyncio.gather(*(work() for _ in range(64)))
    outcomes = caller.emulator.account.log.outcomes
    assert sum(outcomes.values()) == 10_000
    assert outcomes["status"] / 10_000 == pytest.approx(0.2, abs=0.02)
    assert outcomes["empty"] / 10_000 == pytest.approx(0.1, abs=0.02)


@pytest.mark.full
def test_G12_five_thousand_idle_connections_are_held():
    """They stay open while others are served, and cost little memory."""
    printed = load("--requests=2000", "--rounds=1", "--idle=5000")
    assert "5000 of 5000 idle connections held" in printed


@pytest.mark.full
def test_memory_is_flat_over_two_hundred_thousand_requests():
    """After the log and the memory of repetitions are full, nothing grows."""
    printed = load("--requests=200000", "--rounds=8", "--pictures=200000")
    resident = [float(figure) for figure in re.findall(r"([\d.]+) MB resident", printed)]
    assert len(resident) == 8
    assert resident[-1] - resident[3] < 2
