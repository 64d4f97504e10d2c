"""Real gateways and limiters as Debian, npm and PyPI have them: how each is set and started."""

import asyncio
import importlib.util
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from benchmarks.discovery.settings import (
    BLOCKED,
    CONN,
    DENY,
    EVASIVE,
    HERE,
    LIBRARY,
    MODULES,
    QOS,
    QOS_CLIENT,
    REQ,
    SCRIPTS,
    THROTTLED,
    Command,
    apache,
    caddy,
    haproxy,
    nginx,
    node,
    package,
    traefik,
    varnish,
)

SBIN = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
RATE = 20.0
PLACES = 8
MEAN = 0.65  # s that an answer takes
STARTUP = 20.0  # s


@attrs.frozen
class Gateway:
    """One gateway with one limit.

    Attributes:
        name: What it is, and how it is set.
        statuses: What a refusal is called: first as the gateway comes, then as it may be told.
        allowed: Requests per second that it lets through at best.
        command: How it is started, from a folder, its port, the upstream's and the status.
        needs: What has to be installed.
        oracle: Places in flight (an int), or requests per second, of a client that was told.
        settles: Seconds from when it listens until its rules hold.
    """

    name: str
    statuses: tuple[int | str, ...]
    allowed: float
    command: Command
    needs: str
    oracle: float | int = RATE
    settles: float = 0.0

    @property
    def is_installed(self) -> bool:
        """Whether it can be run here."""
        if self.needs.startswith("npm:"):
            return bool(shutil.which("node")) and (modules() / self.needs[4:]).exists()
        if self.needs.startswith("pip:"):
            return importlib.util.find_spec(self.needs[4:]) is not None
        return Path(self.needs).exists() or shutil.which(self.needs, path=SBIN) is not None


def modules() -> Path:
    """Where npm's packages are."""
    return Path(os.environ.get("DISCOVERY_NODE_MODULES") or HERE / "npm" / "node_modules")


CADDY, TRAEFIK = str(SCRIPTS / "caddy"), str(SCRIPTS / "traefik")
BURSTLESS = "limit_req zone=z;"
BURST, SLOWED = "limit_req zone=z burst=10 nodelay;", "limit_req zone=z burst=10;"
SOON = PLACES / MEAN
VSTHROTTLE = f"{LIBRARY}/varnish/vmods/libvmod_vsthrottle.so"
GATEWAYS = (
    Gateway("nginx limit_req, burst 10", (503, 429), RATE, nginx(REQ, BURST), "nginx"),
    Gateway("nginx limit_req, delayed", (503, 429), RATE, nginx(REQ, SLOWED), "nginx"),
    Gateway("nginx limit_req, no burst", (503, 429), RATE, nginx(REQ, BURSTLESS), "nginx"),
    Gateway("nginx limit_conn 8", (503, 429), SOON, nginx(CONN, "limit_conn z 8;"), "nginx", 8),
    Gateway("HAProxy deny, 200 in 10 s", (403, 429), RATE, haproxy(DENY.format(verb="deny")),
            "haproxy"),
    Gateway("HAProxy tarpit 2 s", (500, 429), RATE, haproxy(DENY.format(verb="tarpit")), "haproxy"),
    Gateway("HAProxy maxconn 8, queue 1 s", (503,), SOON, haproxy(server="maxconn 8"), "haproxy",
            8),
    Gateway("Varnish max_connections 8", (503,), SOON, varnish(".max_connections = 8;"),
            "varnishd", 8),
    Gateway("Varnish vsthrottle, 200 in 10 s", (429,), RATE, varnish(rule=THROTTLED), VSTHROTTLE),
    Gateway("Varnish vsthrottle, and block 10 s", (429,), RATE, varnish(rule=BLOCKED), VSTHROTTLE),
    Gateway("Apache mod_qos, 8 at once", (500, 429), SOON, apache(QOS), f"{MODULES}/mod_qos.so", 8),
    Gateway("Apache mod_qos, 8 of a client", ("reset",), SOON, apache(QOS_CLIENT),
            f"{MODULES}/mod_qos.so", 8),
    Gateway("Apache mod_evasive, ban 10 s", (403, 429), RATE, apache(EVASIVE),
            f"{MODULES}/mod_evasive20.so"),
    Gateway("Caddy unhealthy_request_count 8", (503,), SOON, caddy(), CADDY, 8),
    Gateway("Caddy, the same, lb_try_duration 1s", (503,), SOON, caddy("lb_try_duration 1s"), CADDY,
            8),
    Gateway("Traefik rateLimit, burst 10", (429,), RATE,
            traefik({"rateLimit": {"average": 20, "burst": 10}}), TRAEFIK, settles=1.0),
    Gateway("Traefik inFlightReq 8", (429,), SOON, traefik({"inFlightReq": {"amount": 8}}), TRAEFIK,
            8, settles=1.0),
    Gateway("express-rate-limit", (429,), RATE, node("express"), "npm:express-rate-limit"),
    Gateway("@fastify/rate-limit", (429,), RATE, node("fastify"), "npm:@fastify/rate-limit"),
    Gateway("@fastify/rate-limit, ban 3", (429,), RATE, node("fastify-ban"),
            "npm:@fastify/rate-limit"),
    Gateway("@fastify/under-pressure", (503,), SOON, node("under-pressure"),
            "npm:@fastify/under-pressure", 8),
    Gateway("koa-ratelimit", (429,), RATE, node("koa"), "npm:koa-ratelimit"),
    Gateway("hapi-rate-limit, 200 in 10 s", (429,), RATE, node("hapi", 200, 10_000),
            "npm:hapi-rate-limit"),
    Gateway("rate-limiter-flexible", (429,), RATE, node("flexible"), "npm:rate-limiter-flexible"),
    Gateway("hono-rate-limiter", (429,), RATE, node("hono"), "npm:hono-rate-limiter"),
    Gateway("@nestjs/throttler", (429,), RATE, node("nest"), "npm:@nestjs/throttler"),
    Gateway("slowapi", (429,), RATE, package("slowapi"), "pip:slowapi"),
    Gateway("django-ratelimit", (403, 429), RATE, package("django"), "pip:django_ratelimit"),
    Gateway("Flask-Limiter", (429,), RATE, package("flask"), "pip:flask_limiter"),
    Gateway("Django REST framework", (429,), RATE, package("drf"), "pip:rest_framework"),
    Gateway("fastapi-limiter", (429,), RATE, package("fastapi"), "pip:fastapi_limiter"),
    Gateway("quart-rate-limiter", (429,), RATE, package("quart"), "pip:quart_rate_limiter"),
    Gateway("litestar", (429,), RATE, package("litestar"), "pip:litestar"),
    Gateway("granian --backpressure 8", ("queue",), SOON, package("granian"), "pip:granian", 8),
    Gateway("uvicorn --limit-concurrency 8", (503,), SOON, package("uvicorn"), "pip:uvicorn", 8),
)  # fmt: skip
"""20 requests a second, 200 in 10 s, or 8 in flight before answers that take 0.3 to 1 s."""


@asynccontextmanager
async def running(
    gateway: Gateway, status: int | str, upstream: int, folder: Path
) -> AsyncIterator[str]:
    """Start a gateway and give its address."""
    port = _free_port()
    environment = {
        **os.environ,
        "PATH": f"{SBIN}:{os.environ['PATH']}",
        "NODE_PATH": str(modules()),
    }
    process = await asyncio.create_subprocess_exec(
        *gateway.command(folder, port, upstream, status), env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _listening(port, process)
        await asyncio.sleep(gateway.settles)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    for _ in range(int(STARTUP / 0.1)):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if process.returncode is not None:
                raise RuntimeError(f"it ended with {process.returncode}") from None
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError(f"it does not listen after {STARTUP:g} s")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
