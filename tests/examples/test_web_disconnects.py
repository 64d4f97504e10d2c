"""A visitor who leaves ends the call that was made for them; nothing else ends it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from litestar import Litestar, post
from litestar import Request as LitestarRequest
from served import served, served_by_aiohttp, served_by_uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vimmerse_async import (
    APIConnectionError,
    APITimeoutError,
    InvalidRequestError,
    OverloadedError,
    RateLimitError,
    SessionError,
    VimmerseSession,
    refine_prompt,
)
from vimmerse_async.emulator import Emulator
from vimmerse_async.errors import ConfigurationError, InternalServerError, VimmerseError
from vimmerse_async.integrations.web import (
    ClientDisconnectedError,
    status_and_headers,
    while_connected,
)

APPS = ["aiohttp_app", "fastapi_app", "litestar_app", "starlette_app"]
LARGE = 300_000  # more than a server reads ahead
HANG = [{"kind": "hang"}]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is looked at rings no bell
            await asyncio.sleep(0.01)


class Visitor:
    """Asks over a socket of their own, and may leave."""

    def __init__(self, url: str) -> None:
        self._port = int(url.rpartition(":")[2])

    async def ask(self, path: str, body: bytes = b"", *, length: int | None = None) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        length = len(body) if length is None else length
        head = f"POST {path} HTTP/1.1\r\nHost: app\r\nContent-Length: {length}\r\n\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    async def leave(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def asked_and_left(url: str, path: str, emulator: Emulator, body: bytes = b"") -> None:
    visitor = Visitor(url)
    await visitor.ask(path, body)
    log = emulator.account.log
    await until(lambda: log.in_flight == 1)
    await visitor.leave()
    await until(lambda: log.in_flight == 0)


@pytest.mark.parametrize("name", APPS)
async def test_who_leaves_ends_the_call(
    name: str,
    emulator: Emulator,
    load: Callable[[str], ModuleType],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The API sees the call end when its visitor has gone; the next visitor is served as ever."""
    emulator.set_faults(HANG)
    async with served(load(f"web/{name}.py")) as url, aiohttp.ClientSession(url) as other:
        await asked_and_left(url, "/refine?text=a+fox", emulator)
        await asked_and_left(url, "/refine?text=a+hen", emulator, b"x" * LARGE)
        emulator.set_faults([])
        async with other.post("/refine", params={"text": "a fox"}) as reply:
            assert (reply.status, "fox" in (await reply.json())["prompt"]) == (200, True)
    assert [seen.outcome for seen in emulator.requests] == ["hang", "hang", "200"]
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


@asynccontextmanager
async def app_of(kind: str, work: Callable[[Any], Any]) -> AsyncIterator[str]:
    """Serve one handler that does the work and answers with what it returns."""
    async with _SERVED[kind](work) as url:
        yield url


def _by_starlette(work: Callable[[Any], Any], *middleware: Middleware) -> Any:
    async def handle(request: Any) -> Response:
        return JSONResponse(await work(request))

    route = Route("/", handle, methods=["POST"])
    return served_by_uvicorn(Starlette(routes=[route], middleware=middleware))


def _through_middleware(work: Callable[[Any], Any]) -> Any:
    async def dispatch(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    return _by_starlette(work, Middleware(BaseHTTPMiddleware, dispatch=dispatch))


def _by_litestar(work: Callable[[Any], Any]) -> Any:
    @post("/")
    async def handle(request: LitestarRequest) -> Any:
        return await work(request)

    return served_by_uvicorn(Litestar([handle], logging_config=None))


def _by_aiohttp(work: Callable[[Any], Any]) -> Any:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(await work(request))

    app = web.Application()
    app.router.add_post("/", handle)
    return served_by_aiohttp(app)


_SERVED: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "starlette": _by_starlette,
    "middleware": _through_middleware,
    "litestar": _by_litestar,
    "aiohttp": _by_aiohttp,
}


@pytest.mark.parametrize("kind", sorted(_SERVED))
async def test_the_body_can_be_read_inside(kind: str) -> None:
    """Watching takes nothing away: a body larger than what is read ahead is whole inside."""

    async def work(request: Any) -> int:
        async with while_connected(request):
            return len(await (request.read() if kind == "aiohttp" else request.body()))

    async with app_of(kind, work) as url:
        visitor = Visitor(url)
        await visitor.ask("/", b"x" * LARGE)
        reply = await visitor.reader.readuntil(b"%d" % LARGE)
        assert reply.startswith(b"HTTP/1.1 20")
        await visitor.leave()


@pytest.mark.parametrize("kind", sorted(_SERVED))
async def test_who_leaves_while_sending_asks_nothing(kind: str) -> None:
    """A request that never came whole is answered by no call."""
    met: list[object] = []

    async def work(request: Any) -> Any:
        try:
            async with while_connected(request):
                met.append("asked")
        except BaseException as error:
            met.append(type(error))
            raise
        finally:
            met.append("ended")

    async with app_of(kind, work) as url:
        visitor = Visitor(url)
        await visitor.ask("/", b"x" * LARGE, length=2 * LARGE)
        await asyncio.sleep(0.05)
        await visitor.leave()
        await until(lambda: "ended" in met)
    assert met == [ClientDisconnectedError, "ended"]


@pytest.mark.parametrize("kind", sorted(_SERVED))
async def test_a_cancellation_of_another_stays_what_it_is(kind: str) -> None:
    """A timeout inside or around, and an error of the call, come out as they are."""
    met: list[object] = []

    async def work(request: Any) -> Any:
        async with while_connected(request):  # reads the body; what was half read is lost to all
            pass
        try:
            async with asyncio.timeout(0.01):
                async with while_connected(request):
                    await asyncio.sleep(30)
        except TimeoutError:
            met.append("around")
        async with while_connected(request):
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(30)
            except TimeoutError:
                met.append("inside")
        try:
            async with while_connected(request):
                raise KeyError("its own")
        except KeyError:
            met.append("raised")
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    async with (
        app_of(kind, work) as url,
        aiohttp.ClientSession(url) as visitor,
        visitor.post("/") as reply,
    ):
        assert await reply.json() == 0
    assert met == ["around", "inside", "raised"]


async def test_an_error_on_the_way_out_is_told_and_the_task_goes_on() -> None:
    """What a handler raises while it is being ended is raised, and leaves no cancellation."""
    gone = asyncio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def work() -> None:
        async with while_connected(receive):
            gone.set()
            try:
                await asyncio.sleep(30)
            finally:
                raise KeyError("on the way out")

    with pytest.raises(KeyError):
        await work()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_for_who_has_left_already_nothing_is_sent() -> None:
    """A server behind with its work is handed visitors who are gone: their call is not begun."""

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    begun = False
    with pytest.raises(ClientDisconnectedError):
        async with while_connected(receive):
            begun = True
    assert not begun
    task = asyncio.current_task()
    assert task is not None
    for _ in range(3):
        await asyncio.sleep(0)
        assert task.cancelling() == 0


async def test_who_leaves_with_the_answer_cancels_nobody() -> None:
    """A disconnect in the very turn in which the work ends is too late to end anything."""
    gone = asyncio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    for turns in range(6):
        gone.clear()
        try:
            async with while_connected(receive):
                gone.set()
                for _ in range(turns):
                    await asyncio.sleep(0)
        except ClientDisconnectedError:
            assert turns
        for _ in range(3):
            await asyncio.sleep(0)


async def test_a_watch_that_fails_harms_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A server that cannot be asked costs a warning, not the visitor's answer."""

    async def receive() -> dict[str, str]:
        raise RuntimeError("not today")

    async with while_connected(receive):
        await asyncio.sleep(0.01)
    assert "not today" in caplog.text


@pytest.mark.parametrize("kind", sorted(_SERVED))
async def test_a_body_read_in_pieces_is_no_hindrance(kind: str) -> None:
    """Who took the body piece by piece, as for a form's file, is watched like any other."""
    met: list[object] = []

    async def work(request: Any) -> Any:
        pieces = request.content.iter_any() if kind == "aiohttp" else request.stream()
        met.append(sum([len(piece) async for piece in pieces]))
        try:
            async with while_connected(request):
                met.append("asked")
                await asyncio.sleep(30)
        except ClientDisconnectedError as error:
            met.append(type(error))
            return None

    async with app_of(kind, work) as url:
        visitor = Visitor(url)
        await visitor.ask("/", b"x" * LARGE)
        await until(lambda: "asked" in met)
        await visitor.leave()
        await until(lambda: len(met) == 3)
    assert met == [LARGE, "asked", ClientDisconnectedError]


@pytest.mark.parametrize("kind", ["starlette", "aiohttp"])
async def test_a_stay_leaves_nothing_behind(kind: str) -> None:
    """Each answered visitor is forgotten: no task of theirs is left."""

    async def work(request: Any) -> int:
        async with while_connected(request):
            await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    async with app_of(kind, work) as url, aiohttp.ClientSession(url) as visitor:
        seen = []
        for _ in range(5):
            async with visitor.post("/") as reply:
                seen.append(await reply.json())
    assert seen[0] == seen[-1]


async def test_what_is_no_request_is_refused_with_the_right_ones() -> None:
    """A wrong argument is told at once, by what would be right."""
    with pytest.raises(TypeError, match="Starlette, FastAPI, Litestar or aiohttp"):
        async with while_connected("request"):
            pytest.fail("it was taken")


def _status(error: VimmerseError) -> tuple[int, str | None]:
    status, headers = status_and_headers(error)
    return status, headers.get("Retry-After")


def test_each_error_has_its_status() -> None:
    """Input is 422, overload 503 with the wait where it is known, the API's failure 502."""
    cases = [
        (InvalidRequestError("no", field="prompt"), (422, None)),
        (ConfigurationError("no", field="timeout"), (500, None)),
        (ClientDisconnectedError("gone"), (499, None)),
        (RateLimitError("no", status=429), (503, None)),
        (RateLimitError("no", status=429, retry_after=2.1), (503, "3")),
        (RateLimitError("no", status=429, retry_after=0.0), (503, "1")),
        (InternalServerError("no", status=503, retry_after=7), (503, "7")),
        (InternalServerError("no", status=500, retry_after=7), (502, None)),
        (APITimeoutError("late", kind="deadline"), (503, None)),
        (OverloadedError("full", waiting=8, retry_after=1.2), (503, "2")),
        (SessionError("the session was closed while this call was under way"), (503, None)),
        (APIConnectionError("lost", kind="lost", sent="maybe"), (502, None)),
        (VimmerseError("else"), (502, None)),
    ]
    assert [_status(error) for error, _ in cases] == [expected for _, expected in cases]


@asynccontextmanager
async def ending_app(
    work: Callable[[VimmerseSession, Any], Any], *, grace: float = 0.0, **config: Any
) -> AsyncIterator[str]:
    """Serve by uvicorn an application whose session gives the calls under way some seconds."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, VimmerseSession]]:
        async with VimmerseSession() as session:
            yield {"session": session}
            await session.aclose(grace=grace)

    async def handle(request: Any) -> Response:
        return JSONResponse(await work(request.state.session, request))

    app = Starlette(routes=[Route("/", handle, methods=["POST"])], lifespan=lifespan)
    async with served_by_uvicorn(app, **config) as url:
        yield url


async def refine_for(session: VimmerseSession, request: Any) -> str:
    async with while_connected(request):
        return await refine_prompt(session, "a fox")


async def test_uvicorn_answers_who_waits_before_the_session_closes(emulator: Emulator) -> None:
    """A server told to stop lets visitors have their answers first, whatever the grace."""
    emulator.set_faults([{"kind": "delay", "seconds": 0.3}])
    async with ending_app(refine_for) as url:
        visitor = Visitor(url)
        await visitor.ask("/")
        await until(lambda: emulator.account.log.in_flight == 1)
    reply = await visitor.reader.read()
    await visitor.leave()
    assert reply.startswith(b"HTTP/1.1 200")
    assert b"fox" in reply


async def test_uvicorn_cancels_what_outlives_its_own_grace(emulator: Emulator) -> None:
    """After `timeout_graceful_shutdown` the handler is cancelled, and with it its call."""
    emulator.set_faults(HANG)
    met: list[type[BaseException]] = []

    async def work(session: VimmerseSession, request: Any) -> str:
        try:
            return await refine_for(session, request)
        except BaseException as error:
            met.append(type(error))
            raise

    config = {"timeout_graceful_shutdown": 1, "log_level": "critical"}
    async with ending_app(work, grace=30, **config) as url:
        visitor = Visitor(url)
        await visitor.ask("/")
        await until(lambda: emulator.account.log.in_flight == 1)
    await until(lambda: emulator.account.log.in_flight == 0)
    await visitor.leave()
    assert met == [asyncio.CancelledError]


@pytest.mark.parametrize(("grace", "ended"), [(0.0, SessionError), (30.0, str)])
async def test_the_grace_is_for_work_that_no_visitor_waits_for(
    emulator: Emulator, grace: float, ended: type
) -> None:
    """Tasks of the application are given the session's grace; without one they end at once."""
    emulator.set_faults([{"kind": "delay", "seconds": 0.6}])
    tasks: list[asyncio.Task[str]] = []

    async def work(session: VimmerseSession, _request: Any) -> str:
        tasks.append(asyncio.create_task(refine_prompt(session, "a fox")))
        return "noted"

    async with ending_app(work, grace=grace) as url, aiohttp.ClientSession(url) as visitor:
        async with visitor.post("/") as reply:
            assert reply.status == 200
        await until(lambda: emulator.account.log.in_flight == 1)
    (found,) = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found, ended)
