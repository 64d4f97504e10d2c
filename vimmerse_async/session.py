"""VimmerseSession: its life, and the one loop in which a call is attempted."""

import math
import ssl as tls
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from vimmerse_async.config import build_config, choose_proxy, choose_share, conceal
from vimmerse_async.control.limit import Limit, Outcome, Permit
from vimmerse_async.control.retry import Attempts
from vimmerse_async.decode import decode
from vimmerse_async.endings import INTERRUPTIONS, interrupted, last_word
from vimmerse_async.errors import APIError, VimmerseError
from vimmerse_async.gate import Gate
from vimmerse_async.hooks import Hook, checked_hooks
from vimmerse_async.http.exchange import check_tls
from vimmerse_async.lanes import Lane
from vimmerse_async.lifecycle import SessionState
from vimmerse_async.models import SessionStatistics
from vimmerse_async.options import (
    RetryPolicy,
    Timeouts,
    check_limit,
    check_number,
    check_options,
)
from vimmerse_async.runtime import Runtime
from vimmerse_async.sending import Manner, admitted, again, cut_short, depart, refused
from vimmerse_async.wire import Call, Reply, custom_call

_OK: Final = Outcome.OK
_CANCEL: Final = Outcome.CANCEL  # an enum's member takes 75 ns to look up in Python 3.11


class VimmerseSession:
    """A pool of connections to one Vimmerse account, and the limits that all its calls share.

    Make one for the life of the application; it can be made before a loop runs, and works inside
    `async with`.

    Args:
        api_key: The account's key; None: the variable `VIMMERSE_API_KEY`.
        base_url: An HTTPS address, or a loopback one, with a path below which requests go where a
            gateway wants that; None: `VIMMERSE_BASE_URL`, else the vendor's.
        authorization: The `Authorization` header; None sends none.
        username: The `Username` header; None sends none.
        client_type: The `X-Client-Type` header; None sends none.
        limit: Requests in flight, or a limit object; None: sessions of the same account share one.
        timeouts: How long to wait.
        retry: What is sent again.
        max_waiting: Calls that may wait for their turn, batches apart; one more fails at once with
            an `OverloadedError`, unsent. None: any number waits.
        share: `"host"`: all processes of this user on this machine with the same key and
            `base_url` have one limit and one queue; `limit` is then the most that they have in
            flight together. `"redis://…"`: those on other machines, too, that name the same server
            (extra `redis`). `"off"`: they do not. None: the variable `VIMMERSE_SHARE`, else off.
        hooks: Who is told of retries and ended calls.
        ssl: A TLS context, for a private authority; None: the system's trust.
        proxy: Address of an HTTP proxy; None for none.
        trust_env: True goes through the proxy that the environment names (`HTTPS_PROXY`,
            `ALL_PROXY`, `NO_PROXY`), with what `.netrc` has for it.
        trace_configs: aiohttp's own tracing, for instrumentation libraries.

    Raises:
        ConfigurationError: An argument or variable cannot work; names it, and never shows a key.

    Example:
        >>> async def main():
        ...     async with VimmerseSession(api_key="demo-key") as session:
        ...         return session.closed
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        authorization: str | None = None,
        username: str | None = None,
        client_type: str | None = None,
        limit: int | Limit | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        max_waiting: int | None = None,
        share: str | None = None,
        hooks: Sequence[Hook] = (),
        ssl: tls.SSLContext | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        trace_configs: Sequence[Any] = (),
    ) -> None:
        # From here on no frame of ours shows what it was given.
        api_key, authorization, proxy = map(conceal, (api_key, authorization, proxy))
        base_url = conceal(base_url) if isinstance(base_url, str) else base_url
        check_limit(limit)
        check_tls(ssl)
        check_options(timeouts, retry)
        if max_waiting is not None:
            check_number("max_waiting", max_waiting, least=0, whole=True)
        self._manner = Manner(timeouts, retry, max_waiting)
        config = build_config(api_key, base_url, authorization, username, client_type)
        self._runtime = Runtime(
            config,
            limit,
            checked_hooks(hooks),
            retry.budget,
            choose_share(share),
            ssl=ssl,
            proxy=choose_proxy(proxy, config.base_url, trust_env=trust_env),
            trace_configs=trace_configs,
        )

    def __repr__(self) -> str:
        runtime = getattr(self, "_runtime", None)
        if runtime is None:  # a constructor that failed is shown, too
            return "<VimmerseSession not made>"
        state = runtime.life.state
        doing = runtime.gate.summary() if state is SessionState.OPEN else state.value
        return f"<VimmerseSession {runtime.config.base_url} {doing}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a VimmerseSession cannot be pickled or copied; make one where it is used")

    async def __aenter__(self) -> Self:
        self._runtime.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def open(self) -> Self:
        """Open the session without a block, for cells of a notebook; `aclose` ends it.

        Returns:
            The session itself.

        Raises:
            SessionError: It is open or closed already.

        Example:
            >>> async def cell():
            ...     session = await VimmerseSession(api_key="demo-key").open()
            ...     await session.aclose()
        """
        return await self.__aenter__()

    async def aclose(self, grace: float = 0.0) -> None:
        """Close every connection; calls still under way end with a `SessionError`.

        Args:
            grace: Seconds that calls under way are given to end by themselves.
        """
        await self._runtime.close(grace)

    @property
    def closed(self) -> bool:
        """True after `aclose`, and after `async with`."""
        return self._runtime.life.state is SessionState.CLOSED

    @property
    def gate(self) -> Gate:
        """The admission that all calls of this session go through; for the batch engine.

        Raises:
            SessionError: The session is not open here and now.
        """
        self._runtime.life.check()
        return self._runtime.gate

    def open_lane(self) -> Lane:
        """Return a queue at the gate that ends with this session; for the batch engine."""
        lane = self.gate.open_lane()
        self._runtime.lanes.add(lane)
        return lane

    @property
    def timeouts(self) -> Timeouts:
        """How long calls may take."""
        return self._manner.timeouts

    @property
    def retry(self) -> RetryPolicy:
        """What is sent again, and how often."""
        return self._manner.retry

    @property
    def base_url(self) -> str:
        """Scheme, host, port and path below which requests go, without a slash at its end."""
        return self._runtime.config.base_url

    @property
    def origin(self) -> str:
        """Scheme, host and port that requests go to."""
        return self._runtime.config.origin

    async def emulated(self) -> bool | None:
        """Return whether an emulator answers; None: nobody does yet; for the batch engine.

        Only a server on this machine is asked, once, past limit and statistics.

        Raises:
            SessionError: The session is not open here and now.
        """
        return await self._runtime.emulated(self._manner.timeouts)

    def statistics(self) -> SessionStatistics:
        """Return what was done so far, and what the limit does right now."""
        return self._runtime.statistics()

    def last_cause(self) -> str:
        """Return what became of the last request that failed; empty when none did."""
        error = self._runtime.trouble
        return "" if error is None else error.message.partition("\n")[0]

    def with_options(
        self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None
    ) -> "VimmerseSession":
        """Return a view of this session with other options: same pool, same limit, same life."""
        view = object.__new__(VimmerseSession)
        view._runtime = self._runtime
        before = self._manner
        view._manner = Manner(
            timeouts or before.timeouts, retry or before.retry, before.max_waiting
        )
        check_options(view._manner.timeouts, view._manner.retry)
        return view

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Call any other documented route and return its JSON, without a `data` wrapper.

        Only GET and HEAD are sent again after a failure that may have left the work done.

        Args:
            method: The HTTP method.
            path: Begins with "/"; a query may follow.
            json: The body; None for none.
            form: Fields of a multipart form; None for none.
            timeout: Seconds for each attempt; None: 60.

        Returns:
            The decoded JSON; None for an empty 2xx.

        Raises:
            InvalidRequestError: An argument cannot be sent; nothing was.
            APIError: The request failed.

        Example:
            >>> async def health(session):
            ...     return await session.request("GET", "/health")
        """
        return await self.send(custom_call(method, path, json, form), timeout)

    async def send(
        self,
        call: Call,
        timeout: float | None = None,
        *,
        lane: Lane | None = None,
        permit: Permit | None = None,
        attempts: Attempts | None = None,
    ) -> Any:
        """Send a checked call until it has its answer; the route functions and batches use it.

        Args:
            call: What to send.
            timeout: Seconds for each attempt; None: the session's, else the route's.
            lane: A batch's queue at the gate; None for a single call.
            permit: The first attempt's permit, if it was admitted already.
            attempts: Where to keep the call's history; None: nobody wants to see it.

        Raises:
            APIError: The call failed for good.
            SessionError: The session is not open here and now, or was closed meanwhile.
            LaneClosedError: The batch ended before the call was sent.
        """
        runtime, manner, attempts = self._runtime, self._manner, attempts or Attempts()
        deadline = runtime.begin(call, manner.timeouts, timeout, permit, attempts)
        gate, operation, succeeded = runtime.gate, call.operation, False
        if lane is None:  # a row's clock starts as it is sent
            attempts.deadline = deadline.begun + (manner.timeouts.total or operation.total)
        value: Any = None
        error: VimmerseError | None = None
        try:
            while True:
                entered = (
                    gate.enter(operation.latency, attempts.deadline if lane is None else math.inf)
                    if permit is None
                    else permit
                )
                permit = (
                    await admitted(runtime, manner, operation, lane, attempts, deadline)
                    if (waits := isinstance(entered, (float, int)))
                    else entered
                )
                begun = runtime.now() if waits or attempts.sends else deadline.begun
                lease = depart(runtime, manner, operation, timeout, lane, attempts, deadline, begun)
                # Whatever ends this without an answer, the caller's haste too, teaches nothing.
                outcome, after, answered = _CANCEL, None, None
                try:
                    answer = await runtime.transport.exchange(call, manner.timeouts.connect, lease)
                    value, outcome, after, answered = (
                        (decode(operation, answer), _OK, None, operation)
                        if type(answer) is Reply and 200 <= answer.status < 300
                        else refused(runtime, operation, answer, begun, permit, attempts)
                    )
                except BaseException as raised:  # noqa: BLE001 - most are raised again
                    value, outcome = cut_short(
                        raised, runtime, operation, deadline, attempts, lease, begun
                    )
                finally:
                    # Before any pause: nobody holds a place while asleep, and the limit learns.
                    attempts.probe, attempts.sends = permit.probe, attempts.sends + 1
                    runtime.counters.sends += 1
                    gate.release(permit, outcome, runtime.now() - begun, after, answered)
                if type(value) is str or not isinstance(value, APIError):
                    succeeded = True
                    return value
                permit, error = None, last_word(error, value)
                if not await again(runtime, manner, value, call, lane, attempts, deadline):
                    raise error
        except INTERRUPTIONS as interruption:
            error = await interrupted(interruption, deadline, error, attempts, runtime)
            if error is None:
                runtime.given_up(deadline, lane)
                raise
            raise error from None
        finally:
            runtime.end(call, deadline, attempts, value, error=error, succeeded=succeeded)


def check_session(session: object) -> None:
    """Raise `TypeError`, in words, for what is no session."""
    if isinstance(session, VimmerseSession):
        return
    what = f"the class {session.__name__}" if isinstance(session, type) else type(session).__name__
    raise TypeError(
        f"session must be an open VimmerseSession, not {what}: write `async with VimmerseSession() "
        "as session:` and pass that first"
    )
