"""What processes that share a limit say to each other: records of one size, and no I/O.

    a member says                            the leader says
    HELLO   version, pid, own number         LEARNED  window, rate, peak
    HOLD    a permit that is under way       ANSWERS  latency, refused, climbed
    ASK     so many of a lane want to go     CROWD    members, in flight, waiting, gate
    UNASK   so many of them do not           GRANT    one of that lane may go
    DONE    how one ended                    REFUSED  its version, to another one's HELLO
    UNUSED  a permit that nobody wanted      MEMBER   one process, to LOOK
    SHUT    a lane has ended                 END      no more members
    WARM    what an earlier run learned
    PULSE   it is there
    LOOK    who shares?

Times are ages and spans, never moments: clocks differ between time namespaces.
"""

import math
from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import Literal, NamedTuple

from vimmerse_async.control.limit import Binding, LatencyClass, LimitSnapshot, Outcome

VERSION = 1
"""Changes with the records' meaning; who speaks another goes on alone."""
LAYOUT = Struct("=BBBxIQddd")
ROUTES: tuple[LatencyClass, ...] = ("text", "vision", "upload")
ROUTE_NUMBERS: dict[str, int] = {route: number for number, route in enumerate(ROUTES)}
OUTCOMES = tuple(Outcome)
OUTCOME_NUMBERS = {outcome: number for number, outcome in enumerate(OUTCOMES)}
BINDINGS: tuple[Binding | None, ...] = (None, "window", "rate", "gate", "server")
SUSPECTS: tuple[Literal["window", "rate"] | None, ...] = (None, "window", "rate")


class Kind(IntEnum):
    """What a record says."""

    HELLO = 1
    HOLD = 2
    ASK = 3
    UNASK = 4
    DONE = 5
    UNUSED = 6
    SHUT = 7
    WARM = 8
    PULSE = 9
    LOOK = 10
    LEARNED = 16
    CROWD = 17
    GRANT = 18
    REFUSED = 19
    MEMBER = 20
    END = 21
    ANSWERS = 22


class Record(NamedTuple):
    """One record; what its fields mean depends on its kind.

    Attributes:
        kind: What it says.
        route: A latency class, or what is suspected.
        flag: A version, an outcome, what binds, or a yes.
        lane: A lane, or a number of members or waiting requests.
        number: A permit, a process, or how many.
        a, b, c: Figures.
    """

    kind: int
    route: int = 0
    flag: int = 0
    lane: int = 0
    number: int = 0
    a: float = 0.0
    b: float = 0.0
    c: float = 0.0


class ProtocolError(Exception):
    """What arrived is no record."""


TELLING = (Kind.LEARNED, Kind.ANSWERS, Kind.CROWD)
"""What a standing is told by, in this order."""
_MOST: dict[int, tuple[int, int]] = {  # of route and flag
    Kind.HOLD: (len(ROUTES), 1),
    Kind.ASK: (len(ROUTES), 1),
    Kind.DONE: (len(ROUTES), len(OUTCOMES)),
    Kind.WARM: (len(SUSPECTS), 1),
    Kind.LEARNED: (len(SUSPECTS), len(BINDINGS)),
}
_KINDS = frozenset(Kind)
_ANY = (256, 256)


def pack(record: Record) -> bytes:
    """Return a record as it is sent."""
    return LAYOUT.pack(*record)


class Reader:
    """Cuts what arrives into records."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that are whole now.

        Raises:
            ProtocolError: There is one among them that nobody says.
        """
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % LAYOUT.size
        self._rest = data[whole:]
        records = [Record._make(each) for each in LAYOUT.iter_unpack(data[:whole])]
        for record in records:
            _check(record)
        return records


def _check(record: Record) -> None:
    if record.kind not in _KINDS:
        raise ProtocolError
    routes, flags = _MOST.get(record.kind, _ANY)
    if record.route >= routes or record.flag >= flags:
        raise ProtocolError
    if not (record.a >= 0.0 and record.b >= 0.0 and record.c >= 0.0):  # nor NaN
        raise ProtocolError


class Standing(NamedTuple):
    """What the leader tells all members, again and again.

    Attributes:
        limit: What the shared limit does; its requests in flight are everybody's.
        waiting: Requests that wait, everybody's.
        processes: How many share.
        leader: The process that leads.
        untold: Requests in flight that no member tells of when this leader has died: those of its
            own process, and of the dead.
    """

    limit: LimitSnapshot
    waiting: int
    processes: int
    leader: int
    untold: int


def tell(standing: Standing) -> bytes:
    """Return a standing as records, the last of which is CROWD."""
    limit = standing.limit
    learned = Record(
        Kind.LEARNED, SUSPECTS.index(limit.suspect), BINDINGS.index(limit.binding),
        standing.processes, standing.leader, limit.window, limit.rate, limit.peak,
    )  # fmt: skip
    answers = Record(Kind.ANSWERS, a=limit.latency, b=limit.refused, c=limit.climbed)
    gate = min(limit.gate, 1e9)  # a probe is out: nobody knows
    crowd = Record(
        Kind.CROWD, lane=standing.waiting, number=limit.in_flight, a=gate,
        b=float(standing.untold),
    )  # fmt: skip
    return pack(learned) + pack(answers) + pack(crowd)


def told(records: Sequence[Record]) -> Standing:
    """Return the standing that records tell.

    Raises:
        ProtocolError: They tell none.
    """
    if tuple(each.kind for each in records) != TELLING:
        raise ProtocolError
    learned, answers, crowd = records
    figures = [learned.a, answers.a, answers.b, answers.c, crowd.b]
    if SUSPECTS[learned.route] == "rate":
        figures.append(learned.b)
    if not all(map(math.isfinite, figures)):
        raise ProtocolError
    limit = LimitSnapshot(
        window=learned.a,
        rate=learned.b,
        in_flight=crowd.number,
        gate=math.inf if crowd.a >= 1e9 else crowd.a,
        refused=answers.b,
        binding=BINDINGS[learned.flag],
        suspect=SUSPECTS[learned.route],
        latency=answers.a,
        peak=learned.c,
        climbed=answers.c,
    )
    return Standing(limit, crowd.lane, learned.lane, learned.number, int(crowd.b))
