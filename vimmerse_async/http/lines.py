"""The pool of our own connections: as many as the limit admits, looked at before each reuse."""

import asyncio
import ssl as tls
import weakref
from collections import deque

from yarl import URL

from vimmerse_async.http.line import Line, Reading
from vimmerse_async.http.opening import Opener, default_context
from vimmerse_async.loops import clock_of
from vimmerse_async.wire import Lease

KEEPALIVE = 15.0
"""Seconds a connection is kept idle: well below the usual 60 s of load balancers."""
CLOSING = 1.0
"""Seconds that connections are given to end when the pool does."""


class Lines:
    """Connections to one origin.

    Args:
        origin: Scheme, host and port.
        ssl: A TLS context; None for the system's trust.
        replies: Reads what comes back.

    Attributes:
        replies: As given.
        opened: Connections that are open.
        idle: Those on which nothing is under way, the latest last.
        reached: True once there was a connection, TLS included.
        answered: True once there was a whole reply on one.
    """

    def __init__(self, origin: str, ssl: tls.SSLContext | None, replies: Reading) -> None:
        url = URL(origin)
        context = None if url.scheme == "http" else ssl or default_context()
        self._loop = asyncio.get_running_loop()
        self._clock = clock_of(self._loop)
        self._opener = Opener(url.raw_host or "", url.port or 443, context)
        self.idle: deque[Line] = deque()
        self.replies: Reading = replies
        self.opened: set[Line] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.reached: bool = False
        self.answered: bool = False

    def take(self) -> Line | None:
        """Return an idle connection on which nobody has spoken; None when there is none."""
        idle, now = self.idle, self._clock()
        while idle:
            line = idle.pop()  # the last one to be used: the others may expire
            if now - line.since < line.keep and line.is_silent():
                return line
            line.end()
        return None

    async def open(self, patience: float | None, lease: Lease) -> Line:
        """Return a new connection.

        Args:
            patience: Seconds to wait for it; None: no bound.
            lease: What is asked of it.
        """
        line: Line = await self._opener.open(self._make, patience)
        try:
            await line.prove(wary=lease.wary, answered=self.answered)
        except BaseException:
            line.end()
            raise
        self.reached = lease.connected = True
        if self._timer is None:
            self._sweep_in(KEEPALIVE)
        return line

    def _make(self) -> Line:
        return Line(self, self._loop, KEEPALIVE)

    def give(self, line: Line) -> None:
        """Take a connection back; one that ended meanwhile is not kept."""
        if not line.fit:
            line.end()
            return
        line.since = self._clock()
        self.idle.append(line)

    def sweep(self) -> None:
        """Close what has been idle for too long."""
        self._timer, idle = None, self.idle
        now = self._clock()
        while idle and idle[0].since + KEEPALIVE <= now:
            idle.popleft().end()
        if self.opened:
            self._sweep_in(idle[0].since + KEEPALIVE - now if idle else KEEPALIVE)

    def _sweep_in(self, seconds: float) -> None:
        reference: weakref.ref[Lines] = weakref.ref(self)
        self._timer = self._loop.call_later(seconds, _sweep, reference)

    async def close(self) -> None:
        """End every connection."""
        self.drop()
        until, pause = self._clock() + CLOSING, 0.0
        while (self.opened or not self._opener.is_ended()) and self._clock() < until:
            await asyncio.sleep(pause)
            pause = min(0.01, pause + 0.001)

    def drop(self) -> None:
        """End every connection, without waiting until it is so."""
        if self._loop.is_closed():
            return
        self._opener.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.idle.clear()
        for line in [*self.opened]:
            line.end()

    def abandon(self) -> None:
        """Forget every connection untouched: in a forked child they are the parent's, too."""
        self.idle.clear()
        self.opened.clear()


def _sweep(reference: "weakref.ref[Lines]") -> None:
    lines = reference()
    if lines is not None:
        lines.sweep()
