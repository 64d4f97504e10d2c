"""Tells a server that queues from one that is merely slow."""

import math

BLOCK = 32  # answers that are looked at together
DRIFT = 1.002  # factor per block by which the shortest latency is forgotten: 20 % in 100 blocks
QUEUED = 2 / 3  # share of latency spent waiting at which the server is full
LINED = 0.45  # the same at which the window does not grow; once full, at which it falls
NOTICED = 0.1  # s: a shorter wait harms nobody, and a busy client makes it by itself


class QueueDetector:
    """The latencies of one class of requests, in blocks.

    Waiting in line lengthens every latency, the shortest too; slow or varied work does not. So
    the shortest latency of a block, less the shortest ever, is what its requests waited.

    Attributes:
        wait: Seconds that requests wait in line before the server works on them.
        work: Seconds that the server works on them, on average; 0.0 before the first block.
    """

    __slots__ = ("_count", "_least", "_since", "_sum", "least", "wait", "work")

    def __init__(self) -> None:
        self.wait: float = 0.0
        self.work: float = 0.0
        self.least: float = math.inf
        self._since = -math.inf
        self.restart(-math.inf)

    def restart(self, now: float) -> None:
        """Look at requests only that are sent from now on."""
        self._since = now
        self._count = 0
        self._sum = 0.0
        self._least = math.inf

    def add(self, sent: float, latency: float) -> bool:
        """Take one latency in; True when it completes a block."""
        if sent <= self._since:
            return False
        self._count += 1
        self._sum += latency
        if latency < self._least:  # noqa: PLR1730 - min is slow
            self._least = latency
        if self._count < BLOCK:
            return False
        self.least = min(self.least * DRIFT, self._least)
        wait = self._least - self.least
        self.wait = wait if wait > NOTICED else 0.0
        self.work = self._sum / BLOCK - self.wait
        self.restart(self._since)
        return True


class ServerQueue:
    """All routes of a server: what their requests waited beside what was worked on them.

    Attributes:
        queues: Whether requests wait in a line of the server's.
        work: Seconds that the server works on one, on average; 0.0 before it is known.
        is_cause: Whether a line was what the window was held back for last.
        routes: A detector for each route.
    """

    __slots__ = ("is_cause", "queues", "routes", "work")

    def __init__(self) -> None:
        self.queues: bool = False
        self.work: float = 0.0
        self.is_cause: bool = False
        self.routes: dict[str, QueueDetector] = {}

    def add_route(self, route: str) -> QueueDetector:
        """Return the detector of a route that is new."""
        detector = self.routes[route] = QueueDetector()
        return detector

    def is_long(self, detector: QueueDetector) -> bool:
        """Return whether a line is too long, by a block that is complete."""
        whole = detector.wait + detector.work
        self.queues, self.work = detector.wait > LINED * whole, detector.work
        return detector.wait > (LINED if self.is_cause else QUEUED) * whole

    def shorten(self, now: float) -> None:
        """Look at requests only that are sent from now on, as fewer are let out."""
        self.is_cause = True
        for each in self.routes.values():
            each.restart(now)
