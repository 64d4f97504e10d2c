"""What the wire tests share besides fixtures: a limit that never waits, a witness, a thread."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from aiohttp.http_parser import HttpResponseParser, HttpResponseParserPy
from fault_server import FaultServer

from vimmerse_async import CallEvent, RetryEvent, RetryPolicy
from vimmerse_async.control.limit import LimitSnapshot, Outcome

AT_ONCE = RetryPolicy(backoff_base=0.0)
PURE = HttpResponseParser is HttpResponseParserPy
"""aiohttp's two parsers do not draw the line between "garbled" and "lost" in the same place."""


@pytest.fixture(params=["direct", "session"])
def both_ways(request: pytest.FixtureRequest) -> str:
    """Run each test twice: straight to a connection, and through aiohttp's client session."""
    way: str = request.param
    return way


class OpenLimit:
    """Admits everything at once, and remembers what it was told."""

    def __init__(self) -> None:
        self.cap = 1000
        self.outcomes: list[Outcome] = []

    def admit(self, now: float, route: str = "text") -> Any:
        return SimpleNamespace(route=route, probe=False)

    def release(
        self,
        permit: Any,
        now: float,
        outcome: Outcome,
        latency: float,
        retry_after: float | None = None,
    ) -> None:
        self.outcomes.append(outcome)

    def snapshot(self) -> LimitSnapshot:
        return LimitSnapshot(window=1000, rate=1e9, in_flight=0)


class Witness:
    """A hook that keeps every event, and every error for the scan."""

    def __init__(self) -> None:
        self.retries: list[RetryEvent] = []
        self.calls: list[CallEvent] = []
        self.errors: list[BaseException] = []

    def on_retry(self, event: RetryEvent) -> None:
        self.retries.append(event)
        self.errors.append(event.error)

    def on_call(self, event: CallEvent) -> None:
        self.calls.append(event)
        if event.error is not None:
            self.errors.append(event.error)


@contextmanager
def nobody() -> Iterator[str]:
    """Yield the address of a port that refuses connections."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


@contextmanager
def in_thread(server: FaultServer) -> Iterator[FaultServer]:
    """Run a server in a loop and thread of its own, so that the client's loop can be blocked."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault server")
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(5)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
