"""Tells a server that queues from one that is merely slow."""

import math

BLOCK = 32  # answers that are looked at together
DRIFT = 1.002  # factor per block by which the shortest latency is forgotten: 20 % in 100 blocks
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
