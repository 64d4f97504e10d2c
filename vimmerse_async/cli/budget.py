"""What a run may take: money, failures, time. Pure but for the clock that is given."""

import math
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from vimmerse_async.batch.stopping import HINTS
from vimmerse_async.catalog.money import money
from vimmerse_async.catalog.reasons import shape_of
from vimmerse_async.cli.terminal import several
from vimmerse_async.control.retry import verdict_of
from vimmerse_async.errors import (
    APIError,
    BatchStoppedError,
    InvalidRequestError,
    StopReason,
    VimmerseError,
)
from vimmerse_async.models import PromptResult

EQUAL = 20
"""Equal rejections in a row, nothing having been accepted, after which a run stops."""
LONGEST_NIGHT = timedelta(hours=16)
"""From `--not-before` over midnight to `--until`: what would be longer is taken for a mistake."""
ENOUGH = 100
"""Rows that must have ended before a share of them says anything, where nobody knows how many there
are."""


@attrs.frozen
class Budget:
    """What a run may take.

    Attributes:
        price: What a call costs; None: not told.
        max_cost: What may be spent; None: any amount.
        max_calls: Calls that may be made; None: any number.
        max_failures: Rows that may fail, or with `%` their share; None: any number.
        begin: When it may begin; None: at once.
        end: When it is to have ended; None: whenever.
    """

    price: Decimal | None = None
    max_cost: Decimal | None = None
    max_calls: int | None = None
    max_failures: str | None = None
    begin: datetime | None = None
    end: datetime | None = None

    @property
    def calls(self) -> int | None:
        """Calls that the number and the money allow; None for any number."""
        bought = None
        if self.max_cost is not None and self.price:
            bought = int(self.max_cost / self.price)
        return min((each for each in (self.max_calls, bought) if each is not None), default=None)

    @property
    def is_money(self) -> bool:
        """Whether it is the money that allows no more calls."""
        return self.max_cost is not None and self.calls != self.max_calls

    def told(self, error: VimmerseError) -> VimmerseError:
        """Return why a run stopped, in money where it was that."""
        if not isinstance(error, BatchStoppedError) or error.reason != "max_calls":
            return error
        if not self.is_money or self.max_cost is None:
            return error
        return BatchStoppedError(
            f"the batch stopped (max_cost): {money(self.max_cost)} allows no more calls at "
            f"{money(self.price or Decimal(0))} each",
            reason="max_calls",
            resume_hint="allow more with --max-cost, or run it again",
        )


class FailureBudget:
    """Says when so many rows have failed that the run had better stop.

    Args:
        most: Rows that may fail, or with `%` their share of all; None: any number.
        total: Rows; None: nobody knows.

    Raises:
        InvalidRequestError: `most` is neither.
    """

    def __init__(self, most: str | None, total: int | None) -> None:
        self._share, self._number = most_failures(most)
        self._most = self._number
        if self._share is not None and total is not None:
            self._most = max(1, math.ceil(total * self._share))
        self._watches = most is None or self._share != 1  # 100 % is for who wants each row tried
        self._given = most
        self._ended = self._failed = self._equal = 0
        self._accepted = False
        self._shape: tuple[str, str] | None = None

    def see(self, result: PromptResult) -> BatchStoppedError | None:
        """Return why the run stops; None: it goes on."""
        if result.cached:
            return None
        self._ended += 1
        if result.error is None:
            self._accepted = True
            return None
        self._failed += 1
        return self._see_equal(result.error) or self._see_many()

    def _see_equal(self, error: Exception) -> BatchStoppedError | None:
        if self._accepted or not self._watches:
            return None
        if not isinstance(error, APIError) or verdict_of(error) != "rejected":
            self._equal, self._shape = 0, None
            return None
        shape = (type(error).__name__, shape_of(error.message))
        self._equal = self._equal + 1 if shape == self._shape else 1
        self._shape = shape
        if self._equal < EQUAL:
            return None
        return stopped(
            "failures",
            f"{EQUAL} rows in a row were rejected for one reason and none was accepted: "
            f"{error.in_words()}",
            "mend what they share, then run it again with --retry-errors; --max-failures 100% "
            "tries all the others, too",
        )

    def _see_many(self) -> BatchStoppedError | None:
        most = self._most
        if most is None:
            if self._share in {None, 1} or self._ended < ENOUGH:
                return None
            most = math.ceil(self._ended * (self._share or 1))
        if self._failed < most or self._share == 1:
            return None
        return stopped(
            "failures",
            f"{several(self._failed, 'row')} failed, and --max-failures is {self._given}",
            "mend them, or allow more, then run it again; --retry-errors asks them again",
        )


def stopped(reason: StopReason, message: str, hint: str | None = None) -> BatchStoppedError:
    """Return why a run stops by itself."""
    return BatchStoppedError(
        f"the batch stopped ({reason}): {message}",
        reason=reason,
        resume_hint=HINTS[reason] if hint is None else hint,
    )


def most_failures(given: str | None) -> tuple[float | None, int | None]:
    """Return which share of the rows may fail, or how many; each None when it was not given.

    Raises:
        InvalidRequestError: It is neither.

    Example:
        >>> most_failures("5%"), most_failures("20")
        ((0.05, None), (None, 20))
    """
    if given is None:
        return None, None
    text = given.strip()
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            if 0 < share <= 1:
                return share, None
        elif int(text) > 0:
            return None, int(text)
    except ValueError:
        pass
    raise InvalidRequestError(
        f"{given!a:.200} is neither a number of rows nor a share, such as 50 or 5%",
        field="max_failures",
    )


def window(
    begin: str | None, end: str | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return when a run may begin and when it is to have ended, each None where that is open.

    A time of day is today's for the beginning and the next one for the end; where of two such times
    the end comes first, a window that reaches over midnight is open now.

    Args:
        begin: A time of day, or a date and a time; None: at once.
        end: The same; None: whenever.
        now: The time here.

    Raises:
        InvalidRequestError: One is no time, or the end has passed or lies before the beginning: of
            times of day, when the night between them would be longer than `LONGEST_NIGHT`.
    """
    first, last = _moment(begin, "not_before", now), _moment(end, "until", now)
    if last is not None and last <= now:
        if not _is_time_of_day(end or ""):
            raise InvalidRequestError(f"{end} has passed already", field="until")
        last += timedelta(days=1)
    if first is not None and last is not None:
        is_night = _is_time_of_day(begin or "") and _is_time_of_day(end or "")
        if is_night and last <= first:
            first -= timedelta(days=1)
        is_over = is_night and last.time() <= first.time() and last - first > LONGEST_NIGHT
        if last <= first or is_over:
            raise InvalidRequestError(
                f"--until {end} comes before --not-before {begin}: give a later end, or dates such "
                "as 2026-12-24T06:00",
                field="until",
            )
    return (None if first is None or first <= now else first), last


def _moment(text: str | None, field: str, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        if _is_time_of_day(text):
            hours, minutes, *_ = map(int, text.split(":"))
            return now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise InvalidRequestError(
            f"{text!a:.200} is no time, such as 06:00 or 2026-12-24T06:00", field=field
        ) from None


def _is_time_of_day(text: str) -> bool:
    return "-" not in text and text.count(":") == 1
