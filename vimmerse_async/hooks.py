"""Being told what happened: a Protocol, and one place that calls it safely."""

import logging
from collections.abc import Sequence
from typing import Protocol

import attrs

from vimmerse_async.errors import APIError, VimmerseError

logger = logging.getLogger("vimmerse_async")
logger.addHandler(logging.NullHandler())


@attrs.frozen
class RetryEvent:
    """A request failed and is going to be sent again.

    Attributes:
        operation: The route's name.
        error: What came back; holds no key, prompt or URL of the caller.
        attempts: Requests so far.
        wait: Seconds until it is sent again, admission not included.
    """

    operation: str
    error: APIError
    attempts: int
    wait: float


@attrs.frozen
class CallEvent:
    """A call has ended.

    Attributes:
        operation: The route's name.
        error: Why it failed; None when it did not.
        cancelled: True when the caller went away before there was an answer.
        elapsed: Seconds from the call to its end.
        waited: Seconds of these before the first send.
        attempts: Requests made.
        possibly_charged: Sends that may have been billed although no answer arrived.
    """

    operation: str
    error: VimmerseError | None
    cancelled: bool
    elapsed: float
    waited: float
    attempts: int
    possibly_charged: int


class Hook(Protocol):
    """Something that wants to know; what it raises is logged once and goes nowhere.

    Both methods are called in the event loop while no slot is held: be quick.
    """

    def on_retry(self, event: RetryEvent) -> None:
        """Take note of a request that is going to be sent again."""
        ...

    def on_call(self, event: CallEvent) -> None:
        """Take note of a call that has ended."""
        ...


class Hooks:
    """The hooks of one session.

    Attributes:
        active: False when there are none: then no event is worth making.
    """

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = tuple(hooks)
        self.active = bool(self._hooks)
        self._blamed: set[int] = set()

    def retry(self, event: RetryEvent) -> None:
        """Log a retry and tell every hook."""
        logger.info(
            "%s: %s; attempt %d, next in %.2f s",
            event.operation, type(event.error).__name__, event.attempts, event.wait,
        )  # fmt: skip
        for hook in self._hooks:
            self._tell(hook, "on_retry", event)

    def call(self, event: CallEvent) -> None:
        """Tell every hook that a call has ended."""
        for hook in self._hooks:
            self._tell(hook, "on_call", event)

    def _tell(self, hook: Hook, method: str, event: RetryEvent | CallEvent) -> None:
        try:
            getattr(hook, method)(event)
        except Exception:
            if id(hook) not in self._blamed:
                self._blamed.add(id(hook))
                logger.exception("hook %s failed; further failures are not logged", type(hook))
