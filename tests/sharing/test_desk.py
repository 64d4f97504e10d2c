"""Whose turn it is among members, and what becomes of permits: pure, with a clock of its own."""

from typing import Any

import attrs
import pytest

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.limit import LimitSnapshot, Outcome
from vimmerse_async.sharing.desk import Desk, Member
from vimmerse_async.sharing.records import (
    OUTCOME_NUMBERS,
    TELLING,
    VERSION,
    Kind,
    ProtocolError,
    Reader,
    Record,
    Standing,
)


class Office:
    """A desk, its clock, and members that keep what they are told."""

    def __init__(self, window: float = 4.0) -> None:
        self.now = 100.0
        self.limit = AdaptiveLimit()
        self.desk = Desk(self.limit, lambda: self.now, process=1)
        self.limit.resume(LimitSnapshot(window, 1e6, 0, suspect="window", latency=2.0))

    def member(self, pid: int, number: int = 0) -> Member:
        member = Member(self.now)
        self.say(member, Record(Kind.HELLO, flag=VERSION, lane=number, number=pid))
        self.told(member)
        return member

    def say(self, member: Member, *records: Record) -> None:
        self.desk.take(member, list(records))
        self.pass_by(0.2)

    def pass_by(self, seconds: float) -> None:
        for _ in range(10):  # departures keep a pace
            self.now += seconds / 10
            self.desk.serve()

    def ask(self, member: Member, lane: int, count: int) -> None:
        self.say(member, Record(Kind.ASK, lane=lane, number=count))

    def told(self, member: Member) -> list[Record]:
        records = Reader().feed(bytes(member.out))
        member.out.clear()
        self.desk.outbox()
        return records

    def done(self, member: Member, number: int, outcome: Outcome = Outcome.OK) -> None:
        flag = OUTCOME_NUMBERS[outcome]
        self.say(member, Record(Kind.DONE, flag=flag, number=number, a=2.0))

    @property
    def in_flight(self) -> int:
        return self.limit.snapshot(self.now).in_flight


def lanes(records: list[Record]) -> list[int]:
    return [record.lane for record in records if record.kind == Kind.GRANT]


def test_calls_of_all_members_go_three_to_one_before_batches() -> None:
    """While a call waits in any process, three of four admissions are calls, in their order."""
    office = Office(window=1.0)
    first, second, third = (office.member(pid) for pid in (1, 2, 3))
    office.ask(first, 1, 20)  # takes the only place
    office.ask(second, 0, 3)
    office.ask(third, 0, 3)
    order: list[tuple[int, int]] = []
    held = {1: first.last}
    for _ in range(8):
        for member in (first, second, third):
            for grant in [each for each in office.told(member) if each.kind == Kind.GRANT]:
                order.append((member.process, grant.lane))
                holder, number = member, grant.number
        office.now += 2.0
        office.done(holder, number)
    assert order[0] == (1, 1)
    assert order[1:] == [(2, 0), (2, 0), (2, 0), (1, 1), (3, 0), (3, 0), (3, 0)]
    assert held


def test_batches_of_members_take_turns() -> None:
    """Two processes with a batch each get every other admission, whoever asks for more."""
    office = Office(window=1.0)
    first, second = office.member(1), office.member(2)
    office.ask(first, 1, 32)
    office.ask(second, 1, 3)
    order = []
    for _ in range(6):
        for member in (first, second):
            for grant in [each for each in office.told(member) if each.kind == Kind.GRANT]:
                order.append(member.process)
                holder, number = member, grant.number
        office.now += 2.0
        office.done(holder, number)
    assert order[1:] == [1, 2, 1, 2, 1]


def test_permits_of_the_dead_come_back_when_the_server_is_done() -> None:
    """What a dead member had under way counts for as long as answers take, and asks are gone."""
    office = Office(window=4.0)
    dead, alive = office.member(1), office.member(2)
    office.ask(dead, 1, 9)
    office.pass_by(1.0)
    assert office.in_flight == 4
    office.desk.leave(dead)
    office.ask(alive, 0, 4)
    assert len(lanes(office.told(alive))) <= 1
    assert office.in_flight == 4
    office.now += 2 * 2.0
    office.pass_by(0.5)
    assert office.desk.waiting == 0
    assert office.in_flight == 4


def refused(office: Office, member: Member) -> None:
    office.now += 0.01
    office.done(member, member.last, Outcome.THROTTLE)


def after_a_death() -> tuple[Office, Member]:
    """Return an office of four places, and who has what a member that died held all of."""
    office = Office(window=4.0)
    dead, alive = office.member(1), office.member(2)
    office.ask(dead, 1, 4)
    office.pass_by(1.0)
    office.desk.leave(dead)
    office.ask(alive, 1, 9)
    office.pass_by(1.0)
    return office, alive


def test_a_refusal_for_the_deads_sake_teaches_nothing() -> None:
    """Places that are given away too soon cost as many refusals, and no limit is cut for them."""
    office, alive = after_a_death()
    given = alive.last
    assert 0 < given <= 4
    for _ in range(given):
        refused(office, alive)
        office.ask(alive, 1, 1)
    assert office.limit.snapshot(office.now).window == 4.0
    assert office.in_flight <= 4
    office.pass_by(9.0)
    assert len(alive.permits) == 4
    refused(office, alive)
    assert office.limit.snapshot(office.now).refused > 0, "the dead are no reason for ever"


def test_a_refusal_that_asks_to_wait_is_never_excused() -> None:
    """`Retry-After` is obeyed by all, also just after a member died."""
    office, alive = after_a_death()
    throttle = OUTCOME_NUMBERS[Outcome.THROTTLE]
    record = Record(Kind.DONE, flag=throttle, number=alive.last, a=0.01, b=30.0)
    office.desk.take(alive, [record])
    assert office.limit.snapshot(office.now).gate > 20.0


def test_who_died_with_the_leader_counts_too() -> None:
    """Of members that do not come to a new leader is in flight what nobody tells of."""
    office = Office(window=20.0)
    limit = attrs.evolve(office.limit.snapshot(), in_flight=20)
    office.desk.follow(Standing(limit, 0, 4, 9, 0), 3, office.now + 1.0)
    member = office.member(2)
    office.desk.take(member, [Record(Kind.HOLD, number=each, a=1.0) for each in range(1, 6)])
    assert office.in_flight == 5
    office.now += 1.0
    office.desk.serve()
    assert office.in_flight == 20


def test_processes_of_one_id_are_several() -> None:
    """In containers each process may be number 1: they count as many, and only one leads."""
    office = Office()
    here, there = office.member(1), office.member(7 << 32 | 1)
    office.ask(here, 1, 1)
    office.ask(there, 1, 2)
    standing = office.desk.standing()
    assert (standing.processes, standing.untold) == (2, 1)


def test_a_leader_tells_of_the_dead() -> None:
    """What lingers when a leader dies, too, is in flight for who comes after it."""
    office = Office(window=4.0)
    dead = office.member(2)
    office.ask(dead, 1, 3)
    office.pass_by(1.0)
    office.desk.leave(dead)
    assert office.desk.standing().untold == 3


def test_what_is_under_way_when_a_leader_comes_counts_but_teaches_nothing() -> None:
    """Held permits are in flight, and never evidence of what the server accepts."""
    office = Office()
    member = office.member(1)
    office.say(member, *(Record(Kind.HOLD, number=each, a=1.0) for each in (7, 8, 9)))
    assert office.in_flight == 3
    assert not office.limit._learned._evidence.is_enough(office.now)
    office.ask(member, 0, 1)
    assert [each.number for each in office.told(member) if each.kind == Kind.GRANT] == [10]
    office.done(member, 8)
    assert office.in_flight == 3


def test_a_permit_that_nobody_wanted_is_no_evidence() -> None:
    """An unused permit frees its place, and the learner forgets that it left."""
    office = Office()
    member = office.member(1)
    office.ask(member, 1, 1)
    number = office.told(member)[-1].number
    counted = office.limit._learned._evidence.accepted.count(0.0, office.now)
    office.say(member, Record(Kind.UNUSED, number=number))
    assert office.limit._learned._evidence.accepted.count(0.0, office.now) == counted - 1
    assert office.in_flight == 0


def test_the_lowest_number_counts_while_its_member_is_there() -> None:
    """`limit=` of one process holds for all of them, and goes with it."""
    office = Office(window=50.0)
    office.member(1)
    assert office.limit.cap == 1000
    few = office.member(2, number=3)
    assert office.limit.cap == 3
    office.desk.leave(few)
    assert office.limit.cap == 1000


def test_a_new_leader_waits_for_who_followed_the_old_one() -> None:
    """Nobody is admitted before all have said what they have under way, or a moment is over."""
    office = Office()
    office.desk.follow(Standing(office.limit.snapshot(), 0, 3, 9, 0), 2, office.now + 5.0)
    first = office.member(1)
    office.ask(first, 0, 1)
    assert lanes(office.told(first)) == []
    second = office.member(2)
    office.ask(second, 0, 1)
    assert lanes(office.told(first)) == [0]
    assert lanes(office.told(second)) == [0]
    office.desk.follow(Standing(office.limit.snapshot(), 0, 3, 9, 0), 5, office.now + 5.0)
    office.ask(second, 0, 1)
    assert lanes(office.told(second)) == []
    office.pass_by(5.0)
    assert lanes(office.told(second)) == [0]


def test_the_dead_leaders_own_requests_count_too() -> None:
    """What the process had under way that led is in flight for its successor, for a while."""
    office = Office()
    office.desk.follow(Standing(office.limit.snapshot(), 0, 1, 9, 2), 0, office.now)
    assert office.in_flight == 2
    office.now += 2 * 2.0
    office.desk.serve()
    assert office.in_flight == 0


@pytest.mark.parametrize(
    "record",
    [
        Record(Kind.ASK, number=1),
        Record(Kind.GRANT),
        Record(Kind.END),
    ],
)
def test_nobody_speaks_out_of_turn(record: Record) -> None:
    """A stranger's first word is HELLO or LOOK, and no member says what a leader says."""
    office = Office()
    with pytest.raises(ProtocolError):
        office.say(Member(office.now), record)
    if record.kind != Kind.ASK:
        with pytest.raises(ProtocolError):
            office.say(office.member(1), record)


def test_another_version_is_told() -> None:
    """A member that speaks another version is told so, and is no member."""
    office, member = Office(), Member(0.0)
    under_way = Record(Kind.HOLD, number=1, a=1.0)
    office.say(member, Record(Kind.HELLO, flag=VERSION + 1, number=5), under_way)
    assert [each.kind for each in office.told(member)] == [Kind.REFUSED]
    assert not office.desk.members


def test_fewer_want_to_go() -> None:
    """What was asked for and is wanted no more waits no more, whoever else asks."""
    office = Office(window=1.0)
    member, other = office.member(1), office.member(2)
    office.ask(member, 1, 1)
    office.ask(member, 0, 3)
    office.ask(other, 0, 2)
    office.say(member, Record(Kind.UNASK, lane=0, number=2))
    assert (office.desk.waiting, member.waiting, other.waiting) == (3, 1, 2)
    office.ask(member, 1, 5)
    office.say(member, Record(Kind.SHUT, lane=1))
    assert office.desk.waiting == 3


def test_a_look_lists_the_processes() -> None:
    """Whoever looks sees every member, and is none."""
    office: Any = Office()
    member, looking = office.member(7), Member(0.0)
    office.ask(member, 1, 2)
    office.say(looking, Record(Kind.LOOK))
    kinds = [(each.kind, each.number) for each in office.told(looking)]
    assert kinds[len(TELLING) :] == [(Kind.MEMBER, 7), (Kind.END, 0)]
    assert len(office.desk.members) == 1
