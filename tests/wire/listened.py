"""Run as a program: a question under a tool that listens to aiohttp, and what the tool has seen.

`listened.py TOOL before|after URL`: the tool is switched on before or after our import. The server
refuses once with a 500, so that there are two requests. Prints JSON: the answer, the spans of
requests as [is CLIENT, has the right parent], and all that the tool would have sent to its own
server.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

KEY = "test-only-S3NT1NEL5e8a77"
ASKED = "a fox that nobody shall know of"
Found = dict[str, Any]


def of_others(sent: Any) -> Any:
    """Return what was sent without what this program's own frames and source show."""
    if isinstance(sent, list):
        return [*map(of_others, sent)]
    if not isinstance(sent, dict):
        return sent
    hidden = {"vars", "pre_context", "context_line", "post_context"}
    is_ours = sent.get("abs_path") == __file__
    return {
        name: of_others(each) for name, each in sent.items() if not is_ours or name not in hidden
    }


def sentry() -> Callable[[], Any]:
    import sentry_sdk
    from sentry_sdk.integrations.aiohttp import AioHttpIntegration

    sent: list[Any] = []

    class Kept(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.extend(json.loads(item.get_bytes()) for item in envelope.items)

    sentry_sdk.init(
        "https://nobody@sentry.invalid/1", transport=Kept, traces_sample_rate=1.0,
        integrations=[AioHttpIntegration()], auto_session_tracking=False,
    )  # fmt: skip

    @contextmanager
    def watch(found: Found) -> Iterator[None]:
        with sentry_sdk.start_transaction(name="handler") as outer:
            yield
        sentry_sdk.capture_exception(found["error"])
        sentry_sdk.flush()
        traced = next(each for each in sent if each.get("type") == "transaction")
        found["spans"] = [
            [each["op"] == "http.client", each["parent_span_id"] == outer.span_id]
            for each in traced["spans"]
        ]
        found["sent"] = of_others(sent)

    return watch


def elastic() -> Callable[[], Any]:
    import elasticapm
    from elasticapm.transport.base import Transport

    sent: list[Any] = []

    class Kept(Transport):
        def queue(self, event_type: str, data: Any, flush: bool = False) -> None:
            sent.append([event_type, data])

        def send(self, *_: Any, **__: Any) -> None: ...

    sys.modules["kept"] = type(sys)("kept")
    sys.modules["kept"].Kept = Kept
    elasticapm.instrument()
    client = elasticapm.Client(
        service_name="test", transport_class="kept.Kept", cloud_provider=False,
        central_config=False, metrics_interval="0ms", collect_local_variables="all",
    )  # fmt: skip

    @contextmanager
    def watch(found: Found) -> Iterator[None]:
        outer = client.begin_transaction("handler")
        yield
        client.end_transaction("handler", "ok")
        error = found["error"]
        client.capture_exception((type(error), error, error.__traceback__))
        found["spans"] = [
            [each["subtype"] == "http", each["parent_id"] == outer.id]
            for kind, each in sent
            if kind == "span"
        ]
        found["sent"] = repr(of_others(sent))
        client.close()

    return watch


def _otel_exporter() -> tuple[Any, Any]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    return exporter, SimpleSpanProcessor(exporter), TracerProvider()


def _otel_watch(tracer: Any, exporter: Any) -> Callable[[], Any]:
    from opentelemetry.trace import SpanKind

    @contextmanager
    def watch(found: Found) -> Iterator[None]:
        failed = len(exporter.get_finished_spans())  # without a handler above
        with tracer.start_as_current_span("handler") as outer:
            yield
        spans = [each for each in exporter.get_finished_spans()[failed:] if each.name == "POST"]
        mine = outer.get_span_context().span_id
        found["spans"] = [[s.kind is SpanKind.CLIENT, s.parent.span_id == mine] for s in spans]
        found["sent"] = [each.to_json() for each in exporter.get_finished_spans()]

    return watch


def otel() -> Callable[[], Any]:
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor

    os.environ["OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST"] = ".*"
    exporter, processor, provider = _otel_exporter()
    provider.add_span_processor(processor)
    AioHttpClientInstrumentor().instrument(tracer_provider=provider)
    return _otel_watch(provider.get_tracer("test"), exporter)


def logfire() -> Callable[[], Any]:
    import logfire as tool
    from opentelemetry import trace

    exporter, processor, _ = _otel_exporter()
    tool.configure(send_to_logfire=False, console=False, additional_span_processors=[processor])
    tool.instrument_aiohttp_client(capture_headers=True)
    return _otel_watch(trace.get_tracer("test"), exporter)


def ddtrace() -> Callable[[], Any]:
    from ddtrace import patch
    from ddtrace.trace import TraceFilter, tracer

    spans: list[Any] = []

    class Kept(TraceFilter):
        def process_trace(self, trace: list[Any]) -> None:
            spans.extend(trace)

    tracer.configure(trace_processors=[Kept()])
    patch(aiohttp=True)

    @contextmanager
    def watch(found: Found) -> Iterator[None]:
        failed = len(spans)
        with tracer.trace("handler") as outer:
            yield
        found["spans"] = [
            [each.get_tag("span.kind") == "client", each.parent_id == outer.span_id]
            for each in spans[failed:]
            if each.name == "aiohttp.request"
        ]
        found["sent"] = [f"{each.name} {each.get_tags()}" for each in spans]

    return watch


def newrelic() -> Callable[[], Any]:
    os.environ |= {"NEW_RELIC_DEVELOPER_MODE": "true", "NEW_RELIC_LICENSE_KEY": "0" * 40}
    import newrelic.agent as tool
    from newrelic.api.external_trace import ExternalTrace

    tool.initialize()
    application = tool.register_application(timeout=10.0)
    traces: list[Any] = []
    enter = ExternalTrace.__enter__

    def note(trace: Any) -> Any:
        entered = enter(trace)
        traces.append([trace.method, trace.parent, str(trace.url), vars(trace)])
        return entered

    ExternalTrace.__enter__ = note

    @contextmanager
    def watch(found: Found) -> Iterator[None]:
        with tool.BackgroundTask(application, name="handler") as outer:
            yield
            root = outer.root_span
        found["spans"] = [[each[0] == "POST", each[1] is root] for each in traces]
        found["sent"] = repr(traces)

    return watch


async def ask(url: str) -> str:
    from vimmerse_async import RetryPolicy, VimmerseSession, refine_prompt

    often = RetryPolicy(backoff_base=0.0)
    async with VimmerseSession(KEY, base_url=url, retry=often) as session:
        return await refine_prompt(session, ASKED)


async def fail() -> Exception | None:
    """Return the error, with its frames, of asking nobody."""
    from vimmerse_async import APIConnectionError, RetryPolicy, VimmerseSession, refine_prompt

    once = RetryPolicy(max_attempts=1)
    async with VimmerseSession(KEY, base_url="http://127.0.0.1:1", retry=once) as session:
        try:
            await refine_prompt(session, ASKED)
        except APIConnectionError as error:
            return error
    return None


def main() -> None:
    tool, order, url = sys.argv[1:]
    if order == "after":
        import vimmerse_async.routes  # noqa: F401 - a tool comes late
    watch = globals()[tool]()
    found: Found = {"error": asyncio.run(fail())}
    with watch(found):
        found["answer"] = asyncio.run(ask(url))
    del found["error"]
    sys.stdout.write(json.dumps(found, default=repr) + "\n")
    sys.stdout.flush()
    os._exit(0)  # agents have threads that wait for their servers


if __name__ == "__main__":
    main()
