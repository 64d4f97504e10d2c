"""The traps of the page on traps: each error names what to write instead."""

import ast
import asyncio
import inspect
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from vimmerse_async import SessionError, VimmerseSession, gather_prompts, refine_prompt
from vimmerse_async.emulator import Emulator

WEB = Path(__file__).parents[2] / "examples" / "web"

pytestmark = pytest.mark.filterwarnings("ignore:VimmerseSession of:ResourceWarning")


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(unknown_media="placeholder") as emulator:
        monkeypatch.setenv("VIMMERSE_API_KEY", emulator.key)
        monkeypatch.setenv("VIMMERSE_BASE_URL", emulator.url)
        yield emulator


def test_a_second_asyncio_run_is_named(emulator: Emulator) -> None:
    """A session that a first `asyncio.run` left open tells the second that it needs its own."""

    async def open_it() -> VimmerseSession:
        return await VimmerseSession().open()

    session = asyncio.run(open_it())
    with pytest.raises(SessionError, match=r"open one in each loop \(each asyncio\.run"):
        asyncio.run(_refine(session))


def test_a_session_closed_by_the_first_asyncio_run_says_so(emulator: Emulator) -> None:
    """A session used after its `async with` names the block it belongs into."""
    session = VimmerseSession()

    async def once() -> str:
        async with session:
            return await refine_prompt(session, "a fox")

    assert "fox" in asyncio.run(once())
    with pytest.raises(SessionError, match="inside its `async with` block"):
        asyncio.run(_refine(session))


def test_a_test_client_without_with_is_named(emulator: Emulator) -> None:
    """Without `with`, Starlette's client runs no lifespan; the error says what to write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient
    session = VimmerseSession()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with session:
            yield

    async def refine(request: Any) -> PlainTextResponse:
        return PlainTextResponse(await refine_prompt(session, "a fox"))

    app = Starlette(routes=[Route("/", refine)], lifespan=lifespan)
    with pytest.raises(SessionError, match=r"inside `with TestClient\(app\) as client:`"):
        TestClient(app).get("/")
    with TestClient(app) as client:
        assert "fox" in client.get("/").text


DJANGO = """
import io, sys
import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception
from django.http import HttpResponse
from django.urls import path
from vimmerse_async import VimmerseSession, refine_prompt

kept = []

async def keeps(request):
    if not kept:
        kept.append(await VimmerseSession().open())
    return HttpResponse(await refine_prompt(kept[0], "a fox"))

async def opens(request):
    async with VimmerseSession() as session:
        return HttpResponse(await refine_prompt(session, "a fox"))

urlpatterns = [path("keeps", keeps), path("opens", opens)]
settings.configure(
    SECRET_KEY="test-only", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None
)
django.setup()
got_request_exception.connect(lambda **_: print(repr(sys.exc_info()[1])), weak=False)

def get(where):
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": where, "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    }
    reply = WSGIHandler()(environ, lambda line, headers: print(where, line.split()[0]))
    reply.close()

for where in sys.argv[1:]:
    get(where)
"""


def test_django_under_wsgi_is_named(emulator: Emulator) -> None:
    """Under WSGI each request has a loop of its own: a session kept from the first says so."""
    lines = _django("/keeps", "/keeps")
    assert lines[0] == "/keeps 200"
    assert lines[1].startswith("SessionError(")
    assert "open one in each loop" in lines[1]
    assert "in Django under WSGI, each request has its own" in lines[1]
    assert lines[2] == "/keeps 500"


def test_django_under_wsgi_opens_a_session_for_each_request(emulator: Emulator) -> None:
    """What the page says works: a session inside the view."""
    assert _django("/opens", "/opens") == ["/opens 200"] * 2


DJANGO_ASGI = """
import asyncio, sys
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
import django_app
from vimmerse_async import refine_prompt

class Synchronous:
    async_capable = False

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

def synchronous(request):
    return HttpResponse(async_to_sync(refine_prompt)(django_app.session, "a fox"))

django_app.urlpatterns.append(path("synchronous", synchronous))
settings.MIDDLEWARE = ["__main__.Synchronous"] * int(sys.argv[1])
django_app.views.load_middleware(is_async=True)

async def get(where):
    visitor = ApplicationCommunicator(django_app.app, {
        "type": "http", "method": "GET", "path": where, "query_string": b"text=a+fox",
        "headers": [(b"host", b"localhost")],
    })
    await visitor.send_input({"type": "http.request"})
    reply = await visitor.receive_output(30)
    print(where, reply["status"], b"fox" in (await visitor.receive_output(30))["body"])
    await visitor.wait()

async def main():
    server = ApplicationCommunicator(django_app.app, {"type": "lifespan"})
    for step in ("startup", "shutdown"):
        await server.send_input({"type": f"lifespan.{step}"})
        assert (await server.receive_output(30))["type"] == f"lifespan.{step}.complete"
        if step == "startup":
            await asyncio.gather(get("/refine"), get("/synchronous"))
            await get("/synchronous")
    print(django_app.session.closed, django_app.session.statistics().succeeded)

asyncio.run(main())
"""


@pytest.mark.parametrize("middleware", [0, 1])
def test_django_under_asgi_shares_one_session(emulator: Emulator, middleware: int) -> None:
    """Both kinds of views use the session of the lifespan, behind synchronous middleware too."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DJANGO_ASGI, str(middleware)],
        capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(WEB), *sys.path])},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert sorted(lines[:3]) == [
        "/refine 200 True", "/synchronous 200 True", "/synchronous 200 True",
    ]  # fmt: skip
    assert lines[3] == "True 3"


def test_a_notebook_awaits_and_keeps_its_session(emulator: Emulator) -> None:
    """Cells run in one loop: `await` works at the top, and a closed session names the mend."""
    notebook: dict[str, Any] = {}

    async def cells() -> None:
        await _cell("from vimmerse_async import *", notebook)
        await _cell("async with VimmerseSession() as session:\n    pass", notebook)
        with pytest.raises(SessionError, match="in a notebook open one for all cells") as error:
            await _cell("await refine_prompt(session, 'a fox')", notebook)
        mend = str(error.value).rpartition(": ")[2].strip("`")
        await _cell(mend, notebook)
        await _cell("found = await refine_prompt(session, 'a fox')", notebook)
        await _cell("await session.aclose()", notebook)

    asyncio.run(cells())
    assert "fox" in notebook["found"]


def test_synchronous_code_calls_through_a_portal(emulator: Emulator) -> None:
    """The page's recipe: a loop in a thread of its own, also where a loop runs already."""

    async def main() -> list[str]:
        async with VimmerseSession() as session:
            return await gather_prompts(session, ["https://a.example/1.png"])

    async def notebook() -> list[str]:
        with start_blocking_portal() as portal:
            return portal.call(main)

    assert len(asyncio.run(notebook())) == 1
    assert threading.active_count() >= 1


async def _refine(session: VimmerseSession) -> str:
    return await refine_prompt(session, "a fox")


async def _cell(code: str, notebook: dict[str, Any]) -> None:
    """Run a cell as IPython does: compiled with top-level await, in the running loop."""
    compiled = compile(code, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    pending = eval(compiled, notebook)
    if inspect.isawaitable(pending):
        await pending


def _django(*paths: str) -> list[str]:
    """Return what a Django project prints of some requests, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", DJANGO, *paths],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()
