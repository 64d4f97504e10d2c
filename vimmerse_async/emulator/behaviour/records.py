"""What the server saw: counters for ever, details of the latest."""

import json
from collections import Counter, deque
from typing import Any

import attrs

PENDING = "pending"
_SENT_CAP = 4_096


@attrs.define
class Seen:
    """One request to the API, as the server saw it.

    Attributes:
        number: Its place among all since the start or the last reset, from 1.
        time: Seconds since the start or the last reset.
        method: HTTP method.
        route: The path, ids replaced by their names (`/asset/{id}`).
        key: Digest of the API key, never the key itself; empty without one.
        in_flight: Requests in flight when it came, itself included.
        body: Digest of what was asked (of a file: its contents); empty when it was not read.
        sent: What was asked, as JSON; empty for files and above 4 KiB.
        status: Of the reply; None: pending, or a fault struck instead of the work.
        fault: The kind of the fault that struck it; None: none did.
        billed: Credits that were taken.
        elapsed: Seconds until the answer was ready; None while pending.
    """

    number: int
    time: float
    method: str
    route: str
    key: str
    in_flight: int
    body: str = ""
    sent: bytes = attrs.field(default=b"", repr=False)
    status: int | None = None
    fault: str | None = None
    billed: float = 0
    elapsed: float | None = None

    @property
    def outcome(self) -> str:
        """The fault that struck, else the status; `pending` before either is known."""
        return self.fault or (PENDING if self.status is None else str(self.status))

    @property
    def fields(self) -> Any:
        """What was asked, decoded; None when it was not kept or is no JSON."""
        try:
            return json.loads(self.sent)
        except (ValueError, RecursionError):
            return None

    def asks(self, digest: bytes, sent: bytes) -> None:
        """Note what is asked."""
        self.body = digest.hex()
        if len(sent) <= _SENT_CAP:
            self.sent = sent


class Log:
    """Counts every request, and keeps the details of the latest.

    Args:
        size: How many details are kept.
        now: The moment from which times are counted.
    """

    def __init__(self, size: int, now: float) -> None:
        self._began = now
        self._latest: deque[Seen] = deque(maxlen=size)
        self.total: int = 0
        self.in_flight: int = 0
        self.peak: int = 0
        self.billed: float = 0
        self.outcomes: Counter[str] = Counter()
        self.routes: Counter[str] = Counter()

    def open(self, method: str, route: str, key: str, now: float) -> Seen:
        """Note a request that has come."""
        self.total += 1
        self.routes[route] += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        seen = Seen(self.total, now - self._began, method, route, key, self.in_flight)
        self._latest.append(seen)
        return seen

    def close(self, seen: Seen, status: int | None, fault: str | None, now: float) -> None:
        """Note how it ended."""
        seen.status, seen.fault = status, fault
        seen.elapsed = now - self._began - seen.time
        self.in_flight -= 1
        self.billed += seen.billed
        self.outcomes[seen.outcome] += 1

    def latest(self) -> list[Seen]:
        """Return the details that are kept, oldest first."""
        return list(self._latest)
