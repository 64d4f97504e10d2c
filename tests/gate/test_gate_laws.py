"""The gate's laws, for any mix of requests, cancellations, ends of batches and moods of a limit."""

import asyncio
import math
from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import START, run

from vimmerse_async.control.limit import Outcome
from vimmerse_async.gate import Gate
from vimmerse_async.lanes import Lane, LaneClosedError

LONG = 10_000.0


class Permit:
    """What the scripted limit hands out."""

    route = "text"
    probe = False


class ScriptedLimit:
    """A limit whose window and closing times follow a script, and which checks its caller.

    After each release the next line of the script says how wide the window is, and for how many
    seconds nothing may pass.
    """

    cap = 1000

    def __init__(self, script: list[tuple[int, float]]) -> None:
        self.out: set[Permit] = set()
        self.window, self.opens = script[0][0], 0.0
        self._script = deque(script)

    def admit(self, now: float, route: str = "text") -> Permit | float:
        if len(self.out) >= self.window:
            return math.inf
        if now < self.opens:
            return self.opens - now
        permit = Permit()
        self.out.add(permit)
        return permit

    def release(
        self, permit: Permit, now: float, outcome: Outcome, latency: float, after: Any = None
    ) -> None:
        self.out.remove(permit)  # a permit comes back once
        if self._script:
            self.window, shut = self._script.popleft()
            self.opens = max(self.opens, now + shut)

    def relent(self) -> None:
        """Admit everything from now on."""
        self._script.clear()
        self.window, self.opens = self.cap, 0.0


class World:
    """A gate, its lanes, and when each request came and was served."""

    def __init__(self, script: list[tuple[int, float]]) -> None:
        self.loop = asyncio.get_running_loop()
        self.limit: Any = ScriptedLimit(script)
        self.gate = Gate(self.limit, self.loop.time)
        self.lanes: list[Lane | None] = [None, self.gate.open_lane(), self.gate.open_lane()]
        self.queues: list[dict[int, float]] = [{} for _ in self.lanes]
        self.tasks: list[asyncio.Task[str]] = []

    def check(self) -> None:
        live = [task for task in self.tasks if not task.done()]
        assert self.gate.in_flight == len(self.limit.out) <= self.limit.cap
        assert self.gate.in_flight <= len(live)
        timers = [
            handle
            for handle in self.loop._scheduled  # type: ignore[attr-defined]
            if not handle.cancelled() and handle._callback == self.gate._on_timer
        ]
        assert len(timers) <= 1
        if self.gate.waiting and not self.gate.in_flight:
            assert timers, "work waits, nothing is in flight, and no timer is set"

    async def request(self, number: int, where: int, hold: float) -> str:
        entered = self.gate.enter("text")
        if isinstance(entered, (int, float)):
            permit: Any = await self._wait(number, where)
            if permit is None:
                return "lane closed"
        else:
            permit = entered
        begun = self.loop.time()
        try:
            await asyncio.sleep(hold)
        except asyncio.CancelledError:
            self.gate.release(permit, Outcome.CANCEL, self.loop.time() - begun)
            raise
        self.gate.release(permit, Outcome.OK, hold)
        return "served"

    async def _wait(self, number: int, where: int) -> Any:
        queue = self.queues[where]
        queue[number] = -1.0
        try:
            permit = await self.gate.wait("text", self.lanes[where])
            queue[number] = self.loop.time()
        except LaneClosedError:
            del queue[number]
            return None
        except asyncio.CancelledError:
            del queue[number]
            raise
        return permit


numbers = st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 2), st.sampled_from([0.0, 0.01, 1.0, 30.0])),
    st.tuples(st.just("cancel"), numbers, st.integers(0, 3)),
    st.tuples(st.just("pass"), st.sampled_from([0.0, 0.001, 0.5, 5.0, 100.0]), numbers),
    st.tuples(st.just("close"), st.integers(1, 2), numbers),
)
scripts = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.0, 0.3, 7.0])), min_size=1, max_size=25
)


async def take(world: World, step: tuple[str, Any, Any]) -> None:
    kind, first, second = step
    if kind == "ask":
        number = len(world.tasks)
        world.tasks.append(asyncio.ensure_future(world.request(number, first, second)))
    elif kind == "cancel" and world.tasks:
        for _ in range(second):
            await asyncio.sleep(0)
        world.tasks[first % len(world.tasks)].cancel()
    elif kind == "pass":
        await asyncio.sleep(first)
    elif kind == "close":
        lane = world.lanes[first]
        assert lane is not None
        world.gate.close_lane(lane)


@settings(max_examples=200, deadline=None)
@given(script=scripts, plan=st.lists(steps, min_size=1, max_size=40))
def test_gate_laws(script: list[tuple[int, float]], plan: list[tuple[str, Any, Any]]) -> None:
    """First come first served, one timer, no lost slot, and in the end nobody is left waiting."""

    async def main() -> None:
        world = World(script)
        for step in plan:
            await take(world, step)
            world.check()
        world.limit.relent()
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(LONG)), *world.tasks])
        for task in world.tasks:
            assert task.cancelled() or task.result() in {"served", "lane closed"}
        for queue in world.queues:
            assert list(queue.values()) == sorted(queue.values())
        assert not world.limit.out
        assert (world.gate.in_flight, world.gate.waiting) == (0, 0)
        world.check()
        world.gate.close()

    run(main())


@settings(max_examples=100, deadline=None)
@given(
    window=st.integers(1, 3),
    holds=st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=1, max_size=12),
    victim=st.integers(0, 11),
    turns=st.integers(0, 40),
    pause=st.sampled_from([0.0, 0.5]),
)
def test_D3_gate_cancelled_at_any_turn(
    window: int, holds: list[float], victim: int, turns: int, pause: float
) -> None:
    """Cancellation at any turn of the loop leaks no slot and delays nobody."""

    async def main() -> None:
        world = World([(window, 0.0)])
        for number, hold in enumerate(holds):
            await take(world, ("ask", number % 3, hold))
        for _ in range(turns):
            await asyncio.sleep(pause)
        task = world.tasks[victim % len(holds)]
        task.cancel()
        await asyncio.wait(world.tasks)
        others = [each for each in world.tasks if each is not task]
        assert all(each.result() == "served" for each in others)
        assert asyncio.get_running_loop().time() <= START + turns * pause + sum(holds) + 0.1
        assert (world.gate.in_flight, world.gate.waiting) == (0, 0)
        world.gate.close()

    run(main())
