"""The actor that keeps a run's limit, without Ray: what members say to it, and what they hear."""

from vimmerse_async.control.limit import Outcome
from vimmerse_async.sharing.actor import RayOffice
from vimmerse_async.sharing.records import (
    OUTCOME_NUMBERS,
    VERSION,
    Kind,
    Reader,
    Record,
    pack,
)


async def join(office: RayOffice, name: str, pid: int, number: int, *said: Record) -> list[Record]:
    hello = Record(Kind.HELLO, flag=VERSION, lane=number, number=pid)
    await office.say(name, b"".join(map(pack, (hello, *said))))
    return await heard(office, name)


async def heard(office: RayOffice, name: str) -> list[Record]:
    return Reader().feed(await office.hear(name) or b"")


def grants(records: list[Record]) -> list[int]:
    return [each.number for each in records if each.kind == Kind.GRANT]


async def until_granted(office: RayOffice, name: str) -> list[int]:
    while not (found := grants(await heard(office, name))):
        pass
    return found


async def test_actors_of_a_run_have_one_limit() -> None:
    """The lowest number holds for all, and a place that one gives back is another's."""
    office = RayOffice()
    first = await join(office, "a", 1, 1, Record(Kind.ASK, lane=1, number=2))
    assert {Kind.LEARNED, Kind.ANSWERS, Kind.CROWD} <= {each.kind for each in first}
    held = grants(first) or await until_granted(office, "a")
    assert len(held) == 1
    second = await join(office, "b", 2, 0, Record(Kind.ASK, lane=1, number=1))
    assert grants(second) == []
    flag = OUTCOME_NUMBERS[Outcome.OK]
    done = Record(Kind.DONE, flag=flag, number=held[0], a=0.1)
    await office.say("a", pack(done) + pack(Record(Kind.UNASK, lane=1, number=1)))
    assert await until_granted(office, "b") == [1]
    for name in ("a", "b"):
        await office.leave(name)


async def test_who_leaves_or_talks_nonsense_hears_no_more() -> None:
    """A member that left, or said what is no record, is none; the others stay."""
    office = RayOffice()
    for pid, name in enumerate(("a", "b", "c"), 1):
        await join(office, name, pid, 0)
    await office.leave("a")
    await office.say("b", b"\xff" * 80)
    assert await office.hear("a") is None
    assert await office.hear("b") is None
    assert await office.hear("b") is None
    assert await heard(office, "c")
    await office.leave("c")


async def test_an_actor_that_was_started_again_takes_members_as_they_come() -> None:
    """What was under way is told to it, and it needs no word of Ray's before."""
    office = RayOffice()
    hold = Record(Kind.HOLD, number=7, a=0.5)
    told = await join(office, "a", 1, 2, hold, Record(Kind.ASK, lane=1, number=3))
    numbers = grants(told) or await until_granted(office, "a")
    assert numbers == [8], "two places, one of which is held"
    await office.leave("a")
