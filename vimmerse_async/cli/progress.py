"""How far a run is: a bar on a terminal, a plain line now and then elsewhere."""

import asyncio
import contextlib
import math
import os
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vimmerse_async.catalog.money import Invoice, money
from vimmerse_async.cli.connection import Link
from vimmerse_async.cli.tally import Tally
from vimmerse_async.cli.terminal import VOICE, note, tell, visible
from vimmerse_async.control.limit import LimitSnapshot

if TYPE_CHECKING:
    from rich.live import Live

HEARTBEAT = 30.0
"""Seconds between two plain lines; the first comes sooner."""
FIRST_BEAT = 5.0
_STILL = 5.0
"""Seconds without a result from which on it is said what is waited for."""
_TICK = 0.25


def describe(tally: Tally, limit: LimitSnapshot, trouble: str = "") -> str:
    """Return the state of a run in one line.

    Args:
        tally: What was done.
        limit: What the limit does.
        trouble: What has gone wrong since anything went well; empty for nothing.
    """
    spent = tally.invoice()
    parts = [
        counted(tally),
        f"{tally.failed:,} failed" if tally.failed else "",
        f"{tally.cached:,} known" if tally.cached else "",
        f"{pace(tally.rate())}/s" if tally.done > tally.cached else "",
        time_left(tally, limit),
        f"cost {money(spent.cost)}{_more(spent)}" if spent is not None else "",
        under_way(limit),
        held_by(limit),
        f"{max(0, tally.most - tally.calls):,} calls left" if tally.most is not None else "",
        f"retrying: {trouble[:80]}" if trouble else "",
    ]
    return ", ".join(part for part in parts if part)


def time_left(tally: Tally, limit: LimitSnapshot) -> str:
    """Return how long the rest takes, or for which answers nothing goes on; empty: not known."""
    left = tally.left()
    if tally.total is not None and tally.done == tally.total:
        return ""
    if tally.idle >= _STILL and limit.in_flight:
        rest = None if tally.total is None else tally.total - tally.done
        last = "the last " if rest is not None and rest <= limit.in_flight else ""
        return f"waiting {clock(tally.idle)} for {last}{limit.in_flight} answers"
    return "" if left is None else f"{clock(left)} left"


def plainly(tally: Tally, limit: LimitSnapshot, trouble: str = "") -> str:
    """Return the state of a run in a line that nobody sees grow: with what was learned so far."""
    learned = f"{pace(limit.rate)}/s" if math.isfinite(limit.rate) else f"{limit.window:.0f}"
    kind = "allowed" if limit.suspect else "tried so far"
    return ", ".join(
        (
            describe(tally, limit, trouble),
            f"{learned} {kind if math.isfinite(limit.rate) else f'in flight {kind}'}",
            f"{limit.refused:.1%} refused",
        )
    )


def figures(tally: Tally, limit: LimitSnapshot, trouble: str = "") -> dict[str, Any]:
    """Return the state of a run for programs."""
    left = tally.left()
    return {
        "done": tally.done,
        "total": tally.total,
        "failed": tally.failed,
        "known": tally.cached,
        "calls": tally.calls,
        "possibly_charged": tally.doubtful,
        "rate": round(tally.rate(), 3),
        "seconds_left": None if left is None else round(left, 1),
        "in_flight": limit.in_flight,
        "window": round(limit.window, 1),
        "rate_limit": round(limit.rate, 3) if math.isfinite(limit.rate) else None,
        "refused": round(limit.refused, 4),
        "held_by": limit.binding,
        "trouble": trouble or None,
    }


def _more(spent: Invoice) -> str:
    return f" to {money(spent.cost + spent.maybe)}" if spent.maybe else ""


def counted(tally: Tally) -> str:
    """Return how many rows of how many are done."""
    return f"{tally.done:,}" + ("" if tally.total is None else f" of {tally.total:,}")


def under_way(limit: LimitSnapshot) -> str:
    """Return how many requests are in flight, and of how many where that is what was learned."""
    if not limit.in_flight:
        return ""
    most = "" if limit.suspect == "rate" else f" of {limit.window:.0f}"
    return f"{limit.in_flight}{most} in flight"


_UNKNOWN = 1e9
"""Seconds: a probe is out, and nobody knows when it is answered."""
_LASTING = 0.5
"""Seconds for which nothing is sent, from which on it is said why."""


def held_by(limit: LimitSnapshot) -> str:
    """Return what holds the run back; empty when nothing does."""
    if limit.binding == "gate" or (limit.gate and not limit.in_flight):
        if limit.gate >= _UNKNOWN:
            return "waiting for the server"
        return f"waiting up to {math.ceil(limit.gate)} s for the server"
    if limit.binding == "window":
        return "held by that limit"
    if limit.binding == "rate":
        return f"held by the limit of {pace(limit.rate)}/s"
    return "held by the server" if limit.binding == "server" else ""


def pace(rate: float) -> str:
    """Return a rate in three digits or whole.

    Example:
        >>> pace(12.345), pace(1_834.6)
        ('12.3', '1,835')
    """
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds.

    Example:
        >>> clock(3723.4)
        '1:02:03'
    """
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class Progress:
    """Shows a tally on stderr while it runs.

    Args:
        total: Rows; None when nobody knows.
        link: Whose limit and trouble are shown.
        most: Calls that may be made; None for any number.
        price: What a call costs; None: nobody knows.
        keep: Leave the bar on the screen at the end.
        heartbeat: Seconds between two lines where there is no terminal.

    Attributes:
        tally: What was done.
    """

    def __init__(
        self,
        total: int | None,
        link: Link,
        *,
        most: int | None = None,
        price: Decimal | None = None,
        keep: bool = True,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self.tally: Tally = Tally(total, time.monotonic(), most, price)
        self._link = link
        self._keep = keep
        self._heartbeat = heartbeat
        self._next_beat = time.monotonic() + min(FIRST_BEAT, heartbeat)
        self._live: Live | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        shown = sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
        if shown and not VOICE.plain:
            self._live = _bar(self._render, keep=self._keep)
            self._live.start()
        self._tick()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.tally.mark(time.monotonic())
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()
            self._live = None

    def count(self, *, ok: bool, cached: bool = False, calls: int = 1) -> None:
        """Note a row that has ended, whether its answer was known, and what it took."""
        tally = self.tally
        if ok and cached:
            tally.know(1)
            return
        if ok:
            self._link.trouble.error = None
        tally.done += 1
        tally.failed += not ok
        tally.cached += cached
        tally.answered += ok
        tally.calls += calls

    def know(self, count: int) -> None:
        """Take rows into account whose answers were known."""
        self.tally.know(count)

    def note(self, text: str) -> None:
        """Write a line for people, above the bar."""
        if self._live is None:
            note(text)
        else:
            self._above(visible(text))

    def print(self, text: str) -> None:
        """Write lines to a stdout that is a terminal, above the bar, control codes made visible."""
        if self._live is None:
            sys.stdout.write(visible(text))
            sys.stdout.flush()
        else:
            self._above(visible(text).removesuffix("\n"))

    def state(self) -> str:
        """Return what the run does, in one line."""
        return str(self._state(describe))

    def _state(self, told: Callable[[Tally, LimitSnapshot, str], Any]) -> Any:
        error, session = self._link.trouble.error, self._link.session
        trouble, limit = "" if error is None else error.message, session.statistics().limit
        if limit.gate >= _LASTING:  # hooks are told of no refusals, of which there may be many
            trouble = trouble or session.last_cause()
        return told(self.tally, limit, trouble.partition("\n")[0])

    def _above(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(
                text, markup=False, highlight=False, emoji=False, soft_wrap=True
            )

    def _tick(self) -> None:
        now = time.monotonic()
        self.tally.mark(now)
        if self._live is None and now >= self._next_beat:
            self._next_beat = now + self._heartbeat
            tell("progress", **self._state(figures))
            if not VOICE.events:
                note(self._state(plainly))
        self._timer = asyncio.get_running_loop().call_later(_TICK, self._tick)

    def _render(self) -> Any:
        from rich.constrain import Constrain  # noqa: PLC0415 - only for terminals
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        tally = self.tally
        table = Table.grid(padding=(0, 1))
        table.add_row(
            ProgressBar(tally.total, tally.done, width=30, pulse=tally.total is None),
            Text(visible(self._state(describe))),
        )
        width = 80 if self._live is None else self._live.console.width
        return Constrain(table, width - len("^C "))  # the echo of Ctrl-C must not wrap


def _bar(render: Callable[[], Any], *, keep: bool) -> "Live":
    from rich.console import Console  # noqa: PLC0415 - only for terminals
    from rich.live import Live  # noqa: PLC0415

    return Live(
        console=Console(stderr=True),
        get_renderable=render,
        transient=not keep,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    )
