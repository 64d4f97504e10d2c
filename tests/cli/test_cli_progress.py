"""What people are told while they wait."""

import asyncio
import math
from contextlib import suppress

import pytest

from vimmerse_async import VimmerseSession, refine_prompt
from vimmerse_async.cli.connection import Link, Trouble
from vimmerse_async.cli.progress import Progress, clock, describe, plainly
from vimmerse_async.cli.tally import Tally
from vimmerse_async.cli.terminal import visible
from vimmerse_async.control.limit import LimitSnapshot
from vimmerse_async.emulator import Emulator, Limits

IDLE = LimitSnapshot(window=16, rate=math.inf, in_flight=0)


def tally(total: int | None, *marks: tuple[float, int], failed: int = 0) -> Tally:
    counted = Tally(total, 0.0)
    counted.failed = failed
    for now, done in marks:
        counted.done = done
        counted.mark(now)
    return counted


@pytest.mark.parametrize(
    ("counted", "limit", "trouble", "line"),
    [
        (tally(None), IDLE, "", "0"),
        (tally(5_000), IDLE, "", "0 of 5,000"),
        (tally(5_000, (10, 100)), IDLE, "", "100 of 5,000, 10/s, 8:10 left"),
        (tally(None, (10, 123)), IDLE, "", "123, 12.3/s"),
        (tally(100, (10, 100), failed=3), IDLE, "", "100 of 100, 3 failed, 10/s"),
        (
            tally(5_000), LimitSnapshot(16, math.inf, 16, binding="window"), "",
            "0 of 5,000, 16 of 16 in flight, held by that limit",
        ),
        (tally(9), LimitSnapshot(16, 2.5, 1, binding="rate"), "",
         "0 of 9, 1 of 16 in flight, held by the limit of 2.5/s"),
        (tally(9), LimitSnapshot(16, 2.5, 1, binding="rate", suspect="rate"), "",
         "0 of 9, 1 in flight, held by the limit of 2.5/s"),
        (tally(9), LimitSnapshot(16, 40, 12, suspect="window"), "", "0 of 9, 12 of 16 in flight"),
        (tally(9), LimitSnapshot(16, 1, 0, gate=7.4, binding="gate"), "",
         "0 of 9, waiting up to 8 s for the server"),
        (tally(9), LimitSnapshot(16, 1, 0, gate=7.4, binding="gate"), "no connection",
         "0 of 9, waiting up to 8 s for the server, retrying: no connection"),
        (tally(9), LimitSnapshot(16, 1, 0, gate=math.inf, binding="gate"), "no connection",
         "0 of 9, waiting for the server, retrying: no connection"),
        (tally(9), LimitSnapshot(16, 1, 0, gate=1e9), "", "0 of 9, waiting for the server"),
        (tally(9), LimitSnapshot(16, 1, 2, binding="server"), "",
         "0 of 9, 2 of 16 in flight, held by the server"),
    ],
)  # fmt: skip
def test_line(counted: Tally, limit: LimitSnapshot, trouble: str, line: str) -> None:
    """One line says what is done, what failed, how fast, how long still, and what holds it back."""
    assert describe(counted, limit, trouble) == line


def test_known_rows_and_calls_left() -> None:
    """Rows whose answer was known are told apart and do not count as pace; calls left are told."""
    counted = Tally(5_000, 0.0, most=500)
    counted.done, counted.cached, counted.calls = 1_100, 1_000, 120
    counted.mark(10.0)
    assert describe(counted, IDLE) == "1,100 of 5,000, 1,000 known, 10/s, 6:30 left, 380 calls left"


def test_what_is_waited_for() -> None:
    """Where no row has ended for a while, the answers that are waited for stand for the time."""
    busy = LimitSnapshot(window=16, rate=math.inf, in_flight=6)
    counted = tally(470, (10, 464), (24, 464))
    assert "waiting 0:14 for the last 6 answers" in describe(counted, busy)
    assert "left" not in describe(counted, busy)
    assert "waiting 0:14 for 6 answers" in describe(tally(900, (10, 464), (24, 464)), busy)
    assert "left" in describe(tally(470, (10, 464), (12, 464)), busy)


def test_a_plain_line_says_what_was_learned() -> None:
    """A line that nobody sees grow has the limit that was found, and the refused share."""
    rate = LimitSnapshot(64, 12.5, 3, refused=0.011, suspect="rate")
    assert plainly(tally(9), rate).endswith("12.5/s allowed, 1.1% refused")
    assert plainly(tally(9), IDLE).endswith("16 in flight tried so far, 0.0% refused")


def test_rate_is_of_late() -> None:
    """The rate is that of the last half minute, so that a slow start does not spoil the rest."""
    slow_start = [(second / 4, 0) for second in range(400)]
    then = [(100 + second / 4, second) for second in range(1, 121)]
    assert tally(None, *slow_start, *then).rate() == pytest.approx(4)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3_599, "59:59"), (90_061, "25:01:01")]
)
def test_clock(seconds: float, text: str) -> None:
    """Times read as a clock does."""
    assert clock(seconds) == text


def test_visible() -> None:
    """Text is left as it is, and what would move a terminal is spelled out."""
    plain = "Grüße, 猫\tand\nlines"
    assert visible(plain) == plain
    for hidden in "\x00\x07\x08\x0d\x1b\x7f\x9b\u202e\u200b\ufeff\ud800":
        assert hidden not in visible(f"a{hidden}b")


def test_a_refusal_that_lasts_is_told_in_the_server_s_words() -> None:
    """Who waits a minute for a quota sees why: hooks are told of no refusals."""

    async def state() -> str:
        limits = Limits(per_minute=1, retry_after="seconds")
        async with (
            Emulator(limits=limits) as emulator,
            VimmerseSession(emulator.key, base_url=emulator.url) as session,
        ):
            progress = Progress(9, Link(session, Trouble()))
            await refine_prompt(session, "a cat")
            assert "HTTP" not in progress.state()
            waiting = asyncio.ensure_future(refine_prompt(session, "a dog"))
            while not session.statistics().refused:  # noqa: ASYNC110 - nobody tells of refusals
                await asyncio.sleep(0.01)
            told = progress.state()
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
        return told

    assert "s for the server, retrying: HTTP 429: Rate limit exceeded" in asyncio.run(state())
