"""What a user may set: how long to wait, and what to send again."""

from typing import Any

import attrs

from vimmerse_async.errors import ConfigurationError, brief

MOST = 1e9
"""Of anything that can be set: 31 years, a thousand million requests."""


def check_number(
    name: str, value: Any, *, least: float, most: float = MOST, whole: bool = False
) -> None:
    """Raise `ConfigurationError` unless `value` is a finite number from `least` to `most`."""
    kinds: Any = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(
            f"{name} must be {kind} from {least:g} to {most:,.0f}, not {brief(value)}", field=name
        )


def check_seconds(name: str, value: Any) -> None:
    """Raise `ConfigurationError` unless `value` is a time above zero, in seconds, or None."""
    if value is not None:
        check_number(name, value, least=0.001)


def _seconds(_record: Any, field: Any, value: Any) -> None:
    check_seconds(field.name, value)


def _at_least(least: float, *, whole: bool = False, none: bool = False) -> Any:
    def check(_record: Any, field: Any, value: Any) -> None:
        if not (none and value is None):
            check_number(field.name, value, least=least, whole=whole)

    return check


@attrs.frozen
class Timeouts:
    """How long to wait, in seconds.

    Attributes:
        connect: For a new connection (address look-up and TLS included); None: no bound of its own.
        attempt: For one request, from admission to the last byte; None: the route's own (120 for
            `prompt` and `image-2-prompt`, 60 for the others, as in the vendor's samples).
        total: For a whole call, waiting and retries included; None: 300 for a single call. A batch
            row's clock starts at its first send and stands still while it waits to be admitted;
            the batch stops when the server, limits apart, accepts nothing for so long (None: 600).
        first_contact: For the first connection to the server that a session makes, retries
            included; after it, what waits is given up and batches stop. None: no bound of its own.

    Raises:
        ConfigurationError: A value is not a number above zero.

    Example:
        >>> Timeouts(attempt=30).connect
        10.0
    """

    connect: float | None = attrs.field(default=10.0, validator=_seconds)
    attempt: float | None = attrs.field(default=None, validator=_seconds)
    total: float | None = attrs.field(default=None, validator=_seconds)
    first_contact: float | None = attrs.field(default=10.0, validator=_seconds)


@attrs.frozen
class RetryPolicy:
    """What is sent again, and how often.

    Attributes:
        max_attempts: Requests per call at most; 1 means one request, whatever it meets.
        backoff_base: Seconds; before retry k (from 0) it waits up to `backoff_base * 2**k`.
        backoff_cap: Seconds; the longest wait between attempts.
        ambiguous_resends: How often a request that may have been charged is sent again; 0: never,
            not even where a reset stands for a refusal, which waits for its turn otherwise.
        max_throttle_wait: Seconds a call may wait for 429s; 0 raises the first; None: its total.
            A batch stops when nothing was accepted for so long, 600 at least.
        budget: Retries a session may spend in a row; each success gives a fifth of one back.

    Raises:
        ConfigurationError: A value is out of range.

    Example:
        >>> RetryPolicy(max_attempts=1).ambiguous_resends
        1
    """

    max_attempts: int = attrs.field(default=5, validator=_at_least(1, whole=True))
    backoff_base: float = attrs.field(default=0.5, validator=_at_least(0))
    backoff_cap: float = attrs.field(default=20.0, validator=_at_least(0))
    ambiguous_resends: int = attrs.field(default=1, validator=_at_least(0, whole=True))
    max_throttle_wait: float | None = attrs.field(default=None, validator=_at_least(0, none=True))
    budget: int = attrs.field(default=100, validator=_at_least(0, whole=True))


def check_options(timeouts: object, retry: object) -> None:
    """Raise `ConfigurationError` unless both are what they are called."""
    if not isinstance(timeouts, Timeouts):
        raise ConfigurationError(
            f"timeouts must be a Timeouts, such as Timeouts(attempt=30), not {brief(timeouts)}",
            field="timeouts",
        )
    if not isinstance(retry, RetryPolicy):
        raise ConfigurationError(
            f"retry must be a RetryPolicy, such as RetryPolicy(max_attempts=1), not {brief(retry)}",
            field="retry",
        )


def check_limit(limit: object) -> None:
    """Raise `ConfigurationError` unless `limit` is a whole number, a limit object or None."""
    if isinstance(limit, type):
        raise ConfigurationError(
            f"limit must be a limit, not its class: write {limit.__name__}(…)", field="limit"
        )
    if limit is None or (hasattr(limit, "admit") and hasattr(limit, "release")):
        return
    if not isinstance(limit, int):
        raise ConfigurationError(
            "limit must be a whole number of requests in flight, a limit object or None, "
            f"not {brief(limit)}",
            field="limit",
        )
    check_number("limit", limit, least=1, most=1_000_000, whole=True)
