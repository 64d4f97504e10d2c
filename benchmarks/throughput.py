"""Requests per second and CPU per request, beside idiomatic aiohttp, interleaved.

    python -m benchmarks.throughput [--rounds 5] [--count 5000] [--loop asyncio|uvloop]

Each measurement is a process of its own on one core, the server another one on the other. Every
round measures every client once, in a new order; the table gives medians of the rounds' ratios to
idiomatic aiohttp. The machine is whatever it is: only ratios are worth quoting.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time

from benchmarks.clients import CLIENTS
from benchmarks.fast_server import fast_server

BASE = next(iter(CLIENTS))


def measure(name: str, origin: str, count: int, loop: str) -> dict[str, float]:
    """Run one client in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.throughput", "--loop", loop]
    command += ["--count", str(count), "--client", name, "--origin", origin]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def run_client(name: str, origin: str, count: int, loop: str) -> dict[str, float]:
    """Run one client here and return its figures for each request, in microseconds."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    begun: list[tuple[float, float]] = []

    def mark() -> None:
        begun.append((time.perf_counter(), time.process_time()))

    factory = None
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(CLIENTS[name](origin, 1000, count, mark))  # type: ignore[arg-type]
        wall, cpu = begun[0]
        return {
            "wall": (time.perf_counter() - wall) / count * 1e6,
            "cpu": (time.process_time() - cpu) / count * 1e6,
        }


def table(rounds: list[dict[str, dict[str, float]]], loop: str) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        f"| {loop} | requests/s, × | quartiles | CPU µs | CPU, × |",
        "|---|---|---|---|---|",
    ]
    for name in CLIENTS:
        ratios = [each[BASE]["wall"] / each[name]["wall"] for each in rounds]
        low, middle, high = statistics.quantiles(ratios, n=4)
        cpu = statistics.median(each[name]["cpu"] for each in rounds)
        cpu_ratio = statistics.median(each[name]["cpu"] / each[BASE]["cpu"] for each in rounds)
        lines.append(
            f"| {name} | {middle:.2f} | {low:.2f}-{high:.2f} | {cpu:.0f} | {cpu_ratio:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--client", choices=list(CLIENTS), help=argparse.SUPPRESS)
    parser.add_argument("--origin", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        figures = run_client(options.client, options.origin, options.count, options.loop)
        print(json.dumps(figures))
        return
    rounds: list[dict[str, dict[str, float]]] = []
    with fast_server() as origin:
        for _ in range(options.rounds):
            names = random.sample(list(CLIENTS), len(CLIENTS))
            rounds.append(
                {name: measure(name, origin, options.count, options.loop) for name in names}
            )
    print(table(rounds, options.loop))


if __name__ == "__main__":
    main()
