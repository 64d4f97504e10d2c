"""A raw HTTP/1.1 server on loopback that misbehaves on order.

Each instruction is used for one request (or one connection), in order; when none is left the
server answers well. It remembers every connection and every request as it came.
"""

import asyncio
import json
import re
import socket
import ssl as tls
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NoReturn, Self

import attrs

When = Literal["accept", "head", "request"]
Behaviour = Callable[..., Awaitable[None]]

_REPEATED = re.compile(r"\{\{(.{1,8}?)\*([0-9]+)\}\}", re.DOTALL)

ASSET = {"id": "asset-1", "results": ["https://cdn.example/asset-1.png"], "status": "success"}

BEHAVIOURS: dict[str, tuple[When, Behaviour]] = {}
"""By name: whether it acts on a connection, on a request's head or on the whole request."""


class HangUpError(Exception):
    """The behaviour has ended the connection."""


@attrs.frozen
class Asked:
    """One request as it arrived.

    Attributes:
        connection: Which connection it came on, from 0.
        method: The method.
        target: The request target, as sent.
        headers: Names as sent and values, in order.
        body: The body, without the framing of chunks.
    """

    connection: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for each, value in self.headers if each.lower() == name.lower()]

    @property
    def fields(self) -> Any:
        """The JSON body."""
        return json.loads(self.body)


class Link:
    """The server's end of one connection."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer
        self.asked: Callable[[Asked], None] = lambda _: None

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, status: int, body: bytes, headers: Mapping[str, str] | Sequence[Sequence[str]] = ()
    ) -> None:
        """Write a well-formed reply."""
        await self.send(reply(status, body, headers))

    async def hang(self) -> NoReturn:
        """Say nothing until the client goes away."""
        with suppress(OSError):
            while await self.reader.read(65536):
                pass
        raise HangUpError

    def reset(self) -> NoReturn:
        """End the connection with a RST."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()
        raise HangUpError

    def close(self) -> NoReturn:
        """End the connection with a FIN."""
        self.writer.close()
        raise HangUpError


class FaultServer:
    """The server; runs inside `async with`.

    Args:
        instructions: What to do with each request: a behaviour's name, or a dict of its name
            under "do" and its options.
        ssl: A server's TLS context; None for plain text.

    Attributes:
        requests: What was asked so far.
        received: Bytes that arrived on all connections.
        connections: Connections accepted so far.
        links: Connections that are open.
    """

    def __init__(
        self,
        instructions: Sequence[str | Mapping[str, Any]] = (),
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self.instructions = deque(map(parse, instructions))
        self.requests: list[Asked] = []
        self.received = 0
        self.connections = 0
        self.links: set[Link] = set()
        self._ssl = ssl
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The origin."""
        return f"http{'s' if self._ssl else ''}://127.0.0.1:{self.port}"

    def order(self, *instructions: str | Mapping[str, Any]) -> None:
        """Give more instructions."""
        self.instructions.extend(map(parse, instructions))

    async def forsaken(self) -> None:
        """Return when every connection has ended."""
        while self.links:  # noqa: ASYNC110 - the links tell nobody
            await asyncio.sleep(0.005)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=2**21, ssl=self._ssl
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = Link(self.connections, reader, writer)
        self.connections += 1
        self.links.add(link)
        try:
            await self._converse(link)
        except (HangUpError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self.links.discard(link)
            self._tasks.discard(task)

    async def _converse(self, link: Link) -> None:
        while True:
            if self._next_is("accept"):
                await self._obey(link, None)
            ask = await self._head(link)
            self.requests.append(ask)
            link.asked = partial(self.requests.__setitem__, len(self.requests) - 1)
            if not self._next_is("head"):
                ask = attrs.evolve(ask, body=await self._body(link, ask))
                self.requests[-1] = ask
            await self._obey(link, ask)

    def _next_is(self, when: When) -> bool:
        return bool(self.instructions) and BEHAVIOURS[self.instructions[0]["do"]][0] == when

    async def _obey(self, link: Link, ask: Asked | None) -> None:
        options = dict(self.instructions.popleft() if self.instructions else {"do": "ok"})
        await BEHAVIOURS[options.pop("do")][1](link, ask, **options)

    async def _head(self, link: Link) -> Asked:
        head = await link.reader.readuntil(b"\r\n\r\n")
        self.received += len(head)
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = tuple(
            (name, value.strip()) for name, _, value in (line.partition(":") for line in lines)
        )
        return Asked(link.number, method, target, headers)

    async def _body(self, link: Link, ask: Asked) -> bytes:
        if ask.all("transfer-encoding"):
            body = b""
            while size := int(await link.reader.readuntil(b"\r\n"), 16):
                body += (await link.reader.readexactly(size + 2))[:-2]
            await link.reader.readexactly(2)
        else:
            body = await link.reader.readexactly(int((ask.all("content-length") or ["0"])[0]))
        self.received += len(body)
        return body


def parse(instruction: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an instruction in its long form, or raise KeyError when nobody knows it."""
    order = {"do": instruction} if isinstance(instruction, str) else unfold(instruction)
    BEHAVIOURS[order["do"]]
    return order


def unfold(value: Any) -> Any:
    """Write out what the table abbreviates: `{{a*1000}}` is a thousand letters."""
    if isinstance(value, str):
        return _REPEATED.sub(lambda found: found[1] * int(found[2]), value)
    if isinstance(value, Mapping):
        return {name: unfold(each) for name, each in value.items()}
    return [unfold(each) for each in value] if isinstance(value, list) else value


def behaviour(when: When = "request") -> Callable[[Behaviour], Behaviour]:
    """Return a decorator that makes a function an instruction."""

    def register(function: Behaviour) -> Behaviour:
        BEHAVIOURS[function.__name__] = when, function
        return function

    return register


def reply(
    status: int, body: bytes, headers: Mapping[str, str] | Sequence[Sequence[str]] = ()
) -> bytes:
    """Return the bytes of a well-formed reply."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"HTTP/1.1 {status} Some Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in pairs]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def prompt_for(ask: Asked) -> bytes:
    """Return the answer to a request; another question has another answer."""
    if ask.target in {"/v2/image", "/v2/video"}:
        return json.dumps(ASSET).encode()
    try:
        fields = ask.fields
    except ValueError:
        return b'"a suggestion"'
    return json.dumps(f"answer to {fields.get('prompt') or fields.get('image_url')}").encode()
