"""All deadlines of a session under one timer.

A timer per request costs more than the rest of the admission. Here a request only writes down its
deadline; a sweep every `TICK` seconds cancels what it finds late for the second time, and runs only
while requests do.
"""

import asyncio
import math

from vimmerse_async.loops import clock_of

TICK = 0.05
"""Seconds between sweeps; two, with the loop's own delay, are well inside the promised 250 ms."""


class Deadline:
    """One task's deadline, moved as the call goes on.

    Attributes:
        task: The task to cancel.
        cancelling: How often it was asked to end before the call began.
        begun: Loop time at which the call began.
        when: Loop time at which the task is cancelled; `inf` for never.
        reason: Why it was cancelled: "late", "unreached" or "closed"; None while it was not.
    """

    __slots__ = ("begun", "cancelling", "reason", "task", "when")

    task: asyncio.Task[object]
    cancelling: int
    begun: float
    when: float
    reason: str | None

    def expire(self, reason: str) -> None:
        """Cancel the task; "closed" outdoes "late", after which a call might be sent again."""
        if self.reason is None:
            self.task.cancel()
        if self.reason != "closed":
            self.reason = reason

    def claim(self) -> str | None:
        """Return the reason if a CancelledError just caught is this deadline's own, and undo it.

        The caller's own cancellation always wins, as in `asyncio.timeout`.
        """
        reason, self.reason = self.reason, None
        if reason is None or self.task.uncancel() > self.cancelling:
            return None
        return reason


class Deadlines:
    """The running deadlines of one session.

    Attributes:
        running: Whoever started a deadline takes it out when the call has ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._clock = clock_of(loop)
        self.running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._late: set[Deadline] = set()

    def __len__(self) -> int:
        return len(self.running)

    def start(self) -> Deadline:
        """Return a deadline for the current task; it never ends until `when` is set."""
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        deadline = Deadline()
        deadline.task, deadline.cancelling = task, task.cancelling()
        deadline.begun, deadline.when, deadline.reason = self._clock(), math.inf, None
        self.running.add(deadline)
        if self._timer is None:
            self._arm()
        return deadline

    def expire_all(self, reason: str) -> None:
        """Cancel every task that has a deadline here."""
        for deadline in list(self.running):
            deadline.expire(reason)

    def close(self) -> None:
        """Stop sweeping."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = self._loop.call_later(TICK, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        if not self.running:
            self._late = set()
            return
        now = self._clock()
        self._arm()
        late = {deadline for deadline in self.running if deadline.when <= now}
        # What arrived while the loop was blocked is read before the next sweep, and counts.
        for deadline in late & self._late:
            deadline.expire("late")
        self._late = late
