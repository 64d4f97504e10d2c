"""Tapes, mocks, blocked networks and tracers: what they do to aiohttp holds for us, too.

Each with the real package. What is heavy runs in `make test-all`, where it is installed.
"""

import asyncio
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, patch

import aiohttp
import pytest
import vcr
from aioresponses import aioresponses
from listened import ASKED
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from secret_scan import CORE
from vcr.errors import CannotOverwriteExistingCassetteException as CannotOverwrite
from wire_kit import OpenLimit

from vimmerse_async import (
    APIError,
    BatchStoppedError,
    RetryPolicy,
    VimmerseSession,
    gather_prompts,
    refine_prompt,
)
from vimmerse_async.http import face
from vimmerse_async.integrations.otel import OpenTelemetryHook

PROGRAM = Path(__file__).with_name("listened.py")
REFINE = "/v2/text/refine-prompt"


async def run(*words: str | Path, **options: Any) -> str:
    """Return what a program prints; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *map(str, words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **options
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, f"{printed.decode()}\n{complaints.decode()}"
    return printed.decode()


def tool(name: str, package: str, *, heavy: bool = True) -> Any:
    missing = pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")
    return pytest.param(name, id=name, marks=[missing, *([pytest.mark.full] if heavy else [])])


TRACERS = [
    tool("sentry", "sentry_sdk", heavy=False),
    tool("otel", "opentelemetry"),
    tool("elastic", "elasticapm"),
    tool("logfire", "logfire"),
    tool("ddtrace", "ddtrace"),
    tool("newrelic", "newrelic"),
]


@pytest.mark.parametrize("order", ["before", pytest.param("after", marks=pytest.mark.full)])
@pytest.mark.parametrize("name", TRACERS)
async def test_a_tracer_sees_each_request(name, order, serve):
    """Whenever it was switched on: a CLIENT span below the handler's for each, and its headers.

    Neither the key nor what was asked is in anything that it sends.
    """
    server = await serve({"do": "answer", "status": 500, "body": "{}"})
    printed = await run(sys.executable, PROGRAM, name, order, server.url)
    found = json.loads(printed.splitlines()[-1])
    assert found["answer"] == f"answer to {ASKED}"
    assert found["spans"] == [[True, True]] * 2
    assert len(server.requests) == 2
    header = "sentry-trace" if name == "sentry" else "traceparent"
    assert len({parent for ask in server.requests for parent in ask.all(header)}) == 2
    assert all(CORE in ask.all("x-api-key")[0] for ask in server.requests)
    assert CORE not in str(found["sent"])
    assert ASKED not in str(found["sent"])


async def test_a_tape_records_and_replays(serve, connect, tmp_path):
    """What was asked once is answered from the tape, which holds no key."""
    server = await serve()
    tape = tmp_path / "tape.yaml"
    session = await connect(server)
    for _ in range(2):
        with vcr.use_cassette(tape, record_mode="once"):
            assert await refine_prompt(session, "a fox") == "answer to a fox"
    assert len(server.requests) == 1
    assert CORE not in tape.read_text("utf-8")
    assert "a fox" in tape.read_text("utf-8")
    assert await refine_prompt(session, "a hare") == "answer to a hare"
    assert server.connections <= 2


@pytest.mark.parametrize("many", [False, True], ids=["a call", "a batch"])
async def test_a_tape_that_forbids_is_obeyed(many, serve, connect, tmp_path):
    """Under record mode "none" an unknown request raises what the tape raises: none goes out."""
    server = await serve()
    session = await connect(server)
    await refine_prompt(session, "there is a connection now")
    with (
        vcr.use_cassette(tmp_path / "tape.yaml", record_mode="none"),
        pytest.raises(BatchStoppedError if many else CannotOverwrite) as raised,
    ):
        await (
            gather_prompts(session, ["https://a.example/1"])
            if many
            else refine_prompt(session, "a fox")
        )
    error = raised.value.__cause__ if many else raised.value
    assert isinstance(error, CannotOverwrite)
    assert len(server.requests) == 1


class Response(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not know what aiohttp 3.14 wants of a response."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **{"stream_writer": Mock(output_size=0), **options})


async def test_a_mock_answers(serve, connect):
    """A mocked address is answered by the mock, and errors are those of its statuses."""
    server = await serve()
    session = await connect(server)
    with aioresponses() as mocked:
        mocked.post(server.url + REFINE, status=500, response_class=Response)
        mocked.post(server.url + REFINE, payload="mocked", response_class=Response)
        assert await refine_prompt(session, "a fox") == "mocked"
        assert CORE not in str(mocked.requests)
    assert session.statistics().retried == 1
    assert server.requests == []
    assert await refine_prompt(session, "a fox") == "answer to a fox"


async def test_a_class_in_its_place_is_used(serve, connect):
    """Whatever stands for `aiohttp.ClientSession` is made and asked, and its answer is read."""
    server = await serve()
    session = await connect(server)
    asked: list[tuple[Any, ...]] = []

    class Reply:
        status, headers, content = 200, {"Content-Type": "application/json"}, None

        async def read(self) -> bytes:
            return b'"from a double"'

        def close(self) -> None: ...

    class Double:
        def __init__(self, **options: Any) -> None:
            self.connector = options["connector"]

        async def request(self, *words: Any, **options: Any) -> Reply:
            asked.append(words)
            return Reply()

    with patch("aiohttp.ClientSession", Double):
        assert await refine_prompt(session, "a fox") == "from a double"
    assert [str(words[1]) for words in asked] == [server.url + REFINE]
    assert await refine_prompt(session, "a fox") == "answer to a fox"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "name",
    [
        "ClientSession.post", "ClientSession._request", "ClientRequest.send", "ClientResponse.read",
        "BaseConnector.connect", "TCPConnector._create_connection",
        "TCPConnector._create_direct_connection", "TCPConnector._wrap_create_connection",
        "ThreadedResolver.resolve",
        "http_writer.StreamWriter.write_headers",
    ],
)  # fmt: skip
async def test_what_blocks_plain_aiohttp_blocks_us(name, serve, connect):
    """Whatever is replaced on a request's way to a server, by whom ever, stops ours there, too."""
    server = await serve()
    by_name = server.url.replace("127.0.0.1", "localhost")
    session = await connect(by_name, retry=RetryPolicy(max_attempts=1))
    blocked = AsyncMock(side_effect=ConnectionError("blocked"))
    with patch(f"aiohttp.{name}", blocked), pytest.raises(APIError):
        await refine_prompt(session, "a fox")
    assert blocked.called
    assert not server.requests or name == "ClientResponse.read"
    assert await refine_prompt(session, "a fox") == "answer to a fox"


async def test_a_mock_of_post_answers(serve, connect):
    """A mock made for `async with session.post(…)` is what answers."""
    server = await serve()
    session = await connect(server)
    reply = Mock(status=200, headers={}, read=AsyncMock(return_value=b'"mocked"'))
    post = MagicMock()
    post.return_value.__aenter__.return_value = reply
    with patch("aiohttp.ClientSession.post", post):
        assert await refine_prompt(session, "a fox") == "mocked"
    assert not server.requests


BLOCKED = """
import asyncio, os, pytest
from vimmerse_async import VimmerseSession, refine_prompt

async def ask():
    async with VimmerseSession("test-only-key", limit=1) as session:
        return await refine_prompt(session, "a fox")

@pytest.mark.block_network
def test_pytest_recording():
    with pytest.raises(RuntimeError, match="Network is disabled"):
        asyncio.run(ask())

@pytest.mark.allow_hosts(["10.0.0.1"])
@pytest.mark.filterwarnings("ignore:A test tried")
def test_pytest_socket():
    with pytest.raises(RuntimeError, match="A test tried to use socket.socket.connect"):
        asyncio.run(ask())

def test_neither():
    assert asyncio.run(ask()) == "answer to a fox"
"""


async def test_a_blocked_network_raises(serve, tmp_path):
    """pytest-recording's `--block-network` and pytest-socket end a call with their own error."""
    server = await serve()
    (tmp_path / "test_blocked.py").write_text(BLOCKED, "utf-8")
    plugins = ["-p", "pytest_recording.plugin", "-p", "pytest_socket", "-p", "no:cacheprovider"]
    printed = await run(
        sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, *plugins, tmp_path,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "VIMMERSE_BASE_URL": server.url},
    )  # fmt: skip
    assert "3 passed" in printed
    assert len(server.requests) == 1


class Spans:
    """A provider that keeps its spans."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def named(self, *kinds: SpanKind) -> list[Any]:
        return [each for each in self.exporter.get_finished_spans() if each.kind in kinds]


@pytest.fixture
def spans() -> Any:
    made = Spans()
    yield made
    made.provider.shutdown()


def parent_of(asked: Any) -> str:
    (traceparent,) = asked.all("traceparent")
    return traceparent.split("-")[2]


async def test_the_hook_alone_sends_its_trace(serve, connect, spans):
    """Every request of a call carries the `traceparent` of the call's one CLIENT span."""
    server = await serve({"do": "answer", "status": 500, "body": "{}"})
    session = await connect(server, hooks=[OpenTelemetryHook(tracer_provider=spans.provider)])
    await refine_prompt(session, "a fox")
    (span,) = spans.named(SpanKind.CLIENT)
    expected = trace.format_span_id(span.context.span_id)
    assert [parent_of(asked) for asked in server.requests] == [expected] * 2


async def test_hook_and_instrumentation_make_one_client_span_a_request(serve, connect, spans):
    """The instrumentation's is the CLIENT span, below the call's, which is INTERNAL then."""
    server = await serve({"do": "answer", "status": 500, "body": "{}"})
    session = await connect(server, hooks=[OpenTelemetryHook(tracer_provider=spans.provider)])
    AioHttpClientInstrumentor().instrument(tracer_provider=spans.provider)
    try:
        await refine_prompt(session, "a fox")
    finally:
        AioHttpClientInstrumentor().uninstrument()
    (call,) = spans.named(SpanKind.INTERNAL)
    attempts = spans.named(SpanKind.CLIENT)
    assert [each.parent.span_id for each in attempts] == [call.context.span_id] * 2
    sent = [trace.format_span_id(each.context.span_id) for each in attempts]
    assert [parent_of(asked) for asked in server.requests] == sent
    await refine_prompt(session, "a hare")
    assert len(spans.named(SpanKind.CLIENT)) == 3, "the hook's own, again"


async def test_a_hook_adds_headers_but_no_others_than_new_ones(serve, connect):
    """What a hook puts into `headers` is sent, unless it could change the request itself."""

    class Adding:
        def on_open(self, event): ...
        def on_retry(self, event): ...
        def on_call(self, event): ...
        def on_start(self, event):
            event.headers |= {
                "baggage": "a=1,b=2", "X-Api-Key": "x", "content-length": "0", "Host": "b",
                "bad name": "x", "X-Split": "a\r\nb: c", "X-Empty": "", "X-Number": 1,
            }  # fmt: skip

    server = await serve()
    session = await connect(server, hooks=[Adding()])
    await refine_prompt(session, "a fox")
    await refine_prompt(session, "x" * 100_000)
    for asked in server.requests:
        assert asked.all("baggage") == ["a=1,b=2"]
        assert CORE in asked.all("x-api-key")[0]
        assert not [name for name, _ in asked.headers if name in {"X-Split", "X-Empty", "X-Number"}]


async def test_a_session_that_is_opened_under_a_tape_is_free_after_it(serve, tmp_path):
    """What is decided is decided for each call: a tape that ends leaves the fast way behind."""
    server = await serve()
    with vcr.use_cassette(tmp_path / "tape.yaml", record_mode="none"):
        session = VimmerseSession("test-only-key", base_url=server.url, limit=OpenLimit())
        await session.__aenter__()
    try:
        assert await refine_prompt(session, "a fox") == "answer to a fox"
        assert not face.is_touched()
    finally:
        await session.aclose()
