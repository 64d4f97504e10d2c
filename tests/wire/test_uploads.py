"""Uploads: every kind of source, streamed, rewound, and never sent in part as if it were whole."""

import asyncio
import io
import os
import re
import threading
import tracemalloc

import attrs
import pytest
from fault_server import ASSET

from vimmerse_async import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    InternalServerError,
    InvalidRequestError,
    RetryPolicy,
    SessionError,
    VimmerseSession,
    get_asset,
    upload_image,
    upload_video,
)
from vimmerse_async.parts import Slot, examine
from vimmerse_async.uploads import IMAGE, UPLOAD_IMAGE
from vimmerse_async.wire import Call, Form

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
MB = 2**20


def sent_file(asked, field="image_file"):
    """Return the file name, media type and content of the one part of an upload."""
    (content_type,) = asked.all("content-type")
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    begin, part, end = asked.body.split(b"--" + boundary)
    assert (begin, end) == (b"", b"--\r\n")
    head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    assert lines["Content-Length"] == str(len(content) - 2) if "Content-Length" in lines else True
    disposition = lines["Content-Disposition"]
    named = re.fullmatch(rf'form-data; name="{field}"; filename="([^"]*)"', disposition)
    return named[1], lines["Content-Type"], content.removesuffix(b"\r\n")


class Pipe(io.RawIOBase):
    """A source that cannot seek and gives a few bytes at a time."""

    def __init__(self, content, most=7):
        self._file = io.BytesIO(content)
        self._most = most

    def readable(self):
        return True

    def read(self, size=-1):
        return self._file.read(self._most if size < 0 else min(size, self._most))


def as_path(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    return path


SOURCES = {
    "bytes": lambda _: PNG,
    "bytearray": lambda _: bytearray(PNG),
    "memoryview": lambda _: memoryview(PNG + b"more")[: len(PNG)],
    "path": as_path,
    "str": lambda tmp: str(as_path(tmp)),
    "open file": lambda tmp: as_path(tmp).open("rb"),
    "raw file": lambda tmp: as_path(tmp).open("rb", buffering=0),
    "buffer": lambda _: io.BytesIO(PNG),
    "one-byte buffer": lambda _: Pipe(PNG, 1),
    "pipe": lambda _: Pipe(PNG),
}


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    source = SOURCES[request.param](tmp_path)
    yield source
    if isinstance(source, io.IOBase):
        assert not source.closed
        source.close()


async def test_every_kind_of_source(source, serve, connect):
    """Whatever the source is, its very bytes arrive, and an open file stays open."""
    server = await serve()
    asset = await upload_image(await connect(server), source)
    name, media_type, content = sent_file(server.requests[0])
    assert (media_type, content) == ("image/png", PNG)
    assert name.endswith("png")
    assert (asset.id, asset.url) == (ASSET["id"], ASSET["results"][0])


async def test_every_kind_of_source_again(source, serve, connect):
    """What can be rewound is sent again whole; what cannot is sent once."""
    server = await serve({"do": "answer", "status": 503})
    session = await connect(server)
    if isinstance(source, Pipe):
        with pytest.raises(InternalServerError):
            await upload_image(session, source)
        assert len(server.requests) == 1
        return
    await upload_image(session, source)
    assert [sent_file(asked)[2] for asked in server.requests] == [PNG, PNG]


async def test_an_open_file_is_read_from_where_it_stands(serve, connect):
    """What was read before is not sent, at the second attempt neither."""
    server = await serve({"do": "answer", "status": 503})
    file = io.BytesIO(b"header" + PNG)
    file.seek(6)
    await upload_image(await connect(server), file)
    assert [sent_file(asked)[2] for asked in server.requests] == [PNG, PNG]


async def test_a_pipe_survives_a_failed_connection(serve, connect):
    """A source that cannot be rewound is untouched while nothing was sent."""
    server = await serve()
    async with asyncio.timeout(5):
        session = await connect(server)
        await session.request("GET", "/health")
        for link in list(server.links):
            link.writer.write(b"stray")
        await asyncio.sleep(0.01)
        await upload_image(session, Pipe(PNG))
    assert sent_file(server.requests[-1])[2] == PNG


@pytest.mark.parametrize(
    ("head", "upload", "media_type"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(20), upload_image, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), upload_image, "image/png"),
        (b"RIFF\x24\0\0\0WEBPVP8 " + bytes(20), upload_image, "image/webp"),
        (b"\0\0\0\x18ftypmp42" + bytes(20), upload_video, "video/mp4"),
        (b"\0\0\0\x14ftypqt  " + bytes(20), upload_video, "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\0\0mdat" + bytes(20), upload_video, "video/quicktime"),
        (b"RIFF\x24\0\0\0AVI LIST" + bytes(20), upload_video, "video/x-msvideo"),
        (b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm" + bytes(20), upload_video, "video/webm"),
    ],
)
async def test_the_kind_is_told_by_the_first_bytes(head, upload, media_type, serve, connect):
    """A wrong extension deceives nobody."""
    server = await serve()
    session = await connect(server)
    await upload(session, head)
    field = "image_file" if upload is upload_image else "video_file"
    assert sent_file(server.requests[0], field)[1:] == (media_type, head)
    with pytest.raises(InvalidRequestError, match=r"^source is an? \w+ (picture|video), not "):
        await {upload_image: upload_video, upload_video: upload_image}[upload](session, head)
    assert len(server.requests) == 1


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"avif", b"avis"])
async def test_a_photo_in_a_video_s_container_is_no_video(brand, serve, connect):
    """HEIC and AVIF pictures begin like MP4: neither route takes them."""
    server = await serve()
    session = await connect(server)
    for upload in (upload_image, upload_video):
        told = r"is an? \w+ picture, which the API does not take; it takes (JPEG|MP4)"
        with pytest.raises(InvalidRequestError, match=told):
            await upload(session, b"\0\0\0\x18ftyp" + brand + bytes(20))
    assert server.connections == 0


def a_fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def an_empty_file(tmp_path):
    (tmp_path / "empty.png").touch()
    return tmp_path / "empty.png"


def a_closed_file(tmp_path):
    file = as_path(tmp_path).open("rb")
    file.close()
    return file


REFUSED = {
    "missing": lambda tmp: tmp / "missing.png",
    "a directory": lambda tmp: tmp,
    "a FIFO": a_fifo,
    "a device": lambda _: "/dev/zero",
    "empty bytes": lambda _: b"",
    "an empty file": an_empty_file,
    "a text": lambda tmp: io.StringIO("text"),
    "a closed file": a_closed_file,
    "NUL in the path": lambda _: "a\0b.png",
    "a lone surrogate in the path": lambda _: "\ud800.png",
    "a long path": lambda _: "x" * 10_000,
    "None": lambda _: None,
    "a number": lambda _: 7,
    "a list": lambda _: [PNG],
    "a URL": lambda _: "https://a.example/1.png",
    "HTML": lambda _: b"<!doctype html>" + bytes(99),
    "GIF": lambda _: b"GIF89a" + bytes(99),
    "one byte": lambda _: b"\xff",
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
async def test_C24_what_cannot_be_uploaded(make, serve, connect, tmp_path):
    """It is refused by name before anything is sent."""
    server = await serve()
    session = await connect(server)
    with pytest.raises(InvalidRequestError) as raised:
        await upload_image(session, make(tmp_path))
    assert raised.value.field == "source"
    assert len(str(raised.value)) < 400
    assert server.connections == 0


async def test_C24_too_large(serve, connect, tmp_path):
    """A file above the cap is refused by its size, unread."""
    server = await serve()
    path = as_path(tmp_path)
    os.truncate(path, 2 * 1024**3 + 1)
    with pytest.raises(InvalidRequestError, match="2,147,483,649"):
        await upload_image(await connect(server), path)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("a\r\nX-Evil: 1.png", "a__X-Evil__1.png"),
        ('a"; filename="b.png', "a___filename__b.png"),
        ("фото.png", "____.png"),
        ("\ud800.png", "_.png"),
        (".png", "png"),
        ("..", "upload.png"),
        ("", "upload.png"),
        (7, "upload.png"),
        (b"a.png", "upload.png"),
        ("x" * 300 + ".png", "x" * 96 + ".png"),
    ],
)
async def test_C24_the_name_is_harmless(name, safe, serve, connect):
    """A file's name goes out as a plain base name."""
    server = await serve()
    file = io.BytesIO(PNG)
    file.name = name
    await upload_image(await connect(server), file)
    assert sent_file(server.requests[0])[0] == safe


class Changing(io.BytesIO):
    """A file that is another one when it is read the second time."""

    def __init__(self, first, then):
        super().__init__(first)
        self._then = then
        self._reads = 0

    def read(self, size=-1):
        self._reads += 1
        if self._reads == 2:
            place = self.tell()
            self.seek(0)
            self.truncate()
            self.write(self._then)
            self.seek(place)
        return super().read(size)


@pytest.mark.parametrize("then", [PNG[:100], PNG + b"more", b""], ids=["shorter", "longer", "gone"])
async def test_C24_changed_while_it_is_sent(then, serve, connect):
    """A file that changes its size is not sent in part: the server never gets a whole request."""
    server = await serve()
    session = await connect(server)
    with pytest.raises(APIConnectionError) as raised:
        await upload_image(session, Changing(PNG, then))
    assert (raised.value.kind, raised.value.sent, raised.value.attempts) == ("source", "no", 1)
    await server.forsaken()
    assert not any(asked.body for asked in server.requests)
    assert session.statistics().possibly_charged == 0


class Broken(io.BytesIO):
    """A file that cannot be read any further."""

    def __init__(self, answer):
        super().__init__(PNG)
        self._answer = answer
        self._reads = 0

    def read(self, size=-1):
        self._reads += 1
        if self._reads == 1:
            return super().read(size)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [OSError(5, "I/O error"), ValueError("closed"), RuntimeError("mine"), "text", None, PNG * 999],
    ids=["OSError", "ValueError", "RuntimeError", "str", "None", "too much"],
)
async def test_C24_a_file_that_breaks(answer, serve, connect):
    """Whatever a file does instead of giving bytes is the source's fault, not the network's."""
    server = await serve()
    with pytest.raises(APIConnectionError) as raised:
        await upload_image(await connect(server), Broken(answer))
    assert (raised.value.kind, raised.value.sent, raised.value.attempts) == ("source", "no", 1)
    await server.forsaken()


async def test_a_path_that_is_gone_at_the_second_attempt(serve, connect, tmp_path):
    """The first attempt's error is the last word: it says why there was a second."""
    path = as_path(tmp_path)
    server = await serve({"do": "unlink", "path": str(path), "status": 503})
    with pytest.raises(InternalServerError):
        await upload_image(await connect(server), path)
    assert [bool(asked.body) for asked in server.requests[1:]] in ([], [False])


@pytest.mark.parametrize("then", ["drain", "linger"])
async def test_A27_early_refusal(then, serve, connect, tmp_path):
    """A 413 that comes before 50 MB are sent is reported as such, at once."""
    path = as_path(tmp_path)
    os.truncate(path, 50 * MB)
    server = await serve({"do": "early", "status": 413, "then": then})
    session = await connect(server)
    with pytest.raises(APIStatusError) as raised:
        await upload_image(session, path)
    assert (raised.value.status, raised.value.attempts) == (413, 1)
    await server.forsaken()


async def test_A27_reset_instead_of_reading(serve, connect, tmp_path):
    """A reset in the middle of an upload is a lost connection, and tried once more."""
    path = as_path(tmp_path)
    os.truncate(path, 50 * MB)
    server = await serve("reset_after_head", "reset_after_head")
    with pytest.raises(APIConnectionError) as raised:
        await upload_image(await connect(server), path)
    assert (raised.value.kind, raised.value.attempts) == ("lost", 2)


async def upload_with(session, source, **changes):
    """Upload with other times than the route's own, which take a minute."""
    part = await examine(IMAGE, source)
    operation = attrs.evolve(UPLOAD_IMAGE, **changes)
    return await session.send(Call(operation, form=Form(files=(part,))))


async def test_an_upload_that_stands_still(serve, connect, tmp_path):
    """When no byte leaves for the idle time, the upload ends, and is tried once more."""
    path = as_path(tmp_path)
    os.truncate(path, 50 * MB)
    server = await serve("never_read", "never_read")
    with pytest.raises(APITimeoutError) as raised:
        await upload_with(await connect(server), path, idle=0.2)
    assert (raised.value.kind, raised.value.attempts) == ("idle", 2)


@pytest.mark.full
async def test_an_upload_that_goes_on_slowly(serve, connect):
    """However long it takes, an upload that goes on is not cut off.

    The last 4 MB are in the kernel's buffer when the last byte is written, and go on unseen.
    """
    server = await serve({"do": "sip", "size": 160_000, "every": 0.02})
    content = PNG + bytes(48 * MB)
    begun = asyncio.get_running_loop().time()
    await upload_with(await connect(server), content, idle=4.0)
    assert asyncio.get_running_loop().time() - begun > 5.0
    assert sent_file(server.requests[0])[2] == content


async def test_an_answer_that_does_not_come(serve, connect):
    """After its last byte an upload waits for the answer as long as it may stand still."""
    server = await serve("hang", "hang")
    with pytest.raises(APITimeoutError) as raised:
        await upload_with(await connect(server), PNG, idle=0.1)
    assert raised.value.kind == "idle"


async def test_a_large_file_is_streamed(serve, connect, tmp_path):
    """A file of 64 MB costs its sender no more than a few chunks of memory."""
    path = as_path(tmp_path)
    os.truncate(path, 64 * MB)
    server = await serve("swallow")
    session = await connect(server)
    tracemalloc.start()
    try:
        await upload_image(session, path)
        assert tracemalloc.get_traced_memory()[1] < 8 * MB
    finally:
        tracemalloc.stop()


async def test_a_cancelled_upload_leaves_nothing_open(serve, connect, tmp_path):
    """The file is closed, the connection too, and no thread goes on reading."""
    path = as_path(tmp_path)
    os.truncate(path, 50 * MB)
    server = await serve(*["never_read"] * 5)
    session = await connect(server)
    for _ in range(5):
        call = asyncio.ensure_future(upload_image(session, path))
        seen = len(server.requests)
        while len(server.requests) == seen:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_files_do_not_block_the_loop(serve, connect):
    """While a slow file is read, other calls go on."""
    server = await serve()
    session = await connect(server)
    gate = threading.Event()

    class Slow(io.BytesIO):
        def read(self, size=-1):
            gate.wait(5)
            return super().read(size)

    upload = asyncio.ensure_future(upload_image(session, Slow(PNG)))
    await asyncio.sleep(0.01)
    assert await session.request("GET", "/health") == "a suggestion"
    assert not upload.done()
    gate.set()
    await upload


async def test_an_upload_needs_an_open_session(tmp_path):
    """The session is looked at before the file."""
    session = VimmerseSession("test-only-key")
    with pytest.raises(SessionError):
        await upload_image(session, tmp_path / "missing.png")


@pytest.mark.parametrize(
    "asset_id", ["", "a/b", "a?b", "a#b", "..", ".", "a b", "é", None, 7, "x" * 201, "%2e"]
)
async def test_an_asset_id_that_cannot_be_one(asset_id, serve, connect):
    """An id that would change the path is refused; nothing is sent."""
    server = await serve()
    with pytest.raises(InvalidRequestError) as raised:
        await get_asset(await connect(server), asset_id)
    assert raised.value.field == "asset_id"
    assert server.connections == 0


@pytest.mark.parametrize("results", [None, [], [None]])
async def test_an_upload_without_an_address(results, serve, connect):
    """Who uploads wants a URL: an answer without one is an error that names the asset."""
    value = {"id": "a-7", "status": "processing", "results": results}
    server = await serve({"do": "say", "value": value})
    with pytest.raises(APIResponseError, match=r"has no URL \(asset a-7, status processing\)"):
        await upload_image(await connect(server), PNG)
    assert len(server.requests) == 1


async def test_an_asset_with_unknown_fields(serve, connect):
    """New fields end in `.extra`, and missing ones are None."""
    server = await serve({"do": "say", "value": {"id": 7, "new": [1], "results": None}})
    asset = await get_asset(await connect(server), "7")
    assert (asset.id, asset.results, asset.extra) == ("7", (), {"new": [1]})
    assert server.requests[0].target == "/asset/7"


def test_slots_say_what_they_take():
    """A slot without formats takes anything: the legacy audio route knows no kinds."""
    assert Slot("audio_file", "").formats == ""
    assert RetryPolicy().ambiguous_resends == 1
