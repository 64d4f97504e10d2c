"""The way through aiohttp's client session: forms, large bodies, proxies, and whoever listens.

Tapes, mocks and tracers change that class, or its instances as they are made. The key is put in
behind their backs, by a middleware: no tape, span or frame of theirs holds it.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Any, Self

import aiohttp
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from vimmerse_async.config import Config, Secret
from vimmerse_async.decode import MAX_REPLY
from vimmerse_async.http.face import (
    foreign_reader,
    is_aiohttps,
    is_foreign,
    is_resolving_touched,
    maker,
)
from vimmerse_async.http.failures import failure_of
from vimmerse_async.http.line import ERROR_REPLY_PATIENCE, LEAST_KEEP
from vimmerse_async.http.multipart import build_form
from vimmerse_async.http.pool import Body, GuardedConnector, current_lease
from vimmerse_async.http.reading import MAX_ERROR_REPLY, PIECE_COST, granted
from vimmerse_async.http.surface import HttpProcessingError
from vimmerse_async.wire import Call, Failure, Lease

LARGE = 1024 * 1024
"""Bytes; aiohttp warns of larger bodies that are not files."""

Raw = tuple[int, MultiMapping[str], bytes | None]
"""A reply's status, headers and body; None for a body that is too large."""


class Client:
    """aiohttp's client session over our pool, made anew when its class has been changed.

    Args:
        connector: The pool: ours, or what somebody has put into the place of aiohttp's.
        config: What requests carry.
        proxy: Address of an HTTP proxy; None for none.
        trace_configs: aiohttp's own tracing.

    Attributes:
        is_plain: Whether nobody listens to it, as far as it tells.
        spans: Whether OpenTelemetry's instrumentation makes a span for each request.
    """

    is_plain: bool
    spans: bool

    def __init__(
        self,
        connector: Any,
        config: Config,
        proxy: str | None,
        trace_configs: Sequence[Any],
    ) -> None:
        self._connector = connector
        self._headers = {
            name: value for name, value in config.headers.items() if not isinstance(value, Secret)
        }
        self._authority = _Authority(
            {name: value for name, value in config.headers.items() if isinstance(value, Secret)}
        )
        self._proxy = proxy
        self._trace_configs = trace_configs
        self._is_ours = isinstance(connector, GuardedConnector) and not is_resolving_touched()
        self._maker: tuple[object, object] = None, None
        self._session: Any = None
        self.renew()

    def renew(self) -> None:
        """Make the session anew if its class has been changed since."""
        made_by = maker()
        if made_by[0] is self._maker[0] and made_by[1] is self._maker[1]:
            return
        self.detach()
        self._maker = made_by
        self._session = session = aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            proxy=self._proxy,
            trace_configs=list(self._trace_configs),
        )
        # One attempt is one request: aiohttp would repeat a GET by itself, uncounted.
        session._retry_connection = False  # noqa: SLF001 - on the surface
        tracers = getattr(session, "trace_configs", None) or ()
        is_ours = self._is_ours and getattr(session, "connector", None) is self._connector
        self.is_plain = is_ours and not tracers
        self.spans = any(_makes_spans(each) for each in tracers)

    def detach(self) -> None:
        """Give the pool up, which somebody else closes."""
        if hasattr(self._session, "detach"):
            self._session.detach()

    async def request(
        self,
        call: Call,
        url: URL,
        wait: aiohttp.ClientTimeout,
        lease: Lease,
        place: str,
    ) -> Raw | Failure:
        """Send a call once and read the answer."""
        self.renew()
        outer = current_lease.get()
        current_lease.set(lease)
        response: Any = None
        whole = False
        try:
            data, headers = self._content(call, lease)
            asked = self._asker(call.operation.method)(
                url,
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=wait,
                middlewares=(self._authority,),
            )
            del data  # it holds what was asked
            # mocks are made for `async with`, and cannot always be awaited
            response = await (asked if hasattr(asked, "__await__") else asked.__aenter__())
            if lease.protocol is not None:
                seconds = granted(response.headers) - LEAST_KEEP
                lease.protocol.keep = min(lease.protocol.keep, seconds)
            body, whole = await _body_of(response)
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            if not lease.spoiled:
                status = None if response is None else response.status
                return failure_of(error, lease, status, place)
            lease.renew()
            return await self.request(call, url, wait, lease, place)
        else:
            return _status_of(response), _as_multi(response.headers), body
        finally:
            current_lease.set(outer)  # a trace callback may call within a call
            if response is not None and not whole:
                response.close()

    def _asker(self, method: str) -> Any:
        """Return what asks: `post` itself where somebody has put a mock into its place."""
        made_by = aiohttp.ClientSession
        is_mocked = is_aiohttps(made_by) and not is_aiohttps(made_by.post)
        if method == "POST" and is_mocked:
            return self._session.post
        return partial(self._session.request, method)

    def _content(self, call: Call, lease: Lease) -> tuple[Any, dict[str, str]]:
        headers = {**self._headers, **(lease.headers or {})}  # tracers write into it
        if call.form is not None:
            data, headers["Content-Type"] = build_form(call.form, lease)
            return data, headers
        if call.body is None:
            return None, headers
        is_small = len(call.body) < LARGE
        lease.late = is_small and is_aiohttps(aiohttp.ClientSession)
        if lease.late:
            return Body(call.body), headers
        return (call.body if is_small else BytesIO(call.body)), headers  # caches compare bytes


class _Authority:
    """A middleware that puts the secrets into a request; it copies as itself, as they do."""

    def __init__(self, secrets: dict[str, Secret]) -> None:
        self._secrets = secrets

    async def __call__(self, request: Any, handler: Any) -> Any:
        request.headers.update(self._secrets)
        return await handler(request)

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # mocks that record calls copy all arguments


def _makes_spans(config: Any) -> bool:
    callbacks = getattr(config, "on_request_start", ())
    return any(
        str(getattr(each, "__module__", "")).startswith("opentelemetry.") for each in callbacks
    )


def _as_multi(headers: Any) -> MultiMapping[str]:
    return headers if hasattr(headers, "getall") else CIMultiDict(headers)


async def _body_of(response: Any) -> tuple[bytes | None, bool]:
    """Return a body, and whether it was read to its end; a mock's is what the mock reads."""
    stream, method = response.content, foreign_reader()
    if method in {"json", "text"} and isinstance(response, aiohttp.ClientResponse):
        return await _told_by(response, method), True
    if method or type(stream) is not aiohttp.StreamReader:
        return await response.read(), True
    body = await (read(stream) if response.status < 300 else explanation(stream))
    return body, stream.at_eof() and stream.exception() is None


def _status_of(response: Any) -> int:
    """Return a response's status: what raises for it may be another's, and think differently."""
    status: int = response.status
    if status < 300 and is_foreign("raise_for_status"):
        try:
            response.raise_for_status()
        except aiohttp.ClientResponseError as error:
            return error.status
    return status


async def _told_by(response: aiohttp.ClientResponse, method: str) -> bytes:
    """Return what a method of a response says that is another's, as the body that it stands for."""
    try:
        told = await getattr(response, method)()
    except (aiohttp.ContentTypeError, ValueError):  # there is none that is JSON
        return await response.read()
    return (told if method == "text" else json.dumps(told)).encode()


async def read(stream: aiohttp.StreamReader) -> bytes | None:
    """Return a body; None when it is too large."""
    chunks, size = [], 0
    while size <= MAX_REPLY and not stream.at_eof():
        # `readany` would wait for ever when a chunk's end and a parser's error come together.
        chunks.append((await stream.readchunk())[0])
        size += max(len(chunks[-1]), PIECE_COST)
    return b"".join(chunks) if size <= MAX_REPLY else None


async def explanation(stream: aiohttp.StreamReader) -> bytes:
    """Return what a refusal says, as far as it comes: its status has said what happens next."""
    words = b""
    with suppress(aiohttp.ClientError, HttpProcessingError, OSError):
        async with asyncio.timeout(ERROR_REPLY_PATIENCE):
            while len(words) <= MAX_ERROR_REPLY and not stream.at_eof():
                words += (await stream.readchunk())[0]
    return words[:MAX_ERROR_REPLY]
