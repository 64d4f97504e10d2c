"""What headers tell of a quota, in every dialect that gateways and packages were seen to speak."""

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.emulator.behaviour.refusals import Quota as Told
from vimmerse_async.emulator.behaviour.refusals import quota_headers
from vimmerse_async.quota import LONGEST_WAIT, QUOTA_HEADERS, Quota, quota_of, wait_asked

NOW = datetime(2026, 11, 28, 6, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)
EPOCH = int(NOW.timestamp())

DIALECTS = {
    "delta": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, Quota(0, 7)),
    "epoch": ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(EPOCH + 9)}, Quota(3, 9)),
    "fraction": ({"x-ratelimit-reset": f"{EPOCH + 9}.25"}, Quota(None, 9.25)),
    "user, ms": (
        {"x-ratelimit-userremaining": "-1", "x-ratelimit-userreset": f"{EPOCH + 12}500"},
        Quota(0, 12.5),
    ),
    "draft 6": ({"ratelimit-remaining": "0", "ratelimit-reset": "20"}, Quota(0, 20)),
    "draft 7": ({"ratelimit": "limit=200, remaining=0, reset=18"}, Quota(0, 18)),
    "draft 8": ({"ratelimit": '"200-in-20sec"; r=0; t=18'}, Quota(0, 18)),
    "dashed": ({"x-rate-limit-remaining": "5", "x-rate-limit-reset": "1"}, Quota(5, 1)),
    "traefik": ({"x-retry-in": "47.5ms"}, Quota(None, 0.0475)),
    "duration": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "6m0s"}, Quota(0, 360)),
    "past": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH - 5)}, Quota(0, 0)),
    "nothing": ({}, Quota()),
    "garbage": ({"x-ratelimit-remaining": "none", "x-ratelimit-reset": "soon"}, Quota()),
    "absurd": ({"x-ratelimit-reset": "9" * 16}, Quota()),
}


@pytest.mark.parametrize(("headers", "expected"), DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_is_read(headers, expected):
    """Units are told by plausibility, against the server's own clock; garbage says nothing."""
    found = quota_of({**headers, "date": DATE})
    assert found.remaining == expected.remaining
    assert found.reset == (None if expected.reset is None else pytest.approx(expected.reset))


def test_a_moment_without_a_date_says_nothing():
    """The clocks of client and server need not agree."""
    assert quota_of({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH)}).reset is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "3", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, 3.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, 30.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, None),
        ({"x-ratelimit-remaining": "4", "x-ratelimit-reset": "30"}, None),
        ({"x-ratelimit-reset": "30"}, None),
        ({}, None),
    ],
)
def test_a_spent_quota_is_waited_for(headers, wait):
    """`Retry-After` goes first; a quota counts where nothing is left and its end is not near."""
    assert wait_asked(headers) == wait


@given(
    st.sampled_from(
        ["x-ratelimit", "x-ratelimit-epoch", "x-ratelimit-epoch-ms", "ratelimit", "ratelimit-8"]
    ),
    st.integers(0, 10_000),
    st.floats(0, 80_000),
)
def test_what_is_told_is_what_is_read(dialect, remaining, reset):
    """Whatever dialect the server speaks, the same quota arrives, to the second."""
    told = quota_headers(dialect, Told(10_000, remaining, reset, 60.0), NOW.timestamp())
    found = quota_of({name.lower(): value for name, value in told.items()} | {"date": DATE})
    assert found.remaining == remaining
    assert found.reset is not None
    assert reset - 1e-3 <= found.reset <= reset + 1.001


@given(st.dictionaries(st.sampled_from([*QUOTA_HEADERS, "date", "retry-after"]), st.text()))
def test_nothing_that_headers_say_raises(headers):
    """Whatever they hold, the answer is None or a time that can be waited for."""
    found = quota_of(headers)
    for value in (found.reset, wait_asked(headers)):
        assert value is None or (math.isfinite(value) and 0.0 <= value <= LONGEST_WAIT)
