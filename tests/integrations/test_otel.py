"""Telemetry: one span a call, numbers that add up, and nothing that is nobody's business."""

import asyncio
import json
from typing import Any

import pytest
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from scripted_server import KEY, LOST, NEVER, Answer, ScriptedServer, echo, slow

from vimmerse_async import (
    BadRequestError,
    RetryPolicy,
    gather_prompts,
    image_2_prompt,
    refine_prompt,
    upload_image,
)
from vimmerse_async.integrations.otel import CONTENT_VARIABLE, OpenTelemetryHook

AT_ONCE = RetryPolicy(backoff_base=0.0)
SECRET = "s3cret-asked"
PICTURE = f"https://cdn.example/{SECRET}.png?signature={SECRET}"


class Telemetry:
    """Exporters in memory, and the hook that feeds them."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.traces = TracerProvider()
        self.traces.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.hook = OpenTelemetryHook(
            tracer_provider=self.traces, meter_provider=self.meters, **options
        )

    @property
    def spans(self) -> tuple[Any, ...]:
        return self.exporter.get_finished_spans()

    def points(self) -> dict[str, list[Any]]:
        """What is measured now, by the instrument's name."""
        found: dict[str, list[Any]] = {}
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found

    def close(self) -> None:
        self.traces.shutdown()
        self.meters.shutdown()


@pytest.fixture
def telemetry() -> Any:
    made = Telemetry()
    yield made
    made.close()


async def test_a_call_is_one_client_span(server: ScriptedServer, telemetry: Telemetry) -> None:
    """However often a call is sent, it is one CLIENT span below the caller, named by its route."""
    answers = iter([Answer(500, {}), Answer(429, {}), echo])
    server.script = lambda request: (
        answer if isinstance(answer := next(answers), Answer) else answer(request)
    )
    tracer = telemetry.traces.get_tracer("test")
    async with server.session(hooks=[telemetry.hook], retry=AT_ONCE) as session:
        with tracer.start_as_current_span("handler") as handler:
            await refine_prompt(session, "a fox")
    span, outer = telemetry.spans
    assert (span.name, span.kind) == ("POST /v2/text/refine-prompt", SpanKind.CLIENT)
    assert span.parent.span_id == handler.get_span_context().span_id
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "vimmerse",
        "http.request.method": "POST",
        "http.request.resend_count": 1,
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "url.template": "/v2/text/refine-prompt",
        "vimmerse.attempts": 2,
        "vimmerse.operation": "refine_prompt",
        "vimmerse.possibly_charged": 0,
        "vimmerse.queue.duration": 0.0,
        "vimmerse.refused": 1,
    }
    (retry,) = span.events
    assert retry.name == "vimmerse.retry"
    assert dict(retry.attributes)["error.type"] == "500"
    assert outer.name == "handler"


async def test_attempts_are_spans_below_the_call(
    server: ScriptedServer, telemetry: Telemetry
) -> None:
    """With aiohttp's own instrumentation every attempt is a child of its call's span."""
    answers = iter([Answer(500, {}), echo])
    server.script = lambda request: (
        answer if isinstance(answer := next(answers), Answer) else answer(request)
    )
    tracing = create_trace_config(tracer_provider=telemetry.traces, meter_provider=telemetry.meters)
    async with server.session(
        hooks=[telemetry.hook], trace_configs=[tracing], retry=AT_ONCE
    ) as session:
        await refine_prompt(session, "a fox")
        after = telemetry.traces.get_tracer("test").start_span("after")
        after.end()
    *attempts, call, _ = telemetry.spans
    assert [each.parent.span_id for each in attempts] == [call.context.span_id] * 2
    assert after.parent is None


async def test_rows_of_a_batch_are_spans_side_by_side(
    server: ScriptedServer, telemetry: Telemetry
) -> None:
    """Each row is a span below the batch's caller, and no row is below another row."""
    tracer = telemetry.traces.get_tracer("test")
    server.script = slow(1.0)
    async with server.session(hooks=[telemetry.hook]) as session:
        with tracer.start_as_current_span("batch") as batch:
            await gather_prompts(session, [f"https://a.example/{n}" for n in range(50)])
    *rows, _ = telemetry.spans
    assert len(rows) == 50
    assert {row.parent.span_id for row in rows} == {batch.get_span_context().span_id}


async def test_F6_spans_and_metrics_tell_no_secrets(
    server: ScriptedServer, telemetry: Telemetry
) -> None:
    """F6: attributes, events and labels hold nothing asked or answered, no query and no key."""
    server.script = lambda request: (
        Answer(400, {"message": f"bad {SECRET} {KEY}"})
        if b"bad" in request.body or "?" in request.path
        else LOST
        if b"lost" in request.body
        else Answer(value=f"{SECRET} answered")
    )
    async with server.session(hooks=[telemetry.hook], retry=AT_ONCE) as session:
        await image_2_prompt(session, PICTURE)
        for text in (f"{SECRET} bad", f"{SECRET} lost"):
            with pytest.raises(Exception, match=r"."):
                await refine_prompt(session, text)
        with pytest.raises(BadRequestError):
            await session.request("GET", f"/v2/assets?token={SECRET}")
        shown = [telemetry.reader.get_metrics_data().to_json()]
    shown += [span.to_json() for span in telemetry.spans]
    assert len(shown) == 5
    assert not [text for text in shown if SECRET in text or KEY in text]
    custom = telemetry.spans[-1]
    assert (custom.name, custom.attributes["url.path"]) == ("GET request", "/v2/assets")
    assert custom.attributes["http.response.status_code"] == 400
    assert (custom.status.status_code, custom.status.description) == (StatusCode.ERROR, "400")


@pytest.mark.parametrize("asked", [{"capture_content": True}, {}])
async def test_content_is_captured_when_asked_for(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, asked: dict[str, bool]
) -> None:
    """An argument, or the convention's variable, puts question and answer into the span."""
    if not asked:
        monkeypatch.setenv(CONTENT_VARIABLE, "true")
    telemetry = Telemetry(**asked)
    async with server.session(hooks=[telemetry.hook]) as session:
        await refine_prompt(session, "a fox")
    (span,) = telemetry.spans
    (question,) = json.loads(span.attributes["gen_ai.input.messages"])
    assert json.loads(question["parts"][0]["content"]) == {"prompt": "a fox"}
    (answer,) = json.loads(span.attributes["gen_ai.output.messages"])
    assert answer["parts"] == [{"type": "text", "content": "about a fox"}]
    assert KEY not in span.to_json()
    telemetry.close()


async def test_cancelled_calls_end_their_span(server: ScriptedServer, telemetry: Telemetry) -> None:
    """A call that its caller gave up ends its span as cancelled, which is no error."""
    server.script = lambda _request: NEVER
    async with server.session(hooks=[telemetry.hook]) as session:
        call = asyncio.create_task(refine_prompt(session, "a fox"))
        await asyncio.sleep(1.0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    (span,) = telemetry.spans
    assert span.attributes["error.type"] == "cancelled"
    assert span.attributes["vimmerse.possibly_charged"] == 1
    assert span.status.status_code is StatusCode.UNSET


async def test_metrics_add_up(server: ScriptedServer) -> None:
    """Durations, waits, attempts, refusals and possible charges are what the server saw."""
    telemetry = Telemetry(attributes={"account": "one"})
    answers = iter([Answer(429, {}), LOST])
    server.script = lambda request: next(answers, None) or slow(2.0)(request)
    async with server.session(hooks=[telemetry.hook], limit=1, retry=AT_ONCE) as session:
        await asyncio.gather(*(refine_prompt(session, f"fox {n}") for n in range(3)))
        points = telemetry.points()
    (duration,) = points["gen_ai.client.operation.duration"]
    assert duration.count == 3
    assert 6.0 <= duration.max < 10.0
    assert duration.attributes["account"] == "one"
    (queue,) = points["vimmerse.client.queue.duration"]
    assert (queue.count, queue.min) == (3, 0.0)
    assert 2.0 <= queue.max < duration.max
    (attempts,) = points["vimmerse.client.attempts"]
    assert (attempts.count, attempts.sum) == (3, 4)
    assert points["vimmerse.client.refused"][0].value == 1
    assert points["vimmerse.client.possibly_charged"][0].value == 1
    telemetry.close()


async def test_gauges_show_the_limit_as_long_as_the_session_lives(
    server: ScriptedServer, telemetry: Telemetry
) -> None:
    """In flight, waiting and window are read when they are exported; an unpaced rate is not."""
    server.script = slow(2.0)
    async with server.session(hooks=[telemetry.hook], limit=2) as session:
        calls = asyncio.gather(*(refine_prompt(session, f"fox {n}") for n in range(5)))
        await asyncio.sleep(1.0)
        points = telemetry.points()
        await calls
    now = {name: [point.value for point in each] for name, each in points.items()}
    assert now["vimmerse.client.in_flight"] == [2]
    assert now["vimmerse.client.waiting"] == [3]
    assert now["vimmerse.client.window"] == [2]
    assert "vimmerse.client.rate" not in now
    del session
    assert "vimmerse.client.window" not in telemetry.points()


async def test_uploads_are_spans_too(server: ScriptedServer, telemetry: Telemetry) -> None:
    """An upload generates nothing: an HTTP span without gen_ai, and no duration of generating."""
    asset = Answer(value={"id": "1", "results": ["https://cdn.example/1.png"]})
    server.script = lambda _request: asset
    async with server.session(hooks=[telemetry.hook]) as session:
        await upload_image(session, b"\x89PNG\r\n\x1a\n" + bytes(32))
    (span,) = telemetry.spans
    assert span.name == "POST upload_image"
    assert not [name for name in span.attributes if name.startswith("gen_ai")]
    assert "gen_ai.client.operation.duration" not in telemetry.points()
