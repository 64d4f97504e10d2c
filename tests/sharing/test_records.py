"""What members and leader say to each other."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.limit import LimitSnapshot
from vimmerse_async.sharing.desk import Desk, Member
from vimmerse_async.sharing.records import (
    BINDINGS,
    LAYOUT,
    OUTCOMES,
    ROUTES,
    SUSPECTS,
    TELLING,
    VERSION,
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
finite = st.floats(min_value=0.0, allow_nan=False, allow_infinity=False)
numbers = st.integers(0, 2**32 - 1)
standings = st.builds(
    Standing,
    st.builds(
        LimitSnapshot, finite, finite, numbers, st.floats(0.0, 1e6) | st.just(math.inf),
        st.floats(0.0, 1.0), st.sampled_from(BINDINGS), st.sampled_from(SUSPECTS),
        st.floats(0.0, 1e6), figures,
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


@example([Record(Kind.WARM, SUSPECTS.index("rate"), b=1e308)])
@given(
    st.lists(
        st.builds(
            Record,
            st.sampled_from(Kind),
            st.integers(0, 2),
            st.integers(0, 3),
            st.integers(0, 3),
            st.integers(0, 5),
            figures,
            figures,
            figures,
        )
    )
)
def test_a_leader_survives_whatever_members_say(records: list[Record]) -> None:
    """Records in any order and with any figures are understood, or end one connection."""
    now = 100.0
    desk, reader = Desk(AdaptiveLimit(), lambda: now, 1), Reader()
    member = Member(now)
    for record in [Record(Kind.HELLO, flag=VERSION, number=2), *records]:
        try:
            desk.take(member, reader.feed(pack(record)))
        except ProtocolError:
            desk.leave(member)
            member = Member(now)
        now += 0.1
        desk.serve()
        desk.beat()
        assert desk.waiting == sum(each.waiting for each in desk.members) >= 0


@pytest.mark.parametrize("figure", ["a", "c"])
def test_a_standing_without_end_is_none(figure: str) -> None:
    """Nobody goes on from a window or a time that is infinite."""
    records = Reader().feed(tell(Standing(LimitSnapshot(4.0, math.inf, 0), 0, 1, 1, 0)))
    place = 0 if figure == "a" else 1
    records[place] = records[place]._replace(**{figure: math.inf})
    with pytest.raises(ProtocolError):
        told(records)


def test_a_record_is_small() -> None:
    """A record takes 40 bytes, so that a thousand requests a second are a few packets."""
    assert len(pack(Record(Kind.PULSE))) == 40
