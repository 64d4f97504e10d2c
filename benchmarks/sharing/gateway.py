"""nginx with a limit, before a server of our own that has none."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.server import free_port
from benchmarks.sharing.crowd import account, counts

CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
http {{
  log_format seen '$status $http_x_client_type';
  limit_req_zone $http_x_api_key zone=rate:1m rate={rate}r/s;
  limit_conn_zone $http_x_api_key zone=window:1m;
  limit_req_status 429; limit_conn_status 429; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream work {{ server {upstream}; keepalive 512; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; access_log {folder}/seen.log seen;
    location / {{
      {limit}
      proxy_pass http://work; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""


@attrs.frozen
class Server:
    """What is asked, and where it is counted.

    Attributes:
        url: What clients ask.
        places, rate: What it allows; one of them is 0.
        behind: Where answers are counted.
        log: A line for each request; None: the server counts refusals itself.
    """

    url: str
    places: int
    rate: float
    behind: str
    log: Path | None = None

    def reset(self) -> int:
        """Begin to count anew; return the mark for `counts`."""
        counts(self.behind, reset=True)
        return self.log.stat().st_size if self.log is not None else 0

    def counts(self, mark: int) -> dict[str, Any]:
        """Return what was counted since a mark."""
        found = counts(self.behind)
        if self.log is not None:
            with self.log.open() as log:
                log.seek(mark)
                lines = [line.split() for line in log]
            found["refused"] = Counter(words[-1] for words in lines if words[0] == "429")
        return found


@contextmanager
def own(places: int, rate: float) -> Iterator[Server]:
    """Run a server that limits by itself."""
    with account(places, rate) as url:
        yield Server(url, places, rate, url)


@contextmanager
def nginx(places: int, rate: float) -> Iterator[Server]:
    """Run nginx with `limit_conn` or `limit_req` before it."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if binary is None:
        raise SystemExit("nginx is not installed (Debian: apt-get install nginx-light)")
    limit = f"limit_conn window {places};" if places else "limit_req zone=rate burst=4 nodelay;"
    with account() as behind, tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        config = CONFIG.format(
            folder=folder, rate=int(rate) or 1, upstream=behind.removeprefix("http://"),
            port=port, limit=limit,
        )  # fmt: skip
        (folder / "nginx.conf").write_text(config)
        command = [binary, "-c", str(folder / "nginx.conf"), "-p", name]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                _wait(port)
                yield Server(f"http://127.0.0.1:{port}", places, rate, behind, folder / "seen.log")
            finally:
                process.terminate()


def _wait(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("nginx did not start")
