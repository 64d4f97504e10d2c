"""What members and leader say to each other."""

import math

from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.control.limit import LimitSnapshot
from vimmerse_async.sharing.records import (
    BINDINGS,
    LAYOUT,
    OUTCOMES,
    ROUTES,
    SUSPECTS,
    TELLING,
    Kind,
    ProtocolError,
    Reader,
    Record,
    Standing,
    pack,
    tell,
    told,
)

figures = st.floats(min_value=0.0, allow_nan=False)
numbers = st.integers(0, 2**32 - 1)
standings = st.builds(
    Standing,
    st.builds(
        LimitSnapshot, figures, figures, numbers, st.floats(0.0, 1e6) | st.just(math.inf),
        st.floats(0.0, 1.0), st.sampled_from(BINDINGS), st.sampled_from(SUSPECTS),
        st.floats(0.0, 1e6),
    ),
    numbers, numbers, numbers, numbers,
)  # fmt: skip


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_foreign_bytes_are_records_or_an_end(pieces: list[bytes]) -> None:
    """Whatever arrives gives records that every table has an entry for, or one kind of error."""
    reader = Reader()
    try:
        records = [record for piece in pieces for record in reader.feed(piece)]
    except ProtocolError:
        return
    for record in records:
        Kind(record.kind)
        assert min(record.a, record.b, record.c) >= 0.0
        if record.kind == Kind.DONE:
            assert ROUTES[record.route]
            assert OUTCOMES[record.flag]


@given(standings, st.integers(1, 2 * LAYOUT.size))
def test_a_standing_arrives_as_it_was(standing: Standing, size: int) -> None:
    """What the leader tells is what members know, in whatever pieces it arrives."""
    data, reader = tell(standing), Reader()
    records = [
        record
        for begin in range(0, len(data), size)
        for record in reader.feed(data[begin : begin + size])
    ]
    assert [record.kind for record in records] == list(TELLING)
    assert told(records) == standing


def test_a_record_is_small() -> None:
    """A record takes 40 bytes, so that a thousand requests a second are a few packets."""
    assert len(pack(Record(Kind.PULSE))) == 40
