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
    "one of two spent": ({"ratelimit": '"burst";r=0;t=7, "day";r=900;t=3600'}, Quota(0, 7)),
    "both spent": ({"ratelimit": '"burst";r=0;t=1, "day";r=0;t=3600'}, Quota(0, 3600)),
    "none spent": ({"ratelimit": '"day";r=900;t=3600, "burst";r=5;t=1'}, Quota(5, 1)),
    "token": ({"ratelimit": "daily;r=0;t=9;pk=:cHg=:"}, Quota(0, 9)),
    "comma for semicolon": ({"ratelimit": "problemPolicy;r=0, t=10"}, Quota(0, 10)),
    "a name like a policy": ({"ratelimit": r'"a, \"b;r=3;t=8";r=0;t=4'}, Quota(0, 4)),
    "one of two garbage": ({"ratelimit": '"a";r=none;t=900, "b";r=0;t=9'}, Quota(0, 9)),
    "unclosed": ({"ratelimit": '"day";r=0;t=9, "open;r=0;t=3'}, Quota()),
    "empty members": ({"ratelimit": ",;;, =;,"}, Quota()),
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


POLICIES = st.lists(
    st.tuples(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
        st.integers(0, 3),
        st.integers(2, 80_000),
    ),
    min_size=1,
    max_size=4,
)


@given(POLICIES, st.sampled_from([", ", ","]), st.sampled_from([";", "; "]))
def test_the_policy_that_is_spent_longest_counts(policies, comma, semicolon):
    """Of several policies the spent ones hold until the last of them ends, whatever their names."""
    told = comma.join(
        semicolon.join([f'"{_escaped(name)}"', f"r={left}", f"t={end}"])
        for name, left, end in policies
    )
    found = quota_of({"ratelimit": told})
    ends = [end for _, left, end in policies if not left]
    assert found.remaining == min(left for _, left, _ in policies)
    assert wait_asked({"ratelimit": told}) == (max(ends) if ends else None)


def _escaped(name):
    return name.replace("\\", "\\\\").replace('"', '\\"')


@given(st.text(alphabet='rt=0;,"\\ a', max_size=40))
def test_a_garbled_list_of_policies_says_nothing_impossible(text):
    """Whatever stands there, what is read is what could be meant."""
    found = quota_of({"ratelimit": text})
    assert found.remaining is None or found.remaining >= 0
    assert found.reset is None or 0 <= found.reset <= LONGEST_WAIT


@given(st.dictionaries(st.sampled_from([*QUOTA_HEADERS, "date", "retry-after"]), st.text()))
def test_nothing_that_headers_say_raises(headers):
    """Whatever they hold, the answer is None or a time that can be waited for."""
    found = quota_of(headers)
    for value in (found.reset, wait_asked(headers)):
        assert value is None or (math.isfinite(value) and 0.0 <= value <= LONGEST_WAIT)
