"""A tiny HTTP server whose every answer, delay and failure a test writes down.

It speaks as much HTTP as the client sends, and counts what it sees.
"""

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, Self

import attrs

from vimmerse_async import VimmerseSession

KEY = "test-only-S3NT1NEL5e8a77-of-a-scripted-server"


@attrs.frozen
class Request:
    """One request as it came in, and when."""

    method: str
    path: str
    body: bytes
    time: float
    connection: int

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON body."""
        return json.loads(self.body) if self.body else {}

    @property
    def name(self) -> str:
        """The last part of the picture's URL, or the prompt."""
        fields = self.fields
        return str(fields.get("image_url") or fields.get("prompt") or "").rpartition("/")[2]


@attrs.frozen
class Answer:
    """What goes back: after `delay` seconds a reply, or an end of the connection (status 0)."""

    status: int = 200
    value: Any = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    delay: float = 0.0
    body: bytes | None = None

    def encode(self) -> bytes:
        """Return the reply as it goes over the wire."""
        body = json.dumps(self.value).encode() if self.body is None else self.body
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{name}: {value}" for name, value in {**headers, **self.headers}.items()]
        return "\r\n".join([f"HTTP/1.1 {self.status} X", *lines, "", ""]).encode() + body


NEVER = Answer(delay=float("inf"))
"""No answer at all."""
LOST = Answer(status=0)
"""The connection ends without an answer."""

Script = Callable[[Request], Answer]


def echo(request: Request) -> Answer:
    """Answer with the request's own name."""
    return Answer(value=f"about {request.name}")


def slow(seconds: float) -> Script:
    """Answer like `echo`, after some seconds."""
    return lambda request: attrs.evolve(echo(request), delay=seconds)


class ScriptedServer:
    """Serves on 127.0.0.1 while its `async with` block runs.

    Attributes:
        script: Decides about each request; may be changed at any time.
        requests: Everything that came in, but for questions who it is.
        who: Its answer to these; it is the service itself, or a gateway, unless it says more.
        asked_who: How often it was asked.
        in_flight: Requests not yet answered whose connections live.
        most_in_flight: The most there ever were.
        connections: Connections that live.
    """

    def __init__(self, script: Script = echo) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.who = Answer(status=404)
        self.asked_who = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.connections: set[_Connection] = set()
        self.accepted = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        # Held to the end: while nobody listens here, no other process is to get the port.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = self._place.getsockname()[1]
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        self._place.close()

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self.port}"

    def session(self, **options: Any) -> VimmerseSession:
        """Return a client of this server, not yet entered."""
        return VimmerseSession(KEY, base_url=self.url, **options)

    @property
    def names(self) -> list[str]:
        """What was asked, in the order it came in."""
        return [request.name for request in self.requests]

    async def listen(self) -> None:
        """Accept connections, always on the same port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, backlog=4096
        )

    def refuse(self) -> None:
        """Abort every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.transport.abort()


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._pending = 0
        server.accepted += 1
        self._number = server.accepted

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._server.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._server.in_flight -= self._pending
        self._pending = 0

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            method, path, _ = first.split(" ")
            self._take(Request(method, path, rest[:length], self._loop.time(), self._number))

    def _take(self, request: Request) -> None:
        server = self._server
        if request.path == "/_emulator":
            server.asked_who += 1
            answer = server.who
        else:
            server.requests.append(request)
            answer = server.script(request)
        self._pending += 1
        server.in_flight += 1
        server.most_in_flight = max(server.most_in_flight, server.in_flight)
        if not answer.delay:
            self._answer(answer)
        elif answer.delay < float("inf"):
            self._loop.call_later(answer.delay, self._answer, answer)

    def _answer(self, answer: Answer) -> None:
        if self.transport.is_closing():
            return
        self._pending -= 1
        self._server.in_flight -= 1
        if answer.status:
            self.transport.write(answer.encode())
        else:
            self.transport.abort()
