"""What a user may set is checked where it is set (C23)."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async import ConfigurationError, RetryPolicy, Timeouts, VimmerseSession
from vimmerse_async.control import FixedLimit

NOT_NUMBERS = [
    "5",
    b"5",
    True,
    False,
    [],
    {},
    object(),
    Decimal(5),
    5 + 0j,
    math.nan,
    math.inf,
    -math.inf,
]


HUGE = 10**5000
"""Python refuses to write it down."""


def named(value):
    return "huge" if value is HUGE else type(value).__name__


class Mean:
    """A value that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError


NOT_NUMBERS.append(Mean())
TIMES = ("connect", "attempt", "total")


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [*NOT_NUMBERS, 0, 0.0, -1, -0.0, 1e-9, 1e300, HUGE], ids=named)
def test_C23_times_that_cannot_be(name, value):
    """A time is a number of seconds above zero, or None."""
    with pytest.raises(ConfigurationError, match=name) as raised:
        Timeouts(**{name: value})
    assert raised.value.field == name
    assert len(str(raised.value)) < 300


@given(st.sampled_from(TIMES), st.none() | st.integers(1, 10**9) | st.floats(0.001, 1e9))
def test_C23_times_that_can_be(name, value):
    """What is accepted is kept as it is."""
    assert getattr(Timeouts(**{name: value}), name) == value


POLICY = {
    "max_attempts": (1, True, False),
    "backoff_base": (0, False, False),
    "backoff_cap": (0, False, False),
    "ambiguous_resends": (0, True, False),
    "max_throttle_wait": (0, False, True),
    "budget": (0, True, False),
}
"""By name: the least value, whether it is whole, whether None is one."""


@pytest.mark.parametrize(("name", "rule"), POLICY.items(), ids=POLICY)
def test_C23_a_policy_s_numbers(name, rule):
    """Each has its least value; counts are whole numbers."""
    least, whole, none = rule
    for value in (least, least + 1):
        assert getattr(RetryPolicy(**{name: value}), name) == value
    refused = [
        *NOT_NUMBERS,
        least - 1,
        10**400,
        10**5000,
        *([1.5] if whole else []),
        *([] if none else [None]),
    ]
    for value in refused:
        with pytest.raises(ConfigurationError, match=name):
            RetryPolicy(**{name: value})
    if none:
        assert getattr(RetryPolicy(**{name: None}), name) is None


@pytest.mark.parametrize(
    "limit", [0, -1, 10**9, HUGE, 1.5, math.nan, True, "8", [], Mean()], ids=named
)
def test_C23_limits_that_cannot_be(limit):
    """A limit is a whole number of requests, a limit object, or None."""
    with pytest.raises(ConfigurationError) as raised:
        VimmerseSession("test-only-key", limit=limit)
    assert raised.value.field == "limit"


@pytest.mark.parametrize(
    "limit", [1, 1_000_000, None, FixedLimit(3)], ids=lambda limit: type(limit).__name__
)
def test_C23_limits_that_can_be(limit):
    """All three kinds are taken."""
    assert not VimmerseSession("test-only-key", limit=limit).closed


@pytest.mark.parametrize("value", ["x" * 10**6, [0] * 10**6], ids=["str", "list"])
def test_a_wrong_value_is_shown_in_short(value):
    """The error of a huge value is small."""
    for make in (lambda: Timeouts(attempt=value), lambda: VimmerseSession("k" * 9, timeouts=value),
                 lambda: VimmerseSession("k" * 9, limit=value)):  # fmt: skip
        with pytest.raises(ConfigurationError) as raised:
            make()
        assert len(str(raised.value)) < 400
