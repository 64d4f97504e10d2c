"""Every kind of fault, seen by a bare socket: what really goes over the wire."""

import asyncio
import gzip
import json
import ssl
from pathlib import Path

import attrs
import pytest

from vimmerse_async.emulator import Fault
from vimmerse_async.emulator.behaviour.faults import KINDS
from vimmerse_async.emulator.behaviour.spoiled import SPOILED
from vimmerse_async.emulator.behaviour.strikes import WIRE

CLOSED, RESET = "closed", "reset"


@attrs.define
class Raw:
    """One connection to an emulator."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, prompt: str = "a cat", path: str = "/v2/text/refine-prompt") -> None:
        body = json.dumps({"prompt": prompt}).encode()
        self.writer.write(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: test-raw\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    async def reply(self) -> tuple[bytes, bytes]:
        """Return head and body of one well-framed reply."""
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            return head, await self.reader.readexactly(length_of(head))

    async def rest(self) -> tuple[bytes, str]:
        """Return everything until the connection ends, and how it ends."""
        got = b""
        async with asyncio.timeout(10):
            try:
                while piece := await self.reader.read(1 << 20):
                    got += piece
            except ConnectionResetError:
                return got, RESET
        return got, CLOSED

    async def is_quiet(self, seconds: float = 0.1) -> bool:
        """Return whether nothing comes for a while, not even an end."""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(1)
        except TimeoutError:
            return True
        except ConnectionResetError:
            return False
        return False


def length_of(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])


def status_of(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


@pytest.fixture
async def connect(call):
    """Start an emulator with these faults and return a way to connect to it."""
    writers = []

    async def start(*faults, **options):
        caller = await call(faults=faults, **options)
        port = int(caller.emulator.url.rpartition(":")[2])

        async def open_connection(**tls):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, **tls)
            writers.append(writer)
            return Raw(reader, writer)

        open_connection.emulator = caller.emulator
        return open_connection

    yield start
    for writer in writers:
        writer.transport.abort()


@pytest.fixture
def ask(connect):
    """Return the connection on which one request was sent under one fault, and the emulator."""

    async def start(fault, **options):
        opened = await connect(fault, **options)
        raw = await opened()
        raw.send()
        return raw, opened.emulator

    return start


def test_every_kind_is_done_somewhere():
    """No kind is named in the table and forgotten in the server."""
    done = {*SPOILED, *WIRE, "delay", "reset-on-accept", *(k for k in KINDS if k.startswith("tls"))}
    assert done == set(KINDS)


async def test_delay(ask):
    """The answer comes late, and is right."""
    raw, emulator = await ask(Fault("delay", seconds=0.2))
    head, body = await raw.reply()
    assert status_of(head) == 200
    assert json.loads(body).startswith("a cat")
    assert emulator.requests[0].elapsed >= 0.2


async def test_hang(connect):
    """Nothing ever comes, the place in flight stays taken, and ends with the caller."""
    opened = await connect(Fault("hang", count=1), limits={"in_flight": 1})
    first, second = await opened(), await opened()
    first.send()
    assert await first.is_quiet()
    second.send()
    assert status_of((await second.reply())[0]) == 429
    first.writer.transport.abort()
    while opened.emulator.requests[0].elapsed is None:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    second.send()
    assert status_of((await second.reply())[0]) == 200


async def test_slow_headers(ask):
    """The status line itself comes byte by byte; the reply is whole in the end."""
    raw, _ = await ask(Fault("slow-headers", seconds=0.001))
    assert len(await raw.reader.read(1 << 16)) < 20
    got, ending = await raw.rest()
    assert got.endswith(b'"')
    assert ending == CLOSED


async def test_dribble(ask):
    """The head comes at once, the body byte by byte."""
    raw, _ = await ask(Fault("dribble", seconds=0.001))
    head = await raw.reader.readuntil(b"\r\n\r\n")
    first = await raw.reader.read(1 << 16)
    got, ending = await raw.rest()
    assert len(first) < 20
    assert len(first + got) == length_of(head)
    assert ending == CLOSED


async def test_stall(ask):
    """Half of the body comes, then silence on an open connection."""
    raw, _ = await ask(Fault("stall"))
    head = await raw.reader.readuntil(b"\r\n\r\n")
    await raw.reader.readexactly(length_of(head) // 2)
    assert await raw.is_quiet()


async def test_reset_on_accept(connect):
    """The connection is reset before a byte was sent; the next one is served."""
    opened = await connect(Fault("reset-on-accept", nth=1))
    first = await opened()
    assert await first.rest() == (b"", RESET)
    second = await opened()
    second.send()
    assert status_of((await second.reply())[0]) == 200
    assert len(opened.emulator.requests) == 1


async def test_reset(ask):
    """The request is taken in, then answered with RST."""
    raw, emulator = await ask(Fault("reset"))
    assert await raw.rest() == (b"", RESET)
    assert emulator.requests[0].outcome == "reset"


async def test_close(ask):
    """The request is taken in, then answered with FIN."""
    raw, emulator = await ask(Fault("close"))
    assert await raw.rest() == (b"", CLOSED)
    assert emulator.requests[0].outcome == "close"


async def test_truncated(ask):
    """Fewer bytes than announced, then FIN."""
    raw, _ = await ask(Fault("truncated"))
    got, ending = await raw.rest()
    head, _, body = got.partition(b"\r\n\r\n")
    assert 0 < len(body) < length_of(head)
    assert ending == CLOSED


async def test_early_chunk_end(ask):
    """A chunked body whose last chunk never comes."""
    raw, _ = await ask(Fault("early-chunk-end"))
    got, ending = await raw.rest()
    head, _, body = got.partition(b"\r\n\r\n")
    size, _, rest = body.partition(b"\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert len(rest) == int(size, 16) + 2
    assert ending == CLOSED


async def test_bad_chunk(ask):
    """A chunk whose size is no number."""
    raw, _ = await ask(Fault("bad-chunk"))
    got, ending = await raw.rest()
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    with pytest.raises(ValueError):
        int(body.partition(b"\r\n")[0], 16)
    assert ending == CLOSED


@pytest.mark.parametrize("size", [None, 1, 5000])
async def test_garbage(ask, size):
    """Bytes that are no HTTP, as many as were asked for."""
    raw, _ = await ask(Fault("garbage", size=size))
    got, ending = await raw.rest()
    assert len(got) == (size or 512)
    assert not got.startswith(b"HTTP")
    assert ending == CLOSED


async def test_stray(connect):
    """A right reply, then one that nobody asked for, on a connection that goes on."""
    opened = await connect(Fault("stray", seconds=0.1, nth=1))
    raw = await opened()
    raw.send()
    assert (await raw.reply())[1] != b'"STRAY"'
    assert (await raw.reply())[1] == b'"STRAY"'
    raw.send("a dog")
    assert b"a dog" in (await raw.reply())[1]


@pytest.mark.parametrize("status", [None, 504])
async def test_html(ask, status):
    """A gateway's page instead of an answer."""
    raw, _ = await ask(Fault("html", status=status))
    head, body = await raw.reply()
    assert status_of(head) == (status or 502)
    assert b"text/html" in head
    assert b"<html>" in body


async def test_empty(ask):
    """A 200 without a body."""
    raw, _ = await ask(Fault("empty"))
    head, body = await raw.reply()
    assert (status_of(head), body) == (200, b"")
    assert await raw.is_quiet()


async def test_cut_json(ask):
    """Rightly framed, and cut in the middle."""
    raw, _ = await ask(Fault("cut-json"))
    head, body = await raw.reply()
    assert status_of(head) == 200
    assert await raw.is_quiet()
    with pytest.raises(ValueError):
        json.loads(body)


async def test_wrong_shape(connect):
    """JSON that is no string, of several kinds, or as told."""
    opened = await connect(Fault("wrong-shape", contains="cat"), Fault("wrong-shape", body="[1]"))
    raw = await opened()
    shapes = set()
    for number in range(30):
        raw.send(f"cat {number}")
        shapes.add((await raw.reply())[1])
    assert len(shapes) > 3
    assert not any(isinstance(json.loads(shape), str) for shape in shapes)
    raw.send("a dog")
    assert (await raw.reply())[1] == b"[1]"


async def test_wrong_type(ask):
    """The right answer under a wrong Content-Type."""
    raw, _ = await ask(Fault("wrong-type"))
    head, body = await raw.reply()
    assert b"Content-Type: text/plain" in head
    assert json.loads(body).startswith("a cat")


async def test_huge(ask):
    """A body of as many bytes as were asked for."""
    raw, _ = await ask(Fault("huge", size=3_000_000))
    _, body = await raw.reply()
    assert len(body) == 3_000_000
    assert isinstance(json.loads(body), str)


async def test_a_huge_body_that_nobody_reads_is_not_produced(ask):
    """What waits to be read stays small, however much was asked for."""
    raw, emulator = await ask(Fault("huge", size=1 << 30))
    await raw.reader.read(1)
    raw.writer.transport.pause_reading()
    (connection,) = emulator._server.connections
    waiting = -1
    for _ in range(10):
        before, waiting = waiting, connection.transport.get_write_buffer_size()
        await asyncio.sleep(0.05)
    assert before == waiting
    assert waiting < 1 << 20


async def test_gzip_bomb(ask):
    """A small body that unpacks to as many bytes as were asked for."""
    raw, _ = await ask(Fault("gzip-bomb", size=20_000_000))
    head, body = await raw.reply()
    assert b"Content-Encoding: gzip" in head
    assert len(body) < 100_000
    assert len(gzip.decompress(body)) == 20_000_002


@pytest.mark.parametrize("status", [None, 301, 302, 303, 308])
async def test_redirect(ask, status):
    """A way to another origin."""
    raw, _ = await ask(Fault("redirect", status=status))
    head, _ = await raw.reply()
    assert status_of(head) == (status or 307)
    assert b"Location: https://elsewhere.vimmerse.test/" in head


async def test_redirect_to_where_one_was_told(ask):
    """Also to itself, and to nowhere."""
    raw, _ = await ask(Fault("redirect", location="javascript:alert(1)"))
    assert b"Location: javascript:alert(1)\r\n" in (await raw.reply())[0]


STATUSES = [400, 401, 402, 403, 404, 422, 429, 500, 503, 529]


@pytest.mark.parametrize("status", STATUSES)
async def test_G18_every_status_with_a_good_body(ask, status):
    """The body is the contract's for that status."""
    raw, _ = await ask(Fault("status", status=status, seconds=7))
    head, body = await raw.reply()
    assert status_of(head) == status
    assert b"Retry-After: 7" in head
    assert list(json.loads(body)) == ["detail" if status == 422 else "message"]


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_with_malformed_bodies(connect, status):
    """Bodies that the contract does not know, of many kinds."""
    opened = await connect(Fault("status", status=status, malformed=True))
    bodies = set()
    raw = await opened()
    for number in range(40):
        raw.send(str(number))
        head, body = await raw.reply()
        assert status_of(head) == status
        bodies.add(body)
    assert len(bodies) > 6


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Fault("reset"), 5),
        (Fault("reset", billed=True), 4),
        (Fault("hang", billed=True), 4),
        (Fault("html", billed=True), 4),
        (Fault("truncated"), 4),
    ],
)
async def test_a_fault_is_free_unless_it_is_billed(ask, fault, left):
    """A fault instead of the work costs nothing; told otherwise the work was done and paid for."""
    raw, emulator = await ask(fault, credits=5)
    assert await raw.is_quiet() is (fault.kind == "hang")
    assert emulator.account.wallet.balance == left


def count_files(emulator) -> int:
    return len(list(Path(emulator._hosting._folder.name).iterdir()))


async def test_a_discarded_upload_leaves_no_file(call, picture):
    """A fault instead of the work forgets what was sent."""
    caller = await call(faults=[Fault("status", status=500, count=1)])
    kept = []
    for _ in range(2):
        await caller.upload("/v2/image", "image_file", picture((1, 2, 3)))
        kept.append(count_files(caller.emulator))
    assert kept == [0, 1]


def trusting(emulator) -> dict[str, object]:
    return {"ssl": emulator.ssl_context(), "server_hostname": "localhost"}


async def test_https_under_its_own_authority(connect):
    """A client that trusts the authority is served."""
    opened = await connect(tls=True)
    assert opened.emulator.url.startswith("https://127.0.0.1:")
    raw = await opened(**trusting(opened.emulator))
    raw.send()
    assert status_of((await raw.reply())[0]) == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        await opened(ssl=ssl.create_default_context())


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("tls-unknown-ca", ssl.SSLCertVerificationError, "issuer certificate"),
        ("tls-wrong-host", ssl.SSLCertVerificationError, "doesn't match|not valid for"),
        ("tls-expired", ssl.SSLCertVerificationError, "expired"),
        ("tls-plain", ssl.SSLError, "WRONG_VERSION|wrong version|record layer"),
        ("tls-drop", ConnectionError, None),
        ("reset-on-accept", ConnectionError, None),
    ],
)
async def test_handshakes_that_fail(connect, kind, error, words):
    """The handshake fails as told; the next one succeeds."""
    opened = await connect(Fault(kind, nth=1), tls=True)
    with pytest.raises(error, match=words):
        await opened(**trusting(opened.emulator))
    raw = await opened(**trusting(opened.emulator))
    raw.send()
    assert status_of((await raw.reply())[0]) == 200


async def test_tls_truncated(connect):
    """The reply is whole, but the connection ends without TLS's own goodbye."""
    opened = await connect(Fault("tls-truncated"), tls=True)
    raw = await opened(**trusting(opened.emulator))
    raw.send()
    got, ending = await raw.rest()
    head, _, body = got.partition(b"\r\n\r\n")
    assert len(body) == length_of(head)
    assert ending in {CLOSED, RESET}


async def test_tls_faults_need_https(call):
    """A plan that the server cannot carry out is refused, at the start and later."""
    with pytest.raises(ValueError, match="needs HTTPS"):
        await call(faults=[Fault("tls-expired")])
    caller = await call()
    with pytest.raises(ValueError, match="needs HTTPS"):
        caller.emulator.set_faults([Fault("tls-drop")])
    with pytest.raises(ValueError, match="needs HTTPS"):
        caller.emulator.reset(faults=[Fault("tls-plain")])
