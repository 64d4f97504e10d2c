"""Everything that can be changed while the server runs: limits, wallet, latency, faults, log."""

import time
from collections.abc import Mapping

import attrs

from vimmerse_async.emulator.behaviour.draws import Draws
from vimmerse_async.emulator.behaviour.faults import Fault, FaultPlan
from vimmerse_async.emulator.behaviour.latency import Clockwork, Latency
from vimmerse_async.emulator.behaviour.limits import Limiter, Limits
from vimmerse_async.emulator.behaviour.records import Log
from vimmerse_async.emulator.behaviour.spec import faults_from, limits_from
from vimmerse_async.emulator.behaviour.wallet import Wallet


def _latency(value: Latency | float | str | None) -> Latency | None:
    return None if value is None else Latency.parse(value)


def _whole(_: object, attribute: "attrs.Attribute[int]", value: int) -> None:
    if type(value) is not int or value < 0:
        raise ValueError(f"{attribute.name} must be a whole number of at least 0, not {value!r}")


@attrs.frozen(kw_only=True)
class Behaviour:
    """How a server behaves at the start and after a reset.

    Attributes:
        limits: The hidden limits.
        faults: The plan of what goes wrong.
        credits: Of the wallet; None: no end.
        prices: Credits by route.
        latency: Seconds to an answer; None: as fast as it can.
        seed: Of every draw.
        log_size: Requests whose details are kept.
    """

    limits: Limits = attrs.field(default=None, converter=limits_from)
    faults: tuple[Fault, ...] = attrs.field(default=(), converter=faults_from)
    credits: float | None = None
    prices: Mapping[str, float] | None = None
    latency: Latency | None = attrs.field(default=None, converter=_latency)
    seed: int = attrs.field(default=0, validator=_whole)
    log_size: int = attrs.field(default=10_000, validator=_whole)


class Account:
    """The state of one account; all keys share it."""

    def __init__(self, behaviour: Behaviour) -> None:
        now = time.monotonic()
        self.limiter: Limiter = Limiter(behaviour.limits, now)
        self.wallet: Wallet = Wallet(behaviour.credits, behaviour.prices)
        self.clockwork: Clockwork = Clockwork(behaviour.latency)
        self.log: Log = Log(behaviour.log_size, now)
        self.draws: Draws = Draws(behaviour.seed)
        self.plan: FaultPlan = FaultPlan(behaviour.faults)
        self.seed: int = behaviour.seed
        self.suggestions: int = 0
        self.connections: int = 0

    def draw(self, identity: bytes) -> tuple[float, float]:
        """Return a request's own two numbers, where anything is left to chance."""
        chance = self.plan.faults or self.clockwork.by_chance
        return self.draws.draw(identity) if chance else (0.0, 0.0)

    def knock(self) -> Fault | None:
        """Return the fault that strikes the connection that is just opening."""
        self.connections += 1
        if not self.plan.has_door:
            return None
        return self.plan.at_door(self.draws.draw(b"connection %d" % self.connections)[0])

    def next_suggestion(self) -> int:
        """Return the number of the next suggestion, from 0."""
        self.suggestions += 1
        return self.suggestions - 1
