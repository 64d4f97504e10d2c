"""A run that waits for its hour, and ends by another."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from datetime import datetime

from vimmerse_async.cli.budget import stopped
from vimmerse_async.cli.progress import pace
from vimmerse_async.cli.tally import Tally
from vimmerse_async.errors import BatchStoppedError

LOOK = 1.0
"""Seconds between two looks at the clock."""
SOON = 10.0
"""Seconds of a run after which its pace says when it will end."""
RESERVE = 1.0
"""Seconds for what has to be done when the last answer is there."""
_STEP = 30.0


async def wait_until(moment: datetime) -> None:
    """Sleep until a moment, by the clock on the wall, also where the machine sleeps meanwhile."""
    while (left := moment.timestamp() - time.time()) > 0:  # noqa: ASYNC110 - the clock tells nobody
        await asyncio.sleep(min(left, _STEP))


class Timetable:
    """Stops a run in time for its end, and says early when it will not have asked everything.

    Args:
        end: When it is to have ended; None: whenever.
        tally: What was done, and how fast.
        note: Tells people.
        stop: Stops the run.
    """

    def __init__(
        self,
        end: datetime | None,
        tally: Tally,
        note: Callable[[str], None],
        stop: Callable[[BatchStoppedError], None],
    ) -> None:
        self._end = end
        self._tally = tally
        self._note = note
        self._stop = stop
        self._told = False
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncGenerator[None, None]:
        """Within the block, stop the run in time; what is in flight at the end is given up.

        Raises:
            BatchStoppedError: It was.
        """
        if self._end is None:
            yield
            return
        self._look(self._end)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(loop.time() + self._end.timestamp() - time.time()):
                yield
        except TimeoutError:
            raise _over(self._end) from None
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _look(self, end: datetime) -> None:
        left = end.timestamp() - time.time()
        if left <= self._tally.longest + RESERVE:
            self._stop(_over(end))
            return
        if not self._told and self._tally.elapsed(time.monotonic()) >= SOON:
            self._warn(end, left)
        self._timer = asyncio.get_running_loop().call_later(min(LOOK, left), self._look, end)

    def _warn(self, end: datetime, left: float) -> None:
        needs, rate = self._tally.left(), self._tally.rate()
        if needs is None or needs <= left:
            return
        self._told = True
        self._note(
            f"at {pace(rate)}/s it does not end by {told(end)}: about "
            f"{(needs - left) * rate:,.0f} rows will be left for another run"
        )


def _over(end: datetime) -> BatchStoppedError:
    return stopped("time", f"it is to have ended by {told(end)}")


def told(moment: datetime) -> str:
    """Return a moment as people say it: the time, and the day if it is another one."""
    local = moment.astimezone()
    today = datetime.now().astimezone().date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
