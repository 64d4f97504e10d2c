"""How a server, or a gateway before it, says no: status, body, and what its headers tell.

Pure: the time of day is an argument. The dialects are those that gateways and rate-limit packages
are seen to speak; the service's own documentation names 429 alone.
"""

import json
import math
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Literal

import attrs

Refuse = Literal["429", "403", "500", "503", "reset"]
RetryAfter = Literal["seconds", "date", "milliseconds", "wrong-clock", "garbage"]
QuotaHeaders = Literal[
    "x-ratelimit", "x-ratelimit-epoch", "x-ratelimit-epoch-ms", "ratelimit", "ratelimit-8"
]

_CLOCK_ERROR = 3_600.0
_WORDS: Mapping[int, str] = {
    403: "Forbidden",
    429: "Rate limit exceeded or concurrency limit reached",
    500: "Internal Server Error",
    503: "Service Temporarily Unavailable",
}


@attrs.frozen
class Quota:
    """What is left of a limit.

    Attributes:
        limit: Requests that it allows in its time.
        remaining: Requests that are left.
        reset: Seconds until it is whole again.
        window: Seconds of its time.
    """

    limit: int
    remaining: int
    reset: float
    window: float


def refusal_body(status: int) -> tuple[bytes, str]:
    """Return the body of a refusal and its media type: the service's own JSON, a gateway's page."""
    words = _WORDS[status]
    if status == 429:
        return json.dumps({"message": words}).encode(), "application/json"
    page = f"<html><head><title>{status} {words}</title></head><body>{words}</body></html>\n"
    return page.encode(), "text/html"


def _seconds(wait: float, _: float) -> Mapping[str, str]:
    return {"Retry-After": str(math.ceil(wait))}


def _date(wait: float, wall: float) -> Mapping[str, str]:
    return {"Retry-After": formatdate(wall + math.ceil(wait), usegmt=True)}


def _milliseconds(wait: float, _: float) -> Mapping[str, str]:
    return {"retry-after-ms": str(math.ceil(wait * 1000))}


def _wrong_clock(wait: float, wall: float) -> Mapping[str, str]:
    wrong = wall - _CLOCK_ERROR
    return {"Date": formatdate(wrong, usegmt=True), **_date(wait, wrong)}


def _garbage(_: float, __: float) -> Mapping[str, str]:
    return {"Retry-After": "soon, or -nan"}


_RETRY_AFTER: Mapping[str | None, Callable[[float, float], Mapping[str, str]]] = {
    None: lambda _, __: {},
    "seconds": _seconds,
    "date": _date,
    "milliseconds": _milliseconds,
    "wrong-clock": _wrong_clock,
    "garbage": _garbage,
}


def retry_after_headers(form: RetryAfter | None, wait: float, wall: float) -> Mapping[str, str]:
    """Return the headers that tell a wait in seconds; `wall` is the time of day as a timestamp."""
    return _RETRY_AFTER[form](wait, wall)


def _x_ratelimit(quota: Quota, reset: int) -> Mapping[str, str]:
    return {
        "X-RateLimit-Limit": str(quota.limit),
        "X-RateLimit-Remaining": str(quota.remaining),
        "X-RateLimit-Reset": str(reset),
    }


def _ratelimit(quota: Quota, reset: int) -> Mapping[str, str]:
    return {
        "RateLimit-Policy": f"{quota.limit};w={quota.window:.0f}",
        "RateLimit-Limit": str(quota.limit),
        "RateLimit-Remaining": str(quota.remaining),
        "RateLimit-Reset": str(reset),
    }


def _ratelimit_8(quota: Quota, reset: int) -> Mapping[str, str]:
    return {
        "RateLimit-Policy": f'"default"; q={quota.limit}; w={quota.window:.0f}',
        "RateLimit": f'"default"; r={quota.remaining}; t={reset}',
    }


def quota_headers(form: QuotaHeaders | None, quota: Quota | None, wall: float) -> Mapping[str, str]:
    """Return the headers that tell a quota; none where there is none to tell.

    Args:
        form: The dialect; None: none.
        quota: What is left; None: nothing is counted.
        wall: The time of day as a timestamp.
    """
    if form is None or quota is None:
        return {}
    delta = math.ceil(quota.reset)
    match form:
        case "x-ratelimit":
            return _x_ratelimit(quota, delta)
        case "x-ratelimit-epoch":
            return _x_ratelimit(quota, math.ceil(wall + quota.reset))
        case "x-ratelimit-epoch-ms":
            return _x_ratelimit(quota, math.ceil((wall + quota.reset) * 1000))
        case "ratelimit":
            return _ratelimit(quota, delta)
        case "ratelimit-8":
            return _ratelimit_8(quota, delta)
