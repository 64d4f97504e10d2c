"""What a journal and shared questions weigh: nothing that grows with the rows."""

import pytest
from weighing import CAN_WEIGH, served, weighed

from vimmerse_async.journal.commits import CACHE

SHORT = 10_000
CLIENT = """
import asyncio, json, sys
from vimmerse_async import VimmerseSession, stream_prompts

url, count, kind, path = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
IDENTICAL = kind in ("identical", "occurrences")
JOURNAL = {} if kind in ("identical", "distinct") else {"journal": path}
DEDUPE = {"dedupe": False} if kind in ("occurrences", "numbered") else {}

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


@pytest.mark.skipif(not CAN_WEIGH, reason="needs Linux's /proc")
@pytest.mark.parametrize("count", [SHORT, pytest.param(1_000_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", ["identical", "distinct", "occurrences", "numbered", "known"])
def test_E23_P8_memory_is_flat(tmp_path, kind, count):
    """E23: a million rows, alike or not, known or not, counted or not, take no more than a few."""
    with served() as url:
        for turn in range(2 if kind == "known" else 1):
            seen = weighed(CLIENT, url, count, kind, tmp_path / "run.db")
            assert turn == 0 or seen["cached"] == count
            assert turn == 0 or seen["sends"] == 0
    print(f"{kind}, {count:,}: {seen}")  # noqa: T201
    assert seen["sends"] + seen["cached"] == count
    if kind == "identical":
        assert seen["sends"] < count / 10
    assert seen["peak"] <= 60
    filling = CACHE / 1024 if count == SHORT else 0  # the journal's pages, which a long run has
    assert max(seen["weights"][1:]) - seen["weights"][1] <= 5 + filling
