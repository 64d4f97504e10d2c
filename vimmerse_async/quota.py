"""What a refusal's headers tell of a quota: how much is left, and when it begins anew. Pure.

The vendor documents none of these headers; gateways and rate-limit packages send them in dialects
that differ in names and units. Units are told by plausibility: a number of the size of a time stamp
is one, in seconds or milliseconds, and is read against the reply's own `Date`.
"""

import math
import re
from collections.abc import Mapping
from datetime import datetime

import attrs

LONGEST_WAIT = 366 * 86_400.0
"""Seconds; a larger wish is garbage."""
EPOCH = 1e9
"""A number from here on is no number of seconds to wait, but a moment: since 2001, in seconds."""
EPOCH_MS = 1e12
"""The same in milliseconds."""
COARSE = 2.0
"""Seconds: a quota that ends sooner is none to wait for, as most headers tell whole seconds."""

_FAMILIES = ("x-ratelimit-", "x-ratelimit-user", "x-rate-limit-", "ratelimit-")
QUOTA_HEADERS = (
    *(f"{family}{what}" for family in _FAMILIES for what in ("limit", "remaining", "reset")),
    "ratelimit", "x-retry-in",
)  # fmt: skip
"""The headers that tell a quota, in lower case."""

_NUMBER = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,9})?", re.ASCII).fullmatch
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|us|µs|ns|s|m|h|d))+").fullmatch
_PART = re.compile(r"([0-9.]+)(ms|us|µs|ns|s|m|h|d)").findall
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
          "d": 86_400.0}  # fmt: skip
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAMES = {"r": "r", "remaining": "r", "t": "t", "reset": "t"}


@attrs.frozen
class Quota:
    """What the server tells of a quota; of several, of the one that binds.

    Attributes:
        remaining: Requests that are left; None when it does not say.
        reset: Seconds until there are more; None when it does not say.
    """

    remaining: float | None = None
    reset: float | None = None

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left until the reset."""
        return self.remaining is not None and self.remaining <= 0 and self.reset is not None


def quota_of(headers: Mapping[str, str]) -> Quota:
    """Return what the headers of a refusal tell; never raises.

    Args:
        headers: Names in lower case.

    Example:
        >>> quota_of({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"})
        Quota(remaining=0.0, reset=7.0)
    """
    sent = moment(headers.get("date", ""))
    told = [_read(each, sent) for each in _policies(headers.get("ratelimit", ""))]
    binding = _binding(told)
    remaining, reset = binding.remaining, binding.reset
    for family in _FAMILIES:
        if remaining is None:
            remaining = _remaining(headers.get(f"{family}remaining", ""))
        if reset is None:
            reset = _until(headers.get(f"{family}reset", ""), sent)
    if reset is None:
        reset = _until(headers.get("x-retry-in", ""), sent)
    return Quota(remaining, reset)


def _policies(text: str) -> list[dict[str, str]]:
    """Return what each policy of a `RateLimit` says, by what it means; never raises.

    From its eighth draft on the field lists a policy a member, and several lines of it are one
    list. The seventh spreads one over members, as do examples of later ones: a member without a
    name of its own goes on with the policy before, until it says something a second time.
    """
    found: list[dict[str, str]] = []
    bare = _STRING.sub("name", text)  # whatever policies are called, commas and all
    if '"' in bare:
        return found
    for member in bare.split(","):
        parts = [_pair(each) for each in member.split(";")]
        is_named = "=" not in member.partition(";")[0]
        if is_named or not found or any(key in found[-1] for key, _ in parts):
            found.append({})
        found[-1] |= {key: value for key, value in parts if key}
    return found


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return _NAMES.get(name.strip(), ""), value.strip()


def _read(told: Mapping[str, str], sent: datetime | None) -> Quota:
    return Quota(_number(told.get("r", "")), _until(told.get("t", ""), sent))


def _binding(told: list[Quota]) -> Quota:
    """Return the policy that holds requests back: of those that are spent, the last to end."""
    spent = [each for each in told if each.is_spent]
    if spent:
        return max(spent, key=lambda each: each.reset or 0.0)
    known = [each for each in told if each.remaining is not None]
    if known:
        return min(known, key=lambda each: each.remaining or 0.0)
    return told[0] if told else Quota()


def wait_asked(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a refusal asks to wait, by either kind of header; None: none.

    A quota's end counts only where nothing is left and it is further away than headers are exact:
    in windows of a second whole seconds mislead.

    Args:
        headers: Names in lower case.

    Example:
        >>> wait_asked({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"})
        7.0
    """
    told = parse_retry_after(headers)
    if told is not None:
        return told
    quota = quota_of(headers)
    if not quota.is_spent or quota.reset is None:
        return None
    return quota.reset if quota.reset >= COARSE else None


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait; None when it does not say. Never raises.

    `retry-after-ms` goes first, then `Retry-After` in seconds, then as a date, which is read
    against the reply's own `Date`: the clocks of client and server need not agree.

    Args:
        headers: Names in lower case.

    Example:
        >>> parse_retry_after({"retry-after": "1.5"})
        1.5
    """
    milliseconds = _number(headers.get("retry-after-ms", ""), 12)
    if milliseconds is not None:
        return _plausible(milliseconds / 1000.0)
    value = headers.get("retry-after", "").strip()
    seconds = _number(value, 12)
    if seconds is not None:
        return _plausible(seconds)
    until, sent = moment(value), moment(headers.get("date", ""))
    if until is None or sent is None:
        return None
    return _plausible(max(0.0, (until - sent).total_seconds()))


def moment(text: str) -> datetime | None:
    """Return an HTTP date; None when it is none."""
    if not text.endswith("GMT"):
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 15 ms that few runs need

    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return None if found.tzinfo is None else found


def _number(text: str, digits: int = 16) -> float | None:
    text = text.strip()
    if not _NUMBER(text) or len(text.partition(".")[0]) > digits:
        return None
    return float(text)


def _remaining(text: str) -> float | None:
    return 0.0 if text.strip().startswith("-") and _number(text.strip()[1:]) else _number(text)


def _until(text: str, sent: datetime | None) -> float | None:
    """Return the seconds that a reset is away, whatever its unit."""
    text = text.strip()
    number = _number(text)
    if number is None:
        seconds = duration(text)
        return None if seconds is None else _plausible(seconds)
    if number < EPOCH:
        return _plausible(number)
    if sent is None:
        return None
    at = number / 1000.0 if number >= EPOCH_MS else number
    return _plausible(max(0.0, at - sent.timestamp()))


def duration(text: str) -> float | None:
    """Return the seconds that a number with units tells; None when it is none.

    Example:
        >>> duration("1h30m"), duration("47.5ms"), duration("soon")
        (5400.0, 0.0475, None)
    """
    if not _DURATION(text):
        return None
    try:
        return sum(float(number) * _UNITS[unit] for number, unit in _PART(text))
    except ValueError:
        return None


def _plausible(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) and seconds <= LONGEST_WAIT else None
