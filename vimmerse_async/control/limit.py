"""What every limit speaks: outcomes in, permits or waits out.

A limit is a pure decision: it has no clock, no lock and never sleeps. The caller brings `now`
(monotonic seconds) and does the waiting.
"""

import math
from enum import StrEnum
from typing import Literal, Protocol

import attrs

LatencyClass = Literal["text", "vision", "upload"]
Binding = Literal["window", "rate", "gate", "server"]


class Outcome(StrEnum):
    """How one request ended, as far as a limit can learn from it."""

    OK = "ok"
    """A 2xx, and every 4xx but 408, 425 and 429: the server did the work or judged the input."""
    THROTTLE = "throttle"
    """A 429."""
    ERROR = "error"
    """A 5xx, 408 or 425, or no connection at all: nothing was learned about the limit."""
    TIMEOUT = "timeout"
    """The attempt timed out, or the connection was lost after sending."""
    CANCEL = "cancel"
    """The caller went away: nothing was learned."""
    LOCAL = "local"
    """This process ran out of descriptors, ports or buffers: no fault of the server."""


@attrs.frozen
class LimitSnapshot:
    """What a limit does right now; read-only.

    Attributes:
        window: Requests allowed in flight.
        rate: Requests allowed per second; `inf` when nothing is paced.
        in_flight: Requests admitted and not yet released.
        gate: Seconds until the gate opens; 0.0 when it is open, inf while only a probe is out.
        refused: Share of the sends so far that were refused, 0.0 to 1.0.
        binding: What holds requests back; None when nothing does.
        suspect: The limit that was found to bind last, from which a warm start goes on; None while
            none is known.
        latency: Seconds that an answer takes on average; 0.0 while none is known.
        peak: Where the limit that is suspected was refused last; `inf` while it was not.
        climbed: How far it has climbed since, in periods: 1.0 at the peak.
    """

    window: float
    rate: float
    in_flight: int
    gate: float = 0.0
    refused: float = 0.0
    binding: Binding | None = None
    suspect: Literal["window", "rate"] | None = None
    latency: float = 0.0
    peak: float = math.inf
    climbed: float = 0.0


class Permit(Protocol):
    """The right to send one request; given back through `Limit.release`."""

    @property
    def route(self) -> str:
        """The latency class the permit was asked for."""
        ...

    @property
    def probe(self) -> bool:
        """True for the one request that goes ahead after a refusal while the others wait."""
        ...


class Limit(Protocol):
    """The interface of `FixedLimit`, `AdaptiveLimit` and a caller's own limit."""

    @property
    def cap(self) -> int:
        """The most requests that may ever be in flight.

        A session lowers it to half of the process's soft limit on open files.
        """
        ...

    @cap.setter
    def cap(self, value: int) -> None: ...

    def admit(self, now: float, route: str = "text") -> Permit | float:
        """Return a permit, or the seconds after which to ask again; `inf`: after a release."""
        ...

    def release(
        self,
        permit: Permit,
        now: float,
        outcome: Outcome,
        latency: float,
        retry_after: float | None = None,
    ) -> None:
        """Give the permit back and tell how the request ended."""
        ...

    def snapshot(self) -> LimitSnapshot:
        """Return what the limit does right now."""
        ...
