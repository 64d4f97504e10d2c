"""What a million rows weigh: nothing that grows."""

import pytest
from weighing import CAN_WEIGH, served, weighed

MOST = 50.0
"""Megabytes at the peak, of which the four dependencies alone take 34."""
CLIENT = """
import asyncio, json, sys
from vimmerse_async import VimmerseSession, stream_prompts

COUNT = int(sys.argv[2])

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


@pytest.mark.skipif(not CAN_WEIGH, reason="needs Linux's /proc")
@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.full)])
def test_C13_batch_weighs_the_same_at_any_length(count: int) -> None:
    """A stream of a million rows peaks below 50 MB, and does not grow on the way."""
    with served() as url:
        seen = weighed(CLIENT, url, count)
    print(f"{count:,} rows: peak {seen['peak']:.1f} MB, on the way {seen['weights']}")  # noqa: T201
    assert seen["answers"] == count
    assert seen["peak"] <= MOST
    assert max(seen["weights"][1:]) - seen["weights"][1] <= 1.5
