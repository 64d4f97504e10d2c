"""Credits, and how long answers take."""

import asyncio
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.emulator import Latency
from vimmerse_async.emulator.api.reply import RefusedError
from vimmerse_async.emulator.behaviour.latency import Clockwork
from vimmerse_async.emulator.behaviour.wallet import Wallet

SPREAD_SEED, QUICK = 22, 8
"""With this seed so many of 16 requests are answered at once, the others after ten minutes."""
CHANCES = [(place + 0.5) / 10_000 for place in range(10_000)]


@given(st.lists(st.sampled_from(["/v2/text/prompt", "/v2/image", "/video"])), st.integers(0, 30))
def test_what_is_spent_and_what_is_left_are_what_there_was(routes, owned):
    """No credit appears or vanishes, and the balance is never below nothing."""
    wallet = Wallet(owned, {"/video": 2.5})
    for route in routes:
        before = wallet.balance
        if before < wallet.prices.get(route, 0):
            with pytest.raises(RefusedError):
                wallet.pay(route)
            assert wallet.balance == before
        else:
            price = wallet.pay(route)
            assert wallet.balance == before - price >= 0
    assert wallet.balance + wallet.spent == owned


def test_a_wallet_without_an_end_only_counts():
    """Nothing is refused, and what would have been paid is known."""
    wallet = Wallet()
    for _ in range(3):
        wallet.pay("/v2/text/prompt")
    wallet.top_up(7)
    assert (wallet.balance, wallet.spent) == (None, 3)


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "5", True])
def test_credits_that_are_none_are_refused(wrong):
    """Neither a wallet nor a price nor a top-up takes a senseless number."""
    with pytest.raises(ValueError, match="credits"):
        Wallet(wrong)
    with pytest.raises(ValueError, match="price of /image"):
        Wallet(1, {"/image": wrong})
    with pytest.raises(ValueError, match="credits"):
        Wallet(1).top_up(wrong)


async def test_an_empty_wallet_is_a_402_until_it_is_topped_up(call):
    """The body is the contract's; a refused request is free."""
    caller = await call(credits=1)
    await caller.post("/v2/text/refine-prompt", {})
    first, second = [await caller.post("/v2/text/suggest-prompt") for _ in range(2)]
    caller.emulator.top_up(1)
    third = await caller.post("/v2/text/suggest-prompt")
    assert [first.status, second.status, third.status] == [200, 402, 200]
    assert list(second.value) == ["message"]


async def test_two_calls_at_once_cannot_spend_one_credit_twice(call):
    """Of many calls at the same time as many are answered as there are credits."""
    caller = await call(credits=3, latency=0.05)
    asked = [caller.post("/v2/text/suggest-prompt") for _ in range(8)]
    statuses = sorted([answer.status for answer in await asyncio.gather(*asked)])
    assert statuses == [200] * 3 + [402] * 5


async def test_work_that_its_caller_has_left_is_billed_all_the_same(call):
    """Hanging up does not undo the work."""
    caller = await call(credits=5, latency=0.2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await caller.post("/v2/text/suggest-prompt")
    while caller.emulator.requests[0].elapsed is None:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    assert caller.emulator.account.wallet.balance == 4
    assert caller.emulator.requests[0].billed == 1


async def test_prices_can_be_set_by_route(call, picture):
    """Uploads are free until they are given a price."""
    caller = await call(credits=10, prices={"/v2/image": 4, "/v2/text/suggest-prompt": 0})
    await caller.upload("/v2/image", "image_file", picture((1, 2, 3)))
    await caller.post("/v2/text/suggest-prompt")
    assert caller.emulator.account.wallet.balance == 6


def times(text: str) -> list[float]:
    clockwork = Clockwork(Latency.parse(text))
    return [clockwork.seconds(0.0, chance) for chance in CHANCES]


def test_a_fixed_latency_is_always_the_same():
    """Chance has no part in it."""
    assert set(times("0.25")) == {0.25}


def test_a_uniform_latency_fills_its_range_evenly():
    """The mean is the middle, the ends are reached and not passed."""
    drawn = times("uniform:1,3")
    assert 1 <= min(drawn) < 1.01
    assert 2.99 < max(drawn) < 3
    assert statistics.fmean(drawn) == pytest.approx(2, abs=0.01)


def test_a_lognormal_latency_has_its_median_and_its_spread():
    """Half of the answers take less than the median; the logarithms have the given deviation."""
    drawn = times("lognormal:2,0.5")
    assert statistics.median(drawn) == pytest.approx(2, rel=0.01)
    assert statistics.quantiles(drawn, n=1000)[840] == pytest.approx(2 * 2.71828**0.5, rel=0.02)


def test_a_queue_makes_everybody_wait_for_a_worker():
    """Two workers of one second each: the fifth request of a crowd takes three seconds."""
    clockwork = Clockwork(Latency.parse("queue:2,1"))
    assert [clockwork.seconds(0.0, 0.5) for _ in range(5)] == [1, 1, 2, 2, 3]
    assert [clockwork.seconds(2.5, 0.5) for _ in range(2)] == [1, 1.5]
    assert clockwork.seconds(10.0, 0.5) == 1


def test_without_a_latency_nothing_takes_time():
    """None is as fast as it can."""
    assert Clockwork(None).seconds(0.0, 0.5) == 0


@pytest.mark.parametrize(
    "wrong",
    ["", "fast", "-1", "nan", "1e9", "normal:1,2", "uniform:1", "uniform:3,1", "queue:0,1",
     "queue:1.5,1", "lognormal:1,2,3", "fixed:1,2", "uniform:a,b"],
)  # fmt: skip
def test_a_senseless_latency_is_refused(wrong):
    """The message repeats what was written or says what is right."""
    with pytest.raises(ValueError, match=r"latency|queue"):
        Latency.parse(wrong)


async def test_the_same_seed_gives_the_same_latencies_to_the_same_requests(call):
    """Whatever the order in which they come: the same ones are answered at once."""
    quick: list[set[int]] = []
    for turn in (1, -1):
        caller = await call(latency="lognormal:1,40", seed=SPREAD_SEED)
        asked = {
            asyncio.ensure_future(
                caller.post("/v2/text/refine-prompt", {"prompt": f"cat {number}"})
            ): number
            for number in range(16)[::turn]
        }
        waiting, answered = set(asked), set()
        while len(answered) < QUICK:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            answered |= done
        for late in waiting:
            late.cancel()
        await asyncio.wait(waiting)
        quick.append({asked[each] for each in answered})
    assert len(quick[0]) == QUICK
    assert quick[0] == quick[1]
