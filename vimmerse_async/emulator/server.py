"""The emulator as a whole: where it listens, where it runs, and how it is told what to do."""

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import ssl
import time
import warnings
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import anyio
import attrs
from aiohttp import web

from vimmerse_async.emulator.api.admin import add_admin
from vimmerse_async.emulator.api.app import App
from vimmerse_async.emulator.api.contract import is_test_key
from vimmerse_async.emulator.api.cors import Sharing, origins_from
from vimmerse_async.emulator.api.legacy import add_legacy
from vimmerse_async.emulator.api.v2 import Studio, add_v2
from vimmerse_async.emulator.author.author import Author
from vimmerse_async.emulator.author.eyes import Eyes
from vimmerse_async.emulator.behaviour.account import Account, Behaviour
from vimmerse_async.emulator.behaviour.faults import KINDS, Fault, FaultPlan
from vimmerse_async.emulator.behaviour.latency import Latency
from vimmerse_async.emulator.behaviour.limits import Limits
from vimmerse_async.emulator.behaviour.records import Seen
from vimmerse_async.emulator.behaviour.spec import faults_from, limits_from
from vimmerse_async.emulator.host.background import Background
from vimmerse_async.emulator.host.listener import Listener
from vimmerse_async.emulator.host.tls import Certificates
from vimmerse_async.emulator.media.gallery import Gallery
from vimmerse_async.emulator.media.hosting import Hosting
from vimmerse_async.emulator.media.kinds import FILE_CAP

UnknownMedia = Literal["refuse", "placeholder"]

# what is malformed on the wire is the caller's doing and answered, not reported
_wire_logger = logging.getLogger("vimmerse_async.emulator.behaviour.strikes")
_wire_logger.addHandler(logging.NullHandler())
_wire_logger.propagate = False

_GOODBYE = 0.01
_PATIENCE = 30.0
_LINGER = 10.0


class Emulator:
    """A local server that speaks the contract of the Vimmerse API; it needs no key and no network.

    It really looks at pictures, as far as they can be measured, and writes a true sentence; it is
    no model. It never fetches anything. `async with` runs it in the running loop, `with` in a
    thread of its own.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0: a free one.
        expose: Allow an address that other machines can reach.
        tls: Serve HTTPS under a certification authority made for the occasion.
        key: The one key to accept; None: every key that begins `test-` or `demo-`.
        cors: Origins of web pages that may ask from a browser, such as `http://localhost:5173`;
            `*`: all.
        maps: URL prefixes and the folders that stand for them.
        unknown_media: What a URL gets whose picture cannot be seen: `refuse`: a 400 that says what
            to do; `placeholder`: a sentence that says that the picture was not seen.
        limits: Hidden limits, as `Limits` or a mapping of its attributes.
        faults: What goes wrong, as `Fault` objects or mappings of their attributes.
        credits: In the wallet; None: no end.
        prices: Credits by route, over the default of 1 for every text route.
        latency: Seconds to an answer: a number, `uniform:0.1,2`, `lognormal:1,0.5`, `queue:4,0.25`.
        seed: Of every choice of words, fault, latency and id.
        upload_cap: The most bytes of one upload.
        media_cap: The most bytes of all uploads; beyond it the oldest are dropped.
        log_size: How many requests are kept in `requests`.
        idle_timeout: Seconds after which an idle connection is closed.

    Raises:
        ValueError: An argument makes no sense; the message says which and why.

    Example:
        >>> with Emulator(limits=Limits(in_flight=8)) as emulator:
        ...     emulator.url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        expose: bool = False,
        tls: bool = False,
        key: str | None = None,
        cors: Iterable[str] = (),
        maps: Mapping[str, str | PathLike[str]] | None = None,
        unknown_media: UnknownMedia = "refuse",
        limits: Limits | Mapping[str, Any] | None = None,
        faults: Iterable[Fault | Mapping[str, Any]] = (),
        credits: float | None = None,  # noqa: A002 - what a user has in a wallet
        prices: Mapping[str, float] | None = None,
        latency: Latency | float | str | None = None,
        seed: int = 0,
        upload_cap: int = FILE_CAP,
        media_cap: int = 2 * FILE_CAP,
        log_size: int = 10_000,
        idle_timeout: float = 75.0,
    ) -> None:
        if not (expose or _is_loopback(host)):
            raise ValueError(f"{host} can be reached by other machines: expose=True allows it")
        if not _is_loopback(host):
            warnings.warn(f"the emulator can be reached by other machines at {host}", stacklevel=2)
        if unknown_media not in {"refuse", "placeholder"}:
            raise ValueError(f"unknown_media is 'refuse' or 'placeholder', not {unknown_media!r}")
        if key is not None and not is_test_key(key):
            raise ValueError(
                "the emulator's key begins test- or demo-, so that no real one gets in"
            )
        for name, number in (("upload_cap", upload_cap), ("media_cap", media_cap)):
            if number < 1:
                raise ValueError(f"{name} must be at least 1 byte, not {number!r}")
        if not idle_timeout > 0:
            raise ValueError(f"idle_timeout must be above 0 seconds, not {idle_timeout!r}")
        self._behaviour = Behaviour(
            limits=limits,
            faults=faults,
            credits=credits,
            prices=prices,
            latency=latency,
            seed=seed,
            log_size=log_size,
        )
        self._address = (host, port)
        self._certificates = Certificates() if tls else None
        self._check_tls(self._behaviour.faults)
        self._hosting = Hosting(seed=seed, file_cap=upload_cap, total_cap=media_cap)
        folders = {prefix: Path(folder) for prefix, folder in (maps or {}).items()}
        self._gallery = Gallery(self._hosting, folders)
        self._placeholders = unknown_media == "placeholder"
        self._app = App(Account(self._behaviour), key=key, sharing=Sharing(origins_from(cors)))
        self._idle_timeout = idle_timeout
        self._url: str | None = None
        self.key: str = key or f"demo-{blake2b(str(seed).encode(), digest_size=8).hexdigest()}"
        self.token: str = secrets.token_urlsafe(24)
        self._server: web.Server | None = None
        self._running: contextlib.AsyncExitStack | None = None
        self._thread: Background | None = None

    @property
    def url(self) -> str:
        """The base URL, while it runs.

        Raises:
            RuntimeError: It does not run.
        """
        if self._url is None:
            raise RuntimeError("the emulator runs inside `with` or `async with` only")
        return self._url

    @property
    def requests(self) -> list[Seen]:
        """The latest requests to the API, oldest first: `log_size` of them."""
        return self._app.account.log.latest()

    @property
    def account(self) -> Account:
        """The state of limits, wallet, faults and log; replaced by `reset`."""
        return self._app.account

    @property
    def ca_pem(self) -> bytes:
        """The certificate that a client has to trust.

        Raises:
            RuntimeError: It serves plain HTTP.
        """
        return self._secure().ca_pem

    def ssl_context(self) -> ssl.SSLContext:
        """Return a client's context that trusts this emulator.

        Raises:
            RuntimeError: It serves plain HTTP.
        """
        return self._secure().client_context()

    def reset(self, **changed: Any) -> None:
        """Begin anew as at the start: the log empty, the wallet full, uploads forgotten.

        Args:
            **changed: `limits`, `faults`, `credits`, `prices`, `latency` and `seed` to hold
                instead of the constructor's, until the next reset.

        Raises:
            TypeError: There is no such thing to change.
            ValueError: A value is invalid; nothing has changed.
        """
        behaviour = attrs.evolve(self._behaviour, **changed)
        self._check_tls(behaviour.faults)
        self._app.account = Account(behaviour)
        self._hosting.clear()

    def set_faults(self, faults: Iterable[Fault | Mapping[str, Any]]) -> None:
        """Follow another plan from now on, until the next reset.

        Raises:
            ValueError: The plan is invalid; nothing has changed.
        """
        rules = faults_from(faults)
        self._check_tls(rules)
        self._app.account.plan = FaultPlan(rules)

    def set_limits(self, limits: Limits | Mapping[str, Any] | None) -> None:
        """Hold other limits from now on, until the next reset; None: none.

        Raises:
            ValueError: They are invalid; nothing has changed.
        """
        self._app.account.limiter.set(limits_from(limits), time.monotonic())

    def top_up(self, credits: float) -> None:  # noqa: A002 - what a user calls them
        """Add credits to the wallet.

        Raises:
            ValueError: The number is negative or no number.
        """
        self._app.account.wallet.top_up(credits)

    async def __aenter__(self) -> Self:
        """Start in the running loop.

        Raises:
            OSError: The address is taken or not this machine's; the message says which.
            RuntimeError: It runs already.
        """
        if self._url is not None:
            raise RuntimeError("this emulator runs already")
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._running = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop: what is in flight is cut off."""
        self._url = None
        running, self._running = self._running, None
        if running is None:
            return
        stopping = asyncio.ensure_future(running.aclose())
        cancelled: asyncio.CancelledError | None = None
        with anyio.CancelScope(shield=True):
            while not stopping.done():  # else whoever is cancelled meanwhile leaves half of it open
                try:
                    await asyncio.wait([stopping])
                except asyncio.CancelledError as again:
                    cancelled = again
        stopping.result()
        if cancelled is not None:
            raise cancelled

    def __enter__(self) -> Self:
        """Start in a thread of its own.

        Raises:
            OSError: The address is taken or not this machine's; the message says which.
            RuntimeError: It runs already.
        """
        if self._thread is not None:
            raise RuntimeError("this emulator runs already")
        self._thread = Background(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and end the thread.

        Raises:
            RuntimeError: It had died before; the cause tells why.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        eyes = Eyes()
        stack.callback(self._hosting.clear)
        stack.push_async_callback(eyes.close)
        patience = min(_PATIENCE, self._idle_timeout)
        author = Author(self._gallery, eyes, placeholders=self._placeholders)
        studio = Studio(self._app, author, eyes, self._hosting, patience)
        add_v2(studio)
        add_legacy(studio)
        add_admin(self._app, self)
        self._server = server = web.Server(
            self._app.handle,
            access_log=None,
            logger=_wire_logger,
            keepalive_timeout=self._idle_timeout,
            lingering_time=min(_LINGER, self._idle_timeout),
        )
        door = Listener(server, self._app.knock, self._certificates)
        port = door.open(*self._address)
        stack.push_async_callback(_close, door, server)
        self._url = self._url_of(port)

    def _url_of(self, port: int) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._address[0], self._address[0])  # noqa: S104 - not bound here
        scheme = "https" if self._certificates else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def _secure(self) -> Certificates:
        if self._certificates is None:
            raise RuntimeError("this emulator serves plain HTTP: Emulator(tls=True) serves HTTPS")
        return self._certificates

    def _check_tls(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            if KINDS[fault.kind].tls and self._certificates is None:
                raise ValueError(f"the fault {fault.kind!r} needs HTTPS: Emulator(tls=True)")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _close(door: Listener, server: web.Server) -> None:
    await door.close()
    server.pre_shutdown()
    await server.shutdown(_GOODBYE)
    for _ in range(10):  # the cancelled handlers end
        await asyncio.sleep(0)
