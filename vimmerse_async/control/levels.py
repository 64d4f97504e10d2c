"""Which levels in flight a server accepts, known before its answers are."""

from collections import deque
from collections.abc import Callable

from vimmerse_async.control.door import Passage
from vimmerse_async.control.limit import Outcome

FADE = 0.9998  # factor per accepted request by which the highest level is forgotten: half in 3,500
RISE = 1 / 16  # share of the way to a higher level, while the window is suspected: one may be luck


class Permit(Passage):
    """The right to send one request, and what was so when it was given.

    Attributes:
        level: Requests in flight, this one included.
        full: Whether it filled the window.
        paced: Whether the pace had held it back.
        outcome: How it ended; None while it is under way.
    """

    __slots__ = ("full", "level", "outcome", "paced")

    level: int
    full: bool
    paced: bool
    outcome: Outcome | None


class Levels:
    """The highest level that was accepted lately, and the lowest that was refused last.

    A refusal takes milliseconds and an answer seconds: what was not refused within a few refusal
    times counts as accepted.

    Attributes:
        top: The highest level accepted lately, fading.
        refused: The level of the last refusal that was blamed; `inf` before the first.
    """

    def __init__(self) -> None:
        self.top: float = 0.0
        self.refused: float = float("inf")
        self._young: deque[Permit] = deque()

    def enter(self, permit: Permit) -> None:
        """Take note of a request that was admitted."""
        self._young.append(permit)

    def oldest(self) -> float | None:
        """When the oldest request left whose fate is unknown; None when there is none."""
        return self._young[0].sent if self._young else None

    def confirm(
        self, now: float, silence: float, *, slowly: bool, note: Callable[[], None]
    ) -> None:
        """Count what was answered, or not refused for `silence` seconds, as accepted.

        Args:
            now: Seconds.
            silence: Seconds.
            slowly: Whether a higher level is believed only when it comes again.
            note: Called for each.
        """
        young = self._young
        while young and (young[0].outcome is not None or young[0].sent <= now - silence):
            permit = young.popleft()
            if permit.outcome is None or permit.outcome is Outcome.OK:
                self.top *= FADE
                if permit.level > self.top:
                    self.top += (permit.level - self.top) * (RISE if slowly else 1.0)
                note()
