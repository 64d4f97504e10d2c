"""Whether requests wait in a line of the server's: its routes are looked at one by one."""

from vimmerse_async.control.queueing import QueueDetector

QUEUED = 2 / 3  # share of latency spent waiting at which the server is full
LINED = 0.45  # the same at which the window does not grow; once full, at which it falls


class ServerQueue:
    """Hears of answers, and compares what they waited with what was worked on them.

    Attributes:
        queues: Whether requests wait in a line of the server's.
        work: Seconds that the server works on one, on average; 0.0 before it is known.
        is_cause: Whether a line was what the window was held back for last.
    """

    __slots__ = ("_routes", "is_cause", "queues", "work")

    def __init__(self) -> None:
        self.queues: bool = False
        self.work: float = 0.0
        self.is_cause: bool = False
        self._routes: dict[str, QueueDetector] = {}

    def is_long(self, route: str, sent: float, latency: float) -> bool:
        """Take an answer in; True when it shows that a line is too long."""
        detector = self._routes.get(route)
        if detector is None:
            detector = self._routes[route] = QueueDetector()
        return detector.add(sent, latency) and self._look(detector)

    def _look(self, detector: QueueDetector) -> bool:
        whole = detector.wait + detector.work
        self.queues, self.work = detector.wait > LINED * whole, detector.work
        return detector.wait > (LINED if self.is_cause else QUEUED) * whole

    def shorten(self, now: float) -> None:
        """Look at requests only that are sent from now on, as fewer are let out."""
        self.is_cause = True
        for each in self._routes.values():
            each.restart(now)
