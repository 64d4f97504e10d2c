"""All deadlines of a session under one timer.

A timer per request costs more than the rest of the admission. Here a request only writes down its
deadline; a sweep every `TICK` seconds cancels what is late, and runs only while requests do.
"""

import asyncio
import math

TICK = 0.05
"""Seconds between sweeps; with the loop's own delay well inside the promised 250 ms."""


class Deadline:
    """One task's deadline, moved as the call goes on.

    Attributes:
        begun: Loop time at which the call began.
        when: Loop time at which the task is cancelled; `inf` for never.
        reason: Why it was cancelled: "late" or "closed"; None while it was not.
    """

    __slots__ = ("_cancelling", "_task", "begun", "reason", "when")

    def __init__(self, task: asyncio.Task[object], begun: float) -> None:
        self._task = task
        self.begun = begun
        self._cancelling = task.cancelling()
        self.when = math.inf
        self.reason: str | None = None

    def expire(self, reason: str) -> None:
        """Cancel the task."""
        if self.reason is None:
            self.reason = reason
            self._task.cancel()

    def claim(self) -> str | None:
        """Return the reason if a CancelledError just caught is this deadline's own, and undo it.

        The caller's own cancellation always wins, as in `asyncio.timeout`.
        """
        reason, self.reason = self.reason, None
        if reason is None or self._task.uncancel() > self._cancelling:
            return None
        return reason


class Deadlines:
    """The running deadlines of one session."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._graced = False

    def __len__(self) -> int:
        return len(self._running)

    def start(self) -> Deadline:
        """Return a deadline for the current task; it never ends until `when` is set."""
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        deadline = Deadline(task, self._loop.time())
        self._running.add(deadline)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK, self._sweep)
        return deadline

    def stop(self, deadline: Deadline) -> None:
        """Forget a deadline."""
        self._running.discard(deadline)

    def expire_all(self, reason: str) -> None:
        """Cancel every task that has a deadline here."""
        for deadline in list(self._running):
            deadline.expire(reason)

    def close(self) -> None:
        """Stop sweeping."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        now = self._loop.time()
        timer, self._timer = self._timer, None
        if not self._running:
            return
        self._timer = self._loop.call_at(now + TICK, self._sweep)
        late = timer is not None and now - timer.when() > TICK
        if late and not self._graced:
            # The loop was blocked: let what has arrived meanwhile be read before it is judged.
            self._graced = True
            return
        self._graced = False
        for deadline in [each for each in self._running if each.when <= now]:
            deadline.expire("late")
