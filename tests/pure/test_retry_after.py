"""How long a reply asks to wait: read right, or not at all, whatever its headers hold."""

import math
from datetime import UTC, timedelta
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vimmerse_async.quota import LONGEST_WAIT, parse_retry_after

NUMBERS = st.one_of(
    st.floats().map(str), st.integers().map(str), st.floats().map("{:e}".format)
)  # fmt: skip
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(lambda when: when.replace(microsecond=0))
DATES = MOMENTS.map(lambda when: format_datetime(when, usegmt=True))
ZONES = st.sampled_from(["GMT", "-0000", "-0000 GMT", "+0500", "EST"])
VALUES = st.one_of(
    st.text(), NUMBERS, DATES, st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.builds("{} {}".format, DATES, ZONES),
    st.lists(st.sampled_from(["Wed,", "21", "Oct", "2015", "07:28:00", "GMT", "-0000", "99", "x"]))
    .map(" ".join),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), VALUES))
@example(
    {"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}
)
@example({"retry-after": "1" * 5000})
@example({"retry-after": "0" * 5000 + "GMT", "date": "GMT"})
def test_B22_retry_after_never_raises(headers):
    """Whatever the headers say, the answer is None or a time that can be waited for."""
    found = parse_retry_after(headers)
    assert found is None or 0.0 <= found <= LONGEST_WAIT
    assert found is None or math.isfinite(found)


@given(st.floats(0, 1e6).map(lambda seconds: round(seconds, 6)))
def test_B20_seconds(seconds):
    """Plain seconds are taken as they are; so are milliseconds, which go first."""
    assert parse_retry_after({"retry-after": f" {seconds:f} "}) == pytest.approx(seconds)
    headers = {"retry-after-ms": f"{seconds * 1000:f}", "retry-after": "9"}
    assert parse_retry_after(headers) == pytest.approx(seconds)


@given(MOMENTS.filter(lambda when: 1970 < when.year < 9990), st.integers(-(10**6), 10**6))
def test_B21_dates(sent, seconds):
    """A date counts from the reply's own Date; one that is past is 0."""
    headers = {
        "date": format_datetime(sent, usegmt=True),
        "retry-after": format_datetime(sent + timedelta(seconds=seconds), usegmt=True),
    }
    assert parse_retry_after(headers) == max(0, seconds)
    assert parse_retry_after({"retry-after": headers["retry-after"]}) is None


@pytest.mark.parametrize(
    "value",
    [
        "-3", "nan", "NaN", "inf", "Infinity", "1e9", "1" + "0" * 20, "soon", "", " ", "5, 10",
        "٣", "0x10", "1_000", "+5", ".5", "5.", "1.2.3", "5 s", "5;6", "\x005", "５",
    ],
)  # fmt: skip
def test_B22_garbage(value):
    """Garbage is no wish."""
    assert parse_retry_after({"retry-after": value}) is None
    assert parse_retry_after({"retry-after-ms": value, "retry-after": "7"}) == 7.0


@pytest.mark.parametrize(("value", "seconds"), [("86400", 86_400.0), ("31622400", 31_622_400.0)])
def test_B23_a_huge_wish_is_told(value, seconds):
    """A day or a year is a wish: the caller is told it."""
    assert parse_retry_after({"retry-after": value}) == seconds
    assert parse_retry_after({"retry-after": "31622401"}) is None


@pytest.mark.full
@pytest.mark.parametrize("chunk", range(100))
def test_B22_a_million_values(chunk):
    """A million mutated headers: none raises, none is out of range."""
    rng = Random(chunk)
    seeds = ["5", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT", "1e3", "-1", "inf", "5, 10", "0x1F"]
    letters = "0123456789.,-+ eEGMTWedOct:_xnaif\0\ud800é"
    for _ in range(10_000):
        value = list(rng.choice(seeds))
        for _ in range(rng.randrange(4)):
            value.insert(rng.randrange(len(value) + 1), rng.choice(letters))
        found = parse_retry_after({"retry-after": "".join(value), "date": rng.choice(seeds)})
        assert found is None or 0.0 <= found <= LONGEST_WAIT
