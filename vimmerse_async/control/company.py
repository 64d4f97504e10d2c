"""Whether others seem to share the limit, and whether it is places that they share. Pure.

Who is alone is refused where it was refused before, about a period later. In company others' climbs
refuse it, too, at any moment. There its level when it is refused tells nothing of whose limit it
is. Places are thought to be it: a window wastes little of a rate, but a pace an eighth of the
places, as what is under way then comes and goes. In front of a rate a window shows soon: while the
rate is used up all that is sent is refused, so refusals come in clusters, and whoever has a window
starves beside those who have a pace. Others' paces bring clusters, too, so that what was given up
is tried again, but ever more rarely.
"""

EARLY = 0.5  # of a period: who is alone is seldom refused before
BELIEVED = 3.0  # early refusals, less a part of the others, from which on there is company
MOST = 5.0  # of them that count, so that the end of it is believed, too
LATE = 0.3  # what any other refusal takes off
CLUSTERED = 2.0  # refusals in clusters that give the window away: they are a third of a rate's
LOST = 0.7  # of what was accepted before the window was tried: with less it was tried in vain
KEPT = 0.9  # share of that which is kept in mind from one refusal to the next
FADE = 0.17  # what one that stands alone takes off these: it is so much less evidence
AGAIN = 8  # refusals later a window that was given up is tried again
RARER = 3  # x as many, each time that it is given up
RAREST = 72  # refusals, at most


class Company:
    """Hears of refusals, and keeps count of the early ones and of the clustered.

    Attributes:
        is_believed: Whether others seem to be there.
    """

    __slots__ = ("_before", "_clustered", "_early", "_left", "_rest", "is_believed")

    def __init__(self) -> None:
        self.is_believed: bool = False
        self._before = 0.0  # requests/s, before a window was tried
        self._early = 0.0
        self._clustered = 0.0
        self._left = 0  # refusals until it is tried again, as it was tried in vain
        self._rest = AGAIN

    @property
    def shares_places(self) -> bool:
        """Whether others seem to be there, and a window was not tried in vain."""
        return self.is_believed and not self._left

    def note(self, elapsed: float, accepted: float, *, is_window: bool, soon: bool) -> None:
        """Take note of the first refusal of an episode.

        Args:
            elapsed: Periods since the last one.
            accepted: Requests/s that were accepted of late.
            is_window: Whether the window was suspected.
            soon: Whether the last one was so short ago that both belong to one cluster.
        """
        self._believe(elapsed)
        if not is_window or not self.shares_places:
            self._before = max(accepted, KEPT * self._before)
            self._left = max(0, self._left - 1)
            return
        if accepted < LOST * self._before:
            self._give_up()
        elif soon:
            self.note_beside()
        else:
            self._clustered = max(0.0, self._clustered - FADE)

    def _believe(self, elapsed: float) -> None:
        self._early += 1.0 if elapsed < EARLY else -LATE
        self._early = min(MOST, max(0.0, self._early))
        if self._early >= BELIEVED:
            self.is_believed = True
        elif not self._early:
            self.is_believed = False
            self._left, self._rest = 0, AGAIN

    def note_beside(self) -> None:
        """Take note of a refusal that came beside another, while the window was suspected."""
        if self.shares_places:
            self._clustered += 1.0
            if self._clustered >= CLUSTERED:
                self._give_up()

    def _give_up(self) -> None:
        self._left, self._rest = self._rest, min(RAREST, RARER * self._rest)
        self._clustered = 0.0
