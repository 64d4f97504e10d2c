"""Whose turn it is at the gate: calls and batches, the front of a queue, crowds, odd limits."""

import asyncio
import math
import sys
import threading
from typing import Any

import pytest
from virtual_time import VIRTUAL_TIME

from vimmerse_async.accounts import FORGET_AFTER, join_gate, leave_gate
from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.fixed import FixedLimit
from vimmerse_async.control.limit import Outcome
from vimmerse_async.gate import Gate
from vimmerse_async.lanes import Lane, LaneClosedError


@pytest.fixture
def anyio_backend() -> Any:
    return VIRTUAL_TIME


class Crowd:
    """Requests at a gate, and the order in which they were served."""

    def __init__(self, limit: Any) -> None:
        self.limit = limit
        self.loop = asyncio.get_running_loop()
        self.gate = Gate(limit, self.loop.time)
        self.order: list[str] = []
        self.times: list[float] = []
        self._tasks: list[asyncio.Task[None]] = []

    def ask(self, name: str, lane: Lane | None = None, hold: float = 1.0) -> None:
        self._tasks.append(asyncio.ensure_future(self._request(name, lane, hold)))

    async def _request(self, name: str, lane: Lane | None, hold: float) -> None:
        entered = self.gate.enter("text")
        permit: Any = (
            await self.gate.wait("text", lane) if isinstance(entered, (int, float)) else entered
        )
        self.order.append(name)
        self.times.append(self.loop.time())
        try:
            await asyncio.sleep(hold)
        finally:
            self.gate.release(permit, Outcome.OK, hold)

    async def end(self) -> None:
        await asyncio.gather(*self._tasks)
        assert (self.gate.in_flight, self.gate.waiting) == (0, 0)
        self.gate.close()


async def test_gate_calls_and_batches_three_to_one() -> None:
    """While both wait, three calls go and then one row of a batch; alone, each goes freely."""
    crowd = Crowd(FixedLimit(1))
    lane = crowd.gate.open_lane()
    crowd.ask("first")
    await asyncio.sleep(0)
    for _ in range(12):
        crowd.ask("call")
    for _ in range(8):
        crowd.ask("row", lane)
    await crowd.end()
    assert crowd.order[1:17] == ["call", "call", "call", "row"] * 4
    assert crowd.order[17:] == ["row"] * 4


async def test_gate_batches_alternate() -> None:
    """Three batches take turns, whoever came first; one with nothing to send is passed over."""
    crowd = Crowd(FixedLimit(1))
    lanes = {name: crowd.gate.open_lane() for name in "abc"}
    idle = crowd.gate.open_lane()
    crowd.ask("first")
    await asyncio.sleep(0)
    for name in "aaaabbbbcccc":
        crowd.ask(name, lanes[name])
    await crowd.end()
    rounds = ["".join(crowd.order[1 + 3 * n : 4 + 3 * n]) for n in range(4)]
    assert {"".join(sorted(each)) for each in rounds} == {"abc"}
    assert len(set(rounds)) == 1
    crowd.gate.close_lane(idle)


async def test_gate_front_of_its_own_queue() -> None:
    """A refused request goes to the head of its own queue, and of no other."""
    crowd = Crowd(FixedLimit(1))
    lane = crowd.gate.open_lane()
    crowd.ask("first")
    await asyncio.sleep(0)
    crowd.ask("row 1", lane)
    crowd.ask("row 2", lane)
    crowd.ask("call 1")
    await asyncio.sleep(0)

    async def again(name: str, where: Lane | None) -> None:
        permit = await crowd.gate.wait("text", where, front=True)
        crowd.order.append(name)
        crowd.gate.release(permit, Outcome.OK, 0.0)

    await asyncio.gather(again("refused row", lane), again("refused call", None), crowd.end())
    assert crowd.order == ["first", "refused call", "call 1", "refused row", "row 1", "row 2"]


async def test_gate_nobody_overtakes() -> None:
    """A request that comes while others wait does not slip in before them."""
    crowd = Crowd(FixedLimit(2))
    names = [str(number) for number in range(50)]
    for name in names:
        crowd.ask(name, hold=0.3)
        await asyncio.sleep(0.1)
    await crowd.end()
    assert crowd.order == names


async def test_D22_gate_serves_a_crowd_one_by_one() -> None:
    """Ten thousand waiters cost a question or two of the limit each, not a stampede."""

    class Counting(FixedLimit):
        asked = 0

        def admit(self, now: float, route: str = "text") -> Any:
            self.asked += 1
            return super().admit(now, route)

    limit = Counting(10)
    crowd = Crowd(limit)
    names = [str(number) for number in range(10_000)]
    for name in names:
        crowd.ask(name)
    await crowd.end()
    assert crowd.order == names
    assert limit.asked <= 3 * 10_000


async def test_D22_gate_crowd_waits_for_one_timer() -> None:
    """A closed gate with a thousand waiters wakes nobody before it opens."""
    crowd = Crowd(FixedLimit(1000))
    entered: Any = crowd.gate.enter("text")
    crowd.gate.release(entered, Outcome.THROTTLE, 0.01, 500.0)
    for number in range(1000):
        crowd.ask(str(number))
    await crowd.end()
    assert min(crowd.times) >= 1500.0
    assert crowd.times[0] < crowd.times[1]
    assert crowd.order == [str(number) for number in range(1000)]


async def test_gate_pacing_keeps_its_rate() -> None:
    """A paced limit lets requests through one timer at its rate, not slower."""
    crowd = Crowd(FixedLimit(1000, per_second=50))
    for number in range(500):
        crowd.ask(str(number))
    begun = crowd.loop.time()
    await crowd.end()
    assert crowd.times[-1] - begun == pytest.approx(10.0, abs=0.3)


@pytest.mark.parametrize("make", [AdaptiveLimit, lambda: FixedLimit(4)])
async def test_gate_seconds_count_down(make: Any) -> None:
    """A shut gate tells how long it is still shut, though nobody asks in between."""
    gate = Gate(make(), asyncio.get_running_loop().time)
    permit: Any = gate.enter("text")
    gate.release(permit, Outcome.THROTTLE, 0.1, 30.0)
    first = gate.snapshot()
    await asyncio.sleep(20.0)
    then = gate.snapshot()
    assert then.gate == pytest.approx(first.gate - 20.0)
    assert (first.binding, then.binding) == ("gate", "gate")
    await asyncio.sleep(20.0)
    assert gate.snapshot().gate == 0.0
    assert gate.snapshot().binding != "gate"
    gate.close()


@pytest.mark.parametrize("odd", [math.inf, 0.0, -1.0, 1e-12])
async def test_gate_odd_limit(odd: float) -> None:
    """A limit that wants to wait for a release of nothing, or for no time, is asked again."""

    class Odd(FixedLimit):
        left = 5

        def admit(self, now: float, route: str = "text") -> Any:
            if self.left:
                self.left -= 1
                return odd
            return super().admit(now, route)

    crowd = Crowd(Odd(2))
    crowd.ask("one")
    crowd.ask("other")
    await crowd.end()
    assert crowd.order == ["one", "other"]
    assert crowd.times[-1] <= 1000.0 + 5 * 1.1


async def test_gate_limit_that_fails() -> None:
    """A limit that raises hurts the one who asked, and nobody is left behind it."""

    class Broken(FixedLimit):
        broken = False

        def admit(self, now: float, route: str = "text") -> Any:
            if self.broken:
                self.broken = False
                raise ZeroDivisionError
            return super().admit(now, route)

    limit = Broken(1)
    crowd = Crowd(limit)
    crowd.ask("one")
    await asyncio.sleep(0)
    limit.broken = True
    with pytest.raises(ZeroDivisionError):
        await crowd.gate.wait("text")
    crowd.ask("other")
    await crowd.end()
    assert crowd.order == ["one", "other"]


async def test_gate_lane_that_ends() -> None:
    """A closed lane turns away who waits in it and who comes; the others are served."""
    crowd = Crowd(FixedLimit(1))
    lane, other = crowd.gate.open_lane(), crowd.gate.open_lane()
    crowd.ask("first")
    await asyncio.sleep(0)
    rows = [asyncio.ensure_future(crowd.gate.wait("text", lane)) for _ in range(5)]
    crowd.ask("other", other)
    await asyncio.sleep(0.1)
    assert lane.waiting == 5
    pause = asyncio.ensure_future(lane.pause(1000.0))
    await asyncio.sleep(0.1)
    assert lane.sleeping == 1
    crowd.gate.close_lane(lane)
    crowd.gate.close_lane(lane)
    await pause
    for row in rows:
        with pytest.raises(LaneClosedError):
            await row
    with pytest.raises(LaneClosedError):
        await crowd.gate.wait("text", lane)
    await lane.pause(1000.0)
    await crowd.end()
    assert crowd.order == ["first", "other"]
    assert crowd.loop.time() < 1010.0


async def test_gate_lane_that_ends_after_the_grant() -> None:
    """A row whose lane ends in the step of its grant is turned away, and its slot goes on."""
    crowd = Crowd(FixedLimit(1))
    lane = crowd.gate.open_lane()
    held: Any = crowd.gate.enter("text")
    row = asyncio.ensure_future(crowd.gate.wait("text", lane))
    await asyncio.sleep(0.1)
    crowd.gate.release(held, Outcome.OK, 0.1)
    assert crowd.gate.in_flight == 1
    crowd.ask("call")
    crowd.gate.close_lane(lane)
    with pytest.raises(LaneClosedError):
        await row
    await crowd.end()
    assert crowd.order == ["call"]


@pytest.mark.parametrize("limit", [lambda: FixedLimit(4), AdaptiveLimit])
async def test_gate_answers_in_no_time(limit: Any) -> None:
    """Latencies of zero, which a coarse clock gives, harm no limit."""
    crowd = Crowd(limit())
    for number in range(100):
        crowd.ask(str(number), hold=0.0)
    await crowd.end()
    snapshot = crowd.limit.snapshot()
    assert len(crowd.order) == 100
    assert 1 <= snapshot.window < math.inf
    assert snapshot.rate > 0


async def test_gate_is_shared_by_name() -> None:
    """Who joins by one name gets one gate; it is kept for ten minutes after the last has left."""
    loop = asyncio.get_running_loop()

    def make() -> Any:
        return FixedLimit(4)

    first, other = join_gate("name", make), join_gate("other", make)
    assert join_gate("name", make) is first
    assert join_gate(None, make) is not join_gate(None, make)
    assert other is not first
    leave_gate(loop, "name", first)
    await asyncio.sleep(2 * FORGET_AFTER)
    assert join_gate("name", make) is first
    leave_gate(loop, "name", first)
    leave_gate(loop, "name", first)
    await asyncio.sleep(FORGET_AFTER - 1.0)
    assert join_gate("name", make) is first
    leave_gate(loop, "name", first)
    await asyncio.sleep(FORGET_AFTER + 1.0)
    later = join_gate("name", make)
    assert later is not first
    leave_gate(loop, "name", later)
    leave_gate(loop, "other", other)


def test_gate_names_belong_to_a_loop() -> None:
    """Each event loop, in each thread, has gates of its own, also when many come and go at once."""
    gates: list[Any] = []
    errors: list[BaseException] = []

    async def join() -> None:
        for number in range(20):
            gate = join_gate(number % 3, lambda: FixedLimit(4))
            gates.append(gate)
            await asyncio.sleep(0)
            leave_gate(asyncio.get_running_loop(), number % 3, gate)

    def work() -> None:
        try:
            for _ in range(30):
                asyncio.run(join())
        except BaseException as error:  # noqa: BLE001 - whatever a thread raised fails the test
            errors.append(error)

    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(patience)
    assert not errors
    assert len({id(gate) for gate in gates}) == 12 * 30 * 3


async def test_a_limit_that_raises_is_told_to_who_waits() -> None:
    """What a limit raises while others release comes out where its permit is waited for."""

    class Odd:
        cap = 1

        def __init__(self) -> None:
            self.held = 0

        def admit(self, now: float, route: str = "text") -> Any:
            if route == "vision":
                raise LookupError("no such class")
            if self.held:
                return math.inf
            self.held += 1
            return self

        def release(self, *_: Any) -> None:
            self.held -= 1

    gate = Gate(Odd(), asyncio.get_running_loop().time)  # type: ignore[arg-type]
    permit: Any = gate.enter("text")
    waiting = [asyncio.ensure_future(gate.wait(route)) for route in ("vision", "text")]
    await asyncio.sleep(0)
    gate.release(permit, Outcome.OK, 1.0)
    with pytest.raises(LookupError, match="no such class"):
        await waiting[0]
    gate.release(await waiting[1], Outcome.OK, 1.0)
    assert gate.in_flight == gate.waiting == 0
