"""The seeded plan of what goes wrong: which rule strikes which request.

Pure decisions; what a kind does to a connection is in `wire`, to a reply in `spoiled`.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal

import attrs

Moment = Literal["door", "before", "instead", "after"]


@attrs.frozen
class FaultKind:
    """What a kind of fault is.

    Attributes:
        moment: `door`: strikes a connection when it opens. `before`: the work is done later.
            `instead`: of the work. `after`: the work is done and billed, its reply is damaged.
        takes: The attributes of a `Fault` that it reads.
        tls: Only a server that speaks HTTPS can do it.
    """

    moment: Moment
    takes: tuple[str, ...] = ()
    tls: bool = False


_INSTEAD = ("billed",)
KINDS: Mapping[str, FaultKind] = {
    "delay": FaultKind("before", ("seconds",)),
    "hang": FaultKind("instead", _INSTEAD),
    "slow-headers": FaultKind("after", ("seconds",)),
    "dribble": FaultKind("after", ("seconds",)),
    "stall": FaultKind("after"),
    "reset-on-accept": FaultKind("door"),
    "reset": FaultKind("instead", _INSTEAD),
    "close": FaultKind("instead", _INSTEAD),
    "truncated": FaultKind("after"),
    "early-chunk-end": FaultKind("after"),
    "bad-chunk": FaultKind("after"),
    "garbage": FaultKind("instead", ("size", *_INSTEAD)),
    "stray": FaultKind("after", ("seconds",)),
    "html": FaultKind("instead", ("status", *_INSTEAD)),
    "empty": FaultKind("instead", _INSTEAD),
    "cut-json": FaultKind("after"),
    "wrong-shape": FaultKind("instead", ("body", *_INSTEAD)),
    "wrong-type": FaultKind("after"),
    "huge": FaultKind("instead", ("size", *_INSTEAD)),
    "gzip-bomb": FaultKind("instead", ("size", *_INSTEAD)),
    "redirect": FaultKind("instead", ("status", "location", *_INSTEAD)),
    "status": FaultKind("instead", ("status", "body", "malformed", "seconds", *_INSTEAD)),
    "tls-drop": FaultKind("door", tls=True),
    "tls-plain": FaultKind("door", tls=True),
    "tls-unknown-ca": FaultKind("door", tls=True),
    "tls-wrong-host": FaultKind("door", tls=True),
    "tls-expired": FaultKind("door", tls=True),
    "tls-truncated": FaultKind("after", tls=True),
}

_PARAMETERS = ("seconds", "status", "body", "malformed", "size", "location", "billed")
_RANGES: Mapping[str, tuple[float, float]] = {
    "seconds": (0, 3_600),
    "status": (200, 599),
    "size": (1, 1 << 30),
    "nth": (1, 1 << 53),
    "count": (1, 1 << 53),
}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "route": (str,),
    "header": (dict,),
    "contains": (str,),
    "nth": (int,),
    "probability": (int, float),
    "count": (int,),
    "seconds": (int, float),
    "status": (int,),
    "body": (str,),
    "malformed": (bool,),
    "size": (int,),
    "location": (str,),
    "billed": (bool,),
}


@attrs.frozen
class Fault:
    """One rule of the plan: what goes wrong, and for which requests.

    Without `nth` and `probability` it strikes every request that it matches. The probabilities
    of rules that match the same request add up: .05 and .10 strike 5 % and 10 % of it.

    Attributes:
        kind: One of `vimmerse_async.emulator.behaviour.faults.KINDS`.
        route: The path, `*` for any part of it.
        header: Headers with the values that a request must have.
        contains: Text that must be in the request's body (not for files).
        nth: Only the nth request that it matches, from 1, in the order of arrival.
        probability: The share that it strikes, above 0 and at most 1; drawn from the seed and
            what is asked, so that the same seed strikes the same requests.
        count: The most requests that it strikes.
        seconds: `delay`: before going on (default 1). `slow-headers`, `dribble`: between two
            bytes (.02). `stray`: after the reply (.05). `status`: the `Retry-After` it sends.
        status: Of `status`, `html` (502) and `redirect` (307).
        body: What `status` or `wrong-shape` answer, as it stands.
        malformed: `status` answers with a body that the contract does not know.
        size: Bytes of `garbage` (512), `huge` and, unpacked, `gzip-bomb` (64 MiB).
        location: Where `redirect` leads; another origin when it is not given.
        billed: The work is done and paid for before the fault strikes.

    Raises:
        ValueError: The rule makes no sense; the message says why.

    Example:
        >>> Fault("status", status=503, probability=0.1, route="/v2/text/*").count is None
        True
    """

    kind: str
    route: str = attrs.field(default="*", kw_only=True)
    header: Mapping[str, str] = attrs.field(factory=dict[str, str], kw_only=True)
    contains: str | None = attrs.field(default=None, kw_only=True)
    nth: int | None = attrs.field(default=None, kw_only=True)
    probability: float | None = attrs.field(default=None, kw_only=True)
    count: int | None = attrs.field(default=None, kw_only=True)
    seconds: float | None = attrs.field(default=None, kw_only=True)
    status: int | None = attrs.field(default=None, kw_only=True)
    body: str | None = attrs.field(default=None, kw_only=True)
    malformed: bool | None = attrs.field(default=None, kw_only=True)
    size: int | None = attrs.field(default=None, kw_only=True)
    location: str | None = attrs.field(default=None, kw_only=True)
    billed: bool | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        self._check_kind()
        self._check_values()
        if self.nth is not None and self.probability is not None:
            raise ValueError("a fault strikes the nth request or a share of them, not both")
        if self.kind == "status" and self.status is None:
            raise ValueError("the fault 'status' needs a status")

    def _check_kind(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise ValueError(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")
        for name in _PARAMETERS:
            if getattr(self, name) is not None and name not in kind.takes:
                raise ValueError(f"{name} means nothing to the fault {self.kind!r}")
        aimed = self.route != "*" or self.header or self.contains is not None
        if kind.moment == "door" and aimed:
            raise ValueError(f"the fault {self.kind!r} strikes before there is a request to match")

    def _check_values(self) -> None:
        for name, types in _TYPES.items():
            value = getattr(self, name)
            if value is None:
                continue
            if type(value) not in types:
                raise ValueError(f"{name} must be {types[-1].__name__}, not {value!r}")
            if name in _RANGES and not _RANGES[name][0] <= value <= _RANGES[name][1]:
                raise ValueError(f"{name} must be within {_RANGES[name]}, not {value!r}")
        if self.probability is not None and not 0 < self.probability <= 1:
            raise ValueError(f"probability must be above 0 and at most 1, not {self.probability!r}")
        if any(type(part) is not str for pair in self.header.items() for part in pair):
            raise ValueError(f"header must map names to values, not {self.header!r}")
        if self.location is not None and not self.location.isprintable():
            raise ValueError("location must be printable")

    @property
    def moment(self) -> Moment:
        """When it strikes; a billed fault strikes after the work."""
        return "after" if self.billed else KINDS[self.kind].moment


@attrs.define
class _Rule:
    fault: Fault
    matched: int = 0
    struck: int = 0
    picky: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.picky = bool(self.fault.header) or self.fault.contains is not None

    def matches(self, headers: Mapping[str, str], body: bytes) -> bool:
        fault = self.fault
        if fault.contains is not None and fault.contains.encode() not in body:
            return False
        return all(headers.get(name) == value for name, value in fault.header.items())


class FaultPlan:
    """The state behind a list of rules: how often each matched and struck."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        rules = [_Rule(fault) for fault in self.faults]
        self._door = [rule for rule in rules if KINDS[rule.fault.kind].moment == "door"]
        self._later = [rule for rule in rules if KINDS[rule.fault.kind].moment != "door"]
        self._by_route: dict[str, list[_Rule]] = {}

    @property
    def has_door(self) -> bool:
        """Whether any rule strikes connections."""
        return bool(self._door)

    def at_door(self, chance: float) -> Fault | None:
        """Return the fault that strikes a new connection."""
        return _strike(self._door, chance)

    def at_request(
        self, route: str, headers: Mapping[str, str], body: bytes, chance: float
    ) -> Fault | None:
        """Return the fault that strikes a request; `chance` is its own draw."""
        rules = self._by_route.get(route)
        if rules is None:
            rules = [rule for rule in self._later if fnmatchcase(route, rule.fault.route)]
            self._by_route[route] = rules
        matching = [rule for rule in rules if not rule.picky or rule.matches(headers, body)]
        return _strike(matching, chance)


def _strike(matching: list[_Rule], chance: float) -> Fault | None:
    """Count every rule that matches, and let the first that fires strike."""
    struck: _Rule | None = None
    low = 0.0
    for rule in matching:
        fault = rule.fault
        rule.matched += 1
        high = low + (fault.probability or 0.0)
        fires = low <= chance < high if fault.probability else fault.nth in {None, rule.matched}
        low = high
        if fires and struck is None and (fault.count is None or rule.struck < fault.count):
            struck = rule
    if struck is None:
        return None
    struck.struck += 1
    return struck.fault
