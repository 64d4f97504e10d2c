"""One row of a batch."""

from collections.abc import Hashable
from typing import Any

import attrs

from vimmerse_async.control.limit import Permit
from vimmerse_async.wire import Call


@attrs.define(eq=False)
class Row:
    """One item of the input.

    Attributes:
        index: Its position, from 0.
        item: The item.
        call: What it becomes; None until it was read, and when it cannot be sent.
        question: What tells whether another row asks the same; None: none ever does.
        permit: What admits it; None until it was admitted.
    """

    index: int
    item: Any
    call: Call | None = None
    question: Hashable | None = None
    permit: Permit | None = None
