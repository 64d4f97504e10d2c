"""What a shared admission costs beside one of an own gate: CPU, and the way of a release."""

import asyncio
import json
import os
import socket
import statistics
import sys
import time
from typing import TYPE_CHECKING

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.limit import LimitSnapshot, Outcome
from vimmerse_async.gate import Gate
from vimmerse_async.sharing.desk import Desk
from vimmerse_async.sharing.folder import find_place
from vimmerse_async.sharing.gate import SharedGate
from vimmerse_async.sharing.host import HostMeeting
from vimmerse_async.sharing.redis_server import RedisMeeting

if TYPE_CHECKING:
    from vimmerse_async.sharing.meeting import Meeting

COUNT = 2_000
WINDOW = 8
AT_ONCE = (1, 2 * WINDOW)


def _limit() -> AdaptiveLimit:
    limit = AdaptiveLimit()
    limit.resume(LimitSnapshot(WINDOW, 1e6, 0, suspect="window", latency=1e-5), time.monotonic())
    return limit


async def _admissions(gate: Gate, count: int, at_once: int) -> float:
    """Return the CPU seconds of one admission in turn, in all threads of this process."""

    async def worker() -> None:
        for _ in range(count // at_once):
            permit = await gate.wait("text", lane)
            gate.release(permit, Outcome.OK, 1e-5)

    lane = gate.open_lane()
    begun = time.process_time()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    spent = time.process_time() - begun
    gate.close_lane(lane)
    return spent / count


def _shared(loop: asyncio.AbstractEventLoop) -> SharedGate:
    meeting: Meeting = HostMeeting(lambda: find_place("http://a", "a key"), "a measurement")
    if url := os.environ.get("REDIS"):
        meeting = RedisMeeting(url, "http://a", "a key")
    return SharedGate(meeting, _limit, loop.time)


async def _cpu(count: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    own = [
        [await _admissions(Gate(_limit(), loop.time), count, each) for each in AT_ONCE]
        for _ in range(3)
    ]
    made = Desk.__init__

    def quick(desk: Desk, limit: AdaptiveLimit, *about: object) -> None:
        made(desk, _limit(), *about)  # type: ignore[arg-type]

    Desk.__init__ = quick  # type: ignore[assignment, method-assign]
    gate = _shared(loop)
    await gate.wait("text")
    shared = [[await _admissions(gate, count, each) for each in AT_ONCE] for _ in range(3)]
    gate.close()
    return {
        f"{name}, {at_once} at a time": statistics.median(found)
        for name, rounds in (("own", own), ("shared", shared))
        for at_once, found in zip(AT_ONCE, zip(*rounds, strict=True), strict=True)
    }


async def _second(count: int) -> None:
    """Be the other process: wait for a permit when told to, and say when it came."""
    gate = _shared(asyncio.get_running_loop())
    while gate.standing is None:  # noqa: ASYNC110 - a measurement may look now and then
        await asyncio.sleep(0.01)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in range(count):
        sys.stdin.readline()
        waiting = asyncio.ensure_future(gate.wait("text"))
        await asyncio.sleep(0.002)
        sys.stdout.write("waits\n")
        sys.stdout.flush()
        permit = await waiting
        sys.stdout.write(f"{time.monotonic()}\n")
        sys.stdout.flush()
        gate.release(permit, Outcome.OK, 1e-5)
        await asyncio.sleep(0.001)  # it is said before this loop stands still again
    gate.close()


async def _way(count: int) -> dict[str, float]:
    """Release while another process waits for the only place; return the seconds that takes."""
    made = Desk.__init__

    def one_place(desk: Desk, limit: AdaptiveLimit, *about: object) -> None:
        limit.resume(LimitSnapshot(1, 1e6, 0, suspect="window", latency=1e-5), time.monotonic())
        made(desk, limit, *about)  # type: ignore[arg-type]

    Desk.__init__ = one_place  # type: ignore[assignment, method-assign]
    gate = _shared(asyncio.get_running_loop())
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.sharing.admission", "second", str(count),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert other.stdin is not None
    assert other.stdout is not None
    await other.stdout.readline()
    took = []
    for _ in range(count):
        permit = await gate.wait("text")
        other.stdin.write(b"go\n")
        await other.stdout.readline()
        await asyncio.sleep(0.005)
        begun = time.monotonic()
        gate.release(permit, Outcome.OK, 1e-5)
        took.append(float(await other.stdout.readline()) - begun)
        await asyncio.sleep(0.005)
    await other.wait()
    gate.close()
    return {"release to admission": statistics.median(took), "round trip": _round_trip(count)}


def _round_trip(count: int) -> float:
    """Return the median seconds of 24 bytes to another process and back, blocking."""
    here, there = socket.socketpair()
    if not os.fork():
        here.close()
        while data := there.recv(24):
            there.sendall(data)
        os._exit(0)
    there.close()
    took = []
    for _ in range(20 * count):
        begun = time.monotonic()
        here.sendall(b"x" * 24)
        here.recv(24)
        took.append(time.monotonic() - begun)
        if len(took) % 20 == 0:
            time.sleep(0.005)
    here.close()
    os.wait()
    return statistics.median(took[::20])  # the first after a pause, as a release is


if __name__ == "__main__":
    if sys.argv[1] == "second":
        asyncio.run(_second(int(sys.argv[2])))
    else:
        work = {"cpu": lambda: _cpu(COUNT), "way": lambda: _way(200)}[sys.argv[1]]
        sys.stdout.write(json.dumps(asyncio.run(work())))
