"""nginx with a rate limit and a concurrency limit, before an upstream that takes 300 ms."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

PER_SECOND = 200
BURST = 20
IN_FLIGHT = 60

CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
http {{
  log_format status '$status';
  limit_req_zone $http_x_api_key zone=rate:1m rate={rate}r/s;
  limit_conn_zone $http_x_api_key zone=window:1m;
  limit_req_status 429; limit_conn_status 429; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream slow {{ server 127.0.0.1:{upstream}; keepalive 512; }}
  server {{
    listen 127.0.0.1:{rate_port} backlog=4096; access_log {folder}/rate.log status;
    location / {{
      limit_req zone=rate burst={burst} nodelay;
      proxy_pass http://slow; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
  server {{
    listen 127.0.0.1:{window_port} backlog=4096; access_log {folder}/window.log status;
    location / {{
      limit_conn window {window};
      proxy_pass http://slow; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""


@attrs.frozen
class Limited:
    """One limited server.

    Attributes:
        name: What limits it.
        origin: Its address.
        log: A line with the status of every request.
    """

    name: str
    origin: str
    log: Path

    def statuses(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


@asynccontextmanager
async def limited_servers() -> AsyncIterator[list[Limited]]:
    """Run nginx and its upstream and give the two servers."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if binary is None:
        raise SystemExit("nginx is not installed (Debian: apt-get install nginx-light)")
    upstream = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.discovery.upstream", stdout=asyncio.subprocess.PIPE
    )
    assert upstream.stdout is not None
    upstream_port = int(await upstream.stdout.readline())
    rate_port, window_port = _free_port(), _free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "nginx.conf"
        config.write_text(
            CONFIG.format(
                folder=folder,
                rate=PER_SECOND,
                burst=BURST,
                window=IN_FLIGHT,
                upstream=upstream_port,
                rate_port=rate_port,
                window_port=window_port,
            )
        )
        command = [binary, "-p", name, "-c", str(config), "-e", "stderr"]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            await asyncio.sleep(1.0)
            yield [
                Limited("limit_req", f"http://127.0.0.1:{rate_port}", folder / "rate.log"),
                Limited("limit_conn", f"http://127.0.0.1:{window_port}", folder / "window.log"),
            ]
        finally:
            process.terminate()
            await process.wait()
            upstream.terminate()
            await upstream.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
