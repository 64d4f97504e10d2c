"""Real gateways and limiters as Debian, npm and PyPI have them: how each is set and started."""

import asyncio
import importlib.util
import os
import shutil
import socket
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

HERE = Path(__file__).parent
SBIN = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
RATE = 20.0
PLACES = 8
MEAN = 0.65  # s that an answer takes
STARTUP = 20.0  # s

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000; {zone}
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream slow {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    {rule}
    proxy_pass http://slow; proxy_http_version 1.1; proxy_set_header Connection "";
  }} }}
}}
"""
REQ = "limit_req_zone $http_x_api_key zone=z:1m rate=20r/s; limit_req_status {status};"
CONN = "limit_conn_zone $http_x_api_key zone=z:1m; limit_conn_status {status};"

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout queue 1s
  timeout tarpit 2s
frontend in
  bind 127.0.0.1:{port}
  stick-table type string len 64 size 1k expire 60s store http_req_rate(10s)
  http-request track-sc0 req.hdr(x-api-key)
  {rule}
  default_backend slow
backend slow
  server one 127.0.0.1:{upstream} {server}
"""
DENY = "http-request {verb} deny_status {{status}} if {{{{ sc_http_req_rate(0) gt 200 }}}}"

VARNISH = """
vcl 4.1;
backend slow {{ .host = "127.0.0.1"; .port = "{upstream}"; {backend} }}
sub vcl_recv {{ return (pass); }}
"""

APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
LogLevel crit
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MaxKeepAliveRequests 0
{rule}
ProxyPass / http://127.0.0.1:{upstream}/ keepalive=On
"""
QOS = """
LoadFile {library}/libpcre.so.3
LoadModule qos_module {modules}/mod_qos.so
QS_LocRequestLimit / 8
QS_ErrorResponseCode {status}
"""
EVASIVE = """
LoadModule evasive20_module {modules}/mod_evasive20.so
DOSHashTableSize 97
DOSPageCount 20
DOSPageInterval 1
DOSSiteCount 1000
DOSSiteInterval 1
DOSBlockingPeriod 10
DOSLogDir {folder}
DOSHTTPResponseCode {status}
"""
MODULES = "/usr/lib/apache2/modules"
LIBRARY = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH') or 'x86_64-linux-gnu'}"

Command = Callable[[Path, int, int, int], list[str]]


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
    """

    name: str
    statuses: tuple[int, ...]
    allowed: float
    command: Command
    needs: str
    oracle: float | int = RATE

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


def _written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def nginx(zone: str, rule: str) -> Command:
    def command(folder: Path, port: int, upstream: int, status: int) -> list[str]:
        said = zone.format(status=status)
        text = NGINX.format(folder=folder, port=port, upstream=upstream, zone=said, rule=rule)
        config = _written(folder, "nginx.conf", text)
        return ["nginx", "-p", str(folder), "-c", config, "-e", "stderr"]

    return command


def haproxy(rule: str = "", server: str = "") -> Command:
    def command(folder: Path, port: int, upstream: int, status: int) -> list[str]:
        said = rule.format(status=status)
        text = HAPROXY.format(port=port, upstream=upstream, rule=said, server=server)
        return ["haproxy", "-db", "-q", "-f", _written(folder, "haproxy.cfg", text)]

    return command


def varnish(backend: str) -> Command:
    def command(folder: Path, port: int, upstream: int, _: int) -> list[str]:
        config = _written(folder, "gateway.vcl", VARNISH.format(upstream=upstream, backend=backend))
        listen = ["-a", f"127.0.0.1:{port}", "-T", "none", "-n", str(folder / "work")]
        return ["varnishd", "-F", "-j", "none", *listen, "-f", config, "-s", "malloc,16m"]

    return command


def apache(rule: str) -> Command:
    def command(folder: Path, port: int, upstream: int, status: int) -> list[str]:
        said = rule.format(modules=MODULES, library=LIBRARY, status=status, folder=folder)
        text = APACHE.format(
            folder=folder, port=port, upstream=upstream, modules=MODULES, rule=said
        )
        return ["apache2", "-DFOREGROUND", "-f", _written(folder, "apache.conf", text)]

    return command


def node(name: str) -> Command:
    return lambda _folder, port, _upstream, _status: [
        "node", str(HERE / "npm" / "limited.cjs"), name, str(port)
    ]  # fmt: skip


def package(name: str) -> Command:
    return lambda _folder, port, _upstream, status: [
        sys.executable, str(HERE / "limited.py"), name, str(port), str(status)
    ]  # fmt: skip


BURST, SLOWED = "limit_req zone=z burst=10 nodelay;", "limit_req zone=z burst=10;"
SOON = PLACES / MEAN
GATEWAYS = (
    Gateway("nginx limit_req, burst 10", (503, 429), RATE, nginx(REQ, BURST), "nginx"),
    Gateway("nginx limit_req, delayed", (503, 429), RATE, nginx(REQ, SLOWED), "nginx"),
    Gateway("nginx limit_conn 8", (503, 429), SOON, nginx(CONN, "limit_conn z 8;"), "nginx", 8),
    Gateway("HAProxy deny, 200 in 10 s", (403, 429), RATE, haproxy(DENY.format(verb="deny")),
            "haproxy"),
    Gateway("HAProxy tarpit 2 s", (500, 429), RATE, haproxy(DENY.format(verb="tarpit")), "haproxy"),
    Gateway("HAProxy maxconn 8, queue 1 s", (503,), SOON, haproxy(server="maxconn 8"), "haproxy",
            8),
    Gateway("Varnish max_connections 8", (503,), SOON, varnish(".max_connections = 8;"),
            "varnishd", 8),
    Gateway("Apache mod_qos, 8 at once", (500, 429), SOON, apache(QOS), f"{MODULES}/mod_qos.so", 8),
    Gateway("Apache mod_evasive, ban 10 s", (403, 429), RATE, apache(EVASIVE),
            f"{MODULES}/mod_evasive20.so"),
    Gateway("express-rate-limit", (429,), RATE, node("express"), "npm:express-rate-limit"),
    Gateway("@fastify/rate-limit", (429,), RATE, node("fastify"), "npm:@fastify/rate-limit"),
    Gateway("koa-ratelimit", (429,), RATE, node("koa"), "npm:koa-ratelimit"),
    Gateway("hapi-rate-limit, 200 in 10 s", (429,), RATE, node("hapi"), "npm:hapi-rate-limit"),
    Gateway("slowapi", (429,), RATE, package("slowapi"), "pip:slowapi"),
    Gateway("django-ratelimit", (403, 429), RATE, package("django"), "pip:django_ratelimit"),
    Gateway("Flask-Limiter", (429,), RATE, package("flask"), "pip:flask_limiter"),
    Gateway("uvicorn --limit-concurrency 8", (503,), SOON, package("uvicorn"), "pip:uvicorn", 8),
)  # fmt: skip
"""20 requests a second, 200 in 10 s, or 8 in flight before answers that take 0.3 to 1 s."""


@asynccontextmanager
async def running(gateway: Gateway, status: int, upstream: int, folder: Path) -> AsyncIterator[str]:
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
