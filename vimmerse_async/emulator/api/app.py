"""One request through the server: key, limits, reading, faults, checks, credits, work, reply.

The order is part of what the server keeps to itself: a refused key or a 429 costs nothing and
draws no fault; a fault that strikes instead of the work costs nothing unless it says so; work
that was begun is billed, also when its caller has gone.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, partial
from hashlib import blake2b

import attrs
from aiohttp import web

from vimmerse_async.emulator.api.contract import authenticate
from vimmerse_async.emulator.api.cors import ANY_METHOD, Sharing
from vimmerse_async.emulator.api.reply import (
    NAME,
    NO_HEADERS,
    EmulatorReply,
    RefusedError,
    as_json,
    refused,
)
from vimmerse_async.emulator.behaviour.account import Account
from vimmerse_async.emulator.behaviour.faults import Fault
from vimmerse_async.emulator.behaviour.records import Seen
from vimmerse_async.emulator.behaviour.refusals import (
    quota_headers,
    refusal_body,
    retry_after_headers,
)
from vimmerse_async.emulator.behaviour.spoiled import SPOILED
from vimmerse_async.emulator.behaviour.strikes import STAYS_OPEN, WIRE, AlreadySent, Line

_DELAY = 1.0
_RESET = Fault("reset")
_NOTHING = EmulatorReply(b"", 0)
_NOWHERE = "(no route)"
PREFIX = "/_emulator"
"""Of what the server tells about itself; no web page may read it."""
_BROKEN = as_json({"message": "Please retry or contact support"}, 500)
_logger = logging.getLogger(__name__)

Work = Callable[[], Awaitable[EmulatorReply]]
Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse | EmulatorReply]]


@attrs.frozen
class Task:
    """A request that was read, and what it asks for.

    Attributes:
        digest: Of what is asked: the same for the same question or file.
        check: Refuses, or returns the work.
        sent: What was asked, as JSON; rules search it and the log keeps it when it is small.
        discard: Called when the work is not done.
    """

    digest: bytes
    check: Callable[[], Work]
    sent: bytes = b""
    discard: Callable[[], None] = lambda: None


Read = Callable[[web.BaseRequest], Awaitable[Task]]


class App:
    """Answers requests.

    Args:
        account: What the server keeps to itself; replaced by a reset.
        key: The one key that is accepted; None: every `test-…` and `demo-…` key.
        sharing: Which web pages may ask; None: none.
    """

    def __init__(
        self, account: Account, *, key: str | None = None, sharing: Sharing | None = None
    ) -> None:
        self.account = account
        self._key = key
        self._sharing = sharing or Sharing(frozenset())
        self._exact: dict[str, dict[str, Answer]] = {}
        self._below: dict[str, dict[str, Answer]] = {}

    def add(self, method: str, path: str, answer: Answer) -> None:
        """Serve an open path, or everything one level below a path that ends with a slash."""
        table = self._below if path.endswith("/") else self._exact
        table.setdefault(path, {})[method] = answer

    def add_metered(self, method: str, path: str, read: Read, *, route: str | None = None) -> None:
        """Serve a path of the API: it needs a key, is limited, billed, logged and may fail by plan.

        `route` is the path as rules and records name it, where ids are replaced by their names.
        """
        self.add(method, path, partial(self._serve, route or path, read))

    def knock(self) -> Fault | None:
        """Return the fault that strikes the connection that is just opening."""
        return self.account.knock()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            answer = await self._find(request)(request)
        except RefusedError as refusal:
            answer = refusal.reply
        response = _respond(answer) if isinstance(answer, EmulatorReply) else answer
        response.headers["Server"] = NAME
        if not request.path.startswith(PREFIX):
            response.headers.update(self._sharing.headers(request))
        return response

    async def _nowhere(self, refusal: RefusedError, request: web.BaseRequest) -> EmulatorReply:
        """Note a request to no route of the API, so that none goes unseen."""
        log, now = self.account.log, time.monotonic()
        key = _digest(request.headers.get("X-Api-Key", ""))
        log.close(log.open(request.method, _NOWHERE, key, now), refusal.reply.status, None, now)
        return refusal.reply

    def _find(self, request: web.BaseRequest) -> Answer:
        path = request.raw_path.partition("?")[0]
        methods = self._exact.get(path) or self._below.get(path[: path.rfind("/") + 1])
        if request.method == "OPTIONS" and not path.startswith(PREFIX):
            preflight = self._sharing.preflight(request, methods or ANY_METHOD)
            if preflight is not None:
                return partial(_give, preflight)
        if methods is None:
            return partial(self._nowhere, refused(404, "there is no such route"))
        answer = methods.get(request.method)
        if answer is None:
            allowed = ", ".join(sorted(methods))
            wrong = refused(405, f"this route takes {allowed}", {"Allow": allowed})
            return partial(self._nowhere, wrong)
        return answer

    async def _serve(self, route: str, read: Read, request: web.BaseRequest) -> web.StreamResponse:
        account = self.account
        keys = request.headers.getall("X-Api-Key", [])
        key = keys[0] if keys else ""
        seen = account.log.open(request.method, route, _digest(key), time.monotonic())
        reply, fault = _NOTHING, None
        try:
            authenticate(keys, self._key)
            reply, fault = await self._admit(request, account, seen, read)
        except RefusedError as refusal:
            reply = refusal.reply
        except Exception:
            _logger.exception("a bug of the emulator, answered with 500")
            reply = _BROKEN
        finally:
            kind = None if fault is None else fault.kind
            account.log.close(seen, reply.status or None, kind, time.monotonic())
        return await _deliver(request, reply, fault, self._sharing)

    async def _admit(
        self, request: web.BaseRequest, account: Account, seen: Seen, read: Read
    ) -> tuple[EmulatorReply, Fault | None]:
        now = time.monotonic()
        wait = account.limiter.admit(now)
        if wait:
            return await _refuse(account, wait, now)
        try:
            job = await read(request)
            try:
                reply, fault = await _perform(request, account, seen, job)
                return attrs.evolve(reply, headers={**_told(account), **reply.headers}), fault
            except BaseException:
                job.discard()
                raise
        finally:
            account.limiter.release()


async def _refuse(account: Account, wait: float, now: float) -> tuple[EmulatorReply, Fault | None]:
    """Say no in the way that the limits tell, after as long as they tell."""
    limits = account.limiter.limits(now)
    if limits.refuse_after is not None:
        await asyncio.sleep(limits.refuse_after)
    if limits.refuse == "reset":
        return _NOTHING, _RESET
    status = int(limits.refuse)
    body, content_type = refusal_body(status)
    headers = {**_told(account), **retry_after_headers(limits.retry_after, wait, time.time())}
    return EmulatorReply(body, status, content_type, headers), None


def _told(account: Account) -> Mapping[str, str]:
    """Return the headers that tell what is left, where the limits are told at all."""
    now = time.monotonic()
    dialect = account.limiter.limits(now).quota_headers
    if dialect is None:
        return NO_HEADERS
    return quota_headers(dialect, account.limiter.quota(now), time.time())


@lru_cache(maxsize=256)
def _digest(key: str) -> str:
    data = key.encode(errors="replace")
    return blake2b(data, digest_size=8).hexdigest() if key else ""


async def _perform(
    request: web.BaseRequest, account: Account, seen: Seen, job: Task
) -> tuple[EmulatorReply, Fault | None]:
    """Do the work, or what a fault does instead; what is done to the line comes after."""
    began = time.monotonic()
    seen.asks(job.digest, job.sent)
    strike, pace = account.draw(seen.route.encode() + job.digest)
    fault = account.plan.at_request(seen.route, request.headers, job.sent, strike)
    if fault is None:
        return await _work(account, seen, job, began, pace), None
    if fault.moment == "before":
        await asyncio.sleep(_DELAY if fault.seconds is None else fault.seconds)
    if fault.moment == "instead":
        job.discard()
        reply = _NOTHING
    else:
        reply = await _work(account, seen, job, began, pace)
    if fault.kind == "hang":
        await Line(request).wait_until_gone()
    spoil = SPOILED.get(fault.kind)
    return reply if spoil is None else spoil(fault, reply, pace), fault


async def _work(
    account: Account, seen: Seen, job: Task, began: float, pace: float
) -> EmulatorReply:
    """Check, work, bill and take one's time; a refusal is free."""
    work = job.check()
    account.wallet.check(seen.route)
    reply = await work()
    seen.billed = account.wallet.pay(seen.route)
    pause = began + account.clockwork.seconds(began, pace) - time.monotonic()
    if pause > 0:
        await asyncio.sleep(pause)
    return reply


async def _give(reply: EmulatorReply, _: web.BaseRequest) -> EmulatorReply:
    return reply


async def _deliver(
    request: web.BaseRequest, reply: EmulatorReply, fault: Fault | None, sharing: Sharing
) -> web.StreamResponse:
    strike = None if fault is None else WIRE.get(fault.kind)
    if fault is None or strike is None:
        return _respond(reply)
    reply = attrs.evolve(reply, headers={**reply.headers, **sharing.headers(request)})
    await strike(Line(request), fault, reply)
    return AlreadySent(keep_open=fault.kind in STAYS_OPEN and request.keep_alive)


def _respond(reply: EmulatorReply) -> web.Response:
    headers = dict(reply.headers)
    if reply.content_type:
        headers["Content-Type"] = reply.content_type
    return web.Response(body=reply.body, status=reply.status, headers=headers)
