"""Being told what happened: a Protocol, and one place that calls it safely."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from vimmerse_async.errors import APIError, ConfigurationError, VimmerseError, brief
from vimmerse_async.models import SessionStatistics

logger: logging.Logger = logging.getLogger("vimmerse_async")
logger.addHandler(logging.NullHandler())

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}").fullmatch
_VALUE = re.compile(r"[!-~](?:[ -~]{0,8000}[!-~])?").fullmatch
_TAKEN = re.compile(
    r"accept(?:-encoding)?|authorization|connection|content-.*|cookie|expect|host|keep-alive"
    r"|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent|username|x-api-key|x-client-type",
    re.IGNORECASE,
).fullmatch
"""What a request has anyway, or what would change where it goes and ends."""


@attrs.frozen
class OpenEvent:
    """A session has been opened.

    Attributes:
        origin: Scheme, host and port that its requests go to.
        statistics: Returns what the session did so far; may be called at any time, in any thread.
    """

    origin: str
    statistics: Callable[[], SessionStatistics]


@attrs.frozen
class StartEvent:
    """A call begins: it has not been admitted yet.

    Attributes:
        operation: The route's name.
        method: The HTTP method.
        path: The path that is asked, without its query.
        origin: Scheme, host and port that the request goes to.
        body: The JSON that is sent, shown in no repr; None for no JSON. It holds what the caller
            asked: think before it is kept anywhere.
        headers: Goes along with each request of the call: a hook puts in what continues its trace,
            as `traceparent`. A name that requests have anyway is not sent.
        makes_spans: True when OpenTelemetry's instrumentation of aiohttp makes a CLIENT span for
            each request of the call.
    """

    operation: str
    method: str
    path: str
    origin: str
    body: bytes | None = attrs.field(default=None, repr=False)
    headers: dict[str, str] = attrs.field(factory=dict, repr=False, eq=False, kw_only=True)
    makes_spans: bool = attrs.field(default=False, kw_only=True)


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
        refused: Requests that were refused: answered with 429, or with what stood for it.
        value: What the call returned, shown in no repr; None when it failed.
    """

    operation: str
    error: VimmerseError | None
    cancelled: bool
    elapsed: float
    waited: float
    attempts: int
    possibly_charged: int
    refused: int = 0
    value: Any = attrs.field(default=None, repr=False)


class Hook(Protocol):
    """Something that wants to know; what it raises is logged once and goes nowhere.

    The methods are called in the event loop while no slot is held: be quick.
    """

    def on_retry(self, event: RetryEvent) -> None:
        """Take note of a request that is going to be sent again."""
        ...

    def on_call(self, event: CallEvent) -> None:
        """Take note of a call that has ended."""
        ...


class TracingHook(Hook, Protocol):
    """A hook that is told of beginnings, too.

    `on_start` and `on_call` of one call run in the same task and context: what the first puts into
    a `ContextVar` the second finds there.
    """

    def on_open(self, event: OpenEvent) -> None:
        """Take note of a session that has been opened."""
        ...

    def on_start(self, event: StartEvent) -> None:
        """Take note of a call that begins."""
        ...


def checked_hooks(hooks: object) -> tuple[Any, ...]:
    """Return hooks as they were given, if each is an object that can be told.

    Raises:
        ConfigurationError: One cannot, or is a class.
    """
    given = tuple(hooks) if isinstance(hooks, Iterable) else (hooks,)
    for hook in given:
        if isinstance(hook, type) or not _hears(hook) or not isinstance(hooks, Iterable):
            raise ConfigurationError(
                "hooks must be a list of objects with on_call, on_retry or on_start, such as "
                f"[OpenTelemetryHook()], and {brief(hook)} is none",
                field="hooks",
            )
    return given


def _hears(hook: object) -> bool:
    return any(hasattr(hook, name) for name in ("on_call", "on_retry", "on_start", "on_open"))


class Hooks:
    """The hooks of one session.

    Attributes:
        active: False when nobody wants to know of calls that end: then no event is worth making.
        tracing: False when nobody wants to know of calls that begin.
    """

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = tuple(hooks)
        self._tracing = [hook for hook in self._hooks if hasattr(hook, "on_start")]
        self._ending = [hook for hook in self._hooks if hasattr(hook, "on_call")]
        self.active: bool = bool(self._ending)
        self.tracing: bool = bool(self._tracing)
        self._blamed: set[int] = set()

    def open(self, event: OpenEvent) -> None:
        """Tell the tracing hooks that the session has been opened."""
        for hook in self._tracing:
            self._tell(hook, "on_open", event)

    def start(self, event: StartEvent) -> Mapping[str, str] | None:
        """Tell the tracing hooks that a call begins, and return what they add to its requests."""
        for hook in self._tracing:
            self._tell(hook, "on_start", event)
        return _sendable(event.headers) if event.headers else None

    def retry(self, event: RetryEvent) -> None:
        """Log a retry and tell every hook."""
        error = event.error
        logger.info(
            "%s: %s (%s); attempt %d, next in %.2f s",
            event.operation, type(error).__name__,
            getattr(error, "status", None) or getattr(error, "kind", "?"),
            event.attempts, event.wait,
        )  # fmt: skip
        for hook in self._hooks:
            self._tell(hook, "on_retry", event)

    def call(self, event: CallEvent) -> None:
        """Tell the hooks that a call has ended."""
        for hook in self._ending:
            self._tell(hook, "on_call", event)

    def _tell(self, hook: Hook, method: str, event: object) -> None:
        try:
            getattr(hook, method)(event)
        except Exception:
            if id(hook) not in self._blamed:
                self._blamed.add(id(hook))
                logger.exception("hook %s failed; further failures are not logged", type(hook))


def _sendable(headers: Mapping[Any, Any]) -> Mapping[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if isinstance(name, str) and isinstance(value, str)
        if _NAME(name) and _VALUE(value) and not _TAKEN(name)
    }
