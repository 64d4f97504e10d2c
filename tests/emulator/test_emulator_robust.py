"""Callers who mean no good, or break down in the middle."""

import asyncio
import gzip
import re
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vimmerse_async.emulator import Emulator

UPLOAD = (
    b"POST /v2/image HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: test-raw\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n"
)
HEAD = b"POST /v2/text/suggest-prompt HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: test-raw\r\n"


def talk(emulator: Emulator, data: bytes, patience: float = 5, *, leave: bool = False) -> bytes:
    """Send bytes and return everything that comes back until the server closes, or one leaves."""
    port = int(emulator.url.rpartition(":")[2])
    got = b""
    with socket.create_connection(("127.0.0.1", port), patience) as line:
        line.sendall(data)
        if leave:
            line.shutdown(socket.SHUT_WR)
        try:
            while piece := line.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
    return got


@pytest.fixture(scope="module")
def served():
    with Emulator(unknown_media="placeholder", idle_timeout=0.3, upload_cap=1 << 20) as emulator:
        yield emulator


@pytest.fixture
def hosting():
    with Emulator() as emulator:
        yield emulator


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Content-Length: +5\r\n\r\nabcde",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Host: evil.test\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        HEAD + b"X-Nul: a\x00b\r\n\r\n",
        HEAD + b"X-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(500)) + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\x00",
    ],
)
def test_G11_smuggling_and_nonsense_are_refused_and_the_connection_closed(served, data):
    """What is not clean HTTP never reaches a route."""
    got = talk(served, data)
    assert not got or b" 400 " in got.partition(b"\r\n")[0]
    assert got.count(b"HTTP/1.") <= 1
    assert talk(served, HEAD + b"Content-Length: 0\r\nConnection: close\r\n\r\n").startswith(
        b"HTTP/1.1 200"
    )


def test_G11_pipelined_requests_are_answered_in_order(served):
    """Ten thousand requests in one go get ten thousand answers."""
    got = talk(served, (HEAD + b"Content-Length: 0\r\n\r\n") * 10_000, 60)
    assert got.count(b"HTTP/1.1 200 OK") == 10_000


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        HEAD[:40],
        HEAD + b"Content-Length: 10\r\nContent-Type: application/json\r\n\r\n{",
        UPLOAD + b"Content-Length: 999\r\n\r\n--b\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half a form"],
)
async def test_G9_who_stops_talking_is_hung_up_on(served, begun):
    """No connection is held by a caller who says nothing more."""
    port = int(served.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    async with asyncio.timeout(15):
        got = await reader.read()
    writer.close()
    assert got == b"" or b" 408 " in got


async def test_an_upload_that_is_cut_off_leaves_no_file(call, picture):
    """A caller who goes away in the middle of a file is forgotten."""
    caller = await call()
    await caller.upload("/v2/image", "image_file", picture((1, 2, 3)))
    hosting = caller.emulator._hosting
    (kept,) = hosting._assets
    port = int(caller.emulator.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        UPLOAD + b"Content-Length: 99999\r\n\r\n"
        b'--b\r\nContent-Disposition: form-data; name="image_file"; filename="a"\r\n\r\n\x89PNG'
    )
    while len(caller.emulator.requests) < 2:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    writer.transport.abort()
    while caller.emulator.requests[1].elapsed is None:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    assert list(hosting._assets) == [kept]
    assert file_names(hosting) == [kept]


def file_names(hosting) -> list[str]:
    return [path.name for path in Path(hosting._folder.name).iterdir()]


def multipart(parts: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(b"--b\r\n" + head + b"\r\n\r\n" + data + b"\r\n" for head, data in parts)
    body += b"--b--\r\n"
    return UPLOAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


OWN_NAME = re.compile(r"[0-9a-f-]+(\.\w+)?").fullmatch
NAMED = b'Content-Disposition: form-data; name="%b"'


@pytest.mark.parametrize(
    "parts",
    [
        [(NAMED % b"a%d" % number, b"x") for number in range(100)],
        [(NAMED % b"text", b"x" * (2 << 20))],
        [(NAMED % b"image_file", b"x" * (2 << 20))],
        [(NAMED % b"image_file" + b"\r\nContent-Transfer-Encoding: base64", b"iVBORw0KGgo=")],
        [(NAMED % b"image_file", b"a"), (NAMED % b"image_file", b"b")],
        [(b"Content-Type: multipart/mixed; boundary=c", b"--c\r\n\r\nx\r\n--c--\r\n")],
        [(b"X: " + b"a" * 20_000, b"x")],
        [(NAMED % b"../../etc/passwd", b"x")],
        [(b"", b"x")],
    ],
    ids=[
        "many parts",
        "long text",
        "long file",
        "base64",
        "twice",
        "nested",
        "long head",
        "path",
        "no head",
    ],
)
def test_G8_broken_and_oversized_forms_are_refused(served, parts):
    """Whatever a form holds, the answer is a refusal, and no memory grows beyond the caps."""
    got = talk(served, multipart(parts), 20)
    assert int(got.split(b" ", 2)[1]) in {400, 413, 422}


async def test_G8_packed_bodies_are_unpacked_within_the_caps(call):
    """A small body that unpacks to a large one is cut off where a large one would be."""
    caller = await call(upload_cap=1 << 20)
    headers = {"X-Api-Key": caller.emulator.key, "Content-Encoding": "gzip"}
    as_json = {**headers, "Content-Type": "application/json"}
    as_form = {**headers, "Content-Type": "multipart/form-data; boundary=b"}
    words = b'{"prompt": "%b"}'
    file = b"--b\r\n" + NAMED % b"image_file" + b"\r\n\r\n\x89PNG\r\n\x1a\n%b\r\n--b--\r\n"

    async def send(path: str, head: dict[str, str], body: bytes) -> int:
        return (await caller.ask("POST", path, data=gzip.compress(body), headers=head)).status

    much = b"a" * (50 << 20)
    assert await send("/v2/text/refine-prompt", as_json, words % b"a cat") == 200
    assert await send("/v2/text/refine-prompt", as_json, words % much) == 413
    assert await send("/v2/image", as_form, file % much) == 413


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300))
def test_no_bytes_take_the_server_down(served, data):
    """Foreign bytes get a refusal or silence, never a 500."""
    for prefix in (b"", HEAD, HEAD + b"Content-Length: 300\r\n\r\n"):
        assert b" 500 " not in talk(served, prefix + data, leave=True).partition(b"\r\n")[0]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=300)
    | st.text(max_size=200).map(str.encode)
    | st.lists(st.sampled_from([b"..", b"/", b"\\", b"%2e", b"%2f", b"\0", b"etc", b"CON"])).map(
        b"".join
    )
)
@example(b"a.png")
@example(b"../../a.png")
@example(b"/etc/a.png")
def test_G7_a_file_s_name_is_never_a_path(hosting, picture, name):
    """Whatever a file is called, it is kept flat, under a name of the emulator's own."""
    head = NAMED % b"image_file" + b'; filename="' + name + b'"'
    status = talk(hosting, multipart([(head, picture((1, 2, 3)))])).split(b" ", 2)[1:2]
    assert status == [b"200"] or not re.fullmatch(rb"[a-z./]*", name)
    folder = Path(hosting._hosting._folder.name)
    assert all(OWN_NAME(path.name) and path.is_file() for path in folder.rglob("*"))


def test_callers_who_reset_are_forgotten(served):
    """A hundred connections torn down in the middle leave nothing in flight."""
    port = int(served.url.rpartition(":")[2])
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
    assert talk(served, HEAD + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
    assert served.account.log.in_flight == 0
