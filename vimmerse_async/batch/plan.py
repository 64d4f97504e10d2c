"""How a batch is asked, as its run and its intake see it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from vimmerse_async.batch.allowance import Allowance
from vimmerse_async.batch.identity import Identify
from vimmerse_async.journal.records import Policy
from vimmerse_async.models import PromptResult
from vimmerse_async.wire import Call

if TYPE_CHECKING:
    from vimmerse_async.batch.ledger import Ledger


@attrs.frozen
class BatchPlan:
    """How a batch is asked.

    Attributes:
        read: Turns rows into calls.
        on_result: Called with each result; None for nobody.
        identify: Tells questions apart; None: each row is asked.
        policy: Which rows a journal answers.
        ledger: The journal's page; None: there is no journal.
        allowance: How many requests may be sent; None: any number.
    """

    read: Callable[[object], Call]
    on_result: Callable[[PromptResult], object] | None
    identify: Identify | None
    policy: Policy
    ledger: "Ledger | None" = None
    allowance: Allowance | None = None
