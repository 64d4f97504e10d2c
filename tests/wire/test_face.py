"""Whatever is called when aiohttp sends a request can be replaced: ours is replaced with it."""

import asyncio
import functools
import inspect
import socket
import sys
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from types import FunctionType
from typing import Any
from unittest.mock import AsyncMock, Mock, patch

import aiohappyeyeballs
import aiohttp
import pytest
import wrapt
from wire_kit import OpenLimit

from vimmerse_async import APIError, RetryPolicy, VimmerseSession, refine_prompt
from vimmerse_async.http import face

REFINE = "/v2/text/refine-prompt"
UNWATCHED: dict[str, str] = {
    "_BaseRequestContextManager": "`async with` is the caller's",
    "_DeprecationWaiter": "closing",
    "_DNSCacheTable": "aiohttp's own memory",
    "_TransportPlaceholder": "aiohttp's own memory",
    "AbstractCookieJar": "no cookie is sent",
    "BaseProtocol": "the transport's flow",
    "CookieJar": "no cookie is sent",
    "DataQueue": "aiohttp's own memory",
    "JsonPayload": "the body is made before",
    "Payload": "the body is made before",
    "PayloadRegistry": "the body is made before",
    "TimeoutHandle": "aiohttp's own clock",
    "TimerContext": "aiohttp's own clock",
    "ServerDisconnectedError": "closing",
    "ClientRequest.__reset_writer": "aiohttp's own memory",
    "ClientRequest._writer": "aiohttp's own memory",
    "ClientResponse.__aenter__": "the caller's",
    "ClientResponse.__aexit__": "the caller's",
    "ClientResponse.__del__": "closing",
    "ClientResponse.__reset_writer": "aiohttp's own memory",
    "ClientResponse._notify_content": "closing",
    "ClientResponse._wait_released": "closing",
    "ClientResponse._writer": "aiohttp's own memory",
    "ClientResponse.connection": "the caller's",
    "ClientResponse.get_encoding": "the caller's",
    "ClientResponse.ok": "the caller's",
    "ClientResponse.release": "the caller's",
    "ClientResponse.wait_for_close": "the caller's",
    "ClientSession.__aenter__": "the caller's",
    "ClientSession.__aexit__": "the caller's",
    "Connection.__del__": "closing",
    "ResponseHandler.is_connected": "the pool asks the socket itself",
    "ResponseHandler.resume_reading": "the transport's flow",
    "StreamReader": "what comes goes through the parser, which is watched",
}
"""What a request calls, too, and why nobody needs to see ours there."""


async def ask(session: aiohttp.ClientSession, url: str) -> Any:
    """Ask as anybody does with aiohttp."""
    async with session.post(url + REFINE, json={"text_prompt": "a fox"}) as response:
        response.raise_for_status()
        return await response.json()


async def test_all_that_a_request_calls_is_looked_at(serve):
    """No method of aiohttp's is called by a request that is neither watched nor left out."""
    server, called, home = await serve(), set(), str(Path(aiohttp.__file__).parent)

    def note(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(home) and "<" not in code.co_qualname:
            called.add(code.co_qualname)

    async with aiohttp.ClientSession() as session:
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            for _ in range(2):
                await ask(session, server.url.replace("127.0.0.1", "localhost"))
        finally:
            sys.setprofile(before)
    assert "ClientSession._request" in called
    watched = {functions.__qualname__ for functions in map(function_at, face.names()) if functions}
    methods = {each for each in called - watched if "." in each}
    assert not {e for e in methods if not UNWATCHED.keys() & {e, e.partition(".")[0]}}


def function_at(name: str) -> Any:
    place, _, last = name.rpartition(".")
    if not place or inspect.ismodule(attrgetter(place)(aiohttp)):
        return None
    found = inspect.getattr_static(attrgetter(place)(aiohttp), last)
    found = getattr(found, "fget", getattr(found, "wrapped", found))
    return found if hasattr(found, "__qualname__") else None


def spied(found: Any, calls: list[Any]) -> Any:
    """Return what does the same, and notes that it was called."""
    if isinstance(found, property):
        return property(spied(found.fget, calls))

    def call(*words: Any, **options: Any) -> Any:
        calls.append(found)
        return found(*words, **options)

    return functools.wraps(found, updated=())(call)


def _watched_by_place() -> Iterator[Any]:
    for place, words in face.NAMES.items():
        known = [f"{place}.{each}".lstrip(".") for each in words.split()]
        yield pytest.param([each for each in known if each in face.names()], id=place or "aiohttp")


@pytest.mark.parametrize("names", [*_watched_by_place()])
async def test_what_plain_aiohttp_calls_ours_calls(names, serve, connect):
    """Whoever replaces it sees our request, too, on a connection that is open or a new one."""
    server = await serve()
    url = server.url.replace("127.0.0.1", "localhost")
    ours = await connect(url, limit=OpenLimit())
    unseen: list[str] = []
    async with aiohttp.ClientSession() as plain:
        for name in names:
            place, _, last = name.rpartition(".")
            owner = attrgetter(place)(aiohttp) if place else aiohttp
            found = inspect.getattr_static(owner, last)
            if not isinstance(found, (FunctionType, property)):
                continue  # a class is called by nobody but its own methods
            calls: list[Any] = []
            with patch.object(owner, last, spied(found, calls)):
                await ask(plain, url)
                seen = bool(calls)
                calls.clear()
                assert await refine_prompt(ours, "a fox") == "answer to a fox"
            if seen and not calls:
                unseen.append(name)
            assert not face.is_touched()
    assert not unseen


def test_each_is_missed_and_found_again():
    """Whichever is changed, that is seen at once, however often it is asked, and its return."""
    for name in face.names():
        for _ in range(2):
            assert not face.is_touched()
        with patch(f"aiohttp.{name}", Mock()):
            assert [face.is_touched(), face.is_touched()] == [True, True], name
        assert not face.is_touched()


@pytest.mark.parametrize("name", ["ClientRequest.write_bytes", "http_writer.StreamWriter.write"])
def test_a_wrapper_that_calls_itself_equal_is_seen(name):
    """Many tracers wrap by wrapt, whose wrappers are equal to what they wrap."""
    found = attrgetter(name)(aiohttp)
    wrapper = wrapt.FunctionWrapper(found, lambda wrapped, _, words, options: None)
    assert wrapper == found
    with patch(f"aiohttp.{name}", wrapper):
        assert face.is_touched()


def test_as_long_as_nothing_is_changed_nothing_is_looked_at():
    """A look at all of it costs ten times as much: there is one after a change, and no other."""
    watch, looks = face.Watch(), []
    look = watch._all.is_changed
    watch._all.is_changed = lambda: looks.append(look()) or looks[-1]  # type: ignore[func-returns-value]
    for _ in range(100):
        assert not watch.is_changed()
    least = len(looks)
    assert least < 10, "Python may forget where it found a name, but seldom"
    with patch("aiohttp.ClientRequest.update_auth", Mock()):
        assert watch.is_changed()
    assert not watch.is_changed()
    assert len(looks) >= least + 2


def test_who_walks_through_subclasses_hides_nothing():
    """A tool that looks at every heir of a class after it has changed the class is seen."""
    watch = face.Watch()
    assert not watch.is_changed()
    with patch("aiohttp.ClientRequest.update_auth", Mock()):
        inspect.getmembers(watch._heir)
        assert watch._heir.one is watch._heir.other is watch._heir.third is None
        assert watch.is_changed()


OUTSIDE = [
    (socket.socket, "connect"),
    (socket, "getaddrinfo"),
    (socket, "socket"),
    (aiohappyeyeballs, "start_connection"),
    (asyncio.BaseEventLoop, "create_connection"),
    (asyncio.BaseEventLoop, "getaddrinfo"),
    (asyncio.SelectorEventLoop, "sock_connect"),
]


def refuse(*_: Any, sock: socket.socket | None = None, **__: Any) -> None:
    if sock is not None:
        sock.close()
    raise PermissionError("blocked")


@pytest.mark.parametrize(("owner", "name"), OUTSIDE)
async def test_what_blocks_everybody_blocks_us(owner, name, serve, connect):
    """Below aiohttp the same is asked by both: sockets, the loop, and who looks names up."""
    server = await serve()
    url = server.url.replace("127.0.0.1", "localhost")
    is_async = inspect.iscoroutinefunction(getattr(owner, name))
    for of_plain in (True, False):
        blocked = (AsyncMock if is_async else Mock)(side_effect=refuse)
        if owner is socket and name == "socket":
            blocked = type("Blocked", (socket.socket,), {"__init__": blocked})
        session: Any = (
            aiohttp.ClientSession()
            if of_plain
            else await connect(url, retry=RetryPolicy(max_attempts=1))
        )
        try:
            with patch.object(owner, name, blocked), pytest.raises((OSError, APIError)):
                await (ask(session, url) if of_plain else refine_prompt(session, "a fox"))
        finally:
            await (session.close() if of_plain else session.aclose())
    assert not server.requests


@pytest.mark.parametrize(
    ("name", "told"),
    [("json", "from a mock"), ("text", '"from a mock"'), ("read", b'"from a mock"')],
)
@pytest.mark.parametrize("status", [200, 201])
async def test_a_mock_of_a_body_is_the_answer(name, told, status, serve, connect):
    """Whichever method of a response is mocked, what it tells is what was answered."""
    server = await serve({"do": "answer", "status": status, "body": '"real"'})
    session = await connect(server)
    with patch(f"aiohttp.ClientResponse.{name}", AsyncMock(return_value=told)):
        assert await refine_prompt(session, "a fox") == "from a mock"
    assert len(server.requests) == 1


async def test_a_wrapped_json_leaves_a_garbled_answer_garbled(serve, connect):
    """A tracer of `json` changes nothing: what is no JSON is told as without it."""
    server = await serve(*[{"do": "answer", "status": 200, "body": "<html>"}] * 2)
    session = await connect(server, retry=RetryPolicy(max_attempts=1))
    found: list[str] = []
    for name in ("json", "charset"):
        calls: list[Any] = []
        json_of = aiohttp.ClientResponse.json
        with (
            patch.object(aiohttp.ClientResponse, name, spied(json_of, calls), create=True),
            pytest.raises(APIError) as raised,
        ):
            await refine_prompt(session, "a fox")
        found.append(str(raised.value))
    assert found[0] == found[1]


async def test_a_mock_that_raises_for_a_status_is_believed(serve, connect):
    """`raise_for_status` with a side effect is how many mocks say that a server fails."""
    server = await serve()
    session = await connect(server, retry=RetryPolicy(max_attempts=1))
    error = aiohttp.ClientResponseError(Mock(), (), status=503, message="mocked")
    with (
        patch("aiohttp.ClientResponse.raise_for_status", Mock(side_effect=error)),
        pytest.raises(APIError, match="503"),
    ):
        await refine_prompt(session, "a fox")


async def test_a_connector_of_others_connects(serve):
    """A session that is opened while `aiohttp.TCPConnector` is another's connects by that."""
    server, made = await serve(), []

    class Guard(aiohttp.TCPConnector):
        async def _resolve_host(self, host: str, port: int, traces: Any = None) -> Any:
            raise PermissionError(f"{host} is forbidden")

    def make(**options: Any) -> aiohttp.TCPConnector:
        made.append(Guard(**options))
        return made[-1]

    for place in ("aiohttp.TCPConnector", "aiohttp.client.TCPConnector"):
        with patch(place, make):
            session = VimmerseSession(
                "test-only-key", base_url=server.url, retry=RetryPolicy(max_attempts=1)
            )
            async with session:
                with pytest.raises(APIError):
                    await refine_prompt(session, "a fox")
    assert [each.closed for each in made] == [True, True]
    assert not server.requests


async def test_a_resolver_of_others_is_asked(serve):
    """A session that is opened while aiohttp's resolver is another's finds its server by that."""
    server = await serve()

    class Nowhere(aiohttp.ThreadedResolver):
        async def resolve(self, *_: Any, **__: Any) -> Any:
            raise OSError("nowhere")

    Nowhere.__module__ = "tests"
    with patch("aiohttp.connector.DefaultResolver", Nowhere):
        session = VimmerseSession(
            "test-only-key",
            base_url=server.url.replace("127.0.0.1", "localhost"),
            retry=RetryPolicy(max_attempts=1),
        )
        await session.__aenter__()
    try:
        with pytest.raises(APIError):
            await refine_prompt(session, "a fox")
    finally:
        await session.aclose()
    assert not server.requests


async def test_a_class_in_its_place_is_shown_the_bytes_of_a_request(serve, connect):
    """A cache compares what is sent: equal questions have equal bodies."""
    server, bodies = await serve(), []
    session = await connect(server, retry=RetryPolicy(max_attempts=1))

    class Cached:
        def __init__(self, **_: Any) -> None: ...
        async def request(self, *_: Any, data: Any, **__: Any) -> Any:
            bodies.append(data)
            raise ConnectionError

    with patch("aiohttp.ClientSession", Cached):
        for _ in range(2):
            with pytest.raises(APIError):
                await refine_prompt(session, "a fox")
    assert bodies[0] == bodies[1]
    assert b"a fox" in bodies[0]
