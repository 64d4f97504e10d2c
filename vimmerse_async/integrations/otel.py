"""OpenTelemetry: a span for each call, and the numbers that tell how a run goes.

The span covers the whole call, waiting and retries included, and goes on in the server by the
headers of its requests. The instrumentation of aiohttp adds a CLIENT span below it for each
attempt: then the call's own is INTERNAL, as there shall be one for each request. Names follow the
HTTP and `gen_ai` conventions where they have one, and begin with `vimmerse.` where they have none.
No key and no query string is in any attribute, and what was asked and answered only when
`capture_content` asks for it.
"""

import json
import math
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from typing import Any

import attrs
from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from yarl import URL

from vimmerse_async._version import __version__
from vimmerse_async.errors import APIStatusError, VimmerseError
from vimmerse_async.hooks import CallEvent, OpenEvent, RetryEvent, StartEvent
from vimmerse_async.models import SessionStatistics

SCOPE = "vimmerse_async"
CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The convention's own switch for content in attributes."""

_ROUTES = frozenset({"text_prompt", "suggest_prompt", "refine_prompt", "image_2_prompt"})
"""Operations that generate something, and whose path names the route."""
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
"""Bucket bounds that the conventions advise for the duration of an operation."""
_SENDS = [1, 2, 3, 4, 5, 8]

Attributes = Mapping[str, str | int | float | bool]
_Statistics = Callable[[], SessionStatistics]


@attrs.frozen
class _Open:
    """A call under way: its span, and what metrics say of it."""

    span: Span
    token: Token[context.Context]
    labels: dict[str, Any]


_open: ContextVar[_Open | None] = ContextVar("vimmerse_async_call", default=None)


class OpenTelemetryHook:
    """Reports the calls of any number of sessions of one account to OpenTelemetry.

    Args:
        tracer_provider: Where spans go; None: the global one.
        meter_provider: Where metrics go; None: the global one.
        attributes: Added to every span and metric, such as a name for the account.
        capture_content: True puts what was asked and answered into span attributes; None: what
            the variable `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says, else False.

    Example:
        >>> from vimmerse_async import VimmerseSession
        >>> session = VimmerseSession("demo-key", hooks=[OpenTelemetryHook()])
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        attributes: Attributes | None = None,
        capture_content: bool | None = None,
    ) -> None:
        if capture_content is None:
            capture_content = os.environ.get(CONTENT_VARIABLE, "").lower() == "true"
        self._capture = capture_content
        self._attributes = dict(attributes or {})
        self._tracer = trace.get_tracer(SCOPE, __version__, tracer_provider)
        self._sessions: list[tuple[dict[str, Any], weakref.WeakMethod[_Statistics]]] = []
        self._make_instruments(metrics.get_meter(SCOPE, __version__, meter_provider))

    def on_open(self, event: OpenEvent) -> None:
        """Watch the session's limit as long as it lives."""
        labels = self._attributes | _server(event.origin)
        self._sessions.append((labels, weakref.WeakMethod(event.statistics)))

    def on_start(self, event: StartEvent) -> None:
        """Begin the call's span, and make it the current one."""
        generates = event.operation in _ROUTES
        labels = self._attributes | _server(event.origin)
        if generates:
            labels["gen_ai.operation.name"] = "generate_content"
            labels["gen_ai.provider.name"] = "vimmerse"
        labels["vimmerse.operation"] = event.operation
        about = labels | {"http.request.method": event.method}
        about["url.template" if generates else "url.path"] = event.path
        if self._capture and event.body is not None:
            about["gen_ai.input.messages"] = _message("user", event.body.decode())
        span = self._tracer.start_span(
            f"{event.method} {event.path if generates else event.operation}",
            kind=SpanKind.INTERNAL if event.makes_spans else SpanKind.CLIENT,
            attributes=about,
        )
        token = context.attach(trace.set_span_in_context(span))
        propagate.inject(event.headers)
        _open.set(_Open(span, token, labels))

    def on_retry(self, event: RetryEvent) -> None:
        """Note on the span that a request is sent again."""
        call = _open.get()
        if call is not None:
            call.span.add_event(
                "vimmerse.retry",
                {
                    "error.type": _kind(event.error),
                    "http.request.resend_count": event.attempts,
                    "vimmerse.retry.delay": event.wait,
                },
            )

    def on_call(self, event: CallEvent) -> None:
        """End the call's span, and count."""
        call = _open.get()
        if call is None:
            return
        _open.set(None)
        context.detach(call.token)
        error = "cancelled" if event.cancelled else None
        if event.error is not None:
            error = _kind(event.error)
        self._measure(event, call.labels | ({"error.type": error} if error else {}))
        span = call.span
        if span.is_recording():
            span.set_attributes(_outcome(event, error))
            if self._capture and isinstance(event.value, str):
                span.set_attribute("gen_ai.output.messages", _message("assistant", event.value))
        if event.error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end()

    def _make_instruments(self, meter: metrics.Meter) -> None:
        seconds, sends = _SECONDS, _SENDS
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "From the call to its end, waiting included",
            explicit_bucket_boundaries_advisory=seconds,
        )  # fmt: skip
        self._queue = meter.create_histogram(
            "vimmerse.client.queue.duration", "s", "From the call to its first request",
            explicit_bucket_boundaries_advisory=seconds,
        )  # fmt: skip
        self._attempts = meter.create_histogram(
            "vimmerse.client.attempts", "{request}", "Requests of a call, refused ones left out",
            explicit_bucket_boundaries_advisory=sends,
        )  # fmt: skip
        self._refused = meter.create_counter(
            "vimmerse.client.refused", "{request}", "Requests answered with 429"
        )
        self._charged = meter.create_counter(
            "vimmerse.client.possibly_charged", "{request}",
            "Requests that may have been billed although no answer arrived",
        )  # fmt: skip
        for name, unit, what, read in (
            ("in_flight", "{request}", "Requests in flight", lambda now: now.limit.in_flight),
            ("waiting", "{request}", "Requests that wait to be admitted", lambda now: now.waiting),
            ("window", "{request}", "Requests allowed in flight", lambda now: now.limit.window),
            ("rate", "{request}/s", "Requests allowed per second", lambda now: now.limit.rate),
        ):
            meter.create_observable_gauge(
                f"vimmerse.client.{name}", [self._reader(read)], unit, what
            )

    def _reader(
        self, read: Callable[[SessionStatistics], float]
    ) -> Callable[[metrics.CallbackOptions], Iterable[metrics.Observation]]:
        def observe(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
            for entry in list(self._sessions):
                statistics = entry[1]()
                if statistics is None:
                    self._forget(entry)
                elif math.isfinite(value := read(statistics())):
                    yield metrics.Observation(value, entry[0])

        return observe

    def _forget(self, entry: tuple[dict[str, Any], weakref.WeakMethod[_Statistics]]) -> None:
        if entry in self._sessions:
            self._sessions.remove(entry)

    def _measure(self, event: CallEvent, labels: dict[str, Any]) -> None:
        if "gen_ai.operation.name" in labels:
            self._duration.record(event.elapsed, labels)
        self._queue.record(event.waited, labels)
        self._attempts.record(event.attempts, labels)
        if event.refused:
            self._refused.add(event.refused, labels)
        if event.possibly_charged:
            self._charged.add(event.possibly_charged, labels)


def _server(origin: str) -> dict[str, Any]:
    url = URL(origin)
    return {"server.address": url.host or "", "server.port": url.port or 443}


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _kind(error: VimmerseError) -> str:
    """Return what the conventions call the error's type: the status, else the class."""
    return str(error.status) if isinstance(error, APIStatusError) else type(error).__name__


def _outcome(event: CallEvent, error: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "vimmerse.queue.duration": event.waited,
        "vimmerse.attempts": event.attempts,
        "vimmerse.refused": event.refused,
        "vimmerse.possibly_charged": event.possibly_charged,
    }
    if event.attempts > 1:
        found["http.request.resend_count"] = event.attempts - 1
    if error is not None:
        found["error.type"] = error
    if isinstance(event.error, APIStatusError):
        found["http.response.status_code"] = event.error.status
    return found
