"""How a batch is asked, and how many requests that may take."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from vimmerse_async.batch.identity import Identify
from vimmerse_async.control.retry import Attempts
from vimmerse_async.journal.records import Policy
from vimmerse_async.models import PromptResult
from vimmerse_async.wire import Call

if TYPE_CHECKING:
    from vimmerse_async.batch.ledger import Ledger
    from vimmerse_async.batch.unkept import Unkept


class Allowance:
    """Counts requests: before they are sent, so that no number in flight exceeds what is allowed.

    A request that was refused in words is not counted: it is sent again on the same count.

    Args:
        most: Requests that may be sent; None for any number.

    Attributes:
        denied: True once a request was wanted for which none was left.
        calls: Requests of rows that have ended, those refused in words aside.
        refused: Requests of rows that have ended that were refused.
        possibly_charged: Requests that may have been billed although no answer arrived.

    Example:
        >>> allowance = Allowance(1)
        >>> allowance.take(), allowance.take(), allowance.denied
        (True, False, True)
    """

    def __init__(self, most: int | None) -> None:
        self.denied: bool = False
        self.calls: int = 0
        self.refused: int = 0
        self.possibly_charged: int = 0
        self._most: float = math.inf if most is None else most
        self._left: float = self._most

    def take(self) -> bool:
        """Count a request that is about to be sent; False: it must not be."""
        if self._left <= 0:
            self.denied = True
            return False
        self._left -= 1
        return True

    @property
    def most(self) -> int | None:
        """Requests that may be sent in all; None for any number."""
        return None if math.isinf(self._most) else int(self._most)

    def allow(self, most: int) -> None:
        """Let other than so many requests be sent in all."""
        if math.isinf(self._most):
            self._left = most - self.calls
        else:
            self._left += most - self._most
        self._most = most

    def give_back(self) -> None:
        """Undo `take` for a request that was not sent."""
        self._left += 1

    def settle(self, attempts: Attempts) -> None:
        """Count what a row that has ended did use, and give back what it did not."""
        calls = attempts.sends - attempts.refused + attempts.reset
        self.calls += calls
        self.refused += attempts.refused
        self.possibly_charged += attempts.possibly_charged
        self._left += attempts.allowed - calls


@attrs.frozen
class BatchPlan:
    """How a batch is asked.

    Attributes:
        read: Turns rows into calls.
        on_result: Called with each result; None for nobody.
        identify: Tells questions apart; returns None for a row that is asked in any case.
        policy: Which rows a journal answers.
        ledger: Keeps the results.
        allowance: How many requests may be sent.
    """

    read: Callable[[object], Call]
    on_result: Callable[[PromptResult], object] | None
    identify: Identify
    policy: Policy
    ledger: "Ledger | Unkept"
    allowance: Allowance
