"""What a `FaultServer` can be told to do, by name."""

import asyncio
import base64
import gzip
import json
import random
import socket
import threading
import zlib
from typing import Any

import anyio
import attrs
from fault_server import ASSET, Asked, HangUpError, Link, behaviour, prompt_for, reply

# ── connections ──────────────────────────────────────────────────────────────────────────────


@behaviour("accept")
async def reset_on_accept(link: Link, _: None) -> None:
    link.reset()


@behaviour("accept")
async def close_on_accept(link: Link, _: None) -> None:
    link.close()


@behaviour("accept")
async def hang_on_accept(link: Link, _: None) -> None:
    await link.hang()


@behaviour("accept")
async def speak_first(link: Link, _: None, text: str) -> None:
    await link.send(text.encode("latin-1"))
    link.close()


@behaviour("accept")
async def speak_and_stay(link: Link, _: None, text: str) -> None:
    """Say something before anything was asked, and serve on."""
    await link.send(text.encode("latin-1"))


@behaviour("head")
async def reset_after_head(link: Link, ask: Asked) -> None:
    link.reset()


@behaviour()
async def reset_after_request(link: Link, ask: Asked) -> None:
    link.reset()


@behaviour()
async def close_after_request(link: Link, ask: Asked, after: float = 0.0) -> None:
    await asyncio.sleep(after)
    link.close()


@behaviour()
async def reset_in_head(link: Link, ask: Asked) -> None:
    await link.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    link.reset()


@behaviour()
async def reset_in_body(link: Link, ask: Asked) -> None:
    await link.send(b'HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"half a pro')
    await asyncio.sleep(0.02)
    link.reset()


@behaviour()
async def short_body(link: Link, ask: Asked) -> None:
    await link.send(b'HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"half a prompt"')
    link.close()


@behaviour()
async def short_chunks(link: Link, ask: Asked) -> None:
    await link.send(
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n"half a prompt"\r\n'
    )
    link.close()


@behaviour()
async def hang(link: Link, ask: Asked) -> None:
    await link.hang()


@behaviour()
async def stall_in_body(link: Link, ask: Asked) -> None:
    await link.send(b'HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"half a pro')
    await link.hang()


@behaviour()
async def drip(link: Link, ask: Asked, head: str, piece: str, every: float = 0.02) -> None:
    """Send a beginning, then the same piece for ever."""
    await link.send(head.encode("latin-1"))
    while True:
        await link.send(piece.encode("latin-1"))
        await asyncio.sleep(every)


@behaviour()
async def slices(link: Link, ask: Asked, size: int = 1, every: float = 0.0) -> None:
    """Answer well, a few bytes at a time."""
    whole = reply(200, prompt_for(ask), {"Content-Type": "application/json"})
    for start in range(0, len(whole), size):
        await link.send(whole[start : start + size])
        await asyncio.sleep(every)


@behaviour()
async def ok_then_close(link: Link, ask: Asked) -> None:
    """Answer well, and end the connection without having said so."""
    await link.answer(200, prompt_for(ask))
    link.close()


@behaviour()
async def ok_then_abort(link: Link, ask: Asked) -> None:
    """Answer well, and end the connection below TLS, which is not told."""
    await link.answer(200, prompt_for(ask))
    link.writer.transport.abort()
    raise HangUpError


@behaviour()
async def ok_then_linger(link: Link, ask: Asked, after: float) -> None:
    """Answer well, and end the connection after a while, as idle ones are."""
    await link.answer(200, prompt_for(ask))
    await asyncio.sleep(after)
    link.close()


@behaviour()
async def ok_then_reset_next(link: Link, ask: Asked) -> None:
    """Answer well; when the next request arrives on this connection, reset it."""
    await link.answer(200, prompt_for(ask))
    await link.reader.read(1)
    link.reset()


@behaviour()
async def ok_and_connection_close(link: Link, ask: Asked) -> None:
    """Answer well and say that the connection ends, but leave it open."""
    await link.answer(200, prompt_for(ask), {"Connection": "close"})
    await link.hang()


@behaviour()
async def ok_then_stray(
    link: Link, ask: Asked, stray: str, after: float = 0.0, close: bool = False
) -> None:
    """Answer well, then say something that nobody asked for."""
    await link.answer(200, prompt_for(ask))
    if after:
        await asyncio.sleep(after)
    await link.send(stray.encode("latin-1"))
    if close:
        link.close()


@behaviour()
async def ok_then_stray_when(
    link: Link, ask: Asked, stray: str, told: threading.Event, said: threading.Event
) -> None:
    """Answer well; when told, say something that nobody asked for, and say that it was said."""
    await link.answer(200, prompt_for(ask))
    while not told.is_set():  # noqa: ASYNC110 - it is set by another thread
        await asyncio.sleep(0.001)
    await link.send(stray.encode("latin-1"))
    said.set()


@behaviour()
async def ok_with_stray(link: Link, ask: Asked, stray: str) -> None:
    """Answer well, with something that nobody asked for in the same segment."""
    await link.send(reply(200, prompt_for(ask)) + stray.encode("latin-1"))


# ── replies ──────────────────────────────────────────────────────────────────────────────────


@behaviour()
async def ok(link: Link, ask: Asked, after: float = 0.0) -> None:
    """Answer well, perhaps after a while."""
    await asyncio.sleep(after)
    await link.answer(200, prompt_for(ask), {"Content-Type": "application/json"})


@behaviour()
async def asset(link: Link, ask: Asked, **fields: Any) -> None:
    await link.answer(200, json.dumps({**ASSET, **fields}).encode())


@behaviour()
async def answer(
    link: Link,
    ask: Asked,
    status: int = 200,
    body: str = "",
    base64_body: str = "",
    headers: Any = (),
) -> None:
    """Answer with any status, headers and body."""
    content = base64.b64decode(base64_body) if base64_body else body.encode("utf-8")
    await link.answer(status, content, headers)


@behaviour()
async def say(link: Link, ask: Asked, value: Any, status: int = 200) -> None:
    """Answer with a JSON value."""
    await link.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


@behaviour()
async def raw(link: Link, ask: Asked, text: str, close: bool = False) -> None:
    """Send any bytes."""
    await link.send(text.encode("latin-1"))
    if close:
        link.close()


@behaviour()
async def raw_then_reset(link: Link, ask: Asked, text: str) -> None:
    """Send any bytes, and tear the connection down when they have arrived."""
    await link.send(text.encode("latin-1"))
    await asyncio.sleep(0.02)
    link.reset()


@behaviour()
async def raw_then_hang(link: Link, ask: Asked, text: str) -> None:
    """Send any bytes, and nothing more."""
    await link.send(text.encode("latin-1"))
    await link.hang()


@behaviour()
async def pieces(
    link: Link, ask: Asked, texts: list[str], every: float = 0.03, close: bool = False
) -> None:
    """Send any bytes, each text in a segment of its own."""
    for text in texts:
        await link.send(text.encode("latin-1"))
        await asyncio.sleep(every)
    if close:
        link.close()
    await link.hang()


@behaviour()
async def first(link: Link, ask: Asked, text: str, times: int = 1) -> None:
    """Send something before a good answer, once or many times."""
    for _ in range(times):
        await link.send(text.encode("latin-1"))
    await link.answer(200, prompt_for(ask))


@behaviour()
async def redirect(link: Link, ask: Asked, status: int = 307, location: str | None = None) -> None:
    headers = {} if location is None else {"Location": location}
    await link.answer(status, b"moved", headers)


@behaviour("head")
async def early(link: Link, ask: Asked, status: int = 413, then: str = "drain") -> None:
    """Answer before the body was read; then read all of it, or a little, and close."""
    await link.answer(status, b'{"message": "too large"}', {"Connection": "close"})
    if then == "linger":
        link.writer.write_eof()
    await link.hang()


@behaviour("head")
async def sip(link: Link, ask: Asked, size: int, every: float) -> None:
    """Read the body slowly, and answer well."""
    sock = link.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    await swallow_body(link, ask, size, every)


@behaviour("head")
async def swallow(link: Link, ask: Asked) -> None:
    """Read the body, keep nothing of it, and answer well."""
    await swallow_body(link, ask, 2**20, 0.0)


async def swallow_body(link: Link, ask: Asked, size: int, every: float) -> None:
    left = int(ask.all("content-length")[0])
    kept = bytearray()
    while left:
        piece = await link.reader.read(min(size, left))
        left -= len(piece)
        kept += piece if every else b""
        await asyncio.sleep(every)
    link.asked(attrs.evolve(ask, body=bytes(kept)))
    await link.answer(200, prompt_for(ask))


@behaviour()
async def unlink(link: Link, ask: Asked, path: str, status: int) -> None:
    """Remove a file, then answer."""
    await anyio.Path(path).unlink()
    await link.answer(status, b"")


@behaviour("head")
async def never_read(link: Link, ask: Asked) -> None:
    """Leave the request's body unread."""
    link.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(60)


@behaviour()
async def big(link: Link, ask: Asked, size: int, length: bool = True, status: int = 200) -> None:
    """Answer with a body of many bytes, with or without their number."""
    await link.send(f"HTTP/1.1 {status} OK\r\n".encode())
    await link.send(f"Content-Length: {size}\r\n\r\n".encode() if length else b"\r\n")
    for _ in range(size // 65536):
        await link.send(b"x" * 65536)
    link.close()


@behaviour()
async def headers_flood(link: Link, ask: Asked, count: int, size: int = 8) -> None:
    await link.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(count):
        await link.send(f"X-{number}: {'y' * size}\r\n".encode())
    await link.send(b'Content-Length: 3\r\n\r\n"a"')


@behaviour()
async def trailers_flood(link: Link, ask: Asked, count: int) -> None:
    await link.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n"a"\r\n0\r\n')
    for number in range(count):
        await link.send(f"X-{number}: {'y' * 4000}\r\n".encode())
    await link.send(b"\r\n")


@behaviour()
async def zipped(
    link: Link,
    ask: Asked,
    text: str = '"zipped"',
    repeat: int = 1,
    cut: int = 0,
    members: int = 0,
    encoding: str = "gzip",
    status: int = 200,
) -> None:
    """Answer with a gzip body: bombs, cut trailers and floods of empty members included."""
    packed = squeezed(text.encode(), repeat) + gzip.compress(b"") * members
    packed = packed[: len(packed) - cut]
    await link.answer(status, packed, {"Content-Encoding": encoding})


def squeezed(content: bytes, repeat: int) -> bytes:
    """Return a gzip body without ever holding what is in it."""
    many = min(repeat, 2**16)
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(content * many) for _ in range(repeat // many))
    return packed + packer.compress(content * (repeat % many)) + packer.flush()


@behaviour()
async def bomb(link: Link, ask: Asked, megabytes: int, encoding: str = "gzip") -> None:
    """Answer with a packed body that unpacks to so much: a piece repeated, not compressed anew."""
    packer = zlib.compressobj(wbits={"gzip": 31, "deflate": 15}[encoding])
    head = packer.compress(b'"') + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(b"a" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    await link.send(
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n"
        f"Content-Length: {len(head) + len(piece) * megabytes}\r\n\r\n".encode()
        + head
    )
    for _ in range(megabytes):
        await link.send(piece)


@behaviour()
async def garbage(link: Link, ask: Asked, seed: int, size: int = 200) -> None:
    await link.send(random.Random(seed).randbytes(size))
    link.close()


# ── secrets ──────────────────────────────────────────────────────────────────────────────────

ECHOES = {
    "plain": lambda key: key,
    "escaped": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "escaped_upper": lambda key: "".join(f"\\u{ord(letter):04X}" for letter in key),
    "slashes": lambda key: key.replace("/", "\\/"),
    "partly": lambda key: "".join(
        letter if letter.isalnum() and at % 3 else f"\\u{ord(letter):04x}"
        for at, letter in enumerate(key)
    ),
}


@behaviour()
async def echo_key(
    link: Link,
    ask: Asked,
    form: str = "plain",
    status: int = 400,
    encoding: str = "",
    charset: str = "utf-8",
) -> None:
    """Answer with the key in the body and in the headers that a client keeps."""
    key = ask.all("x-api-key")[0]
    shown = ECHOES[form](key)
    body = f'{{"message": "bad key {shown}", "detail": [{{"msg": "{shown}"}}]}}'
    content = body.encode(charset)
    headers = {"X-Request-Id": f"for-{key}", "Location": f"https://a.example/{key}"}
    if encoding:
        content = gzip.compress(content)
        headers["Content-Encoding"] = encoding
    await link.answer(status, content, headers)
