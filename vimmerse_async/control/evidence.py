"""What a refusal tells about the rate: how many requests per second were accepted before it."""

from vimmerse_async.control.levels import LearnedPermit
from vimmerse_async.control.meter import Meter

FIRST = 1.0  # s over which the first refusal measures the rate: the start ramps up in seconds
RECENT = 100  # requests over which later ones measure it: a burst weighs little in them
SHORTEST = 0.5  # s, the shortest time to measure a rate over
ENOUGH = 4  # requests accepted in a minute; from fewer, a refusal tells of other clients' traffic
QUOTA = 60.0  # s: the commonest quota, and how far back it is measured
BEFORE = 5.0  # s over which the rate before a ban is measured
SURE = 3.0  # s, the same at least; in less, a window of the gateway's weighs too much
SECOND = 1.0  # s: the shortest window in which gateways count
COUNTED = 0.5  # of those refused before a block: some gateways count them, others do not
SHUT = 0.5  # of a block, where refusals are slow: with all of it a burst would count as a rate
END = 0.25  # share of the time from the last refused probe to the first that was not: a quota's end
BLOCK = 1.0  # s for which probes are refused before a quota is thought spent; less is chance


class Evidence:
    """Accepted requests by when they left, and since when they can be believed.

    Attributes:
        accepted: Counts requests; a refusal takes one off its bin again.
        spent: Whether a quota was found: from then on the rate is measured over its time.
        span: Seconds in which the last quota that was found was spent and came back.
    """

    __slots__ = (
        "_before",
        "_begun_at",
        "_blocked_at",
        "_opened_at",
        "_refused",
        "_told_until",
        "accepted",
        "span",
        "spent",
    )  # fmt: skip

    def __init__(self) -> None:
        self.spent: bool = False
        self.span: float = QUOTA
        self._refused = 0
        self.accepted: Meter = Meter()
        self._opened_at = self._blocked_at = self._begun_at = self._told_until = 0.0
        self._before = 0.0, 0.0

    def refuse(self, permit: LearnedPermit) -> None:
        """Take off one that had counted as accepted until it was refused."""
        permit.bin.count -= 1
        self._refused += not permit.probe

    def is_enough(self, now: float) -> bool:
        """Return whether so much was accepted that a refusal tells of this client's own limit."""
        return self.accepted.count(now - QUOTA, now) >= ENOUGH

    def is_early(self, sent: float, refusal: float) -> bool:
        """Return whether a request left so soon after a block that it measures nothing.

        What was refused before may be under way for as long as a `refusal` takes.
        """
        return self.since_block(sent) < max(SHORTEST, refusal)

    def since_block(self, sent: float) -> float:
        """Return the seconds from the end of the last block until a request left."""
        return sent - self._opened_at

    def first_rate(self, sent: float) -> float:
        """Return what the ramp had reached when the first request left that was refused."""
        return self.accepted.over(sent - FIRST, sent)

    def rate(self, sent: float, *, slow: bool = False) -> float:
        """Return requests/s accepted until one left that was refused.

        Since the block ended, or over the last requests, whichever is more: the next refusal soon
        corrects what is too much, but from too little the climb back is long.

        Args:
            sent: When the refused one left.
            slow: Whether refusals take so long that a block is time lost, and no limit's.
        """
        accepted = self.accepted
        if self.spent:
            whole = accepted.over(sent - QUOTA, sent)
            if sent - self._opened_at < self.span:
                return whole
            return max(whole, accepted.over(self._opened_at, sent))
        recent = sent - max(SHORTEST, RECENT / (accepted.lately + 0.1))
        recent = max(recent, self._told_until)
        rate = max(accepted.over(recent, sent), accepted.over(min(self._opened_at, recent), sent))
        shut = min(self._opened_at, sent) - max(self._blocked_at, recent)
        if not slow or shut <= 0.0:
            return rate
        return rate * (sent - recent) / max(SHORTEST, sent - recent - SHUT * shut)

    def rate_before(self) -> float:
        """Return requests/s accepted between the last two blocks; 0.0 where that was too short."""
        seconds = self._blocked_at - self._begun_at
        if seconds < BLOCK:
            return 0.0
        return self.accepted.count(self._begun_at, self._blocked_at) / seconds

    def told_to_wait(self, until: float) -> None:
        """Take no evidence from a wait that the server asked for."""
        self._told_until = until

    def blocked(self, now: float) -> None:
        """Take note that an episode of refusals begins."""
        self._before = self._begun_at, self._blocked_at
        self._blocked_at = now
        self._begun_at = max(self._opened_at, self.accepted.begun)

    def was_late(self) -> bool:
        """Return whether the block began when a quota of a minute had been met before."""
        return self._blocked_at - self.accepted.begun > QUOTA

    def before_block(self) -> tuple[float, float]:
        """Return the least and the most requests/s that were accepted before the block now over.

        Gateways count in windows, and in a short time one may have ended and another begun.
        """
        begun, until = self._begun_at, self._blocked_at
        if not self.accepted.count(begun, until):  # the block before was not over at all
            begun, until = self._before
        since = max(begun, until - BEFORE)
        accepted, seconds = self.accepted.count(since, until), until - since
        if seconds >= SURE:
            return accepted / seconds, accepted / seconds
        return accepted / (seconds + SECOND), accepted / max(SECOND, seconds)

    def opened(self, now: float, holds: int, latency: float, refused_at: float) -> float | None:
        """Return requests/s that a spent quota allows; None when the block was none.

        A block is a spent quota when probes were refused, and for longer than an answer takes:
        by then, places in flight would have been free again.

        Args:
            now: Seconds; the block has just ended.
            holds: For how many holds in a row it lasted.
            latency: Seconds that an answer takes.
            refused_at: When the last probe was refused; the block ended between then and now.
        """
        self._opened_at = now
        refused, self._refused = self._refused, 0
        since = self._blocked_at - QUOTA
        if holds < 2 or now - self._blocked_at < max(BLOCK, latency):
            return None
        if self.accepted.count(since, now) < ENOUGH:
            return None
        self.span = min(QUOTA, now - max(since, self._begun_at))
        until = refused_at + END * (now - refused_at)
        counted = COUNTED * refused / (until - max(since, self._begun_at))
        return self.accepted.over(since, until) + counted
